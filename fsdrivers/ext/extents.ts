/** The extent tree. Source: Documentation/filesystems/ext4/ifork.rst, fs/ext4/extents.c. */
import { corrupt } from '../../lib/bytes/errors';
import { type ExtInode, inodeSeed } from './inode';
import {
  EXTENT_ENTRY,
  EXTENT_MAGIC,
  Extent,
  ExtentHeader,
  ExtentIndex,
  MAX_EXTENT_DEPTH,
  MAX_WRITTEN_LENGTH,
} from './layout';
import type { ExtVolume } from './volume';

/** Blocks of a file that lie together on disk. Numbers are blocks. */
export interface Run {
  readonly logical: number;
  readonly count: number;
  /** 0 for allocated blocks that were never written: they read as zeros. */
  readonly physical: number;
}

interface TreeNode {
  readonly bytes: Buffer;
  readonly depth: number;
  readonly entries: number;
  next: number;
  /** Index keys below lie in [floor, ceiling): this is what makes every tree walk end. */
  readonly floor: number;
  readonly ceiling: number;
}

/**
 * Runs in file order, a leaf of the tree at a time, beginning with the leaf that holds or precedes block `from`. In one
 * piece, because a fragmented file has thousands and a generator's turn costs more than the rest.
 */
export function* extentRuns(volume: ExtVolume, inode: ExtInode, from = 0): Generator<readonly Run[]> {
  const what = `inode ${inode.id}`;
  const stack = [openNode(inode.map, undefined, 0, 0x1_0000_0000, from, what)];
  let end = 0;
  while (stack.length > 0) {
    const node = stack[stack.length - 1]!;
    if (node.next >= node.entries) {
      stack.pop();
      continue;
    }
    if (node.depth === 0) {
      stack.pop();
      const leaf = leafRuns(volume, node, end, what);
      const last = leaf[leaf.length - 1]!;
      end = last.logical + last.count;
      yield leaf;
      continue;
    }
    volume.ctx.budget.step();
    const at = EXTENT_ENTRY * (1 + node.next++);
    const bytes = node.bytes;
    const key = ExtentIndex.fields.ei_block.read(bytes, at);
    const ceiling =
      node.next < node.entries ? ExtentIndex.fields.ei_block.read(bytes, at + EXTENT_ENTRY) : node.ceiling;
    if (key < node.floor || key >= ceiling || ceiling > node.ceiling)
      throw corrupt(
        `${what}: extent index ${key}, must lie in ${node.floor}–${Math.min(ceiling, node.ceiling) - 1}`,
      );
    const child =
      ExtentIndex.fields.ei_leaf_hi.read(bytes, at) * 0x1_0000_0000 +
      ExtentIndex.fields.ei_leaf_lo.read(bytes, at);
    const block = volume.block(child, `${what}: extent tree`);
    stack.push(openNode(block, node.depth - 1, key, ceiling, from, what));
    verifyNode(volume, inode, block);
  }
}

/** The extents of a leaf from its `next` on. @param end the block after the last one before it */
function leafRuns(volume: ExtVolume, leaf: TreeNode, end: number, what: string): Run[] {
  const { bytes } = leaf;
  const { ee_block, ee_len, ee_start_hi, ee_start_lo } = Extent.fields;
  const runs: Run[] = [];
  volume.ctx.budget.step(leaf.entries - leaf.next);
  // Not Buffer's readers: those are JavaScript, interpreted here, and there are thousands of extents.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = leaf.next; i < leaf.entries; i++) {
    const at = EXTENT_ENTRY * (1 + i);
    const logical = view.getUint32(at + ee_block.at, true);
    const length = view.getUint16(at + ee_len.at, true);
    const physical =
      view.getUint16(at + ee_start_hi.at, true) * 0x1_0000_0000 + view.getUint32(at + ee_start_lo.at, true);
    const written = length <= MAX_WRITTEN_LENGTH;
    const count = written ? length : length - MAX_WRITTEN_LENGTH;
    if (count === 0) throw corrupt(`${what}: extent of no blocks at block ${logical}`);
    if (logical < end || logical + count > 0x1_0000_0000)
      throw corrupt(`${what}: extent at block ${logical} after one that ends at ${end}`);
    if (!volume.holds(physical, count)) throw volume.beyond(physical, count, `${what}: extent`);
    end = logical + count;
    runs.push({ logical, count, physical: written ? physical : 0 });
  }
  return runs;
}

function openNode(
  bytes: Buffer,
  depth: number | undefined,
  floor: number,
  ceiling: number,
  from: number,
  what: string,
): TreeNode {
  const h = ExtentHeader.read(bytes);
  if (h.eh_magic !== EXTENT_MAGIC)
    throw corrupt(`${what}: extent magic 0x${h.eh_magic.toString(16)}, must be 0xf30a`);
  const room = Math.floor(bytes.length / EXTENT_ENTRY) - 1;
  if (h.eh_max > room || h.eh_entries > h.eh_max)
    throw corrupt(`${what}: ${h.eh_entries} of ${h.eh_max} extents where ${room} fit`);
  if (h.eh_depth > MAX_EXTENT_DEPTH)
    throw corrupt(`${what}: extent depth ${h.eh_depth}, maximum ${MAX_EXTENT_DEPTH}`);
  if (depth !== undefined && h.eh_depth !== depth)
    throw corrupt(`${what}: extent depth ${h.eh_depth}, must be ${depth}`);
  if (h.eh_depth > 0 && h.eh_entries === 0) throw corrupt(`${what}: extent index without entries`);
  let next = 0;
  if (from > 0) {
    // The last entry whose key (the first word of both kinds) is not above `from`.
    let low = 0;
    let high = h.eh_entries;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Extent.fields.ee_block.read(bytes, EXTENT_ENTRY * (1 + middle)) <= from) low = middle + 1;
      else high = middle;
    }
    next = Math.max(0, low - 1);
  }
  return { bytes, depth: h.eh_depth, entries: h.eh_entries, next, floor, ceiling };
}

/** The checksum lies behind the last entry that fits (struct ext4_extent_tail). */
function verifyNode(volume: ExtVolume, inode: ExtInode, block: Buffer): void {
  const seed = inodeSeed(volume, inode);
  if (seed === undefined) return;
  const tail = EXTENT_ENTRY * (1 + ExtentHeader.fields.eh_max.read(block, 0));
  if (tail + 4 > block.length || volume.sums.crc32c(seed, block, 0, tail) !== block.readUInt32LE(tail))
    volume.warnOnce('extent', `inode ${inode.id}: extent block with a wrong checksum, used as it stands`);
}
