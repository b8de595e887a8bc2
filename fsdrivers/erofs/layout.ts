/**
 * On-disk structures of erofs, all little-endian. Names: Linux, fs/erofs/erofs_fs.h; text:
 * Documentation/filesystems/erofs.rst and https://erofs.docs.kernel.org/.
 */
import { bits64le, bytes, struct, text, u8, u16le, u32le, u64le } from '../../lib/bytes/struct';

export const MAGIC = 0xe0f5e1e2;
export const SUPER_AT = 1024;

export const SuperBlock = struct('erofs_super_block', 128, {
  magic: u32le(0),
  checksum: u32le(4),
  feature_compat: u32le(8),
  blkszbits: u8(12),
  sb_extslots: u8(13),
  /** With 48BIT and rootnid_8b: the high bits of `blocks`. */
  rootnid_2b: u16le(14),
  epoch: bits64le(24),
  blocks_lo: u32le(36),
  meta_blkaddr: u32le(40),
  uuid: bytes(48, 16),
  volume_name: text(64, 16),
  feature_incompat: u32le(80),
  extra_devices: u16le(86),
  devt_slotoff: u16le(88),
  /** Must be 0: directory blocks are filesystem blocks. */
  dirblkbits: u8(90),
  packed_nid: bits64le(96),
});
/** 64 bits; with 48BIT, where it is not 0. */
export const ROOTNID_8B_AT = 112;
/** Behind the 128 bytes, where `sb_extslots` says so. */
export const METABOX_NID_AT = 128;
export const EXTSLOT_SIZE = 16;
export const BLOCK_BITS = { least: 9, most: 16 } as const;

export const COMPAT_CHECKSUM = 0x1;
export const INCOMPAT = {
  zeroPadding: 0x1,
  /** Or big physical clusters: the same bit. */
  compressorConfigs: 0x2,
  chunkedFile: 0x4,
  /** Or a second algorithm a file. */
  deviceTable: 0x8,
  inlineTails: 0x10,
  /** Or deduplication. */
  fragments: 0x20,
  xattrPrefixes: 0x40,
  bits48: 0x80,
  metabox: 0x100,
  all: 0x1ff,
} as const;

export const DeviceSlot = struct('erofs_deviceslot', 128, { tag: text(0, 64) });

/** Inodes stand at multiples of this; their number says which. */
export const INODE_SLOT_BITS = 5;
/** Of a nid: the inode stands in the metabox. */
export const NID_METABOX = 1n << 63n;

export const LAYOUT = { plain: 0, full: 1, inline: 2, compact: 3, chunks: 4 } as const;
/** Of i_format: bits that have a meaning. */
export const FORMAT_ALL = 0x1f;
export const FORMAT_EXTENDED = 0x1;
/** Of compact inodes that are not directories: one link, and i_nb holds high bits of an address. */
export const FORMAT_NLINK_1 = 0x10;

export const CompactInode = struct('erofs_inode_compact', 32, {
  i_format: u16le(0),
  i_xattr_icount: u16le(2),
  i_mode: u16le(4),
  i_nb: u16le(6),
  i_size: u32le(8),
  /** Seconds after the superblock's epoch. */
  i_mtime: u32le(12),
  /** First block, chunk format or number of a device. */
  i_u: u32le(16),
});

export const ExtendedInode = struct('erofs_inode_extended', 64, {
  i_format: u16le(0),
  i_xattr_icount: u16le(2),
  i_mode: u16le(4),
  i_nb: u16le(6),
  i_size: u64le(8),
  i_u: u32le(16),
  i_mtime: bytes(32, 8),
});

/** Bytes of extended attributes in the inode. */
export const xattrSize = (count: number): number => (count === 0 ? 0 : 12 + 4 * (count - 1));

export const MODE = { mask: 0xf000, directory: 0x4000, file: 0x8000, symlink: 0xa000 } as const;

export const CHUNK = { bits: 0x1f, indexes: 0x20, bits48: 0x40, all: 0x7f } as const;
export const ChunkIndex = struct('erofs_inode_chunk_index', 8, {
  startblk_hi: u16le(0),
  device_id: u16le(2),
  startblk_lo: u32le(4),
});

export const Dirent = struct('erofs_dirent', 12, {
  nid: bytes(0, 8),
  nameoff: u16le(8),
  file_type: u8(10),
});
export const FILE_TYPE = { file: 1, directory: 2, symlink: 7, most: 7 } as const;

/** Before a compressed inode's indexes. */
export const MapHeader = struct('z_erofs_map_header', 8, {
  /** Place in the packed inode; extents: their number. */
  h_fragmentoff: u32le(0),
  /** Stored bytes of a tail that is kept behind the indexes. */
  h_idata_size: u16le(2),
  h_advise: u16le(4),
  h_algorithmtype: u8(6),
  h_clusterbits: u8(7),
});
export const ADVISE = {
  compact2b: 0x1,
  /** Of the full layout: extents instead of indexes; the two bits after it then tell the size of a record. */
  extents: 0x1,
  big1: 0x2,
  big2: 0x4,
  inline: 0x8,
  interlaced: 0x10,
  fragment: 0x20,
} as const;
/** Of h_clusterbits: the whole file is a fragment, and the header's other 63 bits say where. */
export const WHOLE_FRAGMENT = 0x80;

export const CLUSTER = { plain: 0, head1: 1, nonHead: 2, head2: 3 } as const;
export const PARTIAL_REFERENCE = 0x8000;
/** In the first logical cluster after a head: blocks of the physical cluster, not a distance. */
export const BLOCK_COUNT = 0x800;

export const ClusterIndex = struct('z_erofs_lcluster_index', 8, {
  di_advise: u16le(0),
  di_clusterofs: u16le(2),
  blkaddr: u32le(4),
  delta0: u16le(4),
});

/** Of an extent's `plen`. */
export const EXTENT = { stored: 0x1fffff, partial: 1 << 27, formatBit: 28 } as const;

/** Z_EROFS_PCLUSTER_MAX_SIZE and _DSIZE: what Linux reads at most as one. */
export const STORED_MOST = 1024 * 1024;
export const UNPACKED_MOST = 12 * 1024 * 1024;
