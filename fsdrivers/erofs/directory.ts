/** Directories: blocks of entries, each sorted within and after the one before it. */
import { corrupt, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { InodeBytes } from './extents';
import type { ErofsNode } from './inode';
import { Dirent, FILE_TYPE } from './layout';
import type { Volume } from './superblock';

export interface Entry {
  readonly name: Buffer;
  readonly nid: bigint;
  readonly type: number;
}

/** One block, whose first entry has been checked. */
class DirectoryBlock {
  constructor(
    readonly bytes: Buffer,
    readonly count: number,
  ) {}

  entry(i: number): Entry {
    const { bytes, count } = this;
    const d = Dirent.read(bytes, i * Dirent.size);
    let end = i + 1 < count ? Dirent.read(bytes, (i + 1) * Dirent.size).nameoff : bytes.length;
    if (i + 1 === count) {
      const zero = bytes.indexOf(0, d.nameoff);
      if (zero >= 0) end = zero;
    }
    const length = end - d.nameoff;
    if (d.nameoff < count * Dirent.size || length < 1 || end > bytes.length || length > LIMITS.nameBytes)
      throw corrupt(`entry ${i}: name of ${length} bytes at ${d.nameoff}`);
    if (d.file_type > FILE_TYPE.most) throw corrupt(`entry ${i}: file type ${d.file_type}`);
    return { name: bytes.subarray(d.nameoff, end), nid: d.nid.readBigUInt64LE(0), type: d.file_type };
  }
}

function readBlock(volume: Volume, dir: ErofsNode, number: number): DirectoryBlock {
  const { blockSize } = volume.disk;
  const at = number * blockSize;
  return within(`inode ${dir.id} › directory block ${number}`, () => {
    const bytes = new InodeBytes(volume, dir).read(at, Math.min(blockSize, dir.size - at));
    if (bytes.length < Dirent.size) throw corrupt(`${bytes.length} bytes`);
    // Names begin behind the entries.
    const names = Dirent.read(bytes).nameoff;
    if (names < Dirent.size || names >= bytes.length || names % Dirent.size !== 0)
      throw corrupt(`names at ${names} of ${bytes.length} bytes`);
    return new DirectoryBlock(bytes, names / Dirent.size);
  });
}

const blocksOf = (volume: Volume, dir: ErofsNode): number => Math.ceil(dir.size / volume.disk.blockSize);

/** By halving, over blocks and then in one: a few blocks for any directory. */
export function find(volume: Volume, dir: ErofsNode, name: Buffer): Entry | undefined {
  let low = 0;
  let block: DirectoryBlock | undefined;
  /** The last block whose first name is not behind `name`. */
  for (let high = blocksOf(volume, dir); low < high; ) {
    volume.disk.ctx.budget.step();
    const middle = Math.floor((low + high) / 2);
    const candidate = readBlock(volume, dir, middle);
    const order = candidate.entry(0).name.compare(name);
    if (order === 0) return candidate.entry(0);
    if (order < 0) {
      block = candidate;
      low = middle + 1;
    } else high = middle;
  }
  if (!block) return undefined;
  let first = 1;
  for (let high = block.count; first < high; ) {
    volume.disk.ctx.budget.step();
    const middle = (first + high) >> 1;
    const entry = block.entry(middle);
    const order = entry.name.compare(name);
    if (order === 0) return entry;
    if (order < 0) first = middle + 1;
    else high = middle;
  }
  return undefined;
}

/** All entries, `.` and `..` with them. */
export function* list(volume: Volume, dir: ErofsNode): Generator<Entry> {
  let count = 0;
  const blocks = blocksOf(volume, dir);
  for (let number = 0; number < blocks; number++) {
    const block = readBlock(volume, dir, number);
    for (let i = 0; i < block.count; i++) {
      volume.disk.ctx.budget.step();
      volume.disk.ctx.budget.most('directoryEntries', ++count, 'directory entries');
      yield within(`inode ${dir.id} › directory block ${number}`, () => block.entry(i));
    }
  }
}
