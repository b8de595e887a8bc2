/** UEFI Specification 2.10, section 5.3: GUID Partition Table. All numbers little-endian. */
import { bits64le, bytes, struct, u32le, u64le } from '../../bytes/struct';

/** 5.3.2, table 5.5. At the second and at the last sector of a disk. */
export const GptHeader = struct('gpt_header', 92, {
  Signature: bytes(0, 8),
  Revision: u32le(8),
  HeaderSize: u32le(12),
  HeaderCRC32: u32le(16),
  MyLBA: u64le(24),
  AlternateLBA: u64le(32),
  FirstUsableLBA: u64le(40),
  LastUsableLBA: u64le(48),
  DiskGUID: bytes(56, 16),
  PartitionEntryLBA: u64le(72),
  NumberOfPartitionEntries: u32le(80),
  SizeOfPartitionEntry: u32le(84),
  PartitionEntryArrayCRC32: u32le(88),
});

/** 5.3.3, table 5.6. Sizes above 128 only add bytes at the end. */
export const GptEntry = struct('gpt_entry', 128, {
  PartitionTypeGUID: bytes(0, 16),
  UniquePartitionGUID: bytes(16, 16),
  // Not u64le: one absurd row must cost that row alone.
  StartingLBA: bits64le(32),
  EndingLBA: bits64le(40),
  Attributes: bits64le(48),
  PartitionName: bytes(56, 72),
});

export const SIGNATURE = 'EFI PART';
/** 5.3.3, table 5.8: bit 2, legacy BIOS bootable. */
export const LEGACY_BIOS_BOOTABLE = 4n;

/**
 * Sector sizes under which the header is looked for; that of an image file is not known.
 * The value is where LBA 1 lies.
 */
export const SECTOR_SIZES = [512, 4096, 2048, 1024] as const;
/** Bytes of the entry array. Linux takes what kmalloc gives, 4 MiB (block/partitions/efi.c); usual are 16 KiB. */
export const MAX_ENTRY_ARRAY = 4 * 1024 * 1024;
