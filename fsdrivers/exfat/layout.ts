/**
 * Microsoft "exFAT file system specification" (revision 1.00): field names and offsets are its. All numbers little-endian.
 */
import { bytes, struct, u8, u16le, u32le, u64le } from '../../lib/bytes/struct';

/** Section 3.1, Main and Backup Boot Sector. Read from 512 bytes; larger sectors have nothing behind them. */
export const BootSector = struct('exfat_boot_sector', 512, {
  FileSystemName: bytes(3, 8),
  MustBeZero: bytes(11, 53),
  VolumeLength: u64le(72),
  FatOffset: u32le(80),
  FatLength: u32le(84),
  ClusterHeapOffset: u32le(88),
  ClusterCount: u32le(92),
  FirstClusterOfRootDirectory: u32le(96),
  VolumeSerialNumber: u32le(100),
  FileSystemRevision: u16le(104),
  VolumeFlags: u16le(106),
  BytesPerSectorShift: u8(108),
  SectorsPerClusterShift: u8(109),
  NumberOfFats: u8(110),
  BootSignature: u16le(510),
});

export const NAME = 'EXFAT   ';
export const SECTOR_SHIFTS = [9, 10, 11, 12] as const;
/** Clusters of at most 32 MiB: the two shifts together. */
export const MOST_SHIFT = 25;
/** Sectors that the checksum goes over; the next one is full of it. The backup region follows. */
export const SUMMED_SECTORS = 11;
export const REGION_SECTORS = 12;
/** Bytes of the boot sector that change without a new checksum: VolumeFlags, PercentInUse. */
export const UNSUMMED: readonly number[] = [106, 107, 112];
/** `ExtendedBootSignature`, the last four bytes of the sectors behind the boot sector. */
export const EXTENDED_SIGNATURE = 0xaa550000;
/** `VolumeFlags`: the second FAT is the one in use (TexFAT). */
export const ACTIVE_FAT = 1;

export const FIRST_CLUSTER = 2;
export const MOST_CLUSTERS = 2 ** 32 - 11;
export const CHAIN_END = 0xffffffff;

/** Section 6: every directory entry. */
export const ENTRY_SIZE = 32;
/** `TypeImportance`, `TypeCategory`, `InUse` of an EntryType. */
export const BENIGN = 0x20;
export const SECONDARY = 0x40;
export const IN_USE = 0x80;
export const TYPE = {
  end: 0,
  bitmap: 0x81,
  upcase: 0x82,
  label: 0x83,
  file: 0x85,
  stream: 0xc0,
  name: 0xc1,
} as const;

/** Section 7.2. */
export const UpcaseEntry = struct('exfat_upcase_entry', ENTRY_SIZE, {
  TableChecksum: u32le(4),
  FirstCluster: u32le(20),
  DataLength: u64le(24),
});
/** Section 7.3: at most 11 characters. */
export const LabelEntry = struct('exfat_label_entry', ENTRY_SIZE, { CharacterCount: u8(1) });
export const LABEL_AT = 2;
export const LABEL_MOST = 11;
/** Section 7.4. */
export const FileEntry = struct('exfat_file_entry', ENTRY_SIZE, {
  SecondaryCount: u8(1),
  SetChecksum: u16le(2),
  FileAttributes: u16le(4),
  LastModifiedTimestamp: u32le(12),
  LastModifiedUtcOffset: u8(23),
});
export const ATTRIBUTE_DIRECTORY = 0x10;
/** `LastModifiedUtcOffset`: the other seven bits are a number of quarters of an hour. */
export const OFFSET_VALID = 0x80;
/** Section 7.6. */
export const StreamEntry = struct('exfat_stream_entry', ENTRY_SIZE, {
  GeneralSecondaryFlags: u8(1),
  NameLength: u8(3),
  NameHash: u16le(4),
  ValidDataLength: u64le(8),
  FirstCluster: u32le(20),
  DataLength: u64le(24),
});
/** `GeneralSecondaryFlags`: the clusters follow each other, the FAT says nothing of them. */
export const NO_FAT_CHAIN = 2;
/** Section 7.7. */
export const NAME_AT = 2;
export const NAME_UNITS = 15;
export const NAME_MOST = 255;

/** Sections 7.2.2, 7.2.5: of the table, 65,536 mappings; a run of characters that map to themselves is shorter. */
export const UPCASE_MOST = 65536 * 2;
export const UPCASE_RUN = 0xffff;
/** Section 7.4: directories of at most 256 MiB. */
export const DIRECTORY_MOST = 256 * 1024 * 1024;
