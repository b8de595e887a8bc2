/**
 * On-disk structures of NTFS, all numbers little-endian. Names: the Linux-NTFS project's documentation and the layout that
 * ntfs-3g and Linux share; reparse points: Microsoft [MS-FSCC] 2.1.2.
 */
import { bits64le, bytes, struct, u8, u16le, u32le, u64le } from '../../lib/bytes/struct';

export const BootSector = struct('NTFS_BOOT_SECTOR', 512, {
  oem_id: bytes(3, 8),
  bytes_per_sector: u16le(11),
  /** Above 128: two to the power of 256 minus it. */
  sectors_per_cluster: u8(13),
  number_of_sectors: u64le(40),
  mft_lcn: u64le(48),
  mftmirr_lcn: u64le(56),
  /** Above 127: bytes, two to the power of 256 minus it. */
  clusters_per_mft_record: u8(64),
  clusters_per_index_record: u8(68),
  volume_serial_number: bits64le(72),
  end_of_sector_marker: u16le(510),
});
export const OEM_ID = 'NTFS    ';

/** The last two bytes of each 512 of a record, whatever the sector size, are those of its update sequence array. */
export const STRIDE = 512;

/** Of `FILE`, `INDX`, `RSTR`. */
export const RecordHead = struct('NTFS_RECORD', 8, {
  magic: bytes(0, 4),
  usa_ofs: u16le(4),
  usa_count: u16le(6),
});

export const MftRecordHead = struct('MFT_RECORD', 42, {
  sequence_number: u16le(16),
  attrs_offset: u16le(20),
  flags: u16le(22),
  bytes_in_use: u32le(24),
  base_mft_record: bits64le(32),
});
export const RECORD = { inUse: 1, directory: 2 } as const;

/** Files with fixed numbers; those below `firstUser` are the filesystem's own. */
export const FILE = { mft: 0, logFile: 2, volume: 3, root: 5, upcase: 10, firstUser: 16 } as const;
/** Records that $MFTMirr has, at least. */
export const MIRRORED = 4;

export const ATTR = {
  standardInformation: 0x10,
  list: 0x20,
  fileName: 0x30,
  volumeName: 0x60,
  volumeInformation: 0x70,
  data: 0x80,
  indexRoot: 0x90,
  indexAllocation: 0xa0,
  bitmap: 0xb0,
  reparsePoint: 0xc0,
  end: 0xffffffff,
} as const;

export const AttributeHead = struct('ATTR_RECORD', 16, {
  type: u32le(0),
  length: u32le(4),
  non_resident: u8(8),
  name_length: u8(9),
  name_offset: u16le(10),
  flags: u16le(12),
});
export const Resident = struct('ATTR_RECORD resident', 24, {
  value_length: u32le(16),
  value_offset: u16le(20),
});
export const NonResident = struct('ATTR_RECORD non-resident', 64, {
  lowest_vcn: u64le(16),
  mapping_pairs_offset: u16le(32),
  compression_unit: u8(34),
  data_size: u64le(48),
  initialized_size: u64le(56),
});
/** `flags` of an attribute; the method of compression is a number. */
export const ATTRIBUTE = { compression: 0xff, lznt1: 1, encrypted: 0x4000 } as const;

export const ListEntry = struct('ATTR_LIST_ENTRY', 26, {
  type: u32le(0),
  length: u16le(4),
  name_length: u8(6),
  name_offset: u8(7),
  lowest_vcn: u64le(8),
  mft_reference: bits64le(16),
});
/** Windows has no longer lists. */
export const LIST_MOST = 256 * 1024;

export const StandardInformation = struct('STANDARD_INFORMATION', 36, {
  last_data_change_time: bits64le(8),
  file_attributes: u32le(32),
});
export const FILE_ATTRIBUTE = { hidden: 2, system: 4, reparsePoint: 0x400 } as const;
/** In the copy that directories have. */
export const I30_DIRECTORY = 0x10000000;
/** 100 ns since 1601 → seconds since 1970. */
export const EPOCH = 11644473600;

