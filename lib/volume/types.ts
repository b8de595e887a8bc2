import type { Context } from '../bytes/budget';
import type { BlockSource } from '../source/types';

/** One row of a partition table, in the table's order. */
export interface Partition {
  /** As the table counts: GPT entries from 1; MBR primaries 1–4, logical ones from 5. */
  readonly number: number;
  /** Bytes from the start of the disk. */
  readonly start: number;
  /** Bytes. */
  readonly size: number;
  /** MBR: the active flag (0x80). GPT: attribute bit 2, legacy BIOS bootable. */
  readonly active: boolean;
  /** MBR: `83`; GPT: the type GUID in lower case; BSD `p_fstype` and Solaris tags in hexadecimal. */
  readonly type: string;
  /** A row of a label inside an MBR's row: GRUB's name of it, `msdos1,bsd1`, `netbsd1`. */
  readonly nested?: string;
  /** GPT: the partition's GUID, lower case. MBR: `disksignature-NN` as Linux' PARTUUID. */
  readonly uuid?: string;
  /** GPT: the partition's name. */
  readonly label?: string;
}

export interface PartitionTable {
  /** GRUB's name: `gpt`, `msdos`, `bsd`, `sun`. It makes the volume's name: `hd0,gpt2`. */
  readonly scheme: string;
  readonly partitions: readonly Partition[];
  /** Disk GUID or signature. */
  readonly id?: string;
}

export interface PartitionScheme {
  readonly scheme: string;
  /**
   * The table, or `undefined` when this disk has none of this kind. Damage is told through `ctx.warn` as long as a
   * table can be used (backup header, wrong checksum).
   * @throws GuestError `corrupt` when there is a table and it cannot be used
   */
  read(disk: BlockSource, ctx: Context): PartitionTable | undefined;
}
