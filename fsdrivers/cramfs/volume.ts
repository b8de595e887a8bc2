/** Inodes by place, and a file's blocks. */
import type { Context } from '../../lib/bytes/budget';
import { inflateZlib } from '../../lib/bytes/decompress/inflate';
import { corrupt, GuestError, within } from '../../lib/bytes/errors';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  BLOCK_DIRECT,
  BLOCK_SIZES,
  BLOCK_STORED,
  INODE_SIZE,
  POINTER_SHIFT,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from './layout';
import type { Geometry } from './superblock';

const KINDS: Readonly<Record<number, NodeKind>> = {
  [S_IFDIR]: 'directory',
  [S_IFREG]: 'file',
  [S_IFLNK]: 'symlink',
};
/** Pointers that are read at once. */
const LIST_PIECE = 1024;

export interface CramNode extends FsNode {
  /** Of its bytes, or of its list of blocks. */
  readonly dataAt: number;
  /** Units of 4 bytes of the name behind the inode. */
  readonly nameUnits: number;
}

export interface Block {
  readonly offset: number;
  /** Bytes of the file. */
  readonly length: number;
  readonly at: number;
  /** Bytes in the image; 0: a hole. */
  readonly stored: number;
  readonly packed: boolean;
}

export class CramVolume {
  /** Sizes of blocks that files may have here; one, as soon as a file of several blocks has shown it. */
  #blockSizes: readonly number[] = BLOCK_SIZES;
  /** Pointers that were read last. */
  #list: { node: CramNode; first: number; bytes: Buffer } | undefined;

  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {}

  /** @throws GuestError `corrupt` beyond the end */
  read(at: number, length: number): Buffer {
    const { size } = this.geometry;
    if (at + length > size)
      throw corrupt(`${length} bytes at ${at} lie beyond the filesystem (${size} bytes)`);
    return readBytes(this.source, at, length, this.ctx);
  }

  inode(at: number): CramNode {
    return this.decode(this.read(at, INODE_SIZE), 0, at);
  }

  /** @param place of the inode in the image */
  decode(bytes: Buffer, at: number, place: number): CramNode {
    const { structures, big } = this.geometry;
    const { mode, size_gid, namelen_offset } = structures.Inode.read(bytes, at);
    const kind = KINDS[mode & S_IFMT] ?? 'other';
    const size = kind === 'other' ? 0 : big ? size_gid >>> 8 : size_gid & 0xffffff;
    const offset = big ? namelen_offset & 0x3ffffff : namelen_offset >>> 6;
    const dataAt = offset << POINTER_SHIFT;
    return {
      kind,
      size,
      // Hard links, and files of the same content, share their blocks: that is all that makes them one.
      id: size > 0 ? dataAt : `inode at ${place}`,
      dataAt,
      nameUnits: big ? namelen_offset >>> 26 : namelen_offset & 0x3f,
    };
  }

  /** In file order, holes included. */
  blocks(node: CramNode): Generator<Block> {
    return this.#blocks(node, this.#blockSizeOf(node));
  }

  unpack({ at, stored, length }: Block): Buffer {
    this.ctx.budget.allocate(length);
    const into = Buffer.alloc(length);
    const count = inflateZlib(this.read(at, stored), into);
    if (count !== length) throw corrupt(`a block at ${at} gives ${count} bytes instead of ${length}`);
    return into;
  }

  *#blocks(node: CramNode, blockSize: number): Generator<Block> {
    const { extBlockPointers, size: end } = this.geometry;
    const count = Math.ceil(node.size / blockSize);
    let at = node.dataAt + 4 * count;
    for (let i = 0; i < count; i++) {
      this.ctx.budget.step();
      const offset = i * blockSize;
      const length = Math.min(blockSize, node.size - offset);
      const pointer = this.#pointer(node, count, i);
      const flags = extBlockPointers ? pointer & (BLOCK_STORED | BLOCK_DIRECT) : 0;
      const value = extBlockPointers ? pointer & ~(BLOCK_STORED | BLOCK_DIRECT) : pointer;
      const packed = (flags & BLOCK_STORED) === 0;
      let stored: number;
      if (flags & BLOCK_DIRECT) {
        at = value * 4;
        if (packed) {
          const bytes = this.read(at, 2);
          stored = this.geometry.big ? bytes.readUInt16BE(0) : bytes.readUInt16LE(0);
          at += 2;
        } else stored = length;
      } else stored = value - at;
      if (stored < 0 || stored > 2 * blockSize || at + stored > end)
        throw corrupt(
          `block ${i} of ${stored} bytes at ${at} (filesystem: ${end} bytes, blocks: ${blockSize})`,
        );
      if (!packed && stored !== 0 && stored !== length)
        throw corrupt(`block ${i} of ${stored} bytes instead of ${length}`);
      yield { offset, length, at, stored, packed };
      // After a whole stored block that is pointed to, the next one begins.
      at += flags & BLOCK_DIRECT && !packed ? blockSize : stored;
    }
  }

  #pointer(node: CramNode, count: number, index: number): number {
    const first = index - (index % LIST_PIECE);
    let list = this.#list;
    if (list?.node !== node || list.first !== first || list.bytes.length < 4 * (index - first + 1)) {
      const bytes = this.read(node.dataAt + 4 * first, 4 * Math.min(LIST_PIECE, count - first));
      list = { node, first, bytes };
      this.#list = list;
    }
    const at = 4 * (index - first);
    return this.geometry.big ? list.bytes.readUInt32BE(at) : list.bytes.readUInt32LE(at);
  }

  /**
   * Nothing in the image says it: it is the size with which the list of blocks ends where the first block begins, and
   * with which that block unpacks to what it should.
   */
  #blockSizeOf(node: CramNode): number {
    if (this.#blockSizes.length === 1) return this.#blockSizes[0]!;
    const found = this.#blockSizes.find((size) => this.#fits(node, size));
    if (found !== undefined && node.size > found) this.#blockSizes = [found];
    return found ?? this.#blockSizes[0]!;
  }

  #fits(node: CramNode, blockSize: number): boolean {
    try {
      for (const block of this.#blocks(node, blockSize)) {
        if (block.stored === 0) continue;
        if (block.packed) this.unpack(block);
        return true;
      }
      return true;
    } catch (error) {
      if (error instanceof GuestError && error.code === 'corrupt') return false;
      throw error;
    }
  }
}

/** Where an error happened. */
export const inNode = <T>(node: FsNode, body: () => T): T => within(`inode of ${node.id}`, body);
