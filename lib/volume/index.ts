/**
 * The partition schemes, in the order in which they are asked. GPT first: its disks carry an MBR too, made for tools
 * that do not know better; the GPT reader steps back where that MBR does not announce a GPT. Labels of BSD and Solaris
 * last: what they left on a disk outlives a new table. All readers but GPT's are
 * chunks.
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
const label = (scheme: string, at: number, magic: (n: number) => boolean): PartitionScheme => ({
  scheme,
  read: (disk, ctx) => (magic(word(disk, at, ctx)) ? labels().readLabel(scheme, disk, ctx) : undefined),
});
/** A BSD disklabel begins so, in the second sector of a slice or disk; a Solaris VTOC has this after 12 bytes. */
const isDisklabel = (n: number) => n === 0x82564557;
const VTOC_SANE = 0x600ddeee;
/** 0x55 0xAA at the end of the first sector. */
const msdos: PartitionScheme = {
  scheme: 'msdos',
  read: (disk, ctx) =>
    word(disk, 508, ctx) >>> 16 === 0xaa55
      ? (require('./msdos/msdos') as typeof import('./msdos/msdos')).msdos.read(disk, ctx)
      : undefined,
};
const bsd = label('bsd', 512, isDisklabel);
const sun = label('sun', 508, (n) => (n & 0xffff) === 0xbeda);

export const schemes: readonly PartitionScheme[] = [gpt, msdos, bsd, sun];

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
      return table.scheme === 'msdos' ? withLabels(disk, table, ctx) : table;
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      damage ??= error;
    }
  }
  if (damage) throw damage;
  return undefined;
}

/** The rows of labels in an MBR's slices stand after their slice. */
function withLabels(disk: BlockSource, table: PartitionTable, ctx: Context): PartitionTable {
  const partitions = table.partitions.flatMap((slice) =>
    (/^a[569]$/.test(slice.type) && isDisklabel(word(disk, slice.start + 512, ctx))) ||
    (/^(82|bf)$/.test(slice.type) && word(disk, slice.start + 524, ctx) === VTOC_SANE)
      ? [slice, ...labels().rowsInside(disk, slice, ctx)]
      : [slice],
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
