/**
 * ECMA-119 (ISO 9660), 4th edition 2019, section 8 and 9; SUSP 1.12 (IEEE P1281) and RRIP 1.12 (IEEE P1282); zisofs as
 * libisofs' doc/zisofs_format.txt and doc/zisofs2_format.txt say it. Numbers that are recorded in both byte orders are
 * given here in both: readers use the little-endian one, as Linux and GRUB do.
 */
import { bits64be, bytes, struct, u8, u16be, u16le, u32be, u32le, u64le } from '../../lib/bytes/struct';

/** Bytes of a logical sector (6.1.2); blocks may be smaller. The system area is the first 16 (6.2.1). */
export const SECTOR = 2048;
export const FIRST_DESCRIPTOR = 16 * SECTOR;
/** Linux looks at sectors 16 to 99 (isofs_fill_super, fs/isofs/inode.c). */
export const MAX_DESCRIPTORS = 84;

/** 8.1, 8.4 and 8.5: what primary, supplementary and enhanced descriptors share. */
export const VolumeDescriptor = struct('iso_volume_descriptor', SECTOR, {
  VolumeDescriptorType: u8(0),
  StandardIdentifier: bytes(1, 5),
  VolumeDescriptorVersion: u8(6),
  VolumeIdentifier: bytes(40, 32),
  EscapeSequences: bytes(88, 32),
  LogicalBlockSize: u16le(128),
  LogicalBlockSizeBE: u16be(130),
  DirectoryRecordForRootDirectory: bytes(156, 34),
  VolumeCreationDateAndTime: bytes(813, 17),
  VolumeModificationDateAndTime: bytes(830, 17),
});

export const STANDARD_IDENTIFIER = 'CD001';
export const TYPE = { primary: 1, supplementary: 2, terminator: 255 } as const;
/** 8.5.2: a supplementary descriptor of this version is an enhanced one (ISO 9660:1999). */
export const ENHANCED_VERSION = 2;
/** Joliet: UCS-2 levels 1, 2 and 3 (Joliet Specification, "SVD Escape Sequences Field"). */
export const JOLIET_ESCAPES = ['%/@', '%/C', '%/E'] as const;
export const BLOCK_SIZES = [512, 1024, 2048] as const;

/** 9.1, the part before the identifier. */
export const DirectoryRecord = struct('iso_directory_record', 33, {
  LengthOfDirectoryRecord: u8(0),
  ExtendedAttributeRecordLength: u8(1),
  LocationOfExtent: u32le(2),
  LocationOfExtentBE: u32be(6),
  DataLength: u32le(10),
  DataLengthBE: u32be(14),
  RecordingDateAndTime: bytes(18, 7),
  FileFlags: u8(25),
  FileUnitSize: u8(26),
  InterleaveGapSize: u8(27),
  LengthOfFileIdentifier: u8(32),
});

/** 9.1.6. */
export const FLAG = { directory: 0x02, associated: 0x04, multiExtent: 0x80 } as const;
/** 7.6.2: the identifiers of a directory itself and of its parent. */
export const SELF = 0x00;
export const PARENT = 0x01;

/** Of one directory; 100,000 names with Rock Ridge are 25 MB. */
export const MAX_DIRECTORY_BYTES = 512 * 1024 * 1024;
/** Sections of one file: Linux takes 100 (isofs_read_level3_size), each up to 4 GiB. */
export const MAX_SECTIONS = 1000;

/** SUSP 5: signature, length, version, then the data. */
export const ENTRY_HEAD = 4;
export const signature = (name: string): number => name.charCodeAt(0) * 256 + name.charCodeAt(1);
export const SIG = {
  CE: signature('CE'),
  SP: signature('SP'),
  ST: signature('ST'),
  ER: signature('ER'),
  RR: signature('RR'),
  PX: signature('PX'),
  SL: signature('SL'),
  NM: signature('NM'),
  CL: signature('CL'),
  RE: signature('RE'),
  TF: signature('TF'),
  SF: signature('SF'),
  ZF: signature('ZF'),
  Z2: signature('Z2'),
} as const;

/** SUSP 5.3. */
export const SharingProtocol = struct('susp_SP', 7, { CheckBytes: u16be(4), LEN_SKP: u8(6) });
export const CHECK_BYTES = 0xbeef;
/** Bytes of the CD-ROM XA field that may stand before the first entry. */
export const XA_SIZE = 14;

/** SUSP 5.1. */
export const ContinuationArea = struct('susp_CE', 28, {
  BlockLocation: u32le(4),
  Offset: u32le(12),
  Length: u32le(20),
});
/** Linux: RR_MAX_CE_ENTRIES (fs/isofs/rock.c). */
export const MAX_CONTINUATIONS = 32;
/** Linux allows one block; a writer fills at most one sector. */
export const MAX_CONTINUATION_BYTES = SECTOR;

/** RRIP 4.1.1; only the mode is used. */
export const PosixAttributes = struct('rrip_PX', 12, { st_mode: u32le(4) });
/** POSIX file types in st_mode. */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;

/** RRIP 4.1.4: flags, then the name. */
export const NM_AT = 5;
export const NM = { current: 0x02, parent: 0x04 } as const;

/** RRIP 4.1.3: flags, then components of flags, length, bytes. */
export const SL_AT = 5;
export const COMPONENT = { continues: 0x01, current: 0x02, parent: 0x04, root: 0x08 } as const;

/** RRIP 4.1.5.1. */
export const ChildLink = struct('rrip_CL', 12, { LocationOfChildDirectory: u32le(4) });

/** RRIP 4.1.6: flags, then stamps of 7 or 17 bytes. */
export const TF_AT = 5;
export const TF = { creation: 0x01, modify: 0x02, longForm: 0x80 } as const;

/** ZF (and Z2, which is the same under a name that Linux does not complain of). */
export const ZisofsEntry = struct('zisofs_ZF', 16, {
  Version: u8(3),
  Algorithm: bytes(4, 2),
  HeaderSizeDiv4: u8(6),
  Log2BlockSize: u8(7),
  /** In both byte orders, this is the little-endian one. */
  UncompressedSize: u32le(8),
});
/** Version 2 has room for more. */
export const Zisofs2Entry = struct('zisofs2_ZF', 16, { UncompressedSize: u64le(8) });

/** What the compressed file begins with. */
export const ZisofsHeader = struct('zisofs_header', 16, {
  Magic: bits64be(0),
  UncompressedSize: u32le(8),
  HeaderSizeDiv4: u8(12),
  Log2BlockSize: u8(13),
});
export const ZISOFS_MAGIC = 0x37e45396c9dbd607n;
export const Zisofs2Header = struct('zisofs2_header', 24, {
  Magic: bits64be(0),
  Version: u8(8),
  HeaderSizeDiv4: u8(9),
  Algorithm: u8(10),
  Log2BlockSize: u8(11),
  UncompressedSize: u64le(12),
});
export const ZISOFS2_MAGIC = 0xef2255a1bc1b95a0n;
export const ZISOFS2_ZLIB = 1;
/** The only block sizes that writers may use: 32, 64 and 128 KiB. */
export const ZISOFS_LOG2_SIZES = { least: 15, most: 17 } as const;
