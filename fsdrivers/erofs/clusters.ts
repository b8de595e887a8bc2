/**
 * Compressed files: logical clusters of an inode's indexes (full, 8 bytes each; compact, 4 or 2) or its extents → runs
 * of the file, each with the physical cluster that it is unpacked from.
 * Source: Documentation/filesystems/erofs.rst; what the fields mean: Linux fs/erofs/zmap.c.
 */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { safe } from '../../lib/bytes/struct';
import type { ErofsNode } from './inode';
import {
  ADVISE,
  BLOCK_COUNT,
  CLUSTER,
  ClusterIndex,
  EXTENT,
  LAYOUT,
  MapHeader,
  PARTIAL_REFERENCE,
  STORED_MOST,
  UNPACKED_MOST,
  WHOLE_FRAGMENT,
} from './layout';
import type { Volume } from './superblock';

/** Bytes [offset, offset+length) of the file, and where they come from. Holes are left out. */
export type Run = { readonly offset: number; readonly length: number } & (
  | {
      /** Compressed by `algorithm`: `stored` bytes at `at`. */
      readonly kind: 'packed';
      readonly at: number;
      readonly stored: number;
      readonly algorithm: number;
      /** More than `length` comes out. */
      readonly partial: boolean;
      /** `at` is a place of the metadata. */
      readonly inline: boolean;
    }
  | {
      /** As it is; interlaced: the file's offset in a block is the offset in the disk's too. */
      readonly kind: 'plain';
      readonly at: number;
      readonly stored: number;
      readonly interlaced: boolean;
      readonly inline: boolean;
    }
  /** In the packed inode, from byte `at` of it. */
  | { readonly kind: 'fragment'; readonly at: number }
);

const alignUp = (at: number, unit: number): number => Math.ceil(at / unit) * unit;

/** The runs of a compressed file from the one that holds byte `from`. */
export function* runs(volume: Volume, node: ErofsNode, from: number): Generator<Run> {
  if (node.size === 0 || from >= node.size) return;
  const headerAt = alignUp(node.behind, 8);
  const bytes = node.metadata.read(headerAt, MapHeader.size);
  const header = MapHeader.read(bytes);
  if (header.h_clusterbits & WHOLE_FRAGMENT) {
    const at = safe(bytes.readUInt32LE(4) & 0x7fffffff, bytes.readUInt32LE(0));
    yield { kind: 'fragment', offset: 0, length: node.size, at };
    return;
  }
  if (node.layout === LAYOUT.full && header.h_advise & ADVISE.extents) {
    yield* extentRuns(volume, node, headerAt + MapHeader.size, bytes, from);
    return;
  }
  yield* new Indexes(volume, node, headerAt + MapHeader.size, header).runs(from);
}

interface Cluster {
  readonly type: number;
  /** Of heads: where in the logical cluster they begin, and the block. */
  readonly offset: number;
  readonly block: number;
  readonly partial: boolean;
  /** Of others: logical clusters back to the head, or some way towards it. */
  readonly back: number;
  /** Of others: blocks of the physical cluster, 0 where it is not told. */
  readonly blocks: number;
}

class Indexes {
  readonly #volume: Volume;
  readonly #node: ErofsNode;
  /** Where compact indexes begin; full ones have 8 bytes of nothing before them. */
  readonly #at: number;
  readonly #bits: number;
  readonly #size: number;
  readonly #advise: number;
  readonly #header: ReturnType<typeof MapHeader.read>;
  readonly #count: number;
  /** Compact indexes stand in packs, which are taken apart as a whole: the last one. */
  #pack: { readonly at: number; readonly clusters: readonly Cluster[] } | undefined;
  readonly #initial: number;
  readonly #short: number;

