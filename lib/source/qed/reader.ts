/** QED: two levels of tables of one size; nothing is compressed. */
import type { Context } from '../../bytes/budget';
import { corrupt, unsupported } from '../../bytes/errors';
import { safe } from '../../bytes/struct';
import { fromBytes } from '../../bytes/text';
import type { ImageReader, Reference } from '../format';
import { fromParent, inFile, MappedSource, powerOfTwo, type Stretch, Table, zeros } from '../mapped';
import { type BlockSource, readBytes } from '../types';
import {
  FEATURE,
  Header,
  KNOWN,
  MAGIC,
  MAX_CLUSTER,
  MAX_NAME,
  MAX_TABLE_CLUSTERS,
  MIN_CLUSTER,
  UNALLOCATED,
  ZERO,
} from './layout';

interface Head {
  readonly size: number;
  readonly clusterSize: number;
  /** Entries of a table. */
  readonly entries: number;
  readonly l1At: number;
  readonly backing: Reference | undefined;
}

function readHead(file: BlockSource, ctx: Context): Head {
  const { label } = file;
  const h = Header.read(readBytes(file, 0, Math.min(file.size, Header.size), ctx));
  if (h.magic !== MAGIC) throw corrupt('not a QED image', label);
  const unknown = h.features & ~KNOWN;
  if (unknown !== 0n)
    throw unsupported(`needs features that are not known here: 0x${unknown.toString(16)}`, label);
  powerOfTwo(h.cluster_size, MIN_CLUSTER, MAX_CLUSTER, 'cluster size', label);
  powerOfTwo(h.table_size, 1, MAX_TABLE_CLUSTERS, 'table size', label);
  const entries = (h.cluster_size * h.table_size) / 8;
  if (h.l1_table_offset % h.cluster_size !== 0 || h.l1_table_offset === 0)
    throw corrupt(`L1 table at byte ${h.l1_table_offset}`, label);
  if (h.image_size > entries * entries * h.cluster_size)
    throw corrupt(`a disk of ${h.image_size} bytes is more than its tables can hold`, label);
  let backing: Reference | undefined;
  if (h.features & FEATURE.backingFile && h.backing_filename_size > 0) {
    if (h.backing_filename_size > MAX_NAME)
      throw corrupt(`backing file's name of ${h.backing_filename_size} bytes, maximum ${MAX_NAME}`, label);
    backing = {
      what: 'backing file',
      name: fromBytes(readBytes(file, h.backing_filename_offset, h.backing_filename_size, ctx)),
      format: h.features & FEATURE.backingIsRaw ? 'raw' : undefined,
    };
  }
  return { size: h.image_size, clusterSize: h.cluster_size, entries, l1At: h.l1_table_offset, backing };
}

export const reader: ImageReader = {
  references(file, ctx) {
    const { backing } = readHead(file, ctx);
    return backing ? [backing] : [];
  },

  open(file, ctx, options) {
    const head = readHead(file, ctx);
    return new Qed(file, head, head.backing && options.resolve(head.backing), ctx);
  },
};

class Qed extends MappedSource {
  readonly #l1: Table;
  readonly #l2: Table;

  constructor(
    readonly file: BlockSource,
    readonly head: Head,
    readonly backing: BlockSource | undefined,
    readonly ctx: Context,
  ) {
    super(file.label, head.size);
    this.#l1 = new Table(file, ctx, 'L1 table');
    this.#l2 = new Table(file, ctx, 'L2 table');
  }

  protected map(at: number): Stretch {
    this.ctx.budget.step();
    const { clusterSize, entries, l1At } = this.head;
    const cluster = Math.floor(at / clusterSize);
    const inside = at - cluster * clusterSize;
    const l1Index = Math.floor(cluster / entries);
    const l2Index = cluster - l1Index * entries;
    const table = this.#place(this.#l1, l1At + l1Index * 8, at);
    if (table === UNALLOCATED)
      return fromParent(this.backing, at, (entries - l2Index) * clusterSize - inside);
    const place = this.#place(this.#l2, table + l2Index * 8, at);
    const length = clusterSize - inside;
    if (place === ZERO) return zeros(length);
    if (place === UNALLOCATED) return fromParent(this.backing, at, length);
    return inFile(this.file, place, inside, length);
  }

  #place(table: Table, entry: number, at: number): number {
    const low = table.u32le(entry);
    const place = safe(table.u32le(entry + 4), low);
    if (place % this.head.clusterSize !== 0 && !(place === ZERO && table === this.#l2))
      throw corrupt(
        `at byte ${at} of the disk: ${table.what} names byte ${place}, not a cluster's start`,
        this.label,
      );
    return place;
  }
}
