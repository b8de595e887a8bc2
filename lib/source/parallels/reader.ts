/** Parallels: one map of clusters, of any number of sectors each. */
import type { Context } from '../../bytes/budget';
import { corrupt, unsupported } from '../../bytes/errors';
import type { ImageReader } from '../format';
import { inFile, MappedSource, type Stretch, Table, zeros } from '../mapped';
import { type BlockSource, readBytes } from '../types';
import { BAT_AT, Header, IN_USE, MAGIC, MAGIC_EXTENDED, MAX_TRACKS, VERSION } from './layout';

export const reader: ImageReader = {
  open(file, ctx) {
    const { label } = file;
    if (file.size < Header.size) throw corrupt('not a Parallels image', label);
    const bytes = readBytes(file, 0, Header.size, ctx);
    const old = bytes.toString('latin1', 0, 16) === MAGIC;
    if (old) bytes.fill(0, 40, 44); // the upper half of nb_sectors is not the old format's
    const h = Header.read(bytes);
    if (!old && h.magic !== MAGIC_EXTENDED) throw corrupt('not a Parallels image', label);
    if (h.version !== VERSION) throw unsupported(`Parallels image of version ${h.version}`, label);
    if (h.tracks === 0 || h.tracks > MAX_TRACKS) throw corrupt(`clusters of ${h.tracks} sectors`, label);
    const size = h.nb_sectors * 512;
    const clusterSize = h.tracks * 512;
    if (!Number.isSafeInteger(size) || size > h.bat_entries * clusterSize)
      throw corrupt(`a disk of ${h.nb_sectors} sectors in ${h.bat_entries} clusters`, label);
    if (h.inuse === IN_USE) ctx.warn(`${label}: the image was not closed`);
    return new Parallels(file, size, clusterSize, old ? 512 : clusterSize, ctx);
  },
};

class Parallels extends MappedSource {
  readonly #map: Table;

  constructor(
    readonly file: BlockSource,
    size: number,
    readonly clusterSize: number,
    /** Bytes that an entry of the map counts. */
    readonly unit: number,
    readonly ctx: Context,
  ) {
    super(file.label, size);
    this.#map = new Table(file, ctx, 'block map');
  }

  protected map(at: number): Stretch {
    this.ctx.budget.step();
    const { clusterSize } = this;
    const cluster = Math.floor(at / clusterSize);
    const inside = at - cluster * clusterSize;
    const entry = this.#map.u32le(BAT_AT + cluster * 4);
    if (entry === 0) return zeros(clusterSize - inside);
    return inFile(this.file, entry * this.unit, inside, clusterSize - inside);
  }
}
