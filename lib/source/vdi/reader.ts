/** VDI: one map of blocks. */
import type { Context } from '../../bytes/budget';
import { corrupt, unsupported } from '../../bytes/errors';
import type { ImageReader } from '../format';
import { inFile, MappedSource, powerOfTwo, type Stretch, Table, zeros } from '../mapped';
import { type BlockSource, readBytes } from '../types';
import {
  DISCARDED,
  DYNAMIC,
  FIXED,
  Header,
  MAX_BLOCK,
  MIN_BLOCK,
  SIGNATURE,
  TYPES,
  UNALLOCATED,
  VERSION_1_1,
} from './layout';

export const reader: ImageReader = {
  open(file, ctx) {
    const { label } = file;
    const h = Header.read(readBytes(file, 0, Math.min(file.size, Header.size), ctx));
    if (h.signature !== SIGNATURE) throw corrupt('not a VDI image', label);
    if (h.version !== VERSION_1_1)
      throw unsupported(`VDI of version ${h.version >>> 16}.${h.version & 0xffff}`, label);
    if (h.image_type !== DYNAMIC && h.image_type !== FIXED)
      throw unsupported(`a VDI image of type ${TYPES[h.image_type] ?? h.image_type}`, label);
    powerOfTwo(h.block_size, MIN_BLOCK, MAX_BLOCK, 'block size', label);
    if (h.block_extra > h.block_size) throw corrupt(`${h.block_extra} bytes before each block`, label);
    if (h.sector_size !== 512) throw unsupported(`sectors of ${h.sector_size} bytes`, label);
    if (h.disk_size > h.blocks_in_image * h.block_size)
      throw corrupt(`a disk of ${h.disk_size} bytes in ${h.blocks_in_image} blocks`, label);
    return new Vdi(file, h.disk_size, h.block_size, h.block_extra, h.offset_bmap, h.offset_data, ctx);
  },
};

class Vdi extends MappedSource {
  readonly #map: Table;

  constructor(
    readonly file: BlockSource,
    size: number,
    readonly blockSize: number,
    readonly extra: number,
    readonly mapAt: number,
    readonly dataAt: number,
    readonly ctx: Context,
  ) {
    super(file.label, size);
    this.#map = new Table(file, ctx, 'block map');
  }

  protected map(at: number): Stretch {
    this.ctx.budget.step();
    const { blockSize, extra } = this;
    const block = Math.floor(at / blockSize);
    const inside = at - block * blockSize;
    const entry = this.#map.u32le(this.mapAt + block * 4);
    if (entry === UNALLOCATED || entry === DISCARDED) return zeros(blockSize - inside);
    const place = this.dataAt + entry * (blockSize + extra) + extra;
    return inFile(this.file, place, inside, blockSize - inside);
  }
}
