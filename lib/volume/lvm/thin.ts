/** Thin volumes: the pool's mapping, two levels of B-trees, read as it is needed (drivers/md/dm-thin-metadata.c). */
import type { Context } from '../../bytes/budget';
import { checksums } from '../../bytes/checksum';
import { corrupt, unsupported } from '../../bytes/errors';
import { safe } from '../../bytes/struct';
import { type BlockSource, readBytes } from '../../source/types';
import { type How, MappedSource } from '../raid/mapped';
import {
  INTERNAL_NODE,
  LEAF_NODE,
  METADATA_BLOCK,
  NODE_SUM,
  NodeHeader,
  THIN_MAGIC,
  THIN_SUM,
  ThinSuperblock,
  TREE_DEPTH,
} from './layout';

const MAX_NODES = 64;

/** Metadata blocks with right checksums are believed; wrong ones, too, with a warning. */
class Metadata {
  readonly #nodes = new Map<number, Buffer>();
  readonly #sums = checksums();
  constructor(
    readonly source: BlockSource,
    readonly ctx: Context,
    readonly warn: (text: string) => void,
  ) {}

  block(number: number, salt: number): Buffer {
    const found = this.#nodes.get(number);
    if (found) return found;
    const block = readBytes(this.source, number * METADATA_BLOCK, METADATA_BLOCK, this.ctx);
    const sum = (this.#sums.crc32c(0xffffffff, block, 4) ^ salt) >>> 0;
    if (sum !== block.readUInt32LE(0))
      this.warn(`thin pool: block ${number} of the metadata has a wrong checksum`);
    if (this.#nodes.size >= MAX_NODES) this.#nodes.delete(this.#nodes.keys().next().value!);
    this.#nodes.set(number, block);
    return block;
  }

  /** The value of `key`, or undefined. Values are 64 bits: the low 24 apart from the others. */
  find(root: number, key: number): { high: number; low: number } | undefined {
    let at = root;
    for (let depth = 0; ; depth++) {
      this.ctx.budget.step();
      if (depth >= TREE_DEPTH) throw corrupt(`thin pool: a tree of more than ${TREE_DEPTH} levels`);
      const node = this.block(at, NODE_SUM);
      const head = NodeHeader.read(node);
      const { nr_entries: count, max_entries: room } = head;
      if (
        head.blocknr !== at ||
        head.value_size !== 8 ||
        count > room ||
        NodeHeader.size + room * 16 > METADATA_BLOCK
      )
        throw corrupt(
          `thin pool: node ${at} says it is ${head.blocknr}, ${count} of ${room} entries of ${head.value_size} bytes`,
        );
      const keyAt = (i: number) => {
        const p = NodeHeader.size + i * 8;
        return node.readUInt32LE(p + 4) * 0x1_0000_0000 + node.readUInt32LE(p);
      };
      let low = -1;
      for (let high = count; high - low > 1; ) {
        const middle = (low + high) >> 1;
        if (keyAt(middle) <= key) low = middle;
        else high = middle;
      }
      if (low < 0) return undefined;
      const p = NodeHeader.size + room * 8 + low * 8;
      if ((head.flags & LEAF_NODE) !== 0) {
        if (keyAt(low) !== key) return undefined;
        return { low: node.readUIntLE(p, 3), high: node.readUInt32LE(p + 4) * 256 + node[p + 3]! };
      }
      if ((head.flags & INTERNAL_NODE) === 0)
        throw corrupt(`thin pool: node ${at} is neither a leaf nor not`);
      at = safe(node.readUInt32LE(p + 4), node.readUInt32LE(p));
      if ((at + 1) * METADATA_BLOCK > this.source.size)
        throw corrupt(`thin pool: node ${at} lies beyond the metadata`);
    }
  }
}

/** A pool, from which thin volumes are made. */
export class ThinPool {
  readonly #metadata: Metadata;
  readonly #root: number;
  /** Bytes. */
  readonly block: number;

  /** @throws GuestError `corrupt`, `unsupported` */
  constructor(
    metadata: BlockSource,
    readonly data: BlockSource,
    readonly ctx: Context,
    warn: (text: string) => void,
  ) {
    this.#metadata = new Metadata(metadata, ctx, warn);
    const s = ThinSuperblock.read(this.#metadata.block(0, THIN_SUM));
    if (s.magic !== THIN_MAGIC) throw corrupt('thin pool: no superblock in its metadata');
    if (s.version < 1 || s.version > 2) throw unsupported(`thin pool with metadata of version ${s.version}`);
    this.block = s.data_block_size * 512;
    if (
      this.block < 65536 ||
      this.block > 2 ** 30 ||
      this.block % 65536 !== 0 ||
      s.metadata_block_size * 512 !== METADATA_BLOCK
    )
      throw corrupt(
        `thin pool with blocks of ${this.block} bytes, its metadata's of ${s.metadata_block_size * 512}`,
      );
    this.#root = s.data_mapping_root;
  }

  /** @param external what shows where nothing is mapped */
  volume(label: string, device: number, size: number, external: BlockSource | undefined): BlockSource {
    const found = this.#metadata.find(this.#root, device);
    if (!found) throw corrupt(`thin pool: it knows no device ${device}`, label);
    const root = found.high * 0x100_0000 + found.low;
    if (!Number.isSafeInteger(root)) throw corrupt(`thin pool: device ${device} has its tree at ${root}`);
    return new ThinSource(label, size, this, external, (block) => {
      const to = this.#metadata.find(root, block);
      // The low 24 bits are the time.
      return to && to.high * this.block;
    });
  }
}

class ThinSource extends MappedSource {
  constructor(
    label: string,
    size: number,
    readonly pool: ThinPool,
    readonly external: BlockSource | undefined,
    readonly place: (block: number) => number | undefined,
  ) {
    super(label, size, pool.ctx);
  }

  protected piece(at: number, into: Uint8Array, how: How): number {
    const { block, data } = this.pool;
    const number = Math.floor(at / block);
    const inside = at - number * block;
    const part = into.subarray(0, Math.min(into.length, block - inside));
    const to = this.place(number);
    if (to !== undefined) how(data, to + inside, part);
    else {
      part.fill(0);
      const there = Math.max(0, Math.min(part.length, (this.external?.size ?? 0) - at));
      if (this.external && there > 0) how(this.external, at, part.subarray(0, there));
    }
    return part.length;
  }
}
