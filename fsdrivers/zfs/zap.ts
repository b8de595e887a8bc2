/** ZAP: names and what they stand for, in one block (micro) or as an extensible hash table (fat). */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { type ByteString, fromBytes, printable, toBytes, toUnicode } from '../../lib/bytes/text';
import type { Dnode } from './dnode';
import {
  type Block,
  CHUNK,
  CHUNK_BYTES,
  high,
  LEAF_MAGIC,
  low,
  MICRO_ENTRY,
  MICRO_HEADER,
  MICRO_NAME_AT,
  NORM,
  number,
  VALUE_MOST,
  ZAP_CHUNK,
  ZAP_FLAG,
  ZAP_MAGIC,
  ZBT,
} from './layout';

export interface ZapEntry {
  readonly name: ByteString;
  /** The (first) number. */
  readonly high: number;
  readonly low: number;
  /** All numbers, most significant byte first. */
  readonly value: Buffer;
}

const NAME_MOST = 1024;
/** 2^28 leaves: more bits of the hash than that are not used. */
const TABLE_SHIFT_MOST = 28;

interface Fat {
  readonly blockShift: number;
  readonly tableAt: number;
  /** 0: the second half of the first block. */
  readonly tableBlocks: number;
  readonly shift: number;
  readonly salt: bigint;
  readonly hashBits: bigint;
}

/** A leaf, checked. */
interface Leaf {
  readonly block: Block;
  readonly prefix: number;
  readonly chunksAt: number;
  readonly chunks: number;
}

/** The first number of an entry's value. @throws GuestError `corrupt` when it is shorter, or above 2^53-1 */
export function numberIn({ name, value }: ZapEntry): number {
  if (value.length < 8)
    throw corrupt(`ZAP entry ${printable(name)}: ${value.length} bytes where a number is`);
  return number({ bytes: value, big: true }, 0);
}

export class Zap {
  /** How names are made alike before they are compared; 0: not at all. */
  readonly normalisation: number;
  readonly #dnode: Dnode;
  readonly #first: Block;
  readonly #fat: Fat | undefined;

