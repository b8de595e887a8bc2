/** qcow2, versions 2 and 3: two levels of tables say where each cluster (or subcluster) of the disk lies. */
import type { Context } from '../../bytes/budget';
import { inflateRaw } from '../../bytes/decompress/inflate';
import { corrupt, notFound, within } from '../../bytes/errors';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import type { ImageReader, Reference } from '../format';
import { fromParent, inFile, MappedSource, type Stretch, Table, Unpacked, zeros } from '../mapped';
import { type BlockSource, readBytes } from '../types';
import { type Head, readHead } from './header';
import {
  MAX_L1_ENTRIES,
  MAX_SNAPSHOT_EXTRA,
  MAX_SNAPSHOTS,
  SNAPSHOT_DISK_SIZE,
  Snapshot,
  SUBCLUSTERS,
} from './layout';

export const reader: ImageReader = {
  snapshots: true,

  references(file, ctx) {
    const { backing, dataFile } = readHead(file, ctx);
    return [backing, dataFile].filter((r): r is Reference => r !== undefined);
  },

  open(file, ctx, options) {
    const head = readHead(file, ctx);
    if (head.corrupt) ctx.warn(`${file.label}: the image is marked as corrupt`);
    let { l1, size } = head;
    if (options.snapshot !== undefined) ({ l1, size } = findSnapshot(file, head, options.snapshot, ctx));
    const perL2 = 2 ** (head.clusterBits - (head.extended ? 4 : 3));
    const clusterSize = 2 ** head.clusterBits;
    if (l1.entries * perL2 * clusterSize < size)
      throw corrupt(`L1 table of ${l1.entries} entries for a disk of ${size} bytes`, file.label);
    if (l1.at % clusterSize !== 0) throw corrupt(`L1 table at byte ${l1.at}`, file.label);
    const data = head.dataFile && options.resolve(head.dataFile);
    const backing = head.backing && options.resolve(head.backing);
    return new Qcow2(file, data, backing, head, l1.at, size, ctx);
  },
};

function findSnapshot(
  file: BlockSource,
  { snapshots, size }: Head,
  wanted: ByteString,
  ctx: Context,
): Pick<Head, 'l1' | 'size'> {
  if (snapshots.count > MAX_SNAPSHOTS) throw corrupt(`${snapshots.count} snapshots`, file.label);
  let byId: Pick<Head, 'l1' | 'size'> | undefined;
  const seen: string[] = [];
  for (let i = 0, at = snapshots.at; i < snapshots.count; i++) {
    const s = Snapshot.read(readBytes(file, at, Snapshot.size, ctx));
    if (s.extra_data_size > MAX_SNAPSHOT_EXTRA)
      throw corrupt(`snapshot ${i + 1} with ${s.extra_data_size} bytes of extra data`, file.label);
    const rest = readBytes(file, at + Snapshot.size, s.extra_data_size + s.id_str_size + s.name_size, ctx);
    const id = fromBytes(rest.subarray(s.extra_data_size, s.extra_data_size + s.id_str_size));
    const name = fromBytes(rest.subarray(s.extra_data_size + s.id_str_size));
    const extra = s.extra_data_size >= SNAPSHOT_DISK_SIZE.at + SNAPSHOT_DISK_SIZE.size;
    if (name === wanted || id === wanted) {
      if (s.l1_size > MAX_L1_ENTRIES)
        throw corrupt(`snapshot ${i + 1} with an L1 table of ${s.l1_size} entries`, file.label);
      const found = {
        l1: { at: s.l1_table_offset, entries: s.l1_size },
        size: extra ? SNAPSHOT_DISK_SIZE.read(rest, 0) : size,
      };
      if (name === wanted) return found;
      byId ??= found;
    }
    if (seen.length < 20) seen.push(printable(name, 60));
    at += Math.ceil((Snapshot.size + rest.length) / 8) * 8;
  }
  if (byId) return byId;
  throw notFound(
    `no snapshot '${printable(wanted)}'; there are ${seen.length > 0 ? seen.join(', ') : 'none'}`,
    file.label,
  );
}

class Qcow2 extends MappedSource {
  readonly #l1: Table;
  readonly #l2: Table;
  readonly #data: BlockSource;
  readonly #clusterSize: number;
  readonly #perL2: number;
  readonly #unpacked: Unpacked;

  constructor(
    readonly file: BlockSource,
    /** Where the data is, when not in the image itself. */
    readonly dataFile: BlockSource | undefined,
    readonly backing: BlockSource | undefined,
    readonly head: Head,
    readonly l1At: number,
    size: number,
    readonly ctx: Context,
  ) {
    super(file.label, size);
    this.#data = dataFile ?? file;
    this.#clusterSize = 2 ** head.clusterBits;
    this.#perL2 = 2 ** (head.clusterBits - (head.extended ? 4 : 3));
    this.#unpacked = new Unpacked(ctx);
    this.#l1 = new Table(file, ctx, 'L1 table');
    this.#l2 = new Table(file, ctx, 'L2 table');
  }

