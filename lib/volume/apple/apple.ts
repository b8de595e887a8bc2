/** Apple's partition map. A chunk, loaded where the driver descriptor record's magic number is at the disk's beginning. */
import type { Context } from '../../bytes/budget';
import { variable } from '../../bytes/over';
import { fromBytes } from '../../bytes/text';
import { type BlockSource, readBytes } from '../../source/types';
import { addRow, type Warn } from '../rows';
import type { Partition } from '../types';
import { BLOCK_SIZES, Block0, PartitionEntry, PM_SIG } from './layout';

const text = (b: Buffer): string => {
  const end = b.indexOf(0);
  return fromBytes(end < 0 ? b : b.subarray(0, end));
};

/** @returns no rows where the descriptor has no map behind it: boot code may begin with its letters */
export function readAppleMap(disk: BlockSource, ctx: Context, warn: Warn): Partition[] {
  const { sbBlkSize: unit } = Block0.read(readBytes(disk, 0, Block0.size, ctx));
  if (!BLOCK_SIZES.includes(unit)) return [];
  const found: Partition[] = [];
  const most = ctx.budget.limits.partitions;
  for (let number = 1, count = 1; number <= count; number++) {
    const at = number * unit;
    if (at + PartitionEntry.size > disk.size) {
      warn(`the Apple partition map of ${count} blocks ends beyond the disk`);
      break;
    }
    ctx.budget.step();
    const row = PartitionEntry.read(readBytes(disk, at, PartitionEntry.size, ctx));
    if (row.pmSig !== PM_SIG) {
      if (number > 1) warn(`row ${number} of the Apple partition map has no signature; the map ends there`);
      break;
    }
    // Each row says how many there are; Linux and GRUB believe the first.
    if (number === 1) count = row.pmMapBlkCnt;
    if (number > most) {
      warn(
        `more than ${most} rows of the Apple partition map (${variable('partitions')}); the rest is left out`,
      );
      break;
    }
    if (row.pmPartBlkCnt === 0) continue;
    const label = text(row.pmPartName);
    addRow(found, disk, warn, 'the Apple partition map', {
      number,
      start: row.pmPyPartStart * unit,
      size: row.pmPartBlkCnt * unit,
      active: false,
      type: text(row.pmParType),
      ...(label === '' ? {} : { label }),
    });
  }
  return found;
}
