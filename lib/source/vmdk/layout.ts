/**
 * VMDK: VMware's "Virtual Disk Format 5.0", whose names are used, and for ESX' COWD block/vmdk.c of QEMU. Numbers are
 * little-endian; places and sizes are sectors of 512 bytes.
 */
import { bits64le, struct, u16le, u32le, u64le } from '../../bytes/struct';

/** `KDMV`. */
export const MAGIC = 0x564d444b;
export const SparseExtentHeader = struct('VMDK sparse extent header', 79, {
  magicNumber: u32le(0),
  version: u32le(4),
  flags: u32le(8),
  capacity: u64le(12),
  grainSize: u64le(20),
  descriptorOffset: u64le(28),
  descriptorSize: u64le(36),
  numGTEsPerGT: u32le(44),
  gdOffset: bits64le(56),
  compressAlgorithm: u16le(77),
});
export const SECTOR = 512;
export const MAX_VERSION = 3;
export const FLAG = { zeroGrain: 1 << 2, compressed: 1 << 16, markers: 1 << 17 } as const;
/** The grain directory's place stands in a second header, near the end. */
export const GD_AT_END = 0xffff_ffff_ffff_ffffn;
export const FOOTER_BEFORE_END = 1024;
export const DEFLATE = 1;
/** In a grain table, where the flag says so. */
export const ZERO_GRAIN = 1;
/** Before compressed data: lba (8 bytes), bytes of data (4). */
export const GRAIN_MARKER = struct('VMDK grain marker', 12, { size: u32le(8) });

/** `COWD`, ESX' vmfsSparse. */
export const COWD_MAGIC = 0x44574f43;
export const CowdHeader = struct('COWD header', 32, {
  magicNumber: u32le(0),
  version: u32le(4),
  numSectors: u32le(12),
  grainSize: u32le(16),
  gdOffset: u32le(20),
  numGDEntries: u32le(24),
});
export const COWD_GTES = 4096;

/** ESX' seSparse begins with this, as 64 bits. */
export const SESPARSE_MAGIC = 0xcafebabe;

export const DESCRIPTOR = '# Disk DescriptorFile';
export const MAX_DESCRIPTOR = 1024 * 1024;
export const MAX_EXTENTS = 4096;
export const NO_PARENT = 'ffffffff';
/** VMware writes 64 KiB. */
export const MAX_GRAIN_SECTORS = 65536;
/** 4 MiB: one that is compressed is unpacked as a whole. */
export const MAX_PACKED_GRAIN_SECTORS = 8192;
export const MAX_GTES = 65536;
