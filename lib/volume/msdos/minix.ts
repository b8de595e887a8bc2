/** MINIX' subpartitions: a second boot record in the first sector of a row of type 81. A chunk. */
import type { Context } from '../../bytes/budget';
import type { BlockSource } from '../../source/types';
import { addRow, type Warn } from '../rows';
import type { Partition } from '../types';
import { bootRecord } from './record';

/** Of the outer row and of each inner one (MINIX_PARTITION, Linux' block/partitions/msdos.c). */
const MINIX = 0x81;

/** The rows inside, whose places are counted from the disk's beginning; none where there is the usual boot sector. */
export function readSubpartitions(
  disk: BlockSource,
  ctx: Context,
  slice: Partition,
  warn: Warn,
): Partition[] {
  const record = bootRecord(disk, ctx, slice.start);
  const found: Partition[] = [];
  for (const row of record?.plausible ? record.rows : []) {
    if (row.type !== MINIX) continue;
    addRow(found, disk, warn, 'the MINIX table', {
      number: row.slot + 1,
      start: row.start * 512,
      size: row.size * 512,
      active: row.active,
      type: '81',
    });
  }
  return found;
}
