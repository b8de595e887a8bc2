/**
 * On-disk structures of JFS1 (JFS2 of AIX is another format). Names: Linux, fs/jfs/jfs_superblock.h, jfs_dinode.h,
 * jfs_xtree.h, jfs_dtree.h, jfs_imap.h, jfs_filsys.h. All little-endian.
 */
import { bytes, type Field, i32le, struct, text, u8, u16le, u32le, u64le } from '../../lib/bytes/struct';

/** Places that hold for any block size: superblocks, first extent of the aggregate's inode table. */
export const SUPER1_OFF = 0x8000;
export const SUPER2_OFF = 0xf000;
export const AITBL_OFF = 0xb000;
export const MAGIC = 'JFS1';
export const VERSION_MOST = 2;
/** Pages of inodes, trees, maps and of the log, whatever the block size. */
export const PAGE = 4096;

/** A run of blocks: 24 bits of length, 40 of address. */
export interface Pxd {
  readonly length: number;
  readonly address: number;
}
const pxd = (at: number): Field<Pxd> => ({
  at,
  size: 8,
  read: (b, base) => ({ length: b.readUIntLE(base + at, 3), address: address40(b, base + at + 3) }),
});
/** The upper 8 bits come first. */
export const address40 = (b: Buffer, at: number): number => b[at]! * 2 ** 32 + b.readUInt32LE(at + 1);

export const SuperBlock = struct('jfs_superblock', 184, {
  s_magic: text(0, 4),
  s_version: u32le(4),
  /** In units of s_pbsize. */
  s_size: u64le(8),
  s_bsize: u32le(16),
  s_l2bsize: u16le(20),
  s_l2bfactor: u16le(22),
  s_pbsize: u32le(24),
  s_l2pbsize: u16le(28),
  s_flag: u32le(36),
  s_state: u32le(40),
  s_ait2: pxd(48),
  s_logpxd: pxd(72),
  s_uuid: bytes(136, 16),
  s_label: text(152, 16),
  s_loguuid: bytes(168, 16),
});
export const FLAG = {
  inlineLog: 0x800,
  /** The secondary aggregate inode table is bad. */
  badSait: 0x10000,
  /** Entries of directories carry a number each, and two characters less. */
  dirIndex: 0x200000,
  /** Names match without regard to case. */
  os2: 0x40000000,
} as const;
export const STATE = { clean: 0, mount: 1, dirty: 2, logredo: 4, extendfs: 8 } as const;

export const INODE_SIZE = 512;
export const L2_INODES_PER_EXTENT = 5;
export const INODES_PER_EXTENT = 32;
export const EXTENTS_PER_IAG = 128;
/** The fileset's inode map, in the aggregate's table; the root directory in the fileset's. */
export const FILESYSTEM_I = 16;
export const ROOT_I = 2;
/** MAXIAGS of 4,096 inodes each. */
export const INODES_MOST = (2 ** 20 - 1) * 4096;

export const Dinode = struct('dinode', INODE_SIZE, {
  di_number: u32le(8),
  di_size: u64le(24),
  di_nlink: u32le(40),
  di_mode: u32le(52),
  di_mtime: u32le(72),
  /** The root of a directory's tree, or of a file's extents. */
  di_btroot: bytes(224, 288),
  /** A link's target of less than 256 bytes. */
  di_fastsymlink: bytes(256, 256),
});
export const DTROOT_SLOTS = 9;
export const XTROOT_SLOTS = 18;
export const INLINE_LINK = 256;

export const Iag = struct('iag', PAGE, { iagnum: i32le(8), inoext: bytes(3072, 1024) });
export const InodeExtent = struct('pxd_t', 8, { pxd: pxd(0) });

/** Flags of tree pages. */
export const BT = { root: 1, leaf: 2, internal: 4 } as const;
/** MAXTREEHEIGHT. */
export const DEPTH_MOST = 8;

/** Header of a page of extents, in the inode or a block; entries follow from the third slot of 16 bytes on. */
export const XtHeader = struct('xtheader', 32, { flag: u8(16), nextindex: u16le(18), maxentry: u16le(20) });
export const XT_START = 2;
export const XTPAGE_SLOTS = 256;
export const Xad = struct('xad', 16, {
  flag: u8(0),
  len: { at: 8, size: 3, read: (b: Buffer, base: number) => b.readUIntLE(base + 8, 3) },
});
export const XAD = { offsetAt: 3, addressAt: 11 } as const;
export const XAD_COMPRESSED = 4;
export const XAD_NOTRECORDED = 8;

export const DT_SLOT = 32;
/** In the inode: behind the limits of OS/2's directories (16 bytes). */
export const DtRoot = struct('dtroot_t', 32, { flag: u8(16), nextindex: u8(17), stbl: bytes(24, 8) });
export const DtPage = struct('dtpage_t', 32, {
  flag: u8(16),
  nextindex: u8(17),
  maxslot: u8(20),
  stblindex: u8(21),
});
/** First slot of an entry in a leaf: inode, next slot, length, 11 characters (13 where entries have no number). */
export const LDt = { next: 4, length: 5, name: 6, characters: 11, charactersLegacy: 13 } as const;
/** In an inner page: a page's run of blocks, next slot, length, 11 characters. */
export const IDt = { next: 8, length: 9, name: 10, characters: 11 } as const;
/** A further slot: next slot, count, 15 characters. */
export const DtSlot = { next: 0, count: 1, name: 2, characters: 15 } as const;
export const SLOT_END = 0xff;
