/**
 * The partition schemes, in the order in which they are asked. GPT first: its disks carry an MBR too, made for tools
 * that do not know better; the GPT reader steps back where that MBR does not announce a GPT.
 */
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import type { BlockSource } from '../source/types';
import { gpt } from './gpt/gpt';
import { msdos } from './msdos/msdos';
import type { PartitionScheme, PartitionTable } from './types';

export const schemes: readonly PartitionScheme[] = [gpt, msdos];

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
      return table;
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      damage ??= error;
    }
  }
  if (damage) throw damage;
  return undefined;
}

/** The order in which a BIOS would try a table's rows: in an MBR the active partition first, then the table's order. */
export function orderForBoot<T>(
  scheme: string | undefined,
  rows: readonly T[],
  active: (row: T) => boolean,
): T[] {
  if (scheme !== 'msdos') return [...rows];
  return [...rows.filter(active), ...rows.filter((row) => !active(row))];
}