  protected map(at: number): Stretch {
    this.ctx.budget.step();
    const size = this.#clusterSize;
    const cluster = Math.floor(at / size);
    const inside = at - cluster * size;
    const l1Index = Math.floor(cluster / this.#perL2);
    const l2Index = cluster - l1Index * this.#perL2;
    const l1At = this.l1At + l1Index * 8;
    const table = offsetOf(this.#l1.u32be(l1At), this.#l1.u32be(l1At + 4));
    if (table === 0) return fromParent(this.backing, at, (this.#perL2 - l2Index) * size - inside);
    if (table % size !== 0) throw this.#bad(at, `L2 table at byte ${table}, not at a cluster's start`);
    if (this.head.extended) return this.#subclusters(at, table + l2Index * 16, inside);

    const entry = table + l2Index * 8;
    const high = this.#l2.u32be(entry);
    const low = this.#l2.u32be(entry + 4);
    if (high & 0x4000_0000) return this.#packed(at, inside, high, low);
    // Version 2 has no such flag.
    if (low & 1 && this.head.version === 3) return zeros(size - inside);
    const place = offsetOf(high, low);
    // In a data file, cluster 0 is a place like any other: there the highest bit tells.
    if (place === 0 && !(this.dataFile && high >>> 31)) return fromParent(this.backing, at, size - inside);
    return this.#cluster(at, place, inside, size - inside);
  }

  #cluster(at: number, place: number, inside: number, length: number): Stretch {
    if (place % this.#clusterSize !== 0)
      throw this.#bad(at, `data at byte ${place}, not at a cluster's start`);
    return inFile(this.#data, place, inside, length);
  }

  /** An entry of 16 bytes: as the short one, then 32 bits "is zero" and 32 bits "is allocated". */
  #subclusters(at: number, entry: number, inside: number): Stretch {
    const size = this.#clusterSize;
    const high = this.#l2.u32be(entry);
    const low = this.#l2.u32be(entry + 4);
    if (high & 0x4000_0000) return this.#packed(at, inside, high, low);
    const zero = this.#l2.u32be(entry + 8);
    const allocated = this.#l2.u32be(entry + 12);
    if (zero & allocated) throw this.#bad(at, 'a subcluster that is both allocated and zero');
    const sub = size / SUBCLUSTERS;
    const kind = (i: number) => ((allocated >>> i) & 1) + 2 * ((zero >>> i) & 1);
    const first = Math.floor(inside / sub);
    const same = kind(first);
    let end = first + 1;
    while (end < SUBCLUSTERS && kind(end) === same) end++;
    const length = end * sub - inside;
    if (same === 2) return zeros(length);
    if (same === 0) return fromParent(this.backing, at, length);
    const place = offsetOf(high, low);
    if (place === 0 && !(this.dataFile && high >>> 31))
      throw this.#bad(at, 'an allocated subcluster without a place');
    return this.#cluster(at, place, inside, length);
  }

  #packed(at: number, inside: number, high: number, low: number): Stretch {
    if (this.dataFile) throw this.#bad(at, 'a compressed cluster beside a data file');
    const size = this.#clusterSize;
    // Bits 0 to x-1: byte; from x on: further sectors of 512 bytes that the data reaches into.
    const entry = ((BigInt(high) << 32n) | BigInt(low)) & ((1n << 62n) - 1n);
    const x = BigInt(70 - this.head.clusterBits);
    const place = Number(entry & ((1n << x) - 1n));
    const sectors = Number(entry >> x) + 1;
    const length = size - inside;
    return {
      kind: 'packed',
      length,
      unpack: () => {
        const key = (at - inside) / size;
        return this.#unpacked
          .get(key, size, (into) => this.#unpack(at, place, sectors, into))
          .subarray(inside);
      },
    };
  }

  #unpack(at: number, place: number, sectors: number, into: Uint8Array): void {
    const { file } = this;
    const length = Math.min(sectors * 512 - (place % 512), file.size - place);
    if (length <= 0) throw this.#bad(at, `compressed data at byte ${place}, beyond the end of the file`);
    const from = this.#unpacked.read(file, place, length);
    within(`${this.label} › compressed cluster at byte ${place}`, () => {
      let got: number;
      if (this.head.zstd) {
        const { zstd } =
          require('../../bytes/decompress/zstd') as typeof import('../../bytes/decompress/zstd');
        got = zstd(from, into, { partial: true });
      } else got = inflateRaw(from, into, true);
      if (got !== into.length) throw corrupt(`${got} bytes come out, ${into.length} are needed`);
    });
  }

  #bad(at: number, what: string) {
    return corrupt(`at byte ${at} of the disk: ${what}`, this.label);
  }
}

/** Bits 9 to 55 of an entry. */
const offsetOf = (high: number, low: number): number =>
  (high & 0x00ff_ffff) * 2 ** 32 + ((low & 0xffff_fe00) >>> 0);
