/** DragonFly's 64-bit disklabel. Names: its sys/disklabel64.h. Numbers are little-endian, places and sizes are bytes. */
import { bytes, struct, u8, u32le, u64le } from '../../bytes/struct';

/** The label begins its slice or disk, whatever the sector's size; this is what precedes the magic number. */
export const RESERVED = 512;
export const MAGIC64 = 0xc4464c59;

export const Disklabel64 = struct('disklabel64', 712, {
  d_magic: u32le(512),
  /** CRC-32 from the magic number to the last row, this one counted as 0. */
  d_crc: u32le(516),
  d_npartitions: u32le(524),
});
/** Place of `d_crc`. */
export const CRC_AT = 516;
/** MAXPARTITIONS64. */
export const MOST_ROWS = 16;

export const Partition64 = struct('partition64', 64, {
  /** From the label's own beginning. */
  p_boffset: u64le(0),
  p_bsize: u64le(8),
  p_fstype: u8(16),
  p_stor_uuid: bytes(48, 16),
});
