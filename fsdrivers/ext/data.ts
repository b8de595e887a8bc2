/** Where a file's bytes are, whichever way its inode maps them. */
import type { Extent } from '../../lib/fs/types';
import { extentRuns, type Run } from './extents';
import { indirectRuns } from './indirect';
import type { ExtInode } from './inode';
import type { ExtVolume } from './volume';

/** Runs in file order from block `from` on. Not for inline inodes. */
export function runs(volume: ExtVolume, inode: ExtInode, from = 0): Generator<Run> {
  const disk = inode.hasExtents ? extentRuns(volume, inode, from) : indirectRuns(volume, inode, from);
  const fast = volume.fastCommits;
  return fast?.edits.has(inode.id) ? fast.runs(volume, inode.id, disk, from) : disk;
}

/** Runs that follow each other in the file and on disk become one; unwritten ones are left out as holes. */
export function* dataExtents(volume: ExtVolume, inode: ExtInode): Generator<Extent> {
  const { source } = volume;
  const { blockSize } = volume.geometry;
  let logical = 0;
  let physical = 0;
  let count = 0;
  const extent = (): Extent => {
    const offset = logical * blockSize;
    const length = Math.min(count * blockSize, inode.size - offset);
    return { kind: 'data', offset, length, source, at: physical * blockSize };
  };
  for (const run of runs(volume, inode)) {
    if (run.logical * blockSize >= inode.size) break;
    if (run.physical === 0) continue;
    if (count > 0 && run.logical === logical + count && run.physical === physical + count) {
      count += run.count;
      continue;
    }
    if (count > 0) yield extent();
    ({ logical, physical, count } = run);
  }
  if (count > 0) yield extent();
}
