/** On-disk structures of f2fs, little-endian. Names: Linux, include/linux/f2fs_fs.h; text: Documentation/filesystems/f2fs.rst. */
import { bits64le, bytes, struct, u8, u16le, u32le, u64le } from '../../lib/bytes/struct';

export const MAGIC = 0xf2f52010;
export const BLOCK = 4096;
/** Blocks of a segment: no other number is allowed. */
export const SEGMENT = 512;
/** Two superblocks, in the first two blocks. */
export const SUPERBLOCKS = [1024, BLOCK + 1024] as const;

export const SuperBlock = struct('f2fs_super_block', 3072, {
  magic: u32le(0),
  log_blocksize: u32le(16),
  log_blocks_per_seg: u32le(20),
  segment_count_nat: u32le(60),
  segment_count_main: u32le(68),
  cp_blkaddr: u32le(76),
  nat_blkaddr: u32le(84),
  main_blkaddr: u32le(92),
  root_ino: u32le(96),
  uuid: bytes(108, 16),
  volume_name: bytes(124, 1024),
  cp_payload: u32le(1664),
  feature: u32le(2180),
  /** Path of the second device; empty: there is one. */
  dev1_path: u8(2201 + 68),
});
export const SB_CRC_AT = 3068;

/** `F2FS_FEATURE_…` */
export const FEATURE = {
  inodeChecksum: 0x20,
  flexibleXattr: 0x40,
  sbChecksum: 0x800,
  casefold: 0x1000,
  compression: 0x2000,
};
export const FEATURE_NAMES: readonly string[] = [
  'encrypt',
  'blkzoned',
  'atomic_write',
  'extra_attr',
  'project_quota',
  'inode_checksum',
  'flexible_inline_xattr',
  'quota',
  'inode_crtime',
  'lost_found',
  'verity',
  'sb_checksum',
  'casefold',
  'compression',
  'ro',
  'device_alias',
  'packed_ssa',
];

export const Checkpoint = struct('f2fs_checkpoint', 192, {
  checkpoint_ver: bits64le(0),
  /** Of the log that files' inodes and direct nodes go to (CURSEG_WARM_NODE): segment, and its next block. */
  cur_node_segno_1: u32le(40),
  cur_node_blkoff_1: u16le(70),
  ckpt_flags: u32le(132),
  cp_pack_total_block_count: u32le(136),
  cp_pack_start_sum: u32le(140),
  sit_ver_bitmap_bytesize: u32le(156),
  nat_ver_bitmap_bytesize: u32le(160),
  checksum_offset: u32le(164),
});
/** `CP_…_FLAG` */
export const CP = {
  umount: 0x1,
  compactSum: 0x4,
  fastboot: 0x20,
  /** Nodes written since have the checkpoint's checksum beside its version; or whatever fsck.f2fs left there. */
  crcRecovery: 0x40,
  nocrcRecovery: 0x200,
  largeNatBitmap: 0x400,
  disabled: 0x1000,
};

/** `f2fs_nat_entry`: version, inode, block. */
export const NAT_ENTRY = 9;
export const NAT_PER_BLOCK = Math.floor(BLOCK / NAT_ENTRY);
/** The journal in a summary block: where, how many bytes; each entry has a node's number before it. */
export const JOURNAL = { at: 3584, size: 507, entry: 4 + NAT_ENTRY };
export const JOURNAL_MOST = Math.floor((JOURNAL.size - 2) / JOURNAL.entry);
/** Active logs: of data and nodes, and of data alone. */
export const LOGS = { all: 6, data: 3 };

export const NodeFooter = struct('node_footer', 24, {
  nid: u32le(0),
  ino: u32le(4),
  /** Marks, and above them the node's place in its file's tree. */
  flag: u32le(8),
  cp_ver: bits64le(12),
  next_blkaddr: u32le(20),
});
export const FOOTER_AT = BLOCK - 24;
export const MARK = { fsync: 0x2, entry: 0x4, bits: 3 };

export const Inode = struct('f2fs_inode', 396, {
  i_mode: u16le(0),
  i_advise: u8(2),
  i_inline: u8(3),
  i_size: u64le(16),
  i_mtime: bits64le(48),
  i_current_depth: u32le(72),
  i_flags: u32le(80),
  i_pino: u32le(84),
  i_namelen: u32le(88),
  i_name: bytes(92, 255),
  i_dir_level: u8(347),
  i_extra_isize: u16le(360),
  i_inline_xattr_size: u16le(362),
  i_compress_algorithm: u8(392),
  i_log_cluster_size: u8(393),
  i_compress_flag: u16le(394),
});
export const ADDRESSES_AT = 360;
export const ADDRESSES = 923;
export const NIDS_AT = 4052;
export const CHECKSUM_AT = 368;
export const GENERATION_AT = 68;
/** `i_extra_isize` that reaches over the checksum, and over the fields of compression. */
export const EXTRA = { checksum: 12, compression: 36 };
export const INLINE = { xattr: 0x1, data: 0x2, dentry: 0x4, extra: 0x20 };
/** Addresses that extended attributes take where the superblock does not say otherwise. */
export const INLINE_XATTR = 50;
export const ADVISE = { encrypt: 0x4, keepSize: 0x10 };
export const FLAG = { compressed: 0x4, casefold: 0x40000000 };

/** Addresses in a direct node, node numbers in an indirect one. */
export const PER_NODE = 1018;
/**
 * The five nodes below an inode: the levels of indirect ones, and their places in the tree, which are counted depth first.
 */
export const BELOW = [
  { levels: 0, place: 1 },
  { levels: 0, place: 2 },
  { levels: 1, place: 3 },
  { levels: 1, place: 4 + PER_NODE },
  { levels: 2, place: 5 + 2 * PER_NODE },
] as const;
/** Places from one child of a node to the next. */
export const stride = (levels: number): number => (levels === 2 ? PER_NODE + 1 : 1);

/** Nodes written since the checkpoint that are gone through: 512 MiB of them. */
export const LOG_MOST = 2 ** 17;

/** Addresses that are none. */
export const ADDRESS = { hole: 0, reserved: 0xffffffff, compressed: 0xfffffffe };

/** `f2fs_dir_entry`: hash, inode, length of the name, type. */
export const ENTRY = 11;
export const SLOT = 8;
export const ENTRIES_PER_BLOCK = 214;

/** `struct compress_data` */
export const CompressData = struct('compress_data', 24, { clen: u32le(0), chksum: u32le(4) });
/** `COMPRESS_CHKSUM`, in `i_compress_flag`. */
export const COMPRESS_CHECKSUM = 0x1;
/** 2^2 to 2^8 blocks (MIN_ and MAX_COMPRESS_LOG_SIZE). */
export const CLUSTER_LOG = { least: 2, most: 8 };

/** MAX_DIR_HASH_DEPTH / 2: where levels stop doubling. */
export const DEPTH_HALF = 31;
