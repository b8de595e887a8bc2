/** The one door to the disk: inodes by number, files' zones in order, as runs. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { DIRECT } from './layout';
import type { Geometry } from './superblock';

export interface MinixInode extends FsNode {
  readonly id: number;
  /** `i_zone`. */
  readonly pointers: Buffer;
}

const KINDS: Readonly<Record<number, NodeKind>> = { 4: 'directory', 8: 'file', 10: 'symlink' };
/** Indirect blocks that are kept: three levels of one file, and of the next. */
const KEPT = 8;

export class MinixVolume {
  readonly #kept = new Map<number, Uint32Array>();

  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {}

  /** @throws GuestError `corrupt` */
  inode(number: number): MinixInode {
    const g = this.geometry;
    const place = `inode ${number}`;
    if (number === 0 || number > g.inodes) throw corrupt(`there are ${g.inodes} inodes`, place);
    // A block holds whole inodes only, and may end in unused bytes.
    const each = Math.floor(g.blockSize / g.inodeSize);
    const at =
      g.inodesAt + Math.floor((number - 1) / each) * g.blockSize + ((number - 1) % each) * g.inodeSize;
    const bytes = readBytes(this.source, at, g.inodeSize, this.ctx);
    const { Inode1, Inode2 } = g.structures;
    const i = g.version === 1 ? Inode1.read(bytes) : Inode2.read(bytes);
    if (i.i_mode === 0 || i.i_nlinks === 0) throw corrupt('a freed inode', place);
    return {
      id: number,
      kind: KINDS[i.i_mode >> 12] ?? 'other',
      size: i.i_size,
      mtime: i.i_mtime,
      pointers: i.i_zone,
    };
  }

  /**
   * Where a file's zones are: runs of them that follow each other on the disk, by the byte at which they begin. What is left
   * out is a hole.
   * @throws GuestError `corrupt`
   */
  *runs(inode: MinixInode): Generator<{ index: number; count: number; at: number }> {
    const g = this.geometry;
    const total = Math.ceil(inode.size / g.zoneSize);
    // An indirect block is one block, however large zones are.
    const each = Math.floor(g.blockSize / g.width);
    for (let index = 0; index < total; ) {
      this.ctx.budget.step();
      if (index < DIRECT) {
        yield* this.#runsIn(inode, this.#numbers(inode.pointers, DIRECT), 0, 0, Math.min(DIRECT, total));
        index = DIRECT;
        continue;
      }
      // Which tree, and where in it.
      let rest = index - DIRECT;
      let level = 0;
      let span = each;
      while (level < g.levels && rest >= span) {
        rest -= span;
        span *= each;
        level++;
      }
      if (level === g.levels)
        throw corrupt(`zone ${index} is more than a file can have`, `inode ${inode.id}`);
      let zone = this.#numbers(inode.pointers, DIRECT + g.levels)[DIRECT + level]!;
      /** How many zones of the file one pointer stands for. */
      let covers = span / each;
      for (; zone !== 0 && covers > 1; covers /= each) {
        zone = this.#indirect(inode, zone)[Math.floor(rest / covers)]!;
        rest %= covers;
      }
      if (zone === 0) {
        // A hole of a whole tree: passed over at once.
        index += covers * each - rest;
        continue;
      }
      const count = Math.min(each - rest, total - index);
      yield* this.#runsIn(inode, this.#indirect(inode, zone), rest, index, count);
      index += count;
    }
  }

  /** `count` pointers from `from` on, which stand for the file's zones from `index` on. */
  *#runsIn(
    inode: MinixInode,
    pointers: Uint32Array,
    from: number,
    index: number,
    count: number,
  ): Generator<{ index: number; count: number; at: number }> {
    this.ctx.budget.step(count);
    for (let i = 0; i < count; ) {
      const zone = pointers[from + i]!;
      let length = 1;
      if (zone !== 0) {
        while (i + length < count && pointers[from + i + length] === zone + length) length++;
        const at = this.#place(inode, zone, `zone ${index + i}`);
        this.#place(inode, zone + length - 1, `zone ${index + i + length - 1}`);
        yield { index: index + i, count: length, at };
      }
      i += length;
    }
  }

  #numbers(bytes: Buffer, count: number): Uint32Array {
    const { big, width } = this.geometry;
    // Not Buffer's readers: those are JavaScript, and large files have 100,000 zones.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const numbers = new Uint32Array(count);
    for (let i = 0; i < count; i++)
      numbers[i] = width === 2 ? view.getUint16(i * 2, !big) : view.getUint32(i * 4, !big);
    return numbers;
  }

  /** The byte at which a zone begins. */
  #place(inode: MinixInode, zone: number, what: string): number {
    const { firstZone, zones, zoneSize } = this.geometry;
    if (zone < firstZone || zone >= zones)
      throw corrupt(`${what} at ${zone}, data are at ${firstZone} to ${zones - 1}`, `inode ${inode.id}`);
    return zone * zoneSize;
  }

  #indirect(inode: MinixInode, zone: number): Uint32Array {
    const kept = this.#kept.get(zone);
    if (kept) return kept;
    const { blockSize, width } = this.geometry;
    const at = this.#place(inode, zone, 'an indirect block');
    const bytes = readBytes(this.source, at, blockSize, this.ctx);
    const numbers = this.#numbers(bytes, Math.floor(blockSize / width));
    if (this.#kept.size >= KEPT) this.#kept.clear();
    this.#kept.set(zone, numbers);
    return numbers;
  }
}