export const VolumeInformation = struct('VOLUME_INFORMATION', 12, {
  major_ver: u8(8),
  minor_ver: u8(9),
  flags: u16le(10),
});
export const VOLUME_IS_DIRTY = 1;

/** The name of a directory's index. */
export const I30 = '$I30';
export const IndexRoot = struct('INDEX_ROOT', 32, {
  type: u32le(0),
  collation_rule: u32le(4),
  index_block_size: u32le(8),
});
export const INDEX_ROOT_HEADER = 16;
export const COLLATION_FILE_NAME = 1;
export const INDEX_BLOCK_HEADER = 24;
export const IndexBlock = struct('INDEX_BLOCK', 40, { index_block_vcn: u64le(16) });
export const IndexHeader = struct('INDEX_HEADER', 16, { entries_offset: u32le(0), index_length: u32le(4) });
export const IndexEntry = struct('INDEX_ENTRY', 16, {
  /** Six bytes of a record's number, two of its sequence number. */
  indexed_file: bytes(0, 8),
  length: u16le(8),
  key_length: u16le(10),
  flags: u16le(12),
});
export const ENTRY = { node: 1, end: 2 } as const;
export const FileName = struct('FILE_NAME_ATTR', 66, {
  file_attributes: u32le(56),
  file_name_length: u8(64),
  file_name_type: u8(65),
});
/** `file_name_type` of a second, short name. */
export const DOS_NAME = 2;
/** Levels of an index; six hold more than there are files. */
export const INDEX_DEPTH = 16;

export const UPCASE_UNITS = 65536;

/** Windows never compresses more than 16 clusters of 4 KiB together. */
export const UNIT_MOST = 1024 * 1024;
/** LZNT1 packs pieces of so many bytes. */
export const CHUNK = 4096;

/** Runs of $MFT or of a directory that are kept. */
export const RUNS_MOST = 200_000;

export const ReparsePoint = struct('REPARSE_POINT', 8, {
  reparse_tag: u32le(0),
  reparse_data_length: u16le(4),
});
/** Offsets and lengths in bytes; a symbolic link's flags stand between them and the text. */
export const ReparseNames = struct('MOUNT_POINT_REPARSE_DATA', 16, {
  sub_name_offset: u16le(8),
  sub_name_length: u16le(10),
});
export const REPARSE_MOST = 16 * 1024;
export const TAG = {
  mountPoint: 0xa0000003,
  symlink: 0xa000000c,
  nfs: 0x80000014,
  lxSymlink: 0xa000001d,
} as const;
/** What a tag stands for, where the file's bytes are not the file. */
export const TAG_NAMES: Readonly<Record<number, string>> = {
  2147483655: 'single-instance storage (SIS)',
  2147483656: 'an image file (WIM)',
  2147483667: 'data deduplication',
  2147483671: 'compression by WOF (CompactOS)',
  3221225476: 'remote storage (HSM)',
};
/** Sockets, FIFOs and devices of the Windows subsystem for Linux. */
export const TAGS_SPECIAL: readonly number[] = [0x80000023, 0x80000024, 0x80000025, 0x80000026];
/** OneDrive and the like, 0x9000001a to 0x9000f01a. */
export const TAG_CLOUD = { mask: 0xffff0fff, value: 0x9000001a } as const;

/** Interix, ntfs-3g: a system file whose data begins so. */
export const INTX_LINK = 'IntxLNK\x01';
export const INTX_DEVICES: readonly string[] = ['IntxCHR\0', 'IntxBLK\0'];

/** $LogFile: restart pages. */
export const RestartPage = struct('RESTART_PAGE_HEADER', 30, { restart_area_offset: u16le(24) });
export const RestartArea = struct('RESTART_AREA', 48, {
  current_lsn: bits64le(0),
  client_in_use_list: u16le(12),
  flags: u16le(14),
});
export const RESTART_PAGE = 4096;
export const NO_CLIENT = 0xffff;
export const RESTART_VOLUME_IS_CLEAN = 2;
