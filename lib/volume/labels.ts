/**
 * Tables of other systems than PCs', on a whole disk and inside the rows of an MBR or GPT. A chunk, loaded where one was
 * seen, or a row's type promises one.
 */
import type { Context } from '../bytes/budget';
import { GuestError, unsupported } from '../bytes/errors';
import { type BlockSource, readBytes } from '../source/types';
import { readAppleMap } from './apple/apple';
import { readDisklabel } from './bsd/bsd';
import { readDisklabel64 } from './dfly/dfly';
import { MAGIC64 } from './dfly/layout';
import { readSubpartitions } from './msdos/minix';
import { readPcLabel, readSparcLabel } from './sun/sun';
import type { Partition, PartitionTable } from './types';

const warner = (disk: BlockSource, ctx: Context) => (text: string) => ctx.warn(`${disk.label}: ${text}`);

/** The first word of the second sector of a disk or slice: a disklabel of 32 bits (`dfly` has 64). */
const DISKLABEL = 0x82564557;
/** 12 bytes after that place: a VTOC of Solaris on x86. */
const VTOC_SANE = 0x600ddeee;

/** The second sector's first word, or that at another place in it. */
function word(disk: BlockSource, start: number, ctx: Context, at = 0): number {
  const place = start + 512 + at;
  return place + 4 <= disk.size ? readBytes(disk, place, 4, ctx).readUInt32LE(0) : 0;
}

/** GRUB's names of the schemes that are read here; `index.ts` knows the magic numbers. */
export const labelSchemes = ['bsd', 'dfly', 'sun', 'apple'] as const;

/** A table without an MBR or GPT. @throws GuestError `unsupported` for one that is only named */
export function readLabel(disk: BlockSource, ctx: Context): PartitionTable | undefined {
  const warn = warner(disk, ctx);
  const magic = word(disk, 0, ctx);
  const head = readBytes(disk, 0, 4, ctx).toString('latin1');
  const table = (scheme: (typeof labelSchemes)[number], partitions: Partition[]) =>
    partitions.length > 0 ? { scheme, partitions } : undefined;
  if (magic === DISKLABEL) return table('bsd', readDisklabel(disk, ctx, 0, true, warn));
  if (magic === MAGIC64) return table('dfly', readDisklabel64(disk, ctx, 0, warn));
  if (head.startsWith('ER')) return table('apple', readAppleMap(disk, ctx, warn));
  if (head === '\x0b\xe5\xa9A') throw unsupported('an SGI partition table (DVH), which is not read');
  if (magic === 0x74726170) throw unsupported('a Plan 9 partition table, which is not read');
  if (readBytes(disk, 508, 2, ctx).readUInt16LE(0) === 0xbeda)
    return table('sun', readSparcLabel(disk, ctx, warn));
  throw unsupported('an Amiga partition table (RDB), which is not read');
}

/** GRUB's names for the rows of a label, by the type of its slice. */
const SLICES: Readonly<Record<string, string>> = { a6: 'openbsd', a9: 'netbsd' };
/** OpenBSD's type of a GPT's row: as in an MBR, its label counts from the disk's beginning. */
const GPT_OPENBSD = '824cc7a0-36a8-11e3-890a-952519ad3f61';

/**
 * The rows of the label in a row of an MBR or GPT, if there is one. One that is damaged beyond use is told, and the row counts
 * as it is.
 * @param scheme of the outer table
 */
export function rowsInside(disk: BlockSource, slice: Partition, ctx: Context, scheme: string): Partition[] {
  const warn = warner(disk, ctx);
  const outer = `${scheme}${slice.number},`;
  const { start, type } = slice;
  try {
    const magic = word(disk, start, ctx);
    let rows: Partition[] = [];
    let prefix = outer;
    if (type === '81') {
      rows = readSubpartitions(disk, ctx, slice, warn);
      prefix += 'msdos';
    } else if (magic === MAGIC64) {
      rows = readDisklabel64(disk, ctx, start, warn);
      prefix += 'dfly';
    } else if (magic === DISKLABEL) {
      const own = SLICES[type];
      rows = readDisklabel(disk, ctx, start, !own && type !== GPT_OPENBSD, warn);
      prefix = own ?? `${outer}bsd`;
    } else if (word(disk, start, ctx, 12) === VTOC_SANE) {
      rows = readPcLabel(disk, ctx, start, warn);
      prefix += 'sunpc';
    }
    return rows.map((row) => ({ ...row, active: slice.active, nested: `${prefix}${row.number}` }));
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    warn(`partition ${slice.number}: ${error.message}`);
    return [];
  }
}
