/**
 * bzip2, piece by piece: blocks of up to 900 kB, each a Burrows-Wheeler transform, Huffman-coded, with a CRC-32 of its own.
 * Source: "BZIP2 Format Specification" (Joe Tsai, 2016); bzip2 1.0.8's manual for what it takes beyond that (selectors that are
 * too many, several streams one after the other).
 */
import { corrupt, unsupported } from '../errors';

const GROUP = 50;
const MOST_SELECTORS = 18002;
const MOST_BITS = 20;
const RUN_A = 0;
const RUN_B = 1;
/** Bytes of a piece. */
const PIECE = 256 * 1024;

/** CRC-32 with the highest bit first: polynomial 0x04c11db7. */
function crcTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let row = byte << 24;
    for (let bit = 0; bit < 8; bit++) row = row < 0 ? (row << 1) ^ 0x04c11db7 : row << 1;
    return row;
  });
}

/** Bits from the highest of each byte on. */
class Bits {
  #at = 0;
  #held = 0;
  #count = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** The next bits, zeros behind the end, without taking them. @param count at most 24 */
  peek(count: number): number {
    while (this.#count < count) {
      // What is above the held bits is cut off by the mask below.
      this.#held = (this.#held << 8) | (this.bytes[this.#at++] ?? 0);
      this.#count += 8;
    }
    return (this.#held >>> (this.#count - count)) & ((1 << count) - 1);
  }

  /** So many bits were used. @param count that was peeked at */
  skip(count: number): void {
    this.#count -= count;
    if (this.#at - (this.#count >> 3) > this.bytes.length)
      throw corrupt(`bzip2: the input ends after ${this.bytes.length} bytes`);
  }

  /** @param count 1 to 24 */
  take(count: number): number {
    const value = this.peek(count);
    this.skip(count);
    return value;
  }

  word(): number {
    return ((this.take(16) << 16) | this.take(16)) >>> 0;
  }

  /** To the next whole byte; what is left. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.#at - (this.#count >> 3));
  }
}

/** A canonical code. */
interface Code {
  /** By the next ten bits: symbol << 5 | bits of its code; 0 where it is longer. */
  readonly short: Uint16Array;
  /** By length: the last code, and what is to be subtracted for the place of the symbol. */
  readonly last: Int32Array;
  readonly base: Int32Array;
  readonly symbols: Uint16Array;
}

const SHORT = 10;

function codeOf(lengths: Uint8Array): Code {
  const short = new Uint16Array(1 << SHORT);
  const symbols = new Uint16Array(lengths.length);
  const last = new Int32Array(MOST_BITS + 1).fill(-1);
  const base = new Int32Array(MOST_BITS + 1);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= MOST_BITS; length++) {
    base[length] = code - place;
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      symbols[place++] = symbol;
      const unused = SHORT - length;
      if (unused >= 0 && code < 1 << length)
        short.fill((symbol << 5) | length, code << unused, (code + 1) << unused);
      code++;
    }
    last[length] = code - 1;
    code <<= 1;
  }
  return { short, last, base, symbols };
}

function symbolOf(bits: Bits, { short, last, base, symbols }: Code): number {
  const value = bits.peek(MOST_BITS);
  const entry = short[value >>> (MOST_BITS - SHORT)]!;
  if (entry !== 0) {
    bits.skip(entry & 31);
    return entry >> 5;
  }
  for (let length = 1; length <= MOST_BITS; length++) {
    const code = value >>> (MOST_BITS - length);
    if (code > last[length]!) continue;
    const symbol = symbols[code - base[length]!];
    if (symbol === undefined) break;
    bits.skip(length);
    return symbol;
  }
  throw corrupt('bzip2: a code that is none');
}

/** The codes of a block: up to six, of which each group of 50 symbols names one. */
function tables(bits: Bits, symbolCount: number): { codes: Code[]; selectors: Uint8Array } {
  const groups = bits.take(3);
  if (groups < 2 || groups > 6) throw corrupt(`bzip2: ${groups} codes`);
  const count = bits.take(15);
  if (count === 0) throw corrupt('bzip2: no selectors');
  const front = Array.from({ length: groups }, (_, i) => i);
  const selectors = new Uint8Array(Math.min(count, MOST_SELECTORS));
  for (let i = 0; i < count; i++) {
    let place = 0;
    while (bits.take(1) === 1) if (++place >= groups) throw corrupt(`bzip2: a selector above ${groups}`);
    const [one] = front.splice(place, 1);
    front.unshift(one!);
    if (i < selectors.length) selectors[i] = one!;
  }
  const codes: Code[] = [];
  for (let g = 0; g < groups; g++) {
    const lengths = new Uint8Array(symbolCount);
    let length = bits.take(5);
    for (let i = 0; i < symbolCount; i++) {
      for (;;) {
        if (length < 1 || length > MOST_BITS) throw corrupt(`bzip2: a code of ${length} bits`);
        if (bits.take(1) === 0) break;
        length += bits.take(1) === 0 ? 1 : -1;
      }
      lengths[i] = length;
    }
    codes.push(codeOf(lengths));
  }
  return { codes, selectors };
}

/** The symbols that occur, from a map of maps. */
function alphabet(bits: Bits): Uint8Array {
  const used = bits.take(16);
  const symbols: number[] = [];
  for (let row = 0; row < 16; row++) {
    if (!(used & (0x8000 >> row))) continue;
    const map = bits.take(16);
    for (let i = 0; i < 16; i++) if (map & (0x8000 >> i)) symbols.push(row * 16 + i);
  }
  if (symbols.length === 0) throw corrupt('bzip2: a block without symbols');
  return Uint8Array.from(symbols);
}

/** Undoes Huffman, runs and move-to-front: the transformed block. @returns its length */
function transformed(bits: Bits, into: Uint32Array, counts: Uint32Array): number {
  const front = alphabet(bits);
  const end = front.length + 1;
  const { codes, selectors } = tables(bits, front.length + 2);
  let at = 0;
  let run = 0;
  let weight = 1;
  let group = 0;
  let left = 0;
  let code = codes[0]!;
  for (;;) {
    if (left === 0) {
      if (group >= selectors.length) throw corrupt(`bzip2: more than ${selectors.length} groups`);
      code = codes[selectors[group++]!]!;
      left = GROUP;
    }
    left--;
    const symbol = symbolOf(bits, code);
    if (symbol === RUN_A || symbol === RUN_B) {
      if (weight > into.length) throw corrupt(`bzip2: a block of more than ${into.length} bytes`);
      run += weight << symbol;
      weight <<= 1;
      continue;
    }
    if (run > 0) {
      if (run > into.length - at) throw corrupt(`bzip2: a block of more than ${into.length} bytes`);
      const byte = front[0]!;
      into.fill(byte, at, at + run);
      counts[byte]! += run;
      at += run;
      run = 0;
      weight = 1;
    }
    if (symbol === end) return at;
    if (at >= into.length) throw corrupt(`bzip2: a block of more than ${into.length} bytes`);
    const byte = front[symbol - 1]!;
    front.copyWithin(1, 0, symbol - 1);
    front[0] = byte;
    into[at++] = byte;
    counts[byte]!++;
  }
}

/** Turns the bytes of `block` into a chain: each entry holds its byte, and above it the place of the next. */
function chain(block: Uint32Array, length: number, counts: Uint32Array): void {
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = counts[byte]!;
    counts[byte] = sum;
    sum += count;
  }
  for (let i = 0; i < length; i++) {
    const byte = block[i]! & 0xff;
    block[counts[byte]!++]! |= i << 8;
  }
}

