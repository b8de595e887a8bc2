/**
 * VHD, the images of Virtual PC, Hyper-V and XenServer: Microsoft's "Virtual Hard Disk Image Format Specification" 1.0, whose
 * names are used. Numbers are big-endian.
 */
import { bits64be, bytes, struct, text, u32be, u64be } from '../../bytes/struct';

export const COOKIE = 'conectix';
export const Footer = struct('VHD footer', 512, {
  Cookie: text(0, 8),
  FileFormatVersion: u32be(12),
  DataOffset: bits64be(16),
  CurrentSize: u64be(48),
  DiskType: u32be(60),
  Checksum: u32be(64),
  UniqueId: bytes(68, 16),
});
export const CHECKSUM_AT = 64;

export const FIXED = 2;
export const DYNAMIC = 3;
export const DIFFERENCING = 4;

export const DYNAMIC_COOKIE = 'cxsparse';
export const DynamicHeader = struct('VHD dynamic header', 1024, {
  Cookie: text(0, 8),
  TableOffset: u64be(16),
  MaxTableEntries: u32be(28),
  BlockSize: u32be(32),
  Checksum: u32be(36),
  ParentUniqueId: bytes(40, 16),
  /** UTF-16, big-endian. */
  ParentUnicodeName: bytes(64, 512),
});
export const DYNAMIC_CHECKSUM_AT = 36;
export const LOCATORS_AT = 576;
export const LOCATORS = 8;
export const ParentLocator = struct('VHD parent locator', 24, {
  PlatformCode: u32be(0),
  PlatformDataLength: u32be(8),
  PlatformDataOffset: u64be(16),
});
/** `W2ru`: a path from the image on, UTF-16, little-endian. `MacX`: a URL in UTF-8. */
export const RELATIVE = 0x57327275;
export const MAC_URL = 0x4d616358;
export const MAX_LOCATOR = 4096;

export const UNALLOCATED = 0xffffffff;
/** Blocks have 2 MiB as a rule; the specification bounds them by nothing. */
export const MIN_BLOCK = 4096;
export const MAX_BLOCK = 256 * 1024 * 1024;
