/** The one door to the disk: inodes by number, files' zones in order. */
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
  readonly #kept = new Map<number, Buffer>();

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
   * Places of a file's zones: byte on the disk, undefined for a hole.
   * @throws GuestError `corrupt`
   */
  *zones(inode: MinixInode): Generator<{ index: number; at: number | undefined }> {
    const g = this.geometry;
    const count = Math.ceil(inode.size / g.zoneSize);
    // An indirect block is one block, however large zones are.
    const each = Math.floor(g.blockSize / g.width);
    for (let index = 0; index < count; ) {
      this.ctx.budget.step();
      if (index < DIRECT) {
        yield { index, at: this.#place(inode, this.#pointer(inode.pointers, index), index) };
        index++;
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
      let zone = this.#pointer(inode.pointers, DIRECT + level);
      /** How many zones of the file one pointer stands for. */
      let covers = span / each;
      for (; zone !== 0 && covers > 1; covers /= each) {
        zone = this.#pointer(this.#indirect(inode, zone), Math.floor(rest / covers));
        rest %= covers;
      }
      if (zone === 0) {
        // A hole of a whole tree: passed over at once.
        yield { index, at: undefined };
        index += covers * each - rest;
        continue;
      }
      const bytes = this.#indirect(inode, zone);
      for (; rest < each && index < count; rest++, index++) {
        this.ctx.budget.step();
        yield { index, at: this.#place(inode, this.#pointer(bytes, rest), index) };
      }
    }
  }

  #pointer(bytes: Buffer, i: number): number {
    const { structures, width } = this.geometry;
    return width === 2 ? structures.u16(bytes, i * 2) : structures.u32(bytes, i * 4);
  }

  #place(inode: MinixInode, zone: number, index: number): number | undefined {
    if (zone === 0) return undefined;
    return this.#checked(inode, zone, `zone ${index}`);
  }

  /** The byte at which a zone begins. */
  #checked(inode: MinixInode, zone: number, what: string): number {
    const { firstZone, zones, zoneSize } = this.geometry;
    if (zone < firstZone || zone >= zones)
      throw corrupt(`${what} at ${zone}, data are at ${firstZone} to ${zones - 1}`, `inode ${inode.id}`);
    return zone * zoneSize;
  }

  #indirect(inode: MinixInode, zone: number): Buffer {
    const kept = this.#kept.get(zone);
    if (kept) return kept;
    const at = this.#checked(inode, zone, 'an indirect block');
    const bytes = readBytes(this.source, at, this.geometry.blockSize, this.ctx);
    if (this.#kept.size >= KEPT) this.#kept.clear();
    this.#kept.set(zone, bytes);
    return bytes;
  }
}
