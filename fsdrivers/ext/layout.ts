/**
 * On-disk structures of ext2, ext3 and ext4, with the names of Documentation/filesystems/ext4/ and fs/ext4/ext4.h.
 * Everything is little-endian, but for the journal (journal/layout.ts).
 */
import { bytes, i32le, struct, text, u8, u16le, u32le, u32leArray } from '../../lib/bytes/struct';

/** Bytes from the start of the volume to the primary superblock, whatever the block size. */
export const SUPERBLOCK_AT = 1024;
export const SUPERBLOCK_SIZE = 1024;
export const EXT_MAGIC = 0xef53;

export const Superblock = struct('ext4_super_block', SUPERBLOCK_SIZE, {
  s_inodes_count: u32le(0x0),
  s_blocks_count_lo: u32le(0x4),
  s_first_data_block: u32le(0x14),
  s_log_block_size: u32le(0x18),
  s_log_cluster_size: u32le(0x1c),
  s_blocks_per_group: u32le(0x20),
  s_inodes_per_group: u32le(0x28),
  s_magic: u16le(0x38),
  s_rev_level: u32le(0x4c),
  s_first_ino: u32le(0x54),
  s_inode_size: u16le(0x58),
  s_feature_compat: u32le(0x5c),
  s_feature_incompat: u32le(0x60),
  s_feature_ro_compat: u32le(0x64),
  s_uuid: bytes(0x68, 16),
  s_volume_name: text(0x78, 16),
  s_journal_uuid: bytes(0xd0, 16),
  s_journal_inum: u32le(0xe0),
  s_journal_dev: u32le(0xe4),
  s_hash_seed: u32leArray(0xec, 4),
  s_desc_size: u16le(0xfe),
  s_first_meta_bg: u32le(0x104),
  s_blocks_count_hi: u32le(0x150),
  s_flags: u32le(0x160),
  s_checksum_type: u8(0x175),
  s_backup_bgs: u32leArray(0x24c, 2),
  s_checksum_seed: u32le(0x270),
  s_encoding: u16le(0x27c),
  s_checksum: u32le(0x3fc),
});

/** `s_feature_compat`: harmless to whoever does not know them. */
export const COMPAT = {
  has_journal: 0x4,
  dir_index: 0x20,
  sparse_super2: 0x200,
  fast_commit: 0x400,
} as const;

/** `s_feature_incompat`: who does not know one cannot read the filesystem. */
export const INCOMPAT = {
  compression: 0x1,
  filetype: 0x2,
  recover: 0x4,
  journal_dev: 0x8,
  meta_bg: 0x10,
  extents: 0x40,
  '64bit': 0x80,
  mmp: 0x100,
  flex_bg: 0x200,
  ea_inode: 0x400,
  dirdata: 0x1000,
  metadata_csum_seed: 0x2000,
  large_dir: 0x4000,
  inline_data: 0x8000,
  encrypt: 0x10000,
  casefold: 0x20000,
} as const;

/** What this driver reads. Left out: e2compr's compression and Lustre's dirdata, which the kernel refuses too. */
export const INCOMPAT_KNOWN =
  INCOMPAT.filetype |
  INCOMPAT.recover |
  INCOMPAT.meta_bg |
  INCOMPAT.extents |
  INCOMPAT['64bit'] |
  INCOMPAT.mmp |
  INCOMPAT.flex_bg |
  INCOMPAT.ea_inode |
  INCOMPAT.metadata_csum_seed |
  INCOMPAT.large_dir |
  INCOMPAT.inline_data |
  INCOMPAT.encrypt |
  INCOMPAT.casefold;

/** `s_feature_ro_compat`: readable by anybody. */
export const RO_COMPAT = {
  sparse_super: 0x1,
  large_file: 0x2,
  btree_dir: 0x4,
  gdt_csum: 0x10,
  metadata_csum: 0x400,
} as const;

/** blkid calls a filesystem ext4 when it has a feature that ext3 does not know (libblkid/superblocks/ext.c). */
export const EXT3_INCOMPAT = INCOMPAT.filetype | INCOMPAT.recover | INCOMPAT.meta_bg;
export const EXT3_RO_COMPAT = RO_COMPAT.sparse_super | RO_COMPAT.large_file | RO_COMPAT.btree_dir;

/** `s_flags`: how the directory hash sees bytes above 0x7f. */
export const SIGNED_HASH = 0x1;
export const UNSIGNED_HASH = 0x2;
/** `s_encoding`: the only one defined is Unicode 12.1 in UTF-8. */
export const ENCODING_UTF8 = 1;
/** `s_checksum_type`: the only one defined. */
export const CHECKSUM_CRC32C = 1;

export const GroupDescriptor = struct('ext4_group_desc', 32, {
  bg_inode_table_lo: u32le(0x8),
  bg_checksum: u16le(0x1e),
});
/** The second half, where `s_desc_size` is 64 or more. */
export const GroupDescriptorHigh = struct('ext4_group_desc', 64, { bg_inode_table_hi: u32le(0x28) });

