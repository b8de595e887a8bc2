/**
 * On-disk structures of btrfs, all little-endian. Names: Linux, include/uapi/linux/btrfs_tree.h and fs/btrfs/ctree.h; text:
 * https://btrfs.readthedocs.io/en/latest/dev/On-disk-format.html.
 */
import {
  bits64le,
  bytes,
  type Field,
  safe,
  struct,
  text,
  u8,
  u16le,
  u32le,
  u64le,
} from '../../lib/bytes/struct';

export const MAGIC = '_BHRfS_M';
export const MAGIC_AT = 64;
export const SUPER_SIZE = 4096;
/** The superblock and its mirrors, as far as the device reaches. */
export const SUPER_PLACES = [0x10000, 0x400_0000, 0x40_0000_0000] as const;
export const CSUM_SIZE = 32;

/**
 * A 64-bit number as the kernel's negative ids are meant: from 2^63 on it is negative. What lies beyond 2^53 either way
 * is rounded, and nothing that we look for lies there.
 */
export const id64 = (at: number): Field<number> => ({
  at,
  size: 8,
  read: (b, base) => b.readInt32LE(base + at + 4) * 0x1_0000_0000 + b.readUInt32LE(base + at),
});

/**
 * The same, and `u64le`, through a view of the block: that is V8's own code, where Buffer's readers are JavaScript. For what a
 * file has thousands of.
 */
export const idAt = (view: DataView, at: number): number =>
  view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
export const countAt = (view: DataView, at: number): number =>
  safe(view.getUint32(at + 4, true), view.getUint32(at, true));

const DEV_ITEM = 201;

export const Superblock = struct('btrfs_super_block', SUPER_SIZE, {
  csum: bytes(0, CSUM_SIZE),
  fsid: bytes(32, 16),
  bytenr: id64(48),
  flags: bits64le(56),
  generation: u64le(72),
  root: u64le(80),
  chunk_root: u64le(88),
  log_root: u64le(96),
  total_bytes: id64(112),
  num_devices: u64le(136),
  sectorsize: u32le(144),
  nodesize: u32le(148),
  sys_chunk_array_size: u32le(160),
  chunk_root_generation: u64le(164),
  compat_ro_flags: bits64le(180),
  incompat_flags: bits64le(188),
  csum_type: u16le(196),
  root_level: u8(198),
  chunk_root_level: u8(199),
  log_root_level: u8(200),
  dev_item_devid: id64(DEV_ITEM),
  dev_item_uuid: bytes(DEV_ITEM + 66, 16),
  dev_item_fsid: bytes(DEV_ITEM + 82, 16),
  label: text(299, 256),
  metadata_uuid: bytes(571, 16),
  sys_chunk_array: bytes(811, 2048),
});

export const SUPER_FLAG_SEEDING = 1n << 32n;
export const SUPER_FLAG_METADUMP = (1n << 33n) | (1n << 34n);
export const SUPER_FLAG_CHANGING_FSID = (1n << 35n) | (1n << 36n);

/** What a reader must know; the others (what is below, and not here) change nothing for one. */
export const INCOMPAT_METADATA_UUID = 0x400n;
export const INCOMPAT_RAID_STRIPE_TREE = 0x4000n;
/** MIXED_BACKREF to RAID1C34, without METADATA_UUID's neighbours that are refused; SIMPLE_QUOTA. */
export const INCOMPAT_READ =
  0x1n |
  0x2n |
  0x4n |
  0x8n |
  0x10n |
  0x20n |
  0x40n |
  0x80n |
  0x100n |
  0x200n |
  0x400n |
  0x800n |
  0x4000n |
  0x10000n;
export const INCOMPAT_NAMES: Readonly<Record<number, string>> = {
  12: 'zoned',
  13: 'extent-tree-v2',
  14: 'raid-stripe-tree',
  15: 'encrypt',
  17: 'remap-tree',
};

export const NODE_SIZE = { least: 4096, most: 65536 } as const;
export const SECTOR_SIZE = { least: 512, most: 65536 } as const;
export const MAX_LEVEL = 8;

