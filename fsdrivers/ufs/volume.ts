/** The one door to the disk: inodes and blocks by their numbers, files' blocks in order. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { DIRECT, INDIRECT } from './layout';
import type { Geometry } from './superblock';

export interface UfsInode extends FsNode {
  readonly id: number;
  /** Blocks on the disk, in sectors: a short link has none. */
  readonly blocks: number;
  readonly pointers: Buffer;
}

const KINDS: Readonly<Record<number, NodeKind>> = { 4: 'directory', 8: 'file', 10: 'symlink' };
/** Indirect blocks that are kept: three levels of one file, and of the next. */
const KEPT = 8;

export class UfsVolume {
  readonly #kept = new Map<number, Buffer>();

  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {}

  /** @throws GuestError `corrupt` */
  inode(number: number): UfsInode {
    const g = this.geometry;
    const place = `inode ${number}`;
    if (number === 0 || number >= g.groups * g.inodesPerGroup)
      throw corrupt(`${g.groups} groups of ${g.inodesPerGroup} inodes`, place);
    const group = Math.floor(number / g.inodesPerGroup);
    const inGroup = number % g.inodesPerGroup;
    const fragment = group * g.groupFragments + g.groupOffset * ((group & ~g.groupMask) >>> 0) + g.inodesAt;
    const at =
      fragment * g.fragmentSize +
      Math.floor(inGroup / g.inodesPerBlock) * g.blockSize +
      (inGroup % g.inodesPerBlock) * g.inodeSize;
    if (at + g.inodeSize > g.fragments * g.fragmentSize)
      throw corrupt(`at byte ${at}, beyond the filesystem`, place);
    const bytes = readBytes(this.source, at, g.inodeSize, this.ctx);
    const { Inode1, Inode2 } = g.structures;
    const common =
      g.version === 1
        ? (() => {
            const i = Inode1.read(bytes);
            return { ...i, mtime: i.di_mtime, blocks: i.di_blocks };
          })()
        : (() => {
            const i = Inode2.read(bytes);
            return { ...i, mtime: Number(BigInt.asIntN(64, i.di_mtime)), blocks: Number(i.di_blocks) };
          })();
    if (common.di_mode === 0) throw corrupt('a freed inode', place);
    return {
      id: number,
      kind: KINDS[common.di_mode >> 12] ?? 'other',
      size: common.di_size,
      mtime: common.mtime,
      blocks: common.blocks,
      pointers: common.di_pointers,
    };
  }

  /**
   * Places of a file's blocks from block `from` on, as runs that follow each other: byte on the disk, undefined for a hole.
   * @throws GuestError `corrupt`
   */
  *blocks(inode: UfsInode, from = 0): Generator<{ block: number; count: number; at: number | undefined }> {
    const g = this.geometry;
    const total = Math.ceil(inode.size / g.blockSize);
    const fragments = g.blockSize / g.fragmentSize;
    const width = g.version === 1 ? 4 : 8;
    const pointer = (bytes: Buffer, i: number): number =>
      width === 4 ? g.structures.u32(bytes, i * 4) : g.structures.u64(bytes, i * 8);
    for (let block = from; block < total; ) {
      this.ctx.budget.step();
      if (block < DIRECT) {
        yield { block, count: 1, at: this.#place(inode, pointer(inode.pointers, block), block) };
        block++;
        continue;
      }
      // Which tree, and where in it.
      let rest = block - DIRECT;
      let level = 0;
      let span = g.pointers;
      while (level < INDIRECT && rest >= span) {
        rest -= span;
        span *= g.pointers;
        level++;
      }
      if (level === INDIRECT)
        throw corrupt(`block ${block} is more than a file can have`, `inode ${inode.id}`);
      let fragment = pointer(inode.pointers, DIRECT + level);
      let bytes: Buffer | undefined;
      // How many blocks one pointer of this level stands for.
      let each = span / g.pointers;
      for (;;) {
        if (fragment === 0) break;
        bytes = this.#indirect(inode, fragment);
        if (each === 1) break;
        fragment = pointer(bytes, Math.floor(rest / each));
        rest %= each;
        each /= g.pointers;
      }
      if (fragment === 0 || !bytes) {
        // A hole of a whole tree: passed over at once.
        const count = Math.min(total - block, each * g.pointers - rest);
        yield { block, count, at: undefined };
        block += count;
        continue;
      }
      for (const end = Math.min(g.pointers, rest + total - block); rest < end; ) {
        const first = pointer(bytes, rest);
        let count = 1;
        if (first !== 0)
          while (rest + count < end && pointer(bytes, rest + count) === first + count * fragments) count++;
        this.ctx.budget.step(count);
        const at = this.#place(inode, first, block);
        if (count > 1) this.#place(inode, first + (count - 1) * fragments, block + count - 1);
        yield { block, count, at };
        rest += count;
        block += count;
      }
    }
  }

  /** The last block may be fragments only. */
  #place(inode: UfsInode, fragment: number, block: number): number | undefined {
    if (fragment === 0) return undefined;
    const g = this.geometry;
    const at = fragment * g.fragmentSize;
    const length = Math.min(g.blockSize, inode.size - block * g.blockSize);
    if (at + length > g.fragments * g.fragmentSize)
      throw corrupt(`block ${block} at fragment ${fragment} of ${g.fragments}`, `inode ${inode.id}`);
    return at;
  }

  #indirect(inode: UfsInode, fragment: number): Buffer {
    const kept = this.#kept.get(fragment);
    if (kept) return kept;
    const g = this.geometry;
    if (fragment * g.fragmentSize + g.blockSize > g.fragments * g.fragmentSize)
      throw corrupt(`indirect block at fragment ${fragment} of ${g.fragments}`, `inode ${inode.id}`);
    const bytes = readBytes(this.source, fragment * g.fragmentSize, g.blockSize, this.ctx);
    if (this.#kept.size >= KEPT) this.#kept.clear();
    this.#kept.set(fragment, bytes);
    return bytes;
  }
}
