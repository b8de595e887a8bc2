/** What the chunks of tables have in common. */
import type { BlockSource } from '../source/types';
import type { Partition } from './types';

export type Warn = (text: string) => void;

/**
 * Adds a row that begins on the disk, cut at its end.
 * @param table for the warning: `the Apple partition map`
 */
export function addRow(
  found: Partition[],
  disk: BlockSource,
  warn: Warn,
  table: string,
  row: Partition,
): void {
  if (row.start >= disk.size) {
    warn(`row ${row.number} of ${table} begins outside the disk; it is left out`);
    return;
  }
  found.push({ ...row, size: Math.min(row.size, disk.size - row.start) });
}
