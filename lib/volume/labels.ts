/** The labels of BSD and Solaris, on a whole disk and in the slices of an MBR. A chunk, loaded where one was seen. */
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import type { BlockSource } from '../source/types';
import { readDisklabel } from './bsd/bsd';
import { readPcLabel, readSparcLabel } from './sun/sun';
import type { Partition, PartitionTable } from './types';

const warner = (disk: BlockSource, ctx: Context) => (text: string) => ctx.warn(`${disk.label}: ${text}`);

/** Labels without an MBR around them; Solaris' is then SPARC's. */
export function readLabel(scheme: string, disk: BlockSource, ctx: Context): PartitionTable | undefined {
  const warn = warner(disk, ctx);
  const partitions =
    scheme === 'bsd' ? readDisklabel(disk, ctx, 0, true, warn) : readSparcLabel(disk, ctx, warn);
  return partitions.length > 0 ? { scheme, partitions } : undefined;
}

/** GRUB's names for the rows of a label, by the type of its slice. */
const SLICES: Readonly<Record<string, string>> = { a5: 'bsd', a6: 'openbsd', a9: 'netbsd' };

/** The rows of the label in a slice. One that is damaged beyond use is told, and the slice counts as it is. */
export function rowsInside(disk: BlockSource, slice: Partition, ctx: Context): Partition[] {
  const warn = warner(disk, ctx);
  const scheme = SLICES[slice.type] ?? 'sunpc';
  try {
    const rows =
      scheme === 'sunpc'
        ? readPcLabel(disk, ctx, slice.start, warn)
        : readDisklabel(disk, ctx, slice.start, scheme === 'bsd', warn);
    const prefix = scheme === 'openbsd' || scheme === 'netbsd' ? scheme : `msdos${slice.number},${scheme}`;
    return rows.map((row) => ({ ...row, active: slice.active, nested: `${prefix}${row.number}` }));
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    warn(`partition ${slice.number}: ${error.message}`);
    return [];
  }
}
