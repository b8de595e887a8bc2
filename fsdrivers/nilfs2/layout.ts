/** On-disk structures of NILFS2. Names: Linux, include/uapi/linux/nilfs2_ondisk.h. */
import { bits64le, bytes, struct, text, u8, u16le, u32le, u64le } from '../../lib/bytes/struct';

export const SUPERBLOCK_AT = 1024;
/** Where the second one stands on a volume of this size. */
export const secondSuperblockAt = (size: number): number => (Math.floor(size / 4096) - 1) * 4096;
export const MAGIC = 0x3434;
export const MAGIC_AT = 6;
export const REVISION = 2;
export const SuperBlock = struct('nilfs_super_block', 1024, {
  s_rev_level: u32le(0x0),
  s_magic: u16le(MAGIC_AT),
  /** Bytes that the checksum covers. */
  s_bytes: u16le(0x8),
  s_crc_seed: u32le(0xc),
  s_sum: u32le(0x10),
  s_log_block_size: u32le(0x14),
  s_nsegments: u64le(0x18),
  s_first_data_block: u64le(0x28),
  s_blocks_per_segment: u32le(0x30),
  s_last_cno: u64le(0x38),
  s_last_pseg: u64le(0x40),
  s_last_seq: u64le(0x48),
  s_state: u16le(0x74),
  s_first_ino: u32le(0x8c),
  s_inode_size: u16le(0x90),
  s_dat_entry_size: u16le(0x92),
  s_checkpoint_size: u16le(0x94),
  s_uuid: bytes(0x98, 16),
  s_volume_name: text(0xa8, 80),
  s_feature_incompat: bits64le(0x110),
});
/** Of the structure up to its padding. */
export const SUPERBLOCK_BYTES = 0x118;
export const SUM_AT = 0x10;
/** s_state: unmounted cleanly. */
export const VALID_FS = 1;

export const SEGMENT_MAGIC = 0x1eaffa11;
export const SegmentSummary = struct('nilfs_segment_summary', 56, {
  /** Of all that follows in the log, and of the summary. */
  ss_datasum: u32le(0),
  ss_sumsum: u32le(4),
  ss_magic: u32le(8),
  ss_bytes: u16le(12),
  ss_flags: u16le(14),
  ss_seq: u64le(16),
  ss_next: u64le(32),
  ss_nblocks: u32le(40),
  ss_nfinfo: u32le(44),
  ss_sumbytes: u32le(48),
});
export const SS = {
  /** Begins and ends a log of several parts. */
  begin: 1,
  end: 2,
  superRoot: 4,
  /** Data of files only, written by fdatasync. */
  dataOnly: 8,
} as const;
export const FileInfo = struct('nilfs_finfo', 24, {
  fi_ino: u64le(0),
  fi_nblocks: u32le(16),
  fi_ndatablk: u32le(20),
});
export const BlockInfo = struct('nilfs_binfo_v', 16, { bi_blkoff: u64le(8) });

export const SuperRoot = struct('nilfs_super_root', 16, { sr_sum: u32le(0), sr_bytes: u16le(4) });

export const Inode = struct('nilfs_inode', 128, {
  i_size: u64le(8),
  i_mtime: bits64le(24),
  i_mode: u16le(48),
  i_links_count: u16le(50),
  i_bmap: bytes(56, 56),
});
export const MIN_INODE_SIZE = 128;
export const ROOT_INODE = 2;

/** First byte of `i_bmap`: the rest is the root of a tree, otherwise block numbers. */
export const BMAP_LARGE = 1;
export const DIRECT_BLOCKS = 6;
export const BtreeNode = struct('nilfs_btree_node', 8, { bn_level: u8(1), bn_nchildren: u16le(2) });
/** Keys that a root in an inode has room for, and where a block's begin (after padding). */
export const ROOT_CHILDREN = 3;
export const NODE_KEYS_AT = 16;
/** Levels of a tree, from the nodes that lead to data up to the root. */
export const MAX_LEVEL = 13;

export const DatEntry = struct('nilfs_dat_entry', 32, { de_blocknr: u64le(0) });
/** Bytes of a group's descriptor in DAT and ifile. */
export const GROUP_DESCRIPTOR = 4;

export const Checkpoint = struct('nilfs_checkpoint', 64, { cp_flags: u32le(0), cp_cno: u64le(24) });
export const CHECKPOINT_INVALID = 2;

export const DirectoryEntry = struct('nilfs_dir_entry', 12, {
  inode: u64le(0),
  rec_len: u16le(8),
  name_len: u8(10),
  file_type: u8(11),
});
export const FILE_TYPE = { file: 1, directory: 2, link: 7 } as const;
/** `rec_len` of an entry that takes a block of 64 KiB alone. */
export const MAX_REC_LEN = 65535;
/** A directory is never this large; 100,000 names take 4 MB. */
export const DIR_MOST = 512 * 1024 * 1024;
