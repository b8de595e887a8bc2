/** qcow, version 1: two levels of tables; an L2 table has a size of its own, and clusters lie at any byte. */
import type { Context } from '../../bytes/budget';
import { inflateRaw } from '../../bytes/decompress/inflate';
import { corrupt, unsupported, within } from '../../bytes/errors';
import { fromBytes } from '../../bytes/text';
import type { ImageReader, Reference } from '../format';
import { fromParent, inFile, MappedSource, type Stretch, Table, Unpacked } from '../mapped';
import { type BlockSource, readBytes } from '../types';
import {
  Header,
  MAGIC,
  MAX_CLUSTER_BITS,
  MAX_L2_BITS,
  MAX_NAME,
  MIN_CLUSTER_BITS,
  MIN_L2_BITS,
} from './layout';

interface Head {
  readonly size: number;
  readonly clusterBits: number;
  readonly l2Bits: number;
  readonly l1At: number;
  readonly backing: Reference | undefined;
}

function readHead(file: BlockSource, ctx: Context): Head {
  const { label } = file;
  const h = Header.read(readBytes(file, 0, Math.min(file.size, Header.size), ctx));
  if (h.magic !== MAGIC || h.version !== 1) throw corrupt('not a qcow image', label);
  if (h.cluster_bits < MIN_CLUSTER_BITS || h.cluster_bits > MAX_CLUSTER_BITS)
    throw corrupt(
      `clusters of 2^${h.cluster_bits} bytes, allowed 2^${MIN_CLUSTER_BITS} to 2^${MAX_CLUSTER_BITS}`,
      label,
    );
  if (h.l2_bits < MIN_L2_BITS || h.l2_bits > MAX_L2_BITS)
    throw corrupt(`L2 tables of 2^${h.l2_bits} entries, allowed 2^${MIN_L2_BITS} to 2^${MAX_L2_BITS}`, label);
  if (h.crypt_method !== 0)
    throw unsupported(`is encrypted (${h.crypt_method === 1 ? 'AES' : `method ${h.crypt_method}`})`, label);
  const name = h.backing_file_size;
  if (h.backing_file_offset !== 0 && name > MAX_NAME)
    throw corrupt(`backing file's name of ${name} bytes, maximum ${MAX_NAME}`, label);
  return {
    size: h.size,
    clusterBits: h.cluster_bits,
    l2Bits: h.l2_bits,
    l1At: h.l1_table_offset,
    backing:
      h.backing_file_offset !== 0 && name > 0
        ? { what: 'backing file', name: fromBytes(readBytes(file, h.backing_file_offset, name, ctx)) }
        : undefined,
  };
}

export const reader: ImageReader = {
  references(file, ctx) {
    const { backing } = readHead(file, ctx);
    return backing ? [backing] : [];
  },

  open(file, ctx, options) {
    const head = readHead(file, ctx);
    return new Qcow(file, head, head.backing && options.resolve(head.backing), ctx);
  },
};

class Qcow extends MappedSource {
  readonly #l1: Table;
  readonly #l2: Table;
  readonly #unpacked: Unpacked;

  constructor(
    readonly file: BlockSource,
    readonly head: Head,
    readonly backing: BlockSource | undefined,
    readonly ctx: Context,
  ) {
    super(file.label, head.size);
    this.#unpacked = new Unpacked(ctx);
    this.#l1 = new Table(file, ctx, 'L1 table');
    this.#l2 = new Table(file, ctx, 'L2 table');
  }

  protected map(at: number): Stretch {
    this.ctx.budget.step();
    const { clusterBits, l2Bits, l1At } = this.head;
    const size = 2 ** clusterBits;
    const perL2 = 2 ** l2Bits;
    const cluster = Math.floor(at / size);
    const inside = at - cluster * size;
    const l1Index = Math.floor(cluster / perL2);
    const l2Index = cluster - l1Index * perL2;
    const table = this.#place(this.#l1, l1At + l1Index * 8, at);
    if (table === 0) return fromParent(this.backing, at, (perL2 - l2Index) * size - inside);
    const entry = table + l2Index * 8;
    if (this.#l2.u32be(entry) >>> 31) return this.#packed(at, cluster, inside, entry);
    const place = this.#place(this.#l2, entry, at);
    if (place === 0) return fromParent(this.backing, at, size - inside);
    return inFile(this.file, place, inside, size - inside);
  }

  #place(table: Table, entry: number, at: number): number {
    const place = table.u32be(entry) * 2 ** 32 + table.u32be(entry + 4);
    if (!Number.isSafeInteger(place))
      throw corrupt(`at byte ${at} of the disk: ${table.what} names a place beyond 2^53`, this.label);
    return place;
  }

  /** Above the byte's bits stand those of the length. */
  #packed(at: number, cluster: number, inside: number, entry: number): Stretch {
    const { clusterBits } = this.head;
    const size = 2 ** clusterBits;
    const value =
      ((BigInt(this.#l2.u32be(entry)) << 32n) | BigInt(this.#l2.u32be(entry + 4))) & ((1n << 63n) - 1n);
    const x = BigInt(63 - clusterBits);
    const place = Number(value & ((1n << x) - 1n));
    const length = Number(value >> x);
    const { file } = this;
    return {
      kind: 'packed',
      length: size - inside,
      unpack: () =>
        this.#unpacked
          .get(cluster, size, (into) =>
            within(`${this.label} › compressed cluster at byte ${place}`, () => {
              if (!(length > 0 && place + length <= file.size))
                throw corrupt(`${length} bytes, file of ${file.size}, for byte ${at} of the disk`);
              // QEMU stores what does not become smaller as it is.
              if (length > 2 * size) throw corrupt(`${length} bytes for a cluster of ${size}`);
              const got = inflateRaw(this.#unpacked.read(file, place, length), into, true);
              if (got !== size) throw corrupt(`${got} bytes come out, ${size} are needed`);
            }),
          )
          .subarray(inside),
    };
  }
}
