/**
 * On-disk structures of the journal (big-endian; Documentation/filesystems/ext4/journal.rst, include/linux/jbd2.h) and
 * of its fast-commit area (little-endian; fs/ext4/fast_commit.h).
 */
import { bytes, struct, u8, u16be, u16le, u32be, u32le } from '../../../lib/bytes/struct';

export const JOURNAL_MAGIC = 0xc03b3998;

export const JournalHeader = struct('journal_header_s', 12, {
  h_magic: u32be(0x0),
  h_blocktype: u32be(0x4),
  h_sequence: u32be(0x8),
});
export const BLOCKTYPE = { descriptor: 1, commit: 2, superblock_v1: 3, superblock_v2: 4, revoke: 5 } as const;

export const JOURNAL_SUPERBLOCK_SIZE = 1024;
export const JournalSuperblock = struct('journal_superblock_s', JOURNAL_SUPERBLOCK_SIZE, {
  h_magic: u32be(0x0),
  h_blocktype: u32be(0x4),
  s_blocksize: u32be(0xc),
  s_maxlen: u32be(0x10),
  s_first: u32be(0x14),
  s_sequence: u32be(0x18),
  s_start: u32be(0x1c),
  s_feature_compat: u32be(0x24),
  s_feature_incompat: u32be(0x28),
  s_uuid: bytes(0x30, 16),
  s_num_fc_blks: u32be(0x54),
  s_checksum: u32be(0xfc),
});

export const JOURNAL_COMPAT = { checksum: 0x1 } as const;
export const JOURNAL_INCOMPAT = {
  revoke: 0x1,
  '64bit': 0x2,
  async_commit: 0x4,
  csum_v2: 0x8,
  csum_v3: 0x10,
  fast_commit: 0x20,
} as const;
export const JOURNAL_INCOMPAT_KNOWN = 0x3f;
/** JBD2_DEFAULT_FAST_COMMIT_BLOCKS, where `s_num_fc_blks` is 0. */
export const DEFAULT_FAST_COMMIT_BLOCKS = 256;

/** With feature csum_v3; 16 bytes, then a UUID unless it is the same as before. */
export const BlockTag3 = struct('journal_block_tag3_s', 16, {
  t_blocknr: u32be(0x0),
  t_flags: u32be(0x4),
  t_blocknr_high: u32be(0x8),
  t_checksum: u32be(0xc),
});
/** Otherwise; `t_blocknr_high` only with feature 64bit, and two more bytes that say nothing with csum_v2. */
export const BlockTag = struct('journal_block_tag_s', 12, {
  t_blocknr: u32be(0x0),
  t_checksum: u16be(0x4),
  t_flags: u16be(0x6),
  t_blocknr_high: u32be(0x8),
});
/** ESCAPE: the block began with the journal's magic, which was replaced by zeros. */
export const TAG_FLAG = { escape: 0x1, same_uuid: 0x2, last_tag: 0x8 } as const;
export const TAG_UUID = 16;
/** `t_checksum` ends descriptor and revoke blocks with csum_v2 and csum_v3. */
export const BLOCK_TAIL = 4;

export const CommitHeader = struct('commit_header', 60, {
  h_chksum_type: u8(0xc),
  h_chksum_size: u8(0xd),
  h_chksum: u32be(0x10),
  h_commit_sec_high: u32be(0x30),
  h_commit_sec_low: u32be(0x34),
});
export const COMMIT_CHECKSUM_AT = 0x10;
/** `h_chksum_type`: CRC-32, in 4 bytes. */
export const COMMIT_CRC32 = 1;

/** `r_count`: bytes in use, this header included. */
export const RevokeHeader = struct('jbd2_journal_revoke_header_s', 16, { r_count: u32be(0xc) });

export const FastTag = struct('ext4_fc_tl', 4, { fc_tag: u16le(0x0), fc_len: u16le(0x2) });
export const FC_TAG = {
  add_range: 1,
  del_range: 2,
  creat: 3,
  link: 4,
  unlink: 5,
  inode: 6,
  pad: 7,
  tail: 8,
  head: 9,
} as const;
export const FastHead = struct('ext4_fc_head', 8, { fc_features: u32le(0x0), fc_tid: u32le(0x4) });
export const FastTail = struct('ext4_fc_tail', 8, { fc_tid: u32le(0x0), fc_crc: u32le(0x4) });
/** Followed by an `ext4_extent`. */
export const FastAddRange = struct('ext4_fc_add_range', 16, { fc_ino: u32le(0x0) });
export const FAST_EXTENT_AT = 4;
export const FastDeleteRange = struct('ext4_fc_del_range', 12, {
  fc_ino: u32le(0x0),
  fc_lblk: u32le(0x4),
  fc_len: u32le(0x8),
});
/** Followed by the name. */
export const FastName = struct('ext4_fc_dentry_info', 8, { fc_parent_ino: u32le(0x0), fc_ino: u32le(0x4) });
/** Followed by the raw inode. */
export const FastInode = struct('ext4_fc_inode', 4, { fc_ino: u32le(0x0) });
/** The usual area of 256 blocks of 4 KiB has room for some 50,000. */
export const MAX_FAST_OPERATIONS = 1_000_000;
