/**
 * Hashed directories: a name's block is found with one read a level. Source:
 * Documentation/filesystems/ext4/directory.rst ("Hash Tree Directories"), fs/ext4/namei.c (dx_probe()).
 */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { runs } from './data';
import { findInBlock, type NameMatcher, verifyLeaf } from './directory';
import { HASH, nameHash } from './hash';
import { type ExtInode, inodeSeed } from './inode';
import {
  HASH_BLOCK_MASK,
  HASH_NODE_ENTRIES_AT,
  HASH_ROOT_INFO_AT,
  HashTreeCount,
  HashTreeEntry,
  HashTreeRoot,
  HashTreeTail,
} from './layout';
import type { ExtVolume } from './volume';

/** A node on the way down, and which of its entries was taken. */
interface Step {
  readonly bytes: Buffer;
  /** Where its entries begin. */
  readonly base: number;
  readonly count: number;
  index: number;
}

/**
 * The inode number of a name, 0 when the directory does not have it.
 * @param hashed what the directory hashes in place of the name as asked for (folded where case is ignored)
 * @throws GuestError `corrupt` where the tree contradicts itself, `unsupported` for a hash that needs a key: the
 *   directory can still be read block by block
 */
export function findHashed(volume: ExtVolume, dir: ExtInode, hashed: Buffer, matcher: NameMatcher): number {
  const what = `inode ${dir.id}: hash tree`;
  const rootBytes = blockOf(volume, dir, 0);
  const root = HashTreeRoot.read(rootBytes);
  if (root.reserved_zero !== 0 || root.info_length !== 8 || root.unused_flags & 1)
    throw corrupt(`${what}: root with reserved ${root.reserved_zero}, info of ${root.info_length} bytes`);
  const levels = volume.geometry.largeDirectories ? 2 : 1;
  if (root.indirect_levels > levels)
    throw corrupt(`${what}: ${root.indirect_levels} levels, maximum ${levels}`);
  if (root.hash_version > HASH.tea) throw unsupported(`${what}: hash version ${root.hash_version}`);
  const { hashSigned, hashSeed } = volume.geometry;
  // Where the superblock does not tell, it was written before 2.6.27; nearly always on x86, where char is signed.
  const hash = nameHash(hashed, root.hash_version, hashSigned ?? true, hashSeed);

  const path: Step[] = [openNode(volume, dir, rootBytes, HASH_ROOT_INFO_AT + root.info_length, hash)];
  for (let level = 0; level < root.indirect_levels; level++)
    path.push(openNode(volume, dir, blockOf(volume, dir, childOf(path)), HASH_NODE_ENTRIES_AT, hash));
  for (;;) {
    const leaf = blockOf(volume, dir, childOf(path));
    const inode = findInBlock(volume, dir, leaf, 0, leaf.length, matcher);
    if (inode !== 0) {
      verifyLeaf(volume, dir, leaf, 0, leaf.length);
      return inode;
    }
    if (!nextWithHash(volume, dir, path, hash)) return 0;
  }
}

const childOf = (path: Step[]): number => {
  const step = path[path.length - 1]!;
  return HashTreeEntry.fields.block.read(step.bytes, step.base + 8 * step.index) & HASH_BLOCK_MASK;
};

/** Names of one hash can fill several leaves. Moves `path` on when the next leaf continues `hash`; it only moves right. */
function nextWithHash(volume: ExtVolume, dir: ExtInode, path: Step[], hash: number): boolean {
  let level = path.length - 1;
  while (level >= 0 && path[level]!.index + 1 >= path[level]!.count) level--;
  if (level < 0) return false;
  const step = path[level]!;
  step.index++;
  const next = HashTreeEntry.fields.hash.read(step.bytes, step.base + 8 * step.index);
  if ((next & ~1) >>> 0 !== hash) return false;
  volume.ctx.budget.step();
  const depth = path.length;
  path.length = level + 1;
  while (path.length < depth)
    path.push(openNode(volume, dir, blockOf(volume, dir, childOf(path)), HASH_NODE_ENTRIES_AT, 0));
  return true;
}

function openNode(volume: ExtVolume, dir: ExtInode, bytes: Buffer, base: number, hash: number): Step {
  const { limit, count } = HashTreeCount.read(bytes, base);
  const room = (bytes.length - base) / 8;
  if (count === 0 || count > limit || limit > room)
    throw corrupt(`inode ${dir.id}: hash tree: ${count} of ${limit} entries where ${room} fit`);
  // The last entry whose hash is not above; the first one has none and stands for 0.
  let low = 1;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (HashTreeEntry.fields.hash.read(bytes, base + 8 * middle) <= hash) low = middle + 1;
    else high = middle;
  }
  verifyNode(volume, dir, bytes, base, count, limit);
  return { bytes, base, count, index: low - 1 };
}

function blockOf(volume: ExtVolume, dir: ExtInode, logical: number): Buffer {
  for (const run of runs(volume, dir, logical)) {
    if (run.logical > logical || run.physical === 0) break;
    return volume.block(run.physical + logical - run.logical, `inode ${dir.id}: hash tree`);
  }
  throw corrupt(`inode ${dir.id}: hash tree: block ${logical} is a hole`);
}

/** Covered: the block up to the last entry in use, then the tail with its checksum as zero (ext4_dx_csum()). */
function verifyNode(
  volume: ExtVolume,
  dir: ExtInode,
  bytes: Buffer,
  base: number,
  count: number,
  limit: number,
): void {
  const seed = inodeSeed(volume, dir);
  if (seed === undefined) return;
  const tail = base + 8 * limit;
  const compute = () => {
    let crc = volume.sums.crc32c(seed, bytes, 0, base + 8 * count);
    crc = volume.sums.crc32c(crc, bytes, tail, tail + 4);
    return volume.sums.crc32c(crc, new Uint8Array(4));
  };
  if (
    tail + HashTreeTail.size > bytes.length ||
    !dir.verifies(HashTreeTail.read(bytes, tail).dt_checksum, compute)
  )
    volume.warnOnce('htree', `inode ${dir.id}: hash tree block with a wrong checksum, used as it stands`);
}
