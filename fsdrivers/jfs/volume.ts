/** The one door to the disk: pages by block number, inodes by number through the map of their extents. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, within } from '../../lib/bytes/errors';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { blockAt } from './extents';
import {
  AITBL_OFF,
  Dinode,
  EXTENTS_PER_IAG,
  FILESYSTEM_I,
  Iag,
  INODE_SIZE,
  INODES_MOST,
  INODES_PER_EXTENT,
  InodeExtent,
  L2_INODES_PER_EXTENT,
  PAGE,
  type Pxd,
} from './layout';
import type { Geometry } from './superblock';

export interface JfsInode extends FsNode {
  readonly id: number;
  readonly mtime: number;
  /** Root of the tree of its entries or extents. */
  readonly root: Buffer;
  readonly inlineLink: Buffer;
}

const KINDS: Readonly<Record<number, NodeKind>> = { 4: 'directory', 8: 'file', 10: 'symlink' };
/** Pages that are kept: some levels of a few trees, and inode allocation groups. */
const KEPT = 64;

export class JfsVolume {
  readonly #pages = new Map<number, Buffer>();
  /** Root of the extents of the fileset's inode map. */
  readonly #map: Buffer;

  /** @param moved extents of inodes as the log has them: number of the first inode / 32 → run, or one of no blocks */
  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
    readonly moved: ReadonlyMap<number, Pxd> = new Map(),
  ) {
    this.#map = this.#inodeMap();
  }

  /** @throws GuestError `corrupt` */
  check(address: number, length: number): void {
    const { blocks } = this.geometry;
    if (address === 0 || address + length > blocks)
      throw corrupt(`${length} blocks at ${address} of a filesystem of ${blocks}`);
  }

  /** A page of 4 KiB, or a smaller one of a small directory. @throws GuestError `corrupt` */
  page(block: number, length = PAGE / this.geometry.blockSize): Buffer {
    const { blockSize } = this.geometry;
    const kept = this.#pages.get(block);
    if (kept?.length === length * blockSize) return kept;
    this.check(block, length);
    const bytes = readBytes(this.source, block * blockSize, length * blockSize, this.ctx);
    if (this.#pages.size >= KEPT) this.#pages.clear();
    this.#pages.set(block, bytes);
    return bytes;
  }

  /** @throws GuestError `corrupt` */
  inode(number: number): JfsInode {
    return within(`inode ${number}`, () => {
      if (number === 0 || number >= INODES_MOST) throw corrupt('no inode has this number');
      const { blockSize } = this.geometry;
      const extent = this.#extent(number >>> L2_INODES_PER_EXTENT);
      if (extent.length === 0) throw corrupt('its extent is not allocated');
      const blocks = (INODES_PER_EXTENT * INODE_SIZE) / blockSize;
      if (extent.length !== blocks) throw corrupt(`an extent of ${extent.length} blocks, not ${blocks}`);
      this.check(extent.address, blocks);
      const at = extent.address * blockSize + (number % INODES_PER_EXTENT) * INODE_SIZE;
      return this.#inodeAt(at, number);
    });
  }

  #extent(index: number): Pxd {
    const moved = this.moved.get(index);
    if (moved) return moved;
    // The map begins with its control page.
    const group = Math.floor(index / EXTENTS_PER_IAG);
    const block = blockAt(this, this.#map, (group + 1) * (PAGE / this.geometry.blockSize));
    if (block === undefined) throw corrupt(`there is no inode allocation group ${group}`);
    const iag = this.page(block);
    const { iagnum } = Iag.read(iag);
    if (iagnum !== group) throw corrupt(`inode allocation group ${group} says that it is ${iagnum}`);
    return InodeExtent.read(iag, Iag.fields.inoext.at + (index % EXTENTS_PER_IAG) * InodeExtent.size).pxd;
  }

  /** Inode 16 of the aggregate's table, or of its second one. */
  #inodeMap(): Buffer {
    const { secondTable, blockSize } = this.geometry;
    try {
      return within(
        'inode map',
        () => this.#inodeAt(AITBL_OFF + FILESYSTEM_I * INODE_SIZE, FILESYSTEM_I).root,
      );
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit' || !secondTable) throw error;
      this.ctx.warn(`${error.describe()}; the secondary aggregate inode table is read`);
      return within('secondary inode map', () => {
        this.check(secondTable.address, secondTable.length);
        return this.#inodeAt(secondTable.address * blockSize + FILESYSTEM_I * INODE_SIZE, FILESYSTEM_I).root;
      });
    }
  }

  #inodeAt(at: number, number: number): JfsInode {
    const i = Dinode.read(readBytes(this.source, at, INODE_SIZE, this.ctx));
    if (i.di_number !== number) throw corrupt(`the inode in its place says that it is ${i.di_number}`);
    if (i.di_nlink === 0) throw corrupt('a freed inode');
    return {
      id: number,
      kind: KINDS[(i.di_mode >>> 12) & 15] ?? 'other',
      size: i.di_size,
      mtime: i.di_mtime,
      root: i.di_btroot,
      inlineLink: i.di_fastsymlink,
    };
  }
}
