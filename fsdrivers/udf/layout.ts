/**
 * On-disk structures of UDF. Names: ECMA-167 3rd edition (part/section), and OSTA UDF 2.60 where it says so. All numbers
 * are little-endian.
 */
import { bytes, struct, u8, u16le, u32le, u32leArray, u64le } from '../../lib/bytes/struct';

/** 2/8.3: where the volume recognition sequence begins; its descriptors have 2,048 bytes, or a sector where that is more. */
export const RECOGNITION_AT = 32768;
export const RECOGNITION_SIZE = 2048;
/** Descriptors of the sequence that are looked at, as blkid does. */
export const RECOGNITION_MOST = 64;
/** Sector sizes of discs and disks, the usual ones first; mkudffs makes up to 32 KiB. */
export const SECTOR_SIZES = [2048, 512, 4096, 1024, 8192, 16384, 32768] as const;

/** 3/7.2.1, 4/7.2.1 */
export const TAG = {
  primaryVolume: 1,
  anchor: 2,
  volumeDescriptorPointer: 3,
  partition: 5,
  logicalVolume: 6,
  terminating: 8,
  fileSet: 256,
  fileIdentifier: 257,
  allocationExtent: 258,
  indirectEntry: 259,
  fileEntry: 261,
  extendedFileEntry: 266,
} as const;

/** 3/7.2 */
export const Tag = struct('tag', 16, {
  TagIdentifier: u16le(0),
  TagChecksum: u8(4),
  DescriptorCRC: u16le(8),
  DescriptorCRCLength: u16le(10),
  TagLocation: u32le(12),
});

/** 3/10.2; both extents are of the volume, in bytes and sectors. */
export const AnchorVolumeDescriptorPointer = struct('AnchorVolumeDescriptorPointer', 32, {
  MainLength: u32le(16),
  MainLocation: u32le(20),
  ReserveLength: u32le(24),
  ReserveLocation: u32le(28),
});

/** 3/10.3 */
export const VolumeDescriptorPointer = struct('VolumeDescriptorPointer', 28, {
  NextLength: u32le(20),
  NextLocation: u32le(24),
});

/** 3/10.1 */
export const PrimaryVolumeDescriptor = struct('PrimaryVolumeDescriptor', 490, {
  VolumeDescriptorSequenceNumber: u32le(16),
  VolumeSetIdentifier: bytes(72, 128),
});

/** 3/10.5 */
export const PartitionDescriptor = struct('PartitionDescriptor', 356, {
  VolumeDescriptorSequenceNumber: u32le(16),
  PartitionNumber: u16le(22),
  PartitionStartingLocation: u32le(188),
  PartitionLength: u32le(192),
});

/** 3/10.6 */
export const LogicalVolumeDescriptor = struct('LogicalVolumeDescriptor', 440, {
  VolumeDescriptorSequenceNumber: u32le(16),
  LogicalVolumeIdentifier: bytes(84, 128),
  LogicalBlockSize: u32le(212),
  /** UDF 2.1.5.3: after `*OSTA UDF Compliant`, 0x0250 for 2.50. */
  DomainIdentifier: bytes(217, 23),
  UDFRevision: u16le(240),
  /** UDF 2.2.4.4: a long_ad, the file set descriptor. */
  LogicalVolumeContentsUse: bytes(248, 16),
  MapTableLength: u32le(264),
  NumberOfPartitionMaps: u32le(268),
});
export const NEWEST_REVISION = 0x0260;
export const MAPS_MOST = 64;

/** 3/10.7.2 */
export const Type1PartitionMap = struct('Type1PartitionMap', 6, { PartitionNumber: u16le(4) });
/** UDF 2.2.8: and what follows depends on the identifier. */
export const Type2PartitionMap = struct('Type2PartitionMap', 64, {
  PartitionTypeIdentifier: bytes(5, 23),
  PartitionNumber: u16le(38),
  /** UDF 2.2.9, sparable: blocks of a packet, and where the tables are (sectors of the volume). */
  PacketLength: u16le(40),
  NumberOfSparingTables: u8(42),
  SizeOfEachSparingTable: u32le(44),
  LocationsOfSparingTables: u32leArray(48, 4),
  /** UDF 2.2.10, metadata: blocks of the partition. */
  MetadataFileLocation: u32le(40),
  MetadataMirrorFileLocation: u32le(44),
});
/** UDF 2.2.12 */
export const SparingTable = struct('SparingTable', 56, {
  SparingIdentifier: bytes(17, 23),
  ReallocationTableLength: u16le(48),
  SequenceNumber: u32le(52),
});
export const SPARING_ENTRY = 8;
/** Original locations from here on are free or defective spares. */
export const SPARING_UNUSED = 0xfffffff0;

