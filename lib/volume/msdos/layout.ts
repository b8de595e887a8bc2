/**
 * The boot record and its partition rows. No standard; described in UEFI 2.10 section 5.2.1 and read the same way by
 * Linux (include/linux/msdos_partition.h). All numbers little-endian.
 */
import { bytes, struct, u8, u16le, u32le } from '../../bytes/struct';

export const BootRecord = struct('mbr', 512, {
  UniqueMbrSignature: u32le(440),
  PartitionRecord: bytes(446, 64),
  Signature: u16le(510),
});

export const PartitionRecord = struct('mbr_partition', 16, {
  BootIndicator: u8(0),
  OSType: u8(4),
  StartingLBA: u32le(8),
  SizeInLBA: u32le(12),
});

export const SIGNATURE = 0xaa55;
export const ACTIVE = 0x80;
/** UEFI 5.2.3: the row that keeps old tools from a GPT disk. */
export const PROTECTIVE = 0xee;
/** DOS, Windows 95 with LBA, Linux: a chain of further boot records (is_extended_partition, block/partitions/msdos.c). */
export const EXTENDED = [0x05, 0x0f, 0x85] as const;