  constructor(dnode: Dnode) {
    this.#dnode = dnode;
    const block = dnode.block(0);
    this.#first = block;
    if (block.bytes.length < 128) throw corrupt(`a ZAP of ${block.bytes.length} bytes`);
    const kind = low(block, 0);
    if (high(block, 0) === 0x80000000 && kind === ZBT.micro) {
      this.normalisation = low(block, 16);
      return;
    }
    if (
      high(block, 0) !== 0x80000000 ||
      kind !== ZBT.header ||
      high(block, 8) !== ZAP_MAGIC.high ||
      low(block, 8) !== ZAP_MAGIC.low
    )
      throw corrupt('not a ZAP');
    const header = dnode.pool.of(block.big).ZapHeader.read(block.bytes);
    const blockShift = Math.log2(block.bytes.length);
    if (blockShift % 1 !== 0) throw corrupt(`a fat ZAP in blocks of ${block.bytes.length} bytes`);
    const shift = header.zap_ptrtbl_shift;
    const room =
      header.zap_ptrtbl_numblks === 0
        ? 2 ** (blockShift - 4)
        : header.zap_ptrtbl_numblks * 2 ** (blockShift - 3);
    if (shift > TABLE_SHIFT_MOST || 2 ** shift > room)
      throw corrupt(`2^${shift} pointers in a ZAP's table of ${header.zap_ptrtbl_numblks} blocks`);
    if (header.zap_flags & ZAP_FLAG.uint64Key) throw unsupported('a ZAP whose keys are numbers');
    this.normalisation = header.zap_normflags;
    this.#fat = {
      blockShift,
      tableAt: header.zap_ptrtbl_blk,
      tableBlocks: header.zap_ptrtbl_numblks,
      shift,
      salt: (BigInt(high(block, 80)) << 32n) | BigInt(low(block, 80)),
      hashBits: header.zap_flags & ZAP_FLAG.hash64 ? 48n : 28n,
    };
  }

  /** @param exact names that differ in case are not one, though the directory was made for both ways */
  get(name: ByteString, exact = false): ZapEntry | undefined {
    if (this.normalisation === 0) return this.#find(name);
    let alike: ZapEntry | undefined;
    const key = this.#alike(name, exact);
    for (const entry of this.entries()) {
      if (entry.name === name) return entry;
      if (!alike && this.#alike(entry.name, exact) === key) alike = entry;
    }
    return alike;
  }

  /** The number that belongs to a name. @throws GuestError `corrupt` above 2^53-1 */
  count(name: ByteString): number | undefined {
    const entry = this.get(name);
    return entry && numberIn(entry);
  }

  #alike(name: ByteString, exact: boolean): string {
    const text = toUnicode(name);
    const form = this.normalisation & NORM.any;
    const normal = form === 0 ? text : text.normalize(form & NORM.compatible ? 'NFKC' : 'NFC');
    return this.normalisation & NORM.upper && !exact ? normal.toUpperCase() : normal;
  }

  #find(name: ByteString): ZapEntry | undefined {
    const fat = this.#fat;
    if (!fat) {
      for (const entry of this.#micro()) if (entry.name === name) return entry;
      return undefined;
    }
    const hash = this.#hash(name, fat);
    const leaf = this.#leaf(this.#pointer(Number(hash >> BigInt(64 - fat.shift)), fat), fat);
    const shift = fat.blockShift - 5;
    const slot = Number((hash >> BigInt(64 - shift - leaf.prefix)) & BigInt(2 ** shift - 1));
    const { u16, ZapEntry } = this.#dnode.pool.of(leaf.block.big);
    let chunk = u16.read(leaf.block.bytes, 48 + 2 * slot);
    for (let left = leaf.chunks; chunk !== CHUNK.end; left--) {
      this.#dnode.pool.ctx.budget.step();
      if (left === 0) throw corrupt('a cycle of ZAP entries');
      const at = this.#chunk(leaf, chunk, CHUNK.entry);
      const raw = ZapEntry.read(leaf.block.bytes, at);
      if (raw.le_name_numints === name.length + 1) {
        const entry = this.#entry(leaf, raw);
        if (entry.name === name) return entry;
      }
      chunk = raw.le_next;
    }
    return undefined;
  }

  #hash(name: ByteString, fat: Fat): bigint {
    const table = this.#dnode.pool.hashTable;
    let h = Number(fat.salt >> 32n);
    let l = Number(fat.salt & 0xffffffffn);
    for (const byte of toBytes(name)) {
      const i = 2 * ((l ^ byte) & 0xff);
      l = ((l >>> 8) | (h << 24)) ^ table[i + 1]!;
      h = (h >>> 8) ^ table[i]!;
    }
    const hash = (BigInt(h >>> 0) << 32n) | BigInt(l >>> 0);
    const rest = 64n - fat.hashBits;
    return (hash >> rest) << rest;
  }

  /** The table's entry: the number of a leaf's block. */
  #pointer(index: number, fat: Fat): number {
    if (fat.tableBlocks === 0) return number(this.#first, this.#first.bytes.length / 2 + 8 * index);
    const perBlock = 2 ** (fat.blockShift - 3);
    return number(this.#dnode.block(fat.tableAt + Math.floor(index / perBlock)), 8 * (index % perBlock));
  }

  #leaf(id: number, fat: Fat): Leaf {
    const block = this.#dnode.block(id);
    if (block.bytes.length !== 2 ** fat.blockShift)
      throw corrupt(`a ZAP leaf of ${block.bytes.length} bytes`);
    const { ZapLeaf } = this.#dnode.pool.of(block.big);
    const leaf = ZapLeaf.read(block.bytes);
    const kind = low(block, 0);
    if (high(block, 0) !== 0x80000000 || kind !== ZBT.leaf || leaf.lh_magic !== LEAF_MAGIC)
      throw corrupt(`block ${id} is not a ZAP leaf`);
    const slots = 2 ** (fat.blockShift - 5);
    if (leaf.lh_prefix_len > fat.shift || leaf.lh_prefix_len + fat.blockShift - 5 > 64)
      throw corrupt(`a ZAP leaf for ${leaf.lh_prefix_len} bits of 2^${fat.shift}`);
    return {
      block,
      prefix: leaf.lh_prefix_len,
      chunksAt: 48 + 2 * slots,
      chunks: Math.floor((block.bytes.length - 2 * slots) / ZAP_CHUNK) - 2,
    };
  }

  #chunk(leaf: Leaf, index: number, type: number): number {
    const at = leaf.chunksAt + ZAP_CHUNK * index;
    if (index >= leaf.chunks || leaf.block.bytes[at] !== type)
      throw corrupt(`chunk ${index} of ${leaf.chunks} in a ZAP leaf is none of type ${type}`);
    return at;
  }

  /** Bytes in a chain of chunks. */
  #array(leaf: Leaf, first: number, length: number): Buffer {
    const into = Buffer.allocUnsafe(length);
    const { u16 } = this.#dnode.pool.of(leaf.block.big);
    let chunk = first;
    for (let done = 0; done < length; done += CHUNK_BYTES) {
      const at = this.#chunk(leaf, chunk, CHUNK.array);
      leaf.block.bytes.copy(into, done, at + 1, at + 1 + Math.min(CHUNK_BYTES, length - done));
      chunk = u16.read(leaf.block.bytes, at + 1 + CHUNK_BYTES);
    }
    return into;
  }

  #entry(
    leaf: Leaf,
    raw: {
      le_value_intlen: number;
      le_name_chunk: number;
      le_name_numints: number;
      le_value_chunk: number;
      le_value_numints: number;
    },
  ): ZapEntry {
    const length = raw.le_value_intlen * raw.le_value_numints;
    if (raw.le_name_numints > NAME_MOST || raw.le_name_numints < 1 || length > VALUE_MOST)
      throw corrupt(`a ZAP entry with a name of ${raw.le_name_numints} bytes and ${length} bytes of value`);
    this.#dnode.pool.ctx.budget.step(1 + Math.ceil((raw.le_name_numints + length) / 256));
    // The name's zero byte is stored.
    const name = fromBytes(this.#array(leaf, raw.le_name_chunk, raw.le_name_numints).subarray(0, -1));
    const value = this.#array(leaf, raw.le_value_chunk, length);
    const whole = value.length >= 8 && raw.le_value_intlen === 8;
    return { name, value, high: whole ? value.readUInt32BE(0) : 0, low: whole ? value.readUInt32BE(4) : 0 };
  }

  *#micro(): Generator<ZapEntry> {
    const { bytes, big } = this.#first;
    for (let at = MICRO_HEADER; at + MICRO_ENTRY <= bytes.length; at += MICRO_ENTRY) {
      this.#dnode.pool.ctx.budget.step();
      const start = at + MICRO_NAME_AT;
      if (bytes[start] === 0) continue;
      const end = bytes.indexOf(0, start);
      if (end < 0 || end >= at + MICRO_ENTRY) throw corrupt(`a ZAP entry at ${at} whose name does not end`);
      const value = Buffer.from(bytes.subarray(at, at + 8));
      if (!big) value.swap64();
      yield {
        name: bytes.toString('latin1', start, end),
        value,
        high: value.readUInt32BE(0),
        low: value.readUInt32BE(4),
      };
    }
  }

  *entries(): Generator<ZapEntry> {
    const fat = this.#fat;
    if (!fat) {
      yield* this.#micro();
      return;
    }
    let last = -1;
    for (let index = 0; index < 2 ** fat.shift; index++) {
      this.#dnode.pool.ctx.budget.step();
      const id = this.#pointer(index, fat);
      // A leaf stands for as many pointers as its prefix has bits less than the table.
      if (id === last) continue;
      last = id;
      const leaf = this.#leaf(id, fat);
      const { ZapEntry } = this.#dnode.pool.of(leaf.block.big);
      for (let chunk = 0; chunk < leaf.chunks; chunk++) {
        const at = leaf.chunksAt + ZAP_CHUNK * chunk;
        if (leaf.block.bytes[at] === CHUNK.entry)
          yield this.#entry(leaf, ZapEntry.read(leaf.block.bytes, at));
      }
    }
  }
}
