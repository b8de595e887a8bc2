/**
 * Microsoft "FAT: General Overview of On-Disk Format" (fatgen103, 2000): field names and offsets are its.
 * All numbers little-endian.
 */
import { bytes, struct, u8, u16le, u32le } from '../../lib/bytes/struct';

/** Boot Sector and BPB, the part that all have, and what follows it on FAT12/16 and on FAT32. */
export const BootSector = struct('fat_boot_sector', 512, {
  BS_jmpBoot: bytes(0, 3),
  BS_OEMName: bytes(3, 8),
  BPB_BytsPerSec: u16le(11),
  BPB_SecPerClus: u8(13),
  BPB_RsvdSecCnt: u16le(14),
  BPB_NumFATs: u8(16),
  BPB_RootEntCnt: u16le(17),
  BPB_TotSec16: u16le(19),
  BPB_Media: u8(21),
  BPB_FATSz16: u16le(22),
  BPB_TotSec32: u32le(32),
  Signature_word: u16le(510),

  BS_BootSig: u8(38),
  BS_VolID: u32le(39),
  BS_VolLab: bytes(43, 11),

  BPB_FATSz32: u32le(36),
  BPB_ExtFlags: u16le(40),
  BPB_RootClus: u32le(44),
  BS_BootSig_32: u8(66),
  BS_VolID_32: u32le(67),
  BS_VolLab_32: bytes(71, 11),
});

export const ENTRY_SIZE = 32;

/** FAT 32 Byte Directory Entry Structure. */
export const DirectoryEntry = struct('fat_dir_entry', ENTRY_SIZE, {
  DIR_Name: bytes(0, 11),
  DIR_Attr: u8(11),
  DIR_NTRes: u8(12),
  DIR_FstClusHI: u16le(20),
  DIR_WrtTime: u16le(22),
  DIR_WrtDate: u16le(24),
  DIR_FstClusLO: u16le(26),
  DIR_FileSize: u32le(28),
});

/** FAT Long Directory Entry Structure. */
export const LongEntry = struct('fat_long_entry', ENTRY_SIZE, {
  LDIR_Ord: u8(0),
  LDIR_Name1: bytes(1, 10),
  LDIR_Chksum: u8(13),
  LDIR_Name2: bytes(14, 12),
  LDIR_Name3: bytes(28, 4),
});

export const ATTR_VOLUME_ID = 0x08;
export const ATTR_DIRECTORY = 0x10;
export const ATTR_LONG_NAME = 0x0f;
export const ATTR_LONG_NAME_MASK = 0x3f;
/** Not in the specification; Windows NT and Linux (CASE_LOWER_BASE, CASE_LOWER_EXT in include/uapi/linux/msdos_fs.h). */
export const NT_LOWER_BASE = 0x08;
export const NT_LOWER_EXTENSION = 0x10;

/** DIR_Name[0]: free, and nothing follows · free · stands for 0xE5 (KANJI). */
export const NAME_END = 0x00;
export const NAME_FREE = 0xe5;
export const NAME_IS_E5 = 0x05;

export const LAST_LONG_ENTRY = 0x40;
/** 20 × 13 characters hold the longest name, 255. */
export const MAX_LONG_ENTRIES = 20;

/** Fewer clusters than this: FAT12, fewer than 65525: FAT16 ("FAT Type Determination"; Linux: MAX_FAT12). */
export const FAT16_CLUSTERS = 4085;
export const FAT32_CLUSTERS = 65525;
/** Linux: MAX_FAT32. */
export const MAX_CLUSTERS = 0x0ffffff6;

/** BPB_ExtFlags: bit 7, only one FAT is active; bits 0–3, which one. */
export const ONE_FAT_ACTIVE = 0x80;

/** A directory has at most 65,536 entries ("FAT Directory Structure"; Linux: FAT_MAX_DIR_SIZE). */
export const MAX_DIRECTORY_BYTES = 65_536 * ENTRY_SIZE;