/** Follows the chain and undoes the first stage: four equal bytes are followed by the number of further ones. */
class Runs {
  #left: number;
  #place: number;
  #same = 0;
  #last = -1;
  /** Of the byte before, still to be put out. */
  #times = 0;
  #sum = -1;

  constructor(
    readonly block: Uint32Array,
    first: number,
    length: number,
    readonly crc: Int32Array,
  ) {
    this.#left = length;
    this.#place = block[first]! >>> 8;
  }

  /** CRC-32 of what was put out. */
  get sum(): number {
    return ~this.#sum >>> 0;
  }

  /** @returns bytes put into `out`: all that there is room for, unless the block ends */
  fill(out: Uint8Array): number {
    const { block, crc } = this;
    const end = out.length;
    let left = this.#left;
    let place = this.#place;
    let same = this.#same;
    let last = this.#last;
    let times = this.#times;
    let sum = this.#sum;
    let at = 0;
    while (at < end) {
      if (times > 0) {
        times--;
        out[at++] = last;
        sum = (sum << 8) ^ crc[(sum >>> 24) ^ last]!;
        continue;
      }
      // A run that has ended does not count for the next.
      if (same === 5) {
        same = 0;
        last = -1;
      }
      if (left === 0) break;
      left--;
      const entry = block[place]!;
      const byte = entry & 0xff;
      place = entry >>> 8;
      if (same === 4) {
        times = byte;
        same = 5;
        continue;
      }
      same = byte === last ? same + 1 : 1;
      last = byte;
      out[at++] = byte;
      sum = (sum << 8) ^ crc[(sum >>> 24) ^ byte]!;
    }
    if (left === 0 && same === 4) throw corrupt('bzip2: a run without its length');
    this.#left = left;
    this.#place = place;
    this.#same = same;
    this.#last = last;
    this.#times = times;
    this.#sum = sum;
    return at;
  }
}

