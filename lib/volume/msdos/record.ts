/** One boot record, raw → checked. */
import type { Context } from '../../bytes/budget';
import { type BlockSource, readBytes } from '../../source/types';
import { ACTIVE, BootRecord, EXTENDED, PartitionRecord, PROTECTIVE, SIGNATURE } from './layout';

export const PROTECTIVE_TYPE = PROTECTIVE;

export interface Row {
  /** 0–3. */
  readonly slot: number;
  readonly active: boolean;
  readonly type: number;
  readonly extended: boolean;
  /** Sectors, as the row says it. */
  readonly start: number;
  readonly size: number;
}

export interface Record {
  /** Disk signature, 8 hex digits. */
  readonly id: string;
  /** Rows in use (size not 0). */
  readonly rows: readonly Row[];
  /**
   * False when an active flag is neither 0x00 nor 0x80: then these bytes are the code or text of a boot sector, as
   * Linux decides too (msdos_partition, block/partitions/msdos.c).
   */
  readonly plausible: boolean;
}

/** @returns undefined when there is no 0x55AA signature */
export function bootRecord(disk: BlockSource, ctx: Context, at = 0): Record | undefined {
  if (at + BootRecord.size > disk.size) return undefined;
  const sector = BootRecord.read(readBytes(disk, at, BootRecord.size, ctx));
  if (sector.Signature !== SIGNATURE) return undefined;
  const rows: Row[] = [];
  let plausible = true;
  for (let slot = 0; slot < 4; slot++) {
    const row = PartitionRecord.read(sector.PartitionRecord, slot * PartitionRecord.size);
    if (row.BootIndicator !== 0 && row.BootIndicator !== ACTIVE) plausible = false;
    if (row.SizeInLBA === 0) continue;
    rows.push({
      slot,
      active: row.BootIndicator === ACTIVE,
      type: row.OSType,
      extended: (EXTENDED as readonly number[]).includes(row.OSType),
      start: row.StartingLBA,
      size: row.SizeInLBA,
    });
  }
  return { id: sector.UniqueMbrSignature.toString(16).padStart(8, '0'), rows, plausible };
}
