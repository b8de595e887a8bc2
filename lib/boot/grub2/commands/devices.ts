/** The order in which GRUB goes through devices. */
import { CacheSource } from '../../../source/cache';
import { type BlockSource, SliceSource } from '../../../source/types';
import type { Disk, Guest, Volume } from '../../guest';

/**
 * All devices as `search` and `ls` meet them (observed with grub-emu): loopback disks and what was opened of
 * encrypted ones first, the newest of them first; each disk itself, then its partitions from the last row of the table to the
 * first. What has to be assembled comes last.
 */
export function* devices(guest: Guest): Generator<Volume> {
  for (const first of [true, false]) {
    for (const disk of first ? guest.disks.slice().reverse() : guest.everyDisk()) {
      if ((!!disk.of || isLoopback(disk)) !== first) continue;
      yield disk.whole;
      for (let i = disk.partitions.length - 1; i >= 0; i--) yield disk.partitions[i]!;
    }
  }
}

export const isLoopback = (disk: Disk): boolean => loopbackDepth(disk.whole.source) > 0;

/** How many loopback files lie between a source and the real disk. */
export function loopbackDepth(source: BlockSource): number {
  let at: BlockSource = source;
  for (;;) {
    if (at.fileDepth !== undefined) return at.fileDepth;
    if (at instanceof CacheSource || at instanceof SliceSource) at = at.parent;
    else return 0;
  }
}
