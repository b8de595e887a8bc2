/** LVM2 on disk. Names: lvm2's lib/format_text/layout.h, lib/label/label.c; dm-thin's drivers/md/dm-thin-metadata.c, persistent-data. */
import { bytes, struct, text, u32le, u64le } from '../../bytes/struct';

export const SECTOR = 512;
/** The label is in one of the first four sectors. */
export const LABEL_SECTORS = 4;
export const LABEL_ID = 'LABELONE';
export const LABEL_TYPE = 'LVM2 001';

export const LabelHeader = struct('label_header', 32, {
  id: text(0, 8),
  sector: u64le(8),
  /** Of everything from `offset` to the end of the sector. */
  crc: u32le(16),
  offset: u32le(20),
  type: text(24, 8),
});

/** Followed by data areas and metadata areas, each list with a row of zeros at its end. */
export const PvHeader = struct('pv_header', 40, { pv_uuid: text(0, 32), device_size: u64le(32) });
export const DiskLocn = struct('disk_locn', 16, { offset: u64le(0), size: u64le(8) });

export const MDA_MAGIC = ' LVM2 x[5A%r0N*>';
export const MDA_HEADER = 512;
export const MdaHeader = struct('mda_header', 40, {
  checksum: u32le(0),
  magic: text(4, 16),
  version: u32le(20),
  start: u64le(24),
  size: u64le(32),
});
export const RawLocn = struct('raw_locn', 24, {
  offset: u64le(0),
  size: u64le(8),
  checksum: u32le(16),
  flags: u32le(20),
});
/** Flag: this area is not in use. */
export const RAW_LOCN_IGNORED = 1;

/** lvm2's CRC: the usual polynomial, begun with this and not inverted. */
export const INITIAL_CRC = 0xf597a6cf;

/** Nested sections and lists of the text; lvm2 writes 4. */
export const TEXT_DEPTH = 12;
/** Volumes that lie upon volumes inside a group: cache on raid on mirror on … */
export const STACK_DEPTH = 12;

export const METADATA_BLOCK = 4096;
export const THIN_MAGIC = 27022010;
export const ThinSuperblock = struct('thin_disk_superblock', 352, {
  csum: u32le(0),
  magic: u64le(32),
  version: u32le(40),
  data_mapping_root: u64le(320),
  /** Sectors. */
  data_block_size: u32le(336),
  metadata_block_size: u32le(340),
});
export const NodeHeader = struct('node_header', 32, {
  csum: u32le(0),
  flags: u32le(4),
  blocknr: u64le(8),
  nr_entries: u32le(16),
  max_entries: u32le(20),
  value_size: u32le(24),
});
export const INTERNAL_NODE = 1;
export const LEAF_NODE = 2;
/** Levels of one tree; 126 and more ways, 2^64 keys. */
export const TREE_DEPTH = 10;
/** dm-bufio's checksums are exclusive-ored with these. */
export const THIN_SUM = 160774;
export const NODE_SUM = 121107;

/** Superblock of a persistent snapshot (drivers/md/dm-snap-persistent.c). */
export const SNAP_MAGIC = 0x70416e53;
export const SnapHeader = struct('disk_header', 16, {
  magic: u32le(0),
  valid: u32le(4),
  version: u32le(8),
  /** Sectors. */
  chunk_size: u32le(12),
});
export const EXCEPTION = 16;

/** What dm-raid keeps of each image (drivers/md/dm-raid.c). */
export const DM_RAID_MAGIC = 0x64526d44;
export const DmRaidSuperblock = struct('dm_raid_superblock', 48, {
  magic: u32le(0),
  num_devices: u32le(8),
  array_position: u32le(12),
  events: u64le(16),
  failed_devices: bytes(24, 8),
  /** Sectors, all ones when nothing is being rebuilt. */
  disk_recovery_offset: bytes(32, 8),
});