  constructor(volume: Volume, node: ErofsNode, at: number, header: ReturnType<typeof MapHeader.read>) {
    this.#volume = volume;
    this.#node = node;
    this.#at = at;
    this.#header = header;
    this.#advise = header.h_advise;
    this.#bits = volume.disk.blockBits + (header.h_clusterbits & 15);
    this.#size = 2 ** this.#bits;
    this.#count = Math.ceil(node.size / this.#size);
    this.#initial = ((32 - (at % 32)) / 4) & 7;
    const rest = this.#count - this.#initial;
    this.#short = this.#advise & ADVISE.compact2b && rest > 0 ? rest - (rest % 16) : 0;
    if (node.layout === LAYOUT.compact) {
      if (this.#bits > 14) throw unsupported(`erofs compact indexes of clusters of 2^${this.#bits} bytes`);
      if (this.#short > 0 && this.#bits > 12)
        throw unsupported(`erofs 2-byte indexes of clusters of 2^${this.#bits} bytes`);
      if (!(this.#advise & ADVISE.big1) !== !(this.#advise & ADVISE.big2))
        throw corrupt('big clusters for one of two algorithms, with compact indexes');
    }
  }

  *runs(from: number): Generator<Run> {
    const { budget } = this.#volume.disk.ctx;
    const { size } = this.#node;
    let number = Math.floor(from / this.#size);
    let head = this.#read(number);
    // Back to the head of what `from` lies in.
    while (head.type === CLUSTER.nonHead || number * this.#size + head.offset > from) {
      const back = head.type === CLUSTER.nonHead ? head.back : 1;
      if (back === 0 || back > number) throw corrupt(`cluster ${number}: ${back} clusters back to its head`);
      number -= back;
      head = this.#read(number);
    }
    for (;;) {
      budget.step();
      const offset = number * this.#size + head.offset;
      if (offset >= size) return;
      let next = number + 1;
      let end = size;
      let blocks = 1;
      let nextHead: Cluster | undefined;
      for (; next < this.#count; next++) {
        const cluster = this.#read(next);
        if (cluster.type !== CLUSTER.nonHead) {
          nextHead = cluster;
          end = Math.min(size, next * this.#size + cluster.offset);
          break;
        }
        if (next === number + 1 && this.#big(head.type)) blocks = cluster.blocks;
        if (next * this.#size - offset > UNPACKED_MOST)
          throw corrupt(`cluster ${number}: more than ${UNPACKED_MOST} bytes`);
      }
      if (end < offset) throw corrupt(`cluster ${next} begins before its predecessor`);
      if (end > offset) yield this.#run(head, offset, end - offset, blocks, end === size);
      if (!nextHead || end === size) return;
      number = next;
      head = nextHead;
    }
  }

  /** Physical clusters of more than one block. */
  #big(type: number): boolean {
    return (this.#advise & (type === CLUSTER.head1 ? ADVISE.big1 : ADVISE.big2)) !== 0;
  }

  #run(head: Cluster, offset: number, length: number, blocks: number, last: boolean): Run {
    const { disk } = this.#volume;
    const full = this.#node.layout === LAYOUT.full;
    if (last && this.#advise & ADVISE.fragment)
      return {
        kind: 'fragment',
        offset,
        length,
        at: safe(full ? head.block : 0, this.#header.h_fragmentoff),
      };
    const inlineSize = this.#advise & ADVISE.inline ? this.#header.h_idata_size : 0;
    const inline = last && inlineSize > 0;
    if (!inline && blocks === 0)
      throw corrupt(`the cluster behind the head at byte ${offset} does not tell its blocks`);
    const stored = inline ? inlineSize : blocks * disk.blockSize;
    const at = inline ? this.#behind() : head.block * disk.blockSize;
    if (stored > STORED_MOST) throw corrupt(`a physical cluster of ${stored} bytes`);
    if (inline && (at % disk.blockSize) + stored > disk.blockSize)
      throw corrupt(`${stored} bytes of inline data at ${at} cross a block`);
    if (head.type === CLUSTER.plain) {
      if (length > stored) throw corrupt(`${length} bytes in a cluster of ${stored}`, `byte ${offset}`);
      const interlaced = (this.#advise & ADVISE.interlaced) !== 0;
      return { kind: 'plain', offset, length, at, stored, interlaced, inline };
    }
    if (length > UNPACKED_MOST) throw corrupt(`${length} bytes in one cluster, maximum ${UNPACKED_MOST}`);
    const algorithms = this.#header.h_algorithmtype;
    const algorithm = head.type === CLUSTER.head2 ? algorithms >> 4 : algorithms & 15;
    return { kind: 'packed', offset, length, at, stored, algorithm, partial: head.partial, inline };
  }

  /** The byte behind the last index, or the pack that holds it. */
  #behind(): number {
    const last = this.#count - 1;
    if (this.#node.layout === LAYOUT.full) return this.#at + 8 + last * 8 + 8;
    const { at, bytes } = this.#place(last);
    return at - (at % bytes) + bytes;
  }

  #read(number: number): Cluster {
    this.#volume.disk.ctx.budget.step();
    if (number >= this.#count) throw corrupt(`cluster ${number} of ${this.#count}`);
    return this.#node.layout === LAYOUT.full ? this.#full(number) : this.#compact(number);
  }

  #full(number: number): Cluster {
    const at = this.#at + 8 + number * ClusterIndex.size;
    const i = ClusterIndex.read(this.#node.metadata.read(at, ClusterIndex.size));
    const type = i.di_advise & 3;
    if (type === CLUSTER.nonHead) {
      const counts = (i.delta0 & BLOCK_COUNT) !== 0;
      return this.#nonHead(number, counts ? 1 : i.delta0, counts ? i.delta0 & ~BLOCK_COUNT : 0, counts);
    }
    return this.#head(number, type, i.di_clusterofs, i.blkaddr, (i.di_advise & PARTIAL_REFERENCE) !== 0);
  }

  #head(number: number, type: number, offset: number, block: number, partial: boolean): Cluster {
    if (offset >= this.#size) throw corrupt(`cluster ${number} begins at ${offset} of ${this.#size}`);
    return { type, offset, block, partial, back: 0, blocks: 0 };
  }

  #nonHead(number: number, back: number, blocks: number, counts: boolean): Cluster {
    if (counts && (this.#advise & (ADVISE.big1 | ADVISE.big2)) === 0)
      throw corrupt(`cluster ${number} counts blocks where no cluster is big`);
    return { type: CLUSTER.nonHead, offset: 0, block: 0, partial: false, back, blocks };
  }

  /** 4 bytes each up to a boundary of 32, then packs of 16 with 2 each, then 4 each. */
  #place(number: number): { at: number; bytes: number; count: number } {
    const long = { bytes: 8, count: 2 };
    if (number < this.#initial) return { at: this.#at + number * 4, ...long };
    const start = this.#at + this.#initial * 4;
    const rest = number - this.#initial;
    if (rest < this.#short) return { at: start + rest * 2, bytes: 32, count: 16 };
    return { at: start + this.#short * 2 + (rest - this.#short) * 4, ...long };
  }

  #compact(number: number): Cluster {
    const { at, bytes, count } = this.#place(number);
    const packAt = at - (at % bytes);
    const place = (at - packAt) / (bytes / count);
    if (this.#pack?.at !== packAt)
      this.#pack = { at: packAt, clusters: this.#unpack(packAt, bytes, count, number - place) };
    return this.#pack.clusters[place]!;
  }

  /**
   * A pack: bit fields (offset in the cluster or distance, then type), and the block that the heads' addresses count
   * from in its last 4 bytes.
   */
  #unpack(at: number, bytes: number, count: number, first: number): Cluster[] {
    const pack = this.#node.metadata.read(at, bytes);
    const valueBits = Math.max(this.#bits, 12);
    const width = ((bytes - 4) * 8) / count;
    const big = (this.#advise & ADVISE.big1) !== 0;
    let block = pack.readUInt32LE(bytes - 4) + (big ? 0 : 1);
    const clusters: Cluster[] = [];
    for (let i = 0; i < count; i++) {
      const word = pack.readUInt32LE((i * width) >> 3) >>> ((i * width) & 7);
      const value = word & (2 ** valueBits - 1);
      const type = (word >>> valueBits) & 3;
      const before = clusters[i - 1];
      if (type !== CLUSTER.nonHead) {
        // Places past the last cluster of the file are filled with anything.
        const offset = first + i < this.#count ? value : 0;
        clusters.push(this.#head(first + i, type, offset, block, false));
        block++;
        continue;
      }
      const counts = (value & BLOCK_COUNT) !== 0;
      const blocks = counts ? value & ~BLOCK_COUNT : 0;
      // Its head was counted as one block, if it stands in this pack.
      if (counts) block += before && before.type !== CLUSTER.nonHead ? blocks - 1 : blocks;
      // The last of a pack tells the distance to the next head instead.
      const back = counts
        ? 1
        : i + 1 < count
          ? value
          : before?.type === CLUSTER.nonHead
            ? before.back + 1
            : 1;
      clusters.push(this.#nonHead(first + i, back, blocks, counts && first + i < this.#count));
    }
    return clusters;
  }
}

/** The 48-bit layout's records: size stored, place, and (from 16 bytes on) the offset in the file. */
function* extentRuns(
  volume: Volume,
  node: ErofsNode,
  behindHeader: number,
  header: Buffer,
  from: number,
): Generator<Run> {
  const { disk } = volume;
  const { metadata, size } = node;
  const advise = header.readUInt16LE(4);
  const record = 4 << ((advise >> 1) & 3);
  let at = alignUp(behindHeader, record);
  const clusterSize = 2 ** (disk.blockBits + (header[7]! & 15));

  const run = (offset: number, end: number, field: number, place: number, last: boolean): Run | undefined => {
    const length = end - offset;
    if (last && advise & ADVISE.fragment)
      // Its low half is where the size stands otherwise; records of 4 bytes have no more.
      return { kind: 'fragment', offset, length, at: record > 4 ? safe(place % 2 ** 32, field) : field };
    const stored = field & EXTENT.stored;
    if (stored === 0) return undefined;
    if (stored > STORED_MOST) throw corrupt(`a physical cluster of ${stored} bytes`);
    const format = field >>> EXTENT.formatBit;
    if (format === 0) {
      if (length > stored) throw corrupt(`${length} bytes in a cluster of ${stored}`, `byte ${offset}`);
      const aligned = place % disk.blockSize === 0 && stored % disk.blockSize === 0;
      const interlaced = (advise & ADVISE.interlaced) !== 0 && aligned;
      return { kind: 'plain', offset, length, at: place, stored, interlaced, inline: false };
    }
    if (length > UNPACKED_MOST) throw corrupt(`${length} bytes in one cluster, maximum ${UNPACKED_MOST}`);
    const partial = (field & EXTENT.partial) !== 0;
    return {
      kind: 'packed',
      offset,
      length,
      at: place,
      stored,
      algorithm: format - 1,
      partial,
      inline: false,
    };
  };

  if (record <= 8) {
    let place = 0;
    let offset = 0;
    if (record === 4) {
      const start = metadata.read(at, 8);
      place = safe(start.readUInt32LE(4), start.readUInt32LE(0));
      at += 8;
    } else {
      // Places are told one by one: no need to add sizes up.
      const skipped = Math.floor(from / clusterSize);
      offset = skipped * clusterSize;
      at += skipped * record;
    }
    for (; offset < size; offset += clusterSize, at += record) {
      disk.ctx.budget.step();
      const bytes = metadata.read(at, record);
      const field = bytes.readUInt32LE(0);
      if (record === 8) place = bytes.readUInt32LE(4);
      const end = Math.min(size, offset + clusterSize);
      const found = end > from ? run(offset, end, field, place, end === size) : undefined;
      if (found) yield found;
      if (record === 4) place += field & EXTENT.stored;
    }
    return;
  }

  const count = safe(header.readUInt16LE(6), header.readUInt32LE(0));
  const startOf = (bytes: Buffer): number =>
    safe(record > 16 ? bytes.readUInt32LE(16) : 0, bytes.readUInt32LE(12));
  const read = (number: number): Buffer => {
    disk.ctx.budget.step();
    return metadata.read(at + number * record, record);
  };
  // The last one that does not begin behind `from`.
  let low = 0;
  for (let high = count; high - low > 1; ) {
    const middle = Math.floor((low + high) / 2);
    if (startOf(read(middle)) <= from) low = middle;
    else high = middle;
  }
  let offset = -1;
  for (let number = low; number < count; number++) {
    const bytes = read(number);
    const start = startOf(bytes);
    if (start <= offset) throw corrupt(`extent ${number} begins at ${start}, not behind ${offset}`);
    offset = start;
    if (start >= size) return;
    const end = number + 1 < count ? startOf(read(number + 1)) : size;
    if (end > size) throw corrupt(`extent ${number} ends at ${end}, the file at ${size}`);
    if (end <= start) throw corrupt(`extent ${number + 1} begins at ${end}, not behind ${start}`);
    const place = safe(bytes.readUInt32LE(8), bytes.readUInt32LE(4));
    const found = run(start, end, bytes.readUInt32LE(0), place, number + 1 === count);
    if (found) yield found;
  }
}