/**
 * All streams of `from`, one after the other; what is not one behind the last is not looked at, as bzip2 does.
 * A piece is valid until the next one is asked for.
 *
 * @param work is told of each block before it costs its tables: bytes
 * @throws GuestError `corrupt`; `unsupported` for randomised blocks, which no bzip2 since 0.9.5 (1999) makes
 */
export function* bzip2(from: Uint8Array, work: (bytes: number) => void): Generator<Uint8Array> {
  const crc = crcTable();
  const out = new Uint8Array(PIECE);
  let block = new Uint32Array(0);
  let rest = from;
  for (let streams = 0; ; streams++) {
    const level = rest.length >= 4 ? rest[3]! - 0x30 : 0;
    if (Buffer.from(rest.subarray(0, 3)).toString('latin1') !== 'BZh' || level < 1 || level > 9) {
      if (streams > 0) return;
      throw corrupt('bzip2: no header');
    }
    const room = level * 100_000;
    if (block.length < room) {
      work(room * 4);
      block = new Uint32Array(room);
    }
    const space = block.subarray(0, room);
    const bits = new Bits(rest.subarray(4));
    let all = 0;
    for (;;) {
      const magic = bits.take(24) * 0x1000000 + bits.take(24);
      if (magic === 0x177245385090) break;
      if (magic !== 0x314159265359) throw corrupt('bzip2: neither a block nor the end of the stream');
      // A short block, too, costs its tables.
      work(64 * 1024);
      const wanted = bits.word();
      if (bits.take(1) === 1) throw unsupported('bzip2: a randomised block (bzip2 before 0.9.5)');
      const first = bits.take(24);
      const counts = new Uint32Array(256);
      const length = transformed(bits, space, counts);
      if (first >= length) throw corrupt(`bzip2: the block begins at ${first} of ${length}`);
      work(length);
      chain(space, length, counts);
      const runs = new Runs(space, first, length, crc);
      for (let count = PIECE; count === PIECE; ) {
        work(PIECE);
        count = runs.fill(out);
        if (count > 0) yield out.subarray(0, count);
      }
      if (runs.sum !== wanted) throw corrupt('bzip2: check of a block');
      all = ((all << 1) | (all >>> 31)) ^ wanted;
    }
    if (bits.word() !== all >>> 0) throw corrupt('bzip2: check of the stream');
    rest = bits.rest();
  }
}