/** UDF 2.2.11: a header, then the entries. */
export const VirtualAllocationTable = struct('VirtualAllocationTable', 152, { LengthOfHeader: u16le(0) });
/** UDF 1.50 2.2.10: the entries, then an entity identifier and the previous table's place. */
export const VAT15_TRAILER = 36;
export const VIRTUAL_UNUSED = 0xffffffff;
/** A table of 4 million blocks of metadata. */
export const VAT_MOST = 16 * 1024 * 1024;
/** Blocks at the end of a disc in which the table's ICB is looked for: it is the last that was written. */
export const VAT_SEARCH = 512;

/** 4/14.1 */
export const FileSetDescriptor = struct('FileSetDescriptor', 512, { RootDirectoryICB: bytes(400, 16) });

/** 4/14.6, at byte 16 of every entry in an ICB. */
export const ICBTag = struct('icbtag', 20, { StrategyType: u16le(4), FileType: u8(11), Flags: u16le(18) });
/** 4/14.6.6, and UDF 2.3.5.2 */
export const FILE_TYPE = {
  unspecified: 0,
  directory: 4,
  file: 5,
  symlink: 12,
  vat: 248,
  realTime: 249,
} as const;
/** 4/14.6.8, bits 0–2: the form of the allocation descriptors. */
export const AD = { short: 0, long: 1, extended: 2, embedded: 3 } as const;
export const AD_SIZE = [8, 16, 20] as const;

/** 4/14.9 */
export const FileEntry = struct('FileEntry', 176, {
  InformationLength: u64le(56),
  ModificationDateAndTime: bytes(84, 12),
  LengthOfExtendedAttributes: u32le(168),
  LengthOfAllocationDescriptors: u32le(172),
});
/** 4/14.17 */
export const ExtendedFileEntry = struct('ExtendedFileEntry', 216, {
  InformationLength: u64le(56),
  ModificationDateAndTime: bytes(92, 12),
  LengthOfExtendedAttributes: u32le(208),
  LengthOfAllocationDescriptors: u32le(212),
});
/** 4/14.7 */
export const IndirectEntry = struct('IndirectEntry', 52, { IndirectICB: bytes(36, 16) });
/** Linux: UDF_MAX_ICB_NESTING. */
export const INDIRECT_MOST = 1024;

/** 4/14.14.2; the upper two bits of the length are its kind. */
export const LongAllocationDescriptor = struct('long_ad', 16, {
  ExtentLength: u32le(0),
  ExtentBlock: u32le(4),
  ExtentPartition: u16le(8),
});
/** 4/14.14.1.1 */
export const EXTENT = { recorded: 0, continuation: 3 } as const;
export const EXTENT_LENGTH = 0x3fffffff;
/** 4/14.5 */
export const AllocationExtentDescriptor = struct('AllocationExtentDescriptor', 24, {
  LengthOfAllocationDescriptors: u32le(20),
});

/** 4/14.4, without implementation use and identifier; padded to four bytes. */
export const FileIdentifierDescriptor = struct('FileIdentifierDescriptor', 38, {
  FileCharacteristics: u8(18),
  LengthOfFileIdentifier: u8(19),
  ICB: bytes(20, 16),
  LengthOfImplementationUse: u16le(36),
});
/** 4/14.4.3 */
export const CHARACTERISTIC = { directory: 2, deleted: 4, parent: 8 } as const;
/** A directory is never this large; 100,000 names take 8 MB. */
export const DIRECTORY_MOST = 512 * 1024 * 1024;

/** 4/14.16.1 */
export const COMPONENT = { alias: 1, root: 2, parent: 3, current: 4, name: 5 } as const;
export const COMPONENT_HEADER = 4;
