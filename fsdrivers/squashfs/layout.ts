/**
 * On-disk structures of squashfs 4.0, all little-endian. Names: Linux, fs/squashfs/squashfs_fs.h; text:
 * Documentation/filesystems/squashfs.rst, and https://dr-emann.github.io/squashfs/.
 */
import { bytes, struct, u16le, u32le, u64le } from '../../lib/bytes/struct';

/** `hsqs`; `sqsh` is a big-endian filesystem of version 3 or before. */
export const MAGIC = 0x73717368;
export const MAGIC_SWAPPED = 0x68737173;

export const SuperBlock = struct('squashfs_super_block', 96, {
  s_magic: u32le(0),
  inodes: u32le(4),
  mkfs_time: u32le(8),
  block_size: u32le(12),
  fragments: u32le(16),
  compression: u16le(20),
  block_log: u16le(22),
  flags: u16le(24),
  no_ids: u16le(26),
  s_major: u16le(28),
  s_minor: u16le(30),
  /** A reference: place of the metadata block in the inode table << 16, and the offset in it. */
  root_block: u32le(34),
  root_block_high: u16le(38),
  root_offset: u16le(32),
  bytes_used: u64le(40),
  inode_table_start: u64le(64),
  directory_table_start: u64le(72),
});

/** A place on the disk. The fragment table's in the superblock is read apart: all ones where there are no fragments. */
export const Pointer = struct('squashfs table pointer', 8, { start: u64le(0) });
export const FRAGMENT_TABLE_AT = 80;

export const FLAG_COMPRESSOR_OPTIONS = 0x400;
export const BLOCK_LOG = { least: 12, most: 20 } as const;

/** Two bytes before each metadata block: its stored size, and whether it is stored as it is. */
export const METADATA_SIZE = 8192;
export const METADATA_STORED = 0x8000;

/** The same for data blocks and fragments, in 32 bits. */
export const DATA_STORED = 1 << 24;
export const DATA_FLAGS = ~(DATA_STORED | (DATA_STORED - 1));

export const NO_FRAGMENT = 0xffffffff;

/** Inode types; those of extended inodes are 7 more. Directory entries have the basic ones. */
export const TYPE = {
  directory: 1,
  file: 2,
  symlink: 3,
  /** Block and character devices, FIFO, socket. */
  otherFirst: 4,
  otherLast: 7,
  extended: 7,
} as const;

export const BaseInode = struct('squashfs_base_inode', 16, {
  inode_type: u16le(0),
  mode: u16le(2),
  mtime: u32le(8),
  inode_number: u32le(12),
});

export const DirInode = struct('squashfs_dir_inode', 32, {
  start_block: u32le(16),
  /** Three more than the bytes of the listing: `.` and `..` count. */
  file_size: u16le(24),
  offset: u16le(26),
});

export const LongDirInode = struct('squashfs_ldir_inode', 40, {
  file_size: u32le(20),
  start_block: u32le(24),
  i_count: u16le(32),
  offset: u16le(34),
});

/** Names start where a new metadata block of the directory does. */
export const DirIndex = struct('squashfs_dir_index', 12, {
  /** Bytes of the listing before the header that the block begins with. */
  index: u32le(0),
  start_block: u32le(4),
  /** One less than the bytes of the name that follows. */
  size: u32le(8),
});

export const FileInode = struct('squashfs_reg_inode', 32, {
  start_block: u32le(16),
  fragment: u32le(20),
  offset: u32le(24),
  file_size: u32le(28),
});

export const LongFileInode = struct('squashfs_lreg_inode', 56, {
  start_block: u64le(16),
  file_size: u64le(24),
  fragment: u32le(44),
  offset: u32le(48),
});

export const SymlinkInode = struct('squashfs_symlink_inode', 24, { symlink_size: u32le(20) });

/** Of up to 256 entries whose inodes lie in one metadata block. */
export const DirHeader = struct('squashfs_dir_header', 12, {
  /** One less than the entries. */
  count: u32le(0),
  start_block: u32le(4),
  inode_number: u32le(8),
});
export const DIR_HEADER_MOST = 256;

export const DirEntryHead = struct('squashfs_dir_entry', 8, {
  offset: u16le(0),
  /** Signed, to be added to the header's. */
  inode_number: u16le(2),
  type: u16le(4),
  /** One less than the bytes of the name that follows. */
  size: u16le(6),
});

export const FragmentEntry = struct('squashfs_fragment_entry', 16, { start_block: u64le(0), size: u32le(8) });
export const FRAGMENTS_PER_BLOCK = METADATA_SIZE / FragmentEntry.size;

/** Behind the superblock, where there are options. */
export const Lz4Options = struct('lz4_comp_opts', 8, { version: u32le(0), flags: u32le(4) });
export const LZ4_LEGACY = 1;

/** The first bytes of a superblock of any version: enough to tell which. */
export const AnyVersion = struct('squashfs_super_block (any version)', 32, {
  s_magic: u32le(0),
  /** In the byte order that the magic tells. */
  version: bytes(28, 4),
});
