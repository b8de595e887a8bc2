/**
 * On-disk structures of the MINIX filesystem, versions 1 to 3, in either byte order. Names: Linux, include/uapi/linux/minix_fs.h.
 */
import { bytes, struct, u8, u16be, u16le, u32be, u32le } from '../../lib/bytes/struct';

export const SUPERBLOCK_AT = 1024;
export const SUPERBLOCK_SIZE = 32;
/** `s_magic` of versions 1 and 2, and of version 3. */
export const MAGIC_AT = 16;
export const MAGIC3_AT = 24;
/** s_magic → version and the bytes of a name. */
export const MAGICS: Readonly<Record<number, readonly [version: 1 | 2, nameLength: number]>> = {
  4991: [1, 14],
  5007: [1, 30],
  9320: [2, 14],
  9336: [2, 30],
};
export const MAGIC3 = 0x4d5a;
export const NAME_LENGTH3 = 60;

/** Made when a filesystem is opened: most never meet a MINIX. */
export function structures(big: boolean) {
  const [u16, u32] = big ? [u16be, u32be] : [u16le, u32le];
  return {
    SuperBlock: struct('minix_super_block', 24, {
      s_ninodes: u16(0),
      s_nzones: u16(2),
      s_imap_blocks: u16(4),
      s_zmap_blocks: u16(6),
      s_firstdatazone: u16(8),
      s_log_zone_size: u16(10),
      s_magic: u16(MAGIC_AT),
      s_zones: u32(20),
    }),
    SuperBlock3: struct('minix3_super_block', SUPERBLOCK_SIZE, {
      s_ninodes: u32(0),
      s_imap_blocks: u16(6),
      s_zmap_blocks: u16(8),
      s_firstdatazone: u16(10),
      s_log_zone_size: u16(12),
      s_zones: u32(20),
      s_magic: u16(MAGIC3_AT),
      s_blocksize: u16(28),
    }),
    Inode1: struct('minix_inode', 32, {
      i_mode: u16(0),
      i_size: u32(4),
      i_mtime: u32(8),
      i_nlinks: u8(13),
      i_zone: bytes(14, 18),
    }),
    Inode2: struct('minix2_inode', 64, {
      i_mode: u16(0),
      i_nlinks: u16(2),
      i_size: u32(8),
      i_mtime: u32(16),
      i_zone: bytes(24, 40),
    }),
    u16: (b: Buffer, at: number): number => u16(0).read(b, at),
    u32: (b: Buffer, at: number): number => u32(0).read(b, at),
  };
}
export type Structures = ReturnType<typeof structures>;

export const ROOT_INODE = 1;
/** Zone numbers of data in an inode; those of indirect blocks follow: two, or three since version 2. */
export const DIRECT = 7;
/** Blocks before the bitmaps: of the boot program, and the superblock's. */
export const START_BLOCK = 2;
/** MINIX allows any multiple of a sector. */
export const BLOCK_UNIT = 512;
/** Bytes of a zone: no maker goes beyond a few blocks. */
export const ZONE_MOST = 64 * 1024 * 1024;
/** A directory is never this large; 100,000 names take 6 MB. */
export const DIR_MOST = 512 * 1024 * 1024;