export const Header = struct('btrfs_header', 101, {
  csum: bytes(0, CSUM_SIZE),
  fsid: bytes(32, 16),
  bytenr: id64(48),
  generation: id64(80),
  owner: id64(88),
  nritems: u32le(96),
  level: u8(100),
});

/** `btrfs_disk_key`: object, kind, offset. */
export const KEY_SIZE = 17;
/** `btrfs_item`: key, offset of the data behind the header, its size. */
export const ITEM_SIZE = 25;
/** `btrfs_key_ptr`: key, place of the child, its generation. */
export const PTR_SIZE = 33;

export const TREE = {
  root: 1,
  chunk: 3,
  fs: 5,
  rootDir: 6,
  csum: 7,
  log: -6,
  extentCsum: -10,
  devItems: 1,
  firstChunk: 256,
  firstFree: 256,
} as const;

export const KEY = {
  inodeItem: 1,
  inodeRef: 12,
  inodeExtref: 13,
  dirLogIndex: 72,
  dirItem: 84,
  dirIndex: 96,
  extentData: 108,
  extentCsum: 128,
  rootItem: 132,
  devItem: 216,
  chunkItem: 228,
} as const;

export const Chunk = struct('btrfs_chunk', 48, {
  length: u64le(0),
  stripe_len: u64le(16),
  type: bits64le(24),
  num_stripes: u16le(44),
  sub_stripes: u16le(46),
});
export const Stripe = struct('btrfs_stripe', 32, {
  devid: id64(0),
  offset: u64le(8),
  dev_uuid: bytes(16, 16),
});
export const STRIPE_LEN = 65536;

export const BLOCK_GROUP = {
  data: 1n,
  system: 2n,
  metadata: 4n,
  raid0: 1n << 3n,
  raid1: 1n << 4n,
  dup: 1n << 5n,
  raid10: 1n << 6n,
  raid5: 1n << 7n,
  raid6: 1n << 8n,
  raid1c3: 1n << 9n,
  raid1c4: 1n << 10n,
} as const;
export const BLOCK_GROUP_KINDS = 7n;
export const BLOCK_GROUP_PROFILES = 0x7f8n;

export const DevItem = struct('btrfs_dev_item', 98, {
  devid: id64(0),
  uuid: bytes(66, 16),
  fsid: bytes(82, 16),
});

export const RootItem = struct('btrfs_root_item', 239, {
  root_dirid: id64(168),
  bytenr: u64le(176),
  flags: bits64le(208),
  refs: u32le(216),
  level: u8(238),
  generation: u64le(160),
});

export const InodeItem = struct('btrfs_inode_item', 160, {
  generation: bits64le(0),
  size: u64le(16),
  nlink: u32le(40),
  mode: u32le(52),
  flags: bits64le(64),
  mtime_sec: id64(136),
});
export const INODE_NODATASUM = 1n;

export const DirItem = struct('btrfs_dir_item', 30, {
  location: id64(0),
  location_type: u8(8),
  data_len: u16le(25),
  name_len: u16le(27),
  type: u8(29),
});
export const FT = { file: 1, directory: 2, symlink: 7, xattr: 8 } as const;

export const InodeRef = struct('btrfs_inode_ref', 10, { index: id64(0), name_len: u16le(8) });
export const InodeExtref = struct('btrfs_inode_extref', 18, {
  parent_objectid: id64(0),
  index: id64(8),
  name_len: u16le(16),
});
export const DirLogItem = struct('btrfs_dir_log_item', 8, { end: id64(0) });

export const FileExtent = struct('btrfs_file_extent_item', 21, {
  ram_bytes: u64le(8),
  compression: u8(16),
  encryption: u8(17),
  other_encoding: u16le(18),
  type: u8(20),
});
export const FileExtentPlace = struct('btrfs_file_extent_item', 53, {
  disk_bytenr: u64le(21),
  disk_num_bytes: u64le(29),
  offset: u64le(37),
  num_bytes: u64le(45),
});
export const EXTENT = { inline: 0, regular: 1, prealloc: 2 } as const;
/** Linux: BTRFS_MAX_COMPRESSED and BTRFS_MAX_UNCOMPRESSED are 128 KiB. */
export const MAX_PACKED = 1024 * 1024;
