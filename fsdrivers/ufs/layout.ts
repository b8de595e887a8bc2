/**
 * On-disk structures of UFS1 and UFS2, in either byte order. Names: FreeBSD, sys/ufs/ffs/fs.h, sys/ufs/ufs/dinode.h,
 * sys/ufs/ufs/dir.h.
 */
import {
  bits64be,
  bits64le,
  bytes,
  i32be,
  i32le,
  struct,
  text,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u64le,
} from '../../lib/bytes/struct';

/** Where a superblock may begin, in the order in which they are tried; UFS1 is never at the first (its copies may be). */
export const SUPERBLOCK_PLACES = [65536, 8192, 0, 262144] as const;
export const SUPERBLOCK_SIZE = 1376;
export const MAGIC_AT = 1372;
export const MAGIC1 = 0x00011954;
export const MAGIC2 = 0x19540119;
/** NetBSD's UFS2 with extended attributes: the same layout. */
export const MAGIC2EA = 0x19012038;

const orders = (big: boolean) =>
  big
    ? { u16: u16be, u32: u32be, i32: i32be, u64: u64be, bits64: bits64be }
    : { u16: u16le, u32: u32le, i32: i32le, u64: u64le, bits64: bits64le };

/** Made when a filesystem is opened: most never meet a UFS. */
export function structures(big: boolean) {
  const { u16, u32, i32, u64, bits64 } = orders(big);
  return {
    SuperBlock: struct('fs', SUPERBLOCK_SIZE, {
      /** Place of the inodes in a cylinder group, in fragments. */
      fs_iblkno: u32(16),
      fs_old_cgoffset: u32(24),
      fs_old_cgmask: u32(28),
      fs_old_size: u32(36),
      fs_ncg: u32(44),
      fs_bsize: u32(48),
      fs_fsize: u32(52),
      fs_frag: u32(56),
      fs_nindir: u32(116),
      fs_inopb: u32(120),
      fs_id_0: u32(144),
      fs_id_1: u32(148),
      fs_ipg: u32(184),
      fs_fpg: u32(188),
      fs_volname: text(680, 32),
      fs_sblockloc: bits64(1000),
      fs_size: bits64(1080),
      fs_magic: u32(MAGIC_AT),
    }),
    Inode1: struct('ufs1_dinode', 128, {
      di_mode: u16(0),
      di_size: u64(8),
      di_mtime: i32(24),
      /** Fragment numbers: 12 of blocks, 3 of indirect blocks. A short link's target stands here. */
      di_pointers: bytes(40, 60),
      di_blocks: u32(104),
    }),
    Inode2: struct('ufs2_dinode', 256, {
      di_mode: u16(0),
      di_size: u64(16),
      di_blocks: bits64(24),
      di_mtime: bits64(40),
      di_pointers: bytes(112, 120),
    }),
    Entry: struct('direct', 8, { d_ino: u32(0), d_reclen: u16(4) }),
    u32: (b: Buffer, at: number): number => (big ? b.readUInt32BE(at) : b.readUInt32LE(at)),
    u64: (b: Buffer, at: number): number => (big ? u64be(0) : u64le(0)).read(b, at),
  };
}
export type Structures = ReturnType<typeof structures>;

export const ROOT_INODE = 2;
export const DIRECT = 12;
export const INDIRECT = 3;
/** Entries never cross these; Apple's and NeXT's are larger, and hold the same. */
export const DIR_BLOCK = 512;
/** `d_type` of entries, where they have one. */
export const DT = { directory: 4, file: 8, link: 10, whiteout: 14 } as const;
/** A directory is never this large; 100,000 names take 3 MB. */
export const DIR_MOST = 512 * 1024 * 1024;
