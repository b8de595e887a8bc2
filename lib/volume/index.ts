/**
 * The partition schemes, in the order in which they are asked. GPT first: its disks carry an MBR too, made for tools
 * that do not know better; the GPT reader steps back where that MBR does not announce a GPT. The others last, in
 * `labels.ts`: what they left on a disk outlives a new table. All readers but GPT's are chunks.
 */
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { type BlockSource, readBytes } from '../source/types';
import { gpt } from './gpt/gpt';
import type { Partition, PartitionScheme, PartitionTable } from './types';

const labels = () => require('./labels') as typeof import('./labels');

/** A 32-bit number of a label, at `at` or beyond the end. */
const word = (disk: BlockSource, at: number, ctx: Context): number =>
  at + 4 <= disk.size ? readBytes(disk, at, 4, ctx).readUInt32LE(0) : 0;
/**
 * How the other tables begin: Apple's and SGI's with these letters, Amiga's in one of the first sectors; SPARC's ends its sector so;
 * the second one begins so with a disklabel of 32 or 64 bits or with Plan 9's table.
 */
const LABEL = /^(ER|\x0b\xe5\xa9A|(.{512}){0,7}RDSK|.{508}\xda\xbe|.{512}(WEV\x82|YLF\xc4|part ))/s;
const label: PartitionScheme = {
  scheme: 'label',
  read: (disk, ctx) =>
    LABEL.test(readBytes(disk, 0, Math.min(4096, disk.size), ctx).toString('latin1'))
      ? labels().readLabel(disk, ctx)
      : undefined,
};
/** Types of rows that may hold a label: of an MBR, and with the beginning of its GUID of a GPT. */
const LABELLED = /^((a[569]|6c|81|bf)$|516e7cb4|824c|3d48|9d08)/;
/** 0x55 0xAA at the end of the first sector. */
const msdos: PartitionScheme = {
  scheme: 'msdos',
  read: (disk, ctx) =>
    word(disk, 508, ctx) >>> 16 === 0xaa55
      ? (require('./msdos/msdos') as typeof import('./msdos/msdos')).msdos.read(disk, ctx)
      : undefined,
};

export const schemes: readonly PartitionScheme[] = [gpt, msdos, label];

/**
 * The disk's partition table, or `undefined` when it has none and the disk as a whole may be a filesystem.
 * @throws GuestError when there is a table and none of it can be used
 */
export function readTable(disk: BlockSource, ctx: Context): PartitionTable | undefined {
  let damage: GuestError | undefined;
  for (const scheme of schemes) {
    try {
      const table = scheme.read(disk, ctx);
      if (!table) continue;
      // A hybrid MBR whose GPT is gone still names some of its partitions.
      if (damage) ctx.warn(`${damage.describe()}; the ${table.scheme} table is used`);
      return withLabels(disk, table, ctx);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      damage ??= error;
    }
  }
  if (damage) throw damage;
  return undefined;
}

/** The rows of labels inside others stand after those. Linux' swap has the type of Solaris' VTOC. */
function withLabels(disk: BlockSource, table: PartitionTable, ctx: Context): PartitionTable {
  const partitions = table.partitions.flatMap((row) =>
    LABELLED.test(row.type) || (row.type === '82' && word(disk, row.start + 524, ctx) === 0x600ddeee)
      ? [row, ...labels().rowsInside(disk, row, ctx, table.scheme)]
      : [row],
  );
  return { ...table, partitions };
}

/** GPT's BIOS boot partition holds GRUB's core image, never a filesystem: every driver would look at it for nothing. */
const BIOS_BOOT = '21686148-6449-6e6f-744e-656564454649';

/**
 * The order in which rows of a table are tried: in an MBR the active partition first, as a BIOS would; then the table's
 * order, and last what holds no filesystem.
 */
export function orderForBoot<T>(
  scheme: string | undefined,
  rows: readonly T[],
  partition: (row: T) => Pick<Partition, 'active' | 'type'> | undefined,
): T[] {
  const rank = (row: T) => {
    const { active = false, type = '' } = partition(row) ?? {};
    return scheme === 'msdos' ? (active ? 0 : 1) : type === BIOS_BOOT ? 2 : 1;
  };
  return [0, 1, 2].flatMap((wanted) => rows.filter((row) => rank(row) === wanted));
}
