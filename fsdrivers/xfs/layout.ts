/**
 * On-disk structures of XFS, big-endian. Names: Linux, fs/xfs/libxfs/xfs_format.h, xfs_da_format.h; text: "XFS Algorithms
 * & Data Structures", 3rd edition.
 */
import { bits64be, bytes, i32be, struct, text, u8, u16be, u32be, u64be } from '../../lib/bytes/struct';

/** `XFSB` */
export const SB_MAGIC = 0x58465342;

export const SuperBlock = struct('xfs_dsb', 264, {
  sb_magicnum: u32be(0),
  sb_blocksize: u32be(4),
  sb_dblocks: u64be(8),
  sb_uuid: bytes(32, 16),
  /** 0: on another device. */
  sb_logstart: u64be(48),
  sb_rootino: u64be(56),
  sb_agblocks: u32be(84),
  sb_agcount: u32be(88),
  sb_logblocks: u32be(96),
  sb_versionnum: u16be(100),
  sb_sectsize: u16be(102),
  sb_inodesize: u16be(104),
  sb_fname: text(108, 12),
  sb_blocklog: u8(120),
  sb_inodelog: u8(122),
  sb_inopblog: u8(123),
  sb_agblklog: u8(124),
  sb_inprogress: u8(126),
  sb_dirblklog: u8(192),
  sb_logsunit: u32be(196),
  sb_features2: u32be(200),
  sb_features_ro_compat: u32be(212),
  sb_features_incompat: u32be(216),
  sb_features_log_incompat: u32be(220),
  sb_meta_uuid: bytes(248, 16),
});
export const SB_CRC_AT = 224;

/** `sb_versionnum`: the version in the low bits, features of version 4 above. */
export const VERSION = { numberMask: 0xf, logV2: 0x400, dirV2: 0x2000, asciiCi: 0x4000, moreBits: 0x8000 };
/** `sb_features2`. */
export const FEATURE2 = { ftype: 0x200 };

export const INCOMPAT = { ftype: 0x1, metaUuid: 0x4, needsRepair: 0x10 };
/** Names of all incompatible features that this driver knows, by bit. */
export const INCOMPAT_NAMES: readonly string[] = [
  'ftype',
  'spinodes',
  'meta_uuid',
  'bigtime',
  'needsrepair',
  'nrext64',
  'exchrange',
  'parent',
  'metadir',
  'zoned',
  'zone_gaps',
];

/** `IN` */
export const INODE_MAGIC = 0x494e;

/** The part that versions 2 and 3 have in common. */
export const DInode = struct('xfs_dinode', 100, {
  di_magic: u16be(0),
  di_mode: u16be(2),
  di_version: u8(4),
  di_format: u8(5),
  /** Of version 3 with NREXT64. */
  di_big_nextents: bits64be(24),
  di_flushiter: u16be(30),
  di_mtime_sec: i32be(40),
  di_mtime: bits64be(40),
  di_size: u64be(56),
  di_nextents: u32be(76),
  /** Of the attribute fork, in units of 8 bytes after the core; 0: there is none. */
  di_forkoff: u8(82),
  di_flags: u16be(90),
});
/** What version 3 adds. */
export const DInode3 = struct('xfs_dinode', 176, {
  di_lsn: bits64be(112),
  di_flags2: bits64be(120),
  di_ino: u64be(152),
});
export const DINODE_CRC_AT = 100;
export const DI_FLAG_REALTIME = 0x1;
export const DI_FLAG2 = { bigtime: 0x8n, nrext64: 0x10n };
/** `enum xfs_dinode_fmt`. */
export const FORMAT = { dev: 0, local: 1, extents: 2, btree: 3 } as const;

/** The root of a tree of extents, in the inode: `xfs_bmdr_block`. */
export const BmdrBlock = struct('xfs_bmdr_block', 4, { bb_level: u16be(0), bb_numrecs: u16be(2) });

/** A block of a tree of extents; version 5 has a longer header. */
export const BmbtBlock = struct('xfs_btree_block', 24, {
  bb_magic: u32be(0),
  bb_level: u16be(4),
  bb_numrecs: u16be(6),
});
export const BMBT = { magic: 0x424d4150, magic5: 0x424d4133, head: 24, head5: 72, crcAt: 64, maxLevel: 9 };

/** Directory data: one block that holds all, or blocks that only hold entries. */
export const DIR_BLOCK = { magic: 0x58443242, magic5: 0x58444233 };
export const DIR_DATA = { magic: 0x58443244, magic5: 0x58444433, head: 16, head5: 64, crcAt: 4 };
export const DIR_FREE_TAG = 0xffff;
/** At the end of a directory of one block: how many hashes stand before it. */
export const DirBlockTail = struct('xfs_dir2_block_tail', 8, { count: u32be(0) });

/** Nodes and leaves of a directory's hash tree (`xfs_da_blkinfo`, `xfs_da3_blkinfo`). */
export const DaBlock = struct('xfs_da_blkinfo', 16, { forw: u32be(0), magic: u16be(8) });
export const DA = {
  node: 0xfebe,
  node5: 0x3ebe,
  leaf1: 0xd2f1,
  leaf1_5: 0x3df1,
  leafN: 0xd2ff,
  leafN_5: 0x3dff,
  /** Where `count` stands, and where the entries begin. */
  countAt: 12,
  head: 16,
  countAt5: 56,
  head5: 64,
  crcAt: 12,
  maxDepth: 5,
};
/** Bytes of a directory's address space before its hash tree. */
export const DIR_LEAF_OFFSET = 2 ** 35;

/** The header of a link's block, version 5. */
export const SymlinkHeader = struct('xfs_dsymlink_hdr', 56, { sl_magic: u32be(0), sl_bytes: u32be(8) });
export const SYMLINK = { magic: 0x58534c4d, crcAt: 12, most: 1024 };
