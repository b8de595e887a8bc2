/** VHDX: Microsoft's [MS-VHDX], whose names are used. Numbers are little-endian, GUIDs in their usual mixed order. */
import { bits64le, bytes, struct, text, u16le, u32le, u64le } from '../../bytes/struct';

export const FILE_TYPE = 'vhdxfile';
export const HEADERS_AT = [64 * 1024, 128 * 1024] as const;
export const REGION_TABLES_AT = [192 * 1024, 256 * 1024] as const;

export const HEADER_BYTES = 4096;
export const Header = struct('VHDX header', 80, {
  Signature: text(0, 4),
  SequenceNumber: bits64le(8),
  DataWriteGuid: bytes(32, 16),
  LogGuid: bytes(48, 16),
  LogVersion: u16le(64),
  Version: u16le(66),
  LogLength: u32le(68),
  LogOffset: u64le(72),
});
/** Of header, region table and log entry: CRC-32C of all with these four bytes as zeros. */
export const CHECKSUM_AT = 4;

export const REGION_TABLE_BYTES = 64 * 1024;
export const RegionTable = struct('VHDX region table', 16, { Signature: text(0, 4), EntryCount: u32le(8) });
export const MAX_REGIONS = 2047;
export const Region = struct('VHDX region', 32, {
  Guid: bytes(0, 16),
  FileOffset: u64le(16),
  Length: u32le(24),
  Required: u32le(28),
});
export const BAT = '2dc27766-f623-4200-9d64-115e9bfd4a08';
export const METADATA = '8b7ca206-4790-4b9a-b8fe-575f050f886e';

export const MetadataTable = struct('VHDX metadata table', 32, {
  Signature: text(0, 8),
  EntryCount: u16le(10),
});
export const MAX_METADATA = 2047;
export const MetadataEntry = struct('VHDX metadata entry', 32, {
  ItemId: bytes(0, 16),
  Offset: u32le(16),
  Length: u32le(20),
  Flags: u32le(24),
});
export const REQUIRED = 4;
export const ITEM = {
  fileParameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
  virtualDiskSize: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
  virtualDiskId: 'beca12ab-b2e6-4523-93ef-c309e000c746',
  logicalSectorSize: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
  physicalSectorSize: 'cda348c7-445d-4471-9cc9-e9885251c556',
  parentLocator: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
} as const;
export const FileParameters = struct('VHDX file parameters', 8, { BlockSize: u32le(0), Flags: u32le(4) });
export const HAS_PARENT = 2;

export const LocatorHeader = struct('VHDX parent locator', 20, { KeyValueCount: u16le(18) });
export const LocatorEntry = struct('VHDX parent locator entry', 12, {
  KeyOffset: u32le(0),
  ValueOffset: u32le(4),
  KeyLength: u16le(8),
  ValueLength: u16le(10),
});
export const MAX_LOCATOR = 64 * 1024;
export const MAX_LOCATOR_ENTRIES = 64;

/** States of a block: the low three bits of its entry in the BAT; from bit 20 on stands its place in MiB. */
export const NOT_PRESENT = 0;
export const UNDEFINED = 1;
export const ZERO = 2;
export const UNMAPPED = 3;
export const FULLY_PRESENT = 6;
export const PARTIALLY_PRESENT = 7;
export const SECTORS_PER_BITMAP = 2 ** 23;
export const MIN_BLOCK = 1024 * 1024;
export const MAX_BLOCK = 256 * 1024 * 1024;

export const LOG_SECTOR = 4096;
/** Hyper-V and QEMU write logs of 1 MiB. */
export const MAX_LOG = 32 * 1024 * 1024;
export const LogEntry = struct('VHDX log entry', 64, {
  Signature: text(0, 4),
  EntryLength: u32le(8),
  Tail: u32le(12),
  SequenceNumber: bits64le(16),
  DescriptorCount: u32le(24),
  LogGuid: bytes(32, 16),
  FlushedFileOffset: bits64le(48),
});
/** `desc`: a sector of data; its first eight and last four bytes stand here. `zero`: a stretch of zeros. */
export const LogDescriptor = struct('VHDX log descriptor', 32, {
  Signature: text(0, 4),
  TrailingBytes: bytes(4, 4),
  LeadingBytes: bytes(8, 8),
  ZeroLength: bits64le(8), // of `zero` only: else it is any data
  FileOffset: u64le(16),
  SequenceNumber: bits64le(24),
});
export const LogData = struct('VHDX log data sector', 4096, {
  Signature: text(0, 4),
  SequenceHigh: u32le(4),
  SequenceLow: u32le(4092),
});
