/** The one door to the disk: blocks by number, trees of blocks, virtual block numbers, inodes of the newest checkpoint. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import { safe } from '../../lib/bytes/struct';
import { words } from '../../lib/bytes/words';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  BMAP_LARGE,
  BtreeNode,
  CHECKPOINT_INVALID,
  Checkpoint,
  DatEntry,
  DIRECT_BLOCKS,
  GROUP_DESCRIPTOR,
  Inode,
  MAX_LEVEL,
  NODE_KEYS_AT,
  ROOT_CHILDREN,
  ROOT_INODE,
  SuperRoot,
} from './layout';
import type { LogEnd, Salvaged } from './log';
import type { Geometry } from './superblock';

export interface NilfsInode extends FsNode {
  readonly id: number;
  /** `i_bmap`: block numbers, or the root of a tree of them. */
  readonly bmap: Buffer;
}

/** Something that has blocks: a file, or metadata that is kept as one. */
interface Mapped {
  readonly bmap: Buffer;
  /** For messages. */
  readonly place: string;
  /** The DAT's own blocks are real ones, all others virtual. */
  readonly real?: boolean;
}

interface Node {
  readonly bytes: Buffer;
  readonly level: number;
  readonly count: number;
  readonly keysAt: number;
  readonly pointersAt: number;
}

/** `count` blocks from `block` on, which are a file's from `index` on. */
interface Run {
  readonly index: number;
  readonly block: number;
  readonly count: number;
}

const KINDS: Readonly<Record<number, NodeKind>> = { 4: 'directory', 8: 'file', 10: 'symlink' };
/** Bytes of metadata blocks that are kept. */
const KEPT = 2 * 1024 * 1024;

const number64 = (bytes: Buffer, at: number): number =>
  safe(bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at));

/**
 * How many 64-bit numbers, `step` words from one to the next, each are one more than the one before; at least one, at most
 * `most`. Ends where the lower half overflows.
 */
function rising(list: Uint32Array, at: number, step: number, most: number): number {
  const high = list[at + 1]!;
  let next = list[at]!;
  let count = 1;
  for (
    let place = at + step;
    count < most && list[place] === ++next && list[place + 1] === high;
    place += step
  )
    count++;
  return count;
}

/** The same of two lists side by side, as far as both go on. */
function both(list: Uint32Array, one: number, other: number, most: number): number {
  const highOne = list[one + 1]!;
  const highOther = list[other + 1]!;
  let a = one + 2;
  let b = other + 2;
  let nextOne = list[one]!;
  let nextOther = list[other]!;
  let count = 1;
  while (
    count < most &&
    list[a] === ++nextOne &&
    list[b] === ++nextOther &&
    list[a + 1] === highOne &&
    list[b + 1] === highOther
  ) {
    count++;
    a += 2;
    b += 2;
  }
  return count;
}

export class NilfsVolume {
  readonly #kept = new Map<number, Buffer>();
  readonly #salvaged: Salvaged;
  readonly #dat: Mapped;
  readonly #ifile: Mapped;
  /** The DAT's node at level 1 that led to something last. */
  #datLeaf: Node | undefined;
  /** The DAT's block that was used last: neighbours have neighbouring numbers. */
  #datBlock: { readonly index: number; readonly bytes: Buffer; words?: Uint32Array } | undefined;

