/** The block map of ext2 and ext3: 12 direct blocks, then single, double and triple indirect ones. */
import type { Run } from './extents';
import type { ExtInode } from './inode';
import { DIRECT_BLOCKS } from './layout';
import type { ExtVolume } from './volume';

/** Runs in file order, a block of pointers at a time, from block `from` on; none beyond the file's size. */
export function* indirectRuns(volume: ExtVolume, inode: ExtInode, from = 0): Generator<readonly Run[]> {
  const { blockSize } = volume.geometry;
  const end = Math.ceil(inode.size / blockSize);
  const perBlock = blockSize / 4;
  const map = inode.map;
  yield* pointers(volume, inode, map.subarray(0, 4 * DIRECT_BLOCKS), 0, 0, from, end);
  let logical = DIRECT_BLOCKS;
  for (let level = 1; level <= 3; level++) {
    if (logical >= end) return;
    const slot = 4 * (DIRECT_BLOCKS + level - 1);
    yield* pointers(volume, inode, map.subarray(slot, slot + 4), level, logical, from, end);
    logical += perBlock ** level;
  }
}

/**
 * @param level 0: the pointers are of data blocks; n: of blocks with pointers of level n-1
 * @param logical the file's block that the first pointer stands for
 */
function* pointers(
  volume: ExtVolume,
  inode: ExtInode,
  bytes: Buffer,
  level: number,
  logical: number,
  from: number,
  end: number,
): Generator<readonly Run[]> {
  const count = bytes.length / 4;
  const what = `inode ${inode.id}`;
  /** Blocks below one pointer. */
  const span = (volume.geometry.blockSize / 4) ** level;
  let i = from > logical ? Math.min(count, Math.floor((from - logical) / span)) : 0;
  volume.ctx.budget.step();
  const runs: Run[] = [];
  while (i < count) {
    const here = logical + i * span;
    if (here >= end) break;
    const first = bytes.readUInt32LE(4 * i);
    i++;
    if (first === 0) continue;
    volume.ctx.budget.step();
    if (level > 0) {
      const block = volume.block(first, `${what}: indirect block`);
      yield* pointers(volume, inode, block, level - 1, here, from, end);
      continue;
    }
    let length = 1;
    while (i < count && here + length < end && bytes.readUInt32LE(4 * i) === first + length) {
      length++;
      i++;
    }
    if (!volume.holds(first, length)) throw volume.beyond(first, length, `${what}: block map`);
    runs.push({ logical: here, count: length, physical: first });
  }
  if (runs.length > 0) yield runs;
}
