/** Where a file's bytes are, whichever way its inode maps them. */
import type { Extent } from '../../lib/fs/types';
import { extentRuns, type Run } from './extents';
import { indirectRuns } from './indirect';
import type { ExtInode } from './inode';
import type { ExtVolume } from './volume';

/** Runs in file order, many at a time, from block `from` on (a few before it may come too). Not for inline inodes. */
function batches(volume: ExtVolume, inode: ExtInode, from: number): Iterable<readonly Run[]> {
  const disk = inode.hasExtents ? extentRuns(volume, inode, from) : indirectRuns(volume, inode, from);
  const fast = volume.fastCommits;
  return fast?.edits.has(inode.id) ? fast.runs(volume, inode.id, disk, from) : disk;
}

/** Runs in file order, beginning with the one that holds or follows block `from`. Not for inline inodes. */
export function* runs(volume: ExtVolume, inode: ExtInode, from = 0): Generator<Run> {
  for (const batch of batches(volume, inode, from))
    for (const run of batch) if (run.logical + run.count > from) yield run;
}

/** Runs that follow each other in the file and on disk become one; unwritten ones are left out as holes. */
export function* dataExtents(volume: ExtVolume, inode: ExtInode): Generator<Extent> {
  const { source } = volume;
  const { blockSize } = volume.geometry;
  const end = inode.size / blockSize;
  let logical = 0;
  let physical = 0;
  let count = 0;
  const extent = (): Extent => {
    const offset = logical * blockSize;
    const length = Math.min(count * blockSize, inode.size - offset);
    return { kind: 'data', offset, length, source, at: physical * blockSize };
  };
  for (const batch of batches(volume, inode, 0)) {
    for (const run of batch) {
      if (run.physical === 0 || run.logical >= end) continue;
      if (count > 0) {
        if (run.logical === logical + count && run.physical === physical + count) {
          count += run.count;
          continue;
        }
        yield extent();
      }
      logical = run.logical;
      physical = run.physical;
      count = run.count;
    }
    if (batch.length > 0 && batch[batch.length - 1]!.logical >= end) break;
  }
  if (count > 0) yield extent();
}