  /** @throws GuestError `corrupt` */
  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    end: LogEnd,
    readonly ctx: Context,
  ) {
    const { inodeSize } = geometry;
    this.#salvaged = end.salvaged;
    const { i_bmap } = Inode.fields;
    this.#dat = { bmap: i_bmap.read(end.superRoot, SuperRoot.size), place: 'DAT', real: true };
    this.#ifile = this.#checkpoint(
      { bmap: i_bmap.read(end.superRoot, SuperRoot.size + inodeSize), place: 'checkpoint file' },
      end.checkpoint,
    );
  }

  /** The inodes of a checkpoint. */
  #checkpoint(file: Mapped, number: number): Mapped {
    const { blockSize, checkpointSize } = this.geometry;
    const place = `checkpoint ${number}`;
    // The header takes the place of the first one, and they are counted from 1.
    const each = Math.floor(blockSize / checkpointSize);
    const bytes = this.#fileBlock(file, Math.floor(number / each));
    if (!bytes) throw corrupt('not in the checkpoint file', place);
    const at = (number % each) * checkpointSize;
    const checkpoint = Checkpoint.read(bytes, at);
    if (checkpoint.cp_flags & CHECKPOINT_INVALID || checkpoint.cp_cno !== number)
      throw corrupt(`flags ${checkpoint.cp_flags}, number ${checkpoint.cp_cno}`, place);
    return { bmap: Inode.fields.i_bmap.read(bytes, at + Checkpoint.size), place: 'inode file' };
  }

  /** @throws GuestError `corrupt` */
  inode(number: number): NilfsInode {
    const g = this.geometry;
    const place = `inode ${number}`;
    if (number !== ROOT_INODE && number < g.firstInode) throw corrupt('the number of metadata', place);
    const { block, at } = this.#entryPlace(number, g.inodeSize);
    const bytes = this.#fileBlock(this.#ifile, block);
    if (!bytes) throw corrupt('not in the inode file', place);
    const i = Inode.read(bytes, at);
    if (i.i_mode === 0 || i.i_links_count === 0) throw corrupt('a freed inode', place);
    return {
      id: number,
      kind: KINDS[i.i_mode >> 12] ?? 'other',
      size: i.i_size,
      mtime: Number(BigInt.asIntN(64, i.i_mtime)),
      bmap: Buffer.from(i.i_bmap),
    };
  }

  /**
   * The blocks of a file up to its size, in order, as runs of blocks that follow each other on the disk; what is left out is a
   * hole.
   * @throws GuestError `corrupt`
   */
  *runs(inode: NilfsInode): Generator<Run> {
    const total = Math.ceil(inode.size / this.geometry.blockSize);
    const file: Mapped = { bmap: inode.bmap, place: `inode ${inode.id}` };
    const newer = [...(this.#salvaged.get(inode.id) ?? [])]
      .filter(([index]) => index < total)
      .sort((a, b) => a[0] - b[0]);
    let next = 0;
    for (const { key, pointer, count } of this.#pointers(file)) {
      if (key >= total) break;
      const end = Math.min(key + count, total);
      for (let index = key; index < end; ) {
        for (; index < end && next < newer.length && newer[next]![0] <= index; next++) {
          yield { index: newer[next]![0], block: newer[next]![1], count: 1 };
          if (newer[next]![0] === index) index++;
        }
        const until = Math.min(end, newer[next]?.[0] ?? end);
        if (index < until) yield* this.#realRuns(pointer + index - key, index, until - index);
        index = Math.max(index, until);
      }
    }
    for (; next < newer.length; next++) yield { index: newer[next]![0], block: newer[next]![1], count: 1 };
  }

  /** The blocks that virtual ones from `virtual` on are, the file's from `index` on. */
  *#realRuns(virtual: number, index: number, count: number): Generator<Run> {
    const { datEntrySize } = this.geometry;
    for (let i = 0; i < count; ) {
      const block = this.#translate(virtual + i);
      // Entries that follow in the same block of the DAT, as far as their blocks follow too.
      const dat = this.#datBlock!;
      const { at } = this.#entryPlace(virtual + i, datEntrySize);
      const most = Math.min(count - i, Math.floor((dat.bytes.length - at) / datEntrySize));
      let length = 1;
      if (most > 1 && datEntrySize % 4 === 0) {
        dat.words ??= words(dat.bytes, 0, dat.bytes.length >>> 2);
        length = rising(dat.words, at / 4, datEntrySize / 4, most);
      }
      this.ctx.budget.step(length);
      yield { index: index + i, block, count: length };
      i += length;
    }
  }

  /** All pointers of a file with their keys, in ascending order; those that follow each other as one. */
  *#pointers(file: Mapped): Generator<{ key: number; pointer: number; count: number }> {
    const { budget } = this.ctx;
    if (!(file.bmap[0]! & BMAP_LARGE)) {
      for (let key = 0; key < DIRECT_BLOCKS; key++) {
        const pointer = number64(file.bmap, 8 + key * 8);
        if (pointer !== 0) yield { key, pointer, count: 1 };
      }
      return;
    }
    let last = -1;
    const root = this.#root(file);
    const path: { node: Node; at: number; words?: Uint32Array }[] = [{ node: root, at: 0 }];
    while (path.length > 0) {
      budget.step();
      const here = path[path.length - 1]!;
      if (here.at === here.node.count) {
        path.pop();
        continue;
      }
      const { bytes, level, keysAt, pointersAt } = here.node;
      const from = here.at++;
      const pointer = number64(bytes, pointersAt + from * 8);
      if (level > 1) {
        path.push({ node: this.#child(file, here.node, pointer), at: 0 });
        continue;
      }
      const key = number64(bytes, keysAt + from * 8);
      // Which also ends a tree that contains itself.
      if (key <= last) throw corrupt(`block ${key} behind block ${last} in the tree`, file.place);
      here.words ??= words(bytes, 0, bytes.length >>> 2);
      here.at =
        from + both(here.words, keysAt / 4 + from * 2, pointersAt / 4 + from * 2, here.node.count - from);
      const count = here.at - from;
      budget.step(count);
      last = key + count - 1;
      yield { key, pointer, count };
    }
  }

  /** The pointer for one key. */
  #lookup(file: Mapped, key: number): number | undefined {
    if (!(file.bmap[0]! & BMAP_LARGE))
      return (key < DIRECT_BLOCKS && number64(file.bmap, 8 + key * 8)) || undefined;
    const near = file === this.#dat ? this.#datLeaf : undefined;
    const isNear =
      near &&
      number64(near.bytes, near.keysAt) <= key &&
      number64(near.bytes, near.keysAt + (near.count - 1) * 8) >= key;
    for (let node = isNear ? near : this.#root(file); ; ) {
      this.ctx.budget.step();
      let low = 0;
      let high = node.count;
      // The number of keys that are not greater.
      while (low < high) {
        const middle = (low + high) >> 1;
        if (number64(node.bytes, node.keysAt + middle * 8) <= key) low = middle + 1;
        else high = middle;
      }
      if (low === 0) return undefined;
      const pointer = number64(node.bytes, node.pointersAt + (low - 1) * 8);
      if (node.level === 1 && file === this.#dat) this.#datLeaf = node;
      if (node.level === 1)
        return number64(node.bytes, node.keysAt + (low - 1) * 8) === key ? pointer : undefined;
      node = this.#child(file, node, pointer);
    }
  }

  #root({ bmap, place }: Mapped): Node {
    const { bn_level: level, bn_nchildren: count } = BtreeNode.read(bmap);
    if (level < 1 || level > MAX_LEVEL || count > ROOT_CHILDREN)
      throw corrupt(`root of a tree at level ${level} with ${count} children`, place);
    const keysAt = BtreeNode.size;
    return { bytes: bmap, level, count, keysAt, pointersAt: keysAt + ROOT_CHILDREN * 8 };
  }

  #child(file: Mapped, parent: Node, pointer: number): Node {
    const block = this.#realBlock(file, pointer);
    const bytes = this.#block(block, file.place);
    const most = (bytes.length - NODE_KEYS_AT) >> 4;
    const { bn_level: level, bn_nchildren: count } = BtreeNode.read(bytes);
    if (level !== parent.level - 1 || count === 0 || count > most)
      throw corrupt(
        `node of a tree at block ${block}: level ${level} below ${parent.level}, ${count} children`,
        file.place,
      );
    return { bytes, level, count, keysAt: NODE_KEYS_AT, pointersAt: NODE_KEYS_AT + most * 8 };
  }

  #realBlock(file: Mapped, pointer: number): number {
    return file.real ? pointer : this.#translate(pointer);
  }

  /** Virtual block number → real one, by the DAT (disk address translation). */
  #translate(virtual: number): number {
    const place = `virtual block ${virtual}`;
    const { block, at } = this.#entryPlace(virtual, this.geometry.datEntrySize);
    if (this.#datBlock?.index !== block) {
      const bytes = this.#fileBlock(this.#dat, block);
      if (!bytes) throw corrupt('not in the DAT', place);
      this.#datBlock = { index: block, bytes };
    }
    const real = number64(this.#datBlock.bytes, at + DatEntry.fields.de_blocknr.at);
    if (real === 0) throw corrupt('a freed block', place);
    return real;
  }

  /**
   * Where the entry of a number is in DAT and inode file: groups of as many entries as a block has bits, each behind its
   * bitmap, as many groups as a block has descriptors behind these (fs/nilfs2/alloc.c).
   */
  #entryPlace(number: number, size: number): { block: number; at: number } {
    const { blockSize } = this.geometry;
    const eachGroup = blockSize * 8;
    const eachBlock = Math.floor(blockSize / size);
    const groupBlocks = Math.ceil(eachGroup / eachBlock) + 1;
    const descriptors = blockSize / GROUP_DESCRIPTOR;
    const group = Math.floor(number / eachGroup);
    const inGroup = number % eachGroup;
    const block =
      Math.floor(group / descriptors) * (descriptors * groupBlocks + 1) +
      1 +
      (group % descriptors) * groupBlocks +
      1 +
      Math.floor(inGroup / eachBlock);
    return { block, at: (inGroup % eachBlock) * size };
  }

  /** A block of a metadata file; undefined: a hole. */
  #fileBlock(file: Mapped, index: number): Buffer | undefined {
    const pointer = this.#lookup(file, index);
    return pointer === undefined ? undefined : this.#block(this.#realBlock(file, pointer), file.place);
  }

  #block(block: number, place: string): Buffer {
    const kept = this.#kept.get(block);
    if (kept) return kept;
    const { blockSize } = this.geometry;
    const bytes = readBytes(this.source, this.byteOf(block, place), blockSize, this.ctx);
    if (this.#kept.size >= KEPT / blockSize) this.#kept.clear();
    this.#kept.set(block, bytes);
    return bytes;
  }

  /** Where a block begins, when all of it is there. */
  byteOf(block: number, place: string): number {
    const { blockSize, firstDataBlock } = this.geometry;
    const at = block * blockSize;
    if (block < firstDataBlock || at + blockSize > this.source.size)
      throw corrupt(
        `block ${block}, data are at ${firstDataBlock} to ${Math.floor(this.source.size / blockSize) - 1}`,
        place,
      );
    return at;
  }
}