export const InodeLayout = struct('ext4_inode', 128, {
  i_mode: u16le(0x0),
  i_size_lo: u32le(0x4),
  i_mtime: i32le(0x10),
  i_links_count: u16le(0x1a),
  i_flags: u32le(0x20),
  i_block: bytes(0x28, 60),
  i_generation: u32le(0x64),
  i_size_high: u32le(0x6c),
  l_i_checksum_lo: u16le(0x7c),
});
/** Beyond the first 128 bytes; a field counts only where `i_extra_isize` reaches it. */
export const InodeExtra = struct('ext4_inode', 160, {
  i_extra_isize: u16le(0x80),
  i_checksum_hi: u16le(0x82),
  i_mtime_extra: u32le(0x88),
});

/** `i_mode`, the upper four bits. */
export const MODE = { mask: 0xf000, directory: 0x4000, regular: 0x8000, symlink: 0xa000 } as const;

/** `i_flags` */
export const FLAG = {
  encrypt: 0x800,
  index: 0x1000,
  extents: 0x80000,
  inline_data: 0x10000000,
  casefold: 0x40000000,
} as const;

export const ROOT_INODE = 2;
/** Bytes of `i_block`: the block map, the root of the extent tree, a short link's target or inline data. */
export const BLOCK_MAP_SIZE = 60;
export const DIRECT_BLOCKS = 12;

export const ExtentHeader = struct('ext4_extent_header', 12, {
  eh_magic: u16le(0x0),
  eh_entries: u16le(0x2),
  eh_max: u16le(0x4),
  eh_depth: u16le(0x6),
});
export const EXTENT_MAGIC = 0xf30a;
/** Of headers, index entries and extents alike. */
export const EXTENT_ENTRY = 12;
/** Five levels of 4-KiB nodes hold more than 2^32 blocks (fs/ext4/ext4_extents.h, EXT4_MAX_EXTENT_DEPTH). */
export const MAX_EXTENT_DEPTH = 5;
/** `ee_len` above this is an unwritten extent of `ee_len - 32768` blocks. */
export const MAX_WRITTEN_LENGTH = 32768;

export const Extent = struct('ext4_extent', EXTENT_ENTRY, {
  ee_block: u32le(0x0),
  ee_len: u16le(0x4),
  ee_start_hi: u16le(0x6),
  ee_start_lo: u32le(0x8),
});
export const ExtentIndex = struct('ext4_extent_idx', EXTENT_ENTRY, {
  ei_block: u32le(0x0),
  ei_leaf_lo: u32le(0x4),
  ei_leaf_hi: u16le(0x8),
});

export const DirectoryEntry = struct('ext4_dir_entry_2', 8, {
  inode: u32le(0x0),
  rec_len: u16le(0x4),
  name_len: u8(0x6),
  file_type: u8(0x7),
});
export const DIRECTORY_ENTRY_HEAD = 8;
/** `file_type` of the false entry that ends a checksummed directory block; its name is the checksum. */
export const DIRECTORY_TAIL_TYPE = 0xde;
export const DIRECTORY_TAIL = 12;
/** Inline directories start with the parent's inode number. */
export const INLINE_PARENT = 4;

/** A longer scan of one directory has no use: the largest real ones hold a few million names of some 50 bytes. */
export const MAX_DIRECTORY_BYTES = 512 * 1024 * 1024;

export const InodeAttributes = struct('ext4_xattr_ibody_header', 4, { h_magic: u32le(0x0) });
export const ATTRIBUTE_MAGIC = 0xea020000;
export const AttributeEntry = struct('ext4_xattr_entry', 16, {
  e_name_len: u8(0x0),
  e_name_index: u8(0x1),
  e_value_offs: u16le(0x2),
  e_value_inum: u32le(0x4),
  e_value_size: u32le(0x8),
});
/** `e_name_index`: names that begin with `system.` */
export const ATTRIBUTE_SYSTEM = 7;

/** The root of a hash tree lies in block 0, hidden in the record of `..`; inner nodes in an empty entry's record. */
export const HashTreeRoot = struct('dx_root', 32, {
  reserved_zero: u32le(0x18),
  hash_version: u8(0x1c),
  info_length: u8(0x1d),
  indirect_levels: u8(0x1e),
  unused_flags: u8(0x1f),
});
export const HASH_ROOT_INFO_AT = 0x18;
export const HASH_NODE_ENTRIES_AT = 8;
/** `limit` and `count` take the place of the first entry's hash, which is 0. */
export const HashTreeCount = struct('dx_countlimit', 8, { limit: u16le(0x0), count: u16le(0x2) });
export const HashTreeEntry = struct('dx_entry', 8, { hash: u32le(0x0), block: u32le(0x4) });
/** Only 28 bits of `block` are a block number (fs/ext4/namei.c, dx_get_block()). */
export const HASH_BLOCK_MASK = 0x0fffffff;
export const HashTreeTail = struct('dx_tail', 8, { dt_reserved: u32le(0x0), dt_checksum: u32le(0x4) });
