/**
 * VDI, VirtualBox's images, version 1.1: block/vdi.c of QEMU and VirtualBox's VDICore.h say the layout. Numbers are
 * little-endian.
 */
import { struct, u32le, u64le } from '../../bytes/struct';

/** Behind 64 bytes of text. */
export const SIGNATURE = 0xbeda107f;
export const SIGNATURE_AT = 64;

export const Header = struct('VDI header', 392, {
  signature: u32le(64),
  version: u32le(68),
  image_type: u32le(76),
  offset_bmap: u32le(340),
  offset_data: u32le(344),
  sector_size: u32le(360),
  disk_size: u64le(368),
  block_size: u32le(376),
  /** Bytes before each block's data. */
  block_extra: u32le(380),
  blocks_in_image: u32le(384),
});

export const VERSION_1_1 = 0x10001;
export const TYPES: Readonly<Record<number, string>> = {
  1: 'dynamic',
  2: 'fixed',
  3: 'undo',
  4: 'differencing',
};
export const DYNAMIC = 1;
export const FIXED = 2;

/** In the block map. */
export const UNALLOCATED = 0xffffffff;
export const DISCARDED = 0xfffffffe;

/** VirtualBox writes 1 MiB. */
export const MIN_BLOCK = 4096;
export const MAX_BLOCK = 64 * 1024 * 1024;
