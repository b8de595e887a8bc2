/**
 * Zstandard (RFC 8878): by node:zlib where it has it (Node 22.15, 23.8), else by the decoder here.
 *
 * Ours and not the package fzstd, which was tried (0.1.1): it does not check lengths and distances against the output, so
 * that a damaged block of 100 kB may keep it busy for minutes. The README has the comparison.
 */
import { corrupt, GuestError, unsupported } from '../errors';
import { xxh64 } from '../xxhash';
import { copyMatch } from './copy';
import { full } from './full';

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const BLOCK_MAX = 128 * 1024;
/** What the zstd tools and Node accept without being told: 128 MiB. No memory is taken for it here. */
const WINDOW_MAX = 2 ** 27;

const ends = (): Error => corrupt('zstd: the input ends inside a frame');
const broken = (what: string): Error => corrupt(`zstd: ${what}`);

const u16 = (b: Uint8Array, p: number): number => b[p]! | (b[p + 1]! << 8);
const u24 = (b: Uint8Array, p: number): number => b[p]! | (b[p + 1]! << 8) | (b[p + 2]! << 16);
const u32 = (b: Uint8Array, p: number): number => (u24(b, p) | (b[p + 3]! << 24)) >>> 0;

interface Frame {
  /** Where the first block's header is. */
  readonly blocks: number;
  /** Bytes of the output, if the frame says so. */
  readonly size: number | undefined;
  readonly checked: boolean;
  /** The largest block's output. */
  readonly blockMax: number;
}

/** RFC 8878, 3.1.1.1. `at` is the magic's place. */
function frameHeader(from: Uint8Array, at: number): Frame {
  let p = at + 4;
  if (p >= from.length) throw ends();
  const flags = from[p++]!;
  if (flags & 8) throw broken(`reserved bit in frame flags 0x${flags.toString(16)}`);
  const single = (flags & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3]!;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][flags >> 6]!;
  if (p + (single ? 0 : 1) + dictionaryBytes + sizeBytes > from.length) throw ends();
  let window = 0;
  if (!single) {
    const byte = from[p++]!;
    const base = 2 ** (10 + (byte >> 3));
    window = base + (base / 8) * (byte & 7);
  }
  for (let i = 0; i < dictionaryBytes; i++) if (from[p++] !== 0) throw unsupported('zstd with a dictionary');
  let size: number | undefined;
  if (sizeBytes === 1) size = from[p]!;
  else if (sizeBytes === 2) size = u16(from, p) + 256;
  else if (sizeBytes === 4) size = u32(from, p);
  else if (sizeBytes === 8) size = u32(from, p) + u32(from, p + 4) * 2 ** 32;
  p += sizeBytes;
  if (single) window = size!;
  if (!single && window > WINDOW_MAX) throw unsupported(`zstd window of ${window} bytes`);
  return { blocks: p, size, checked: (flags & 4) !== 0, blockMax: Math.min(window, BLOCK_MAX) };
}

/** The place behind a frame, by its blocks' headers alone. */
function frameEnd(from: Uint8Array, frame: Frame): number {
  let p = frame.blocks;
  for (let last = false; !last; ) {
    if (p + 3 > from.length) throw ends();
    const header = u24(from, p);
    last = (header & 1) !== 0;
    p += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3);
  }
  if (frame.checked) p += 4;
  if (p > from.length) throw ends();
  return p;
}

/** Node takes no frame that is cut, of which a beginning may be wanted. */
function isWhole(from: Uint8Array, frame: Frame): boolean {
  try {
    frameEnd(from, frame);
    return true;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}

// --- Entropy tables ---------------------------------------------------------------------------------------------------

/** One entry a state: symbol, bits to read << 8, what they are added to << 16. */
interface Fse {
  readonly log: number;
  readonly table: Int32Array;
}

/** RFC 8878, 4.1.1: from the probability of each symbol, -1 for "less than one". */
function fse(frequencies: readonly number[], log: number): Fse {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(frequencies.length);
  let high = size;
  for (const [symbol, f] of frequencies.entries()) {
    if (f === -1) symbols[--high] = symbol;
    next[symbol] = f === -1 ? 1 : f;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let place = 0;
  for (const [symbol, f] of frequencies.entries()) {
    for (let i = 0; i < f; i++) {
      symbols[place] = symbol;
      do place = (place + step) & (size - 1);
      while (place >= high);
    }
  }
  const table = new Int32Array(size);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state]!;
    const n = next[symbol]!;
    next[symbol] = n + 1;
    const bits = log - (31 - Math.clz32(n));
    table[state] = symbol | (bits << 8) | (((n << bits) - size) << 16);
  }
  return { log, table };
}

const oneSymbol = (symbol: number): Fse => ({ log: 0, table: Int32Array.of(symbol) });

/** RFC 8878, 4.1.1: a table's description in [at, end); gives the table and the place behind it. */
function readFse(
  from: Uint8Array,
  at: number,
  end: number,
  maxLog: number,
  maxSymbol: number,
): { readonly fse: Fse; readonly end: number } {
  if (at >= end) throw ends();
  const log = (from[at]! & 15) + 5;
  if (log > maxLog) throw broken(`an FSE table of ${log} bits, at most ${maxLog}`);
  let bit = at * 8 + 4;
  const peek = (bits: number): number => (u24(from, bit >> 3) >> (bit & 7)) & ((1 << bits) - 1);
  const frequencies: number[] = [];
  let left = 1 << log;
  while (left > 0) {
    if (frequencies.length > maxSymbol) throw broken('an FSE table with too many symbols');
    if (bit >= end * 8) throw ends();
    // A value from 0 to left + 1; the small ones take a bit less.
    const bits = 32 - Math.clz32(left + 1);
    const short = (1 << bits) - 1 - (left + 1);
    let value = peek(bits);
    const low = value & ((1 << (bits - 1)) - 1);
    if (low < short) {
      value = low;
      bit += bits - 1;
    } else {
      if (value >= 1 << (bits - 1)) value -= short;
      bit += bits;
    }
    const f = value - 1;
    left -= Math.abs(f);
    frequencies.push(f);
    for (let repeat = f === 0 ? 3 : 0; repeat === 3; ) {
      repeat = peek(2);
      bit += 2;
      if (bit > end * 8) throw ends();
      for (let i = 0; i < repeat; i++) frequencies.push(0);
    }
  }
  if (left < 0 || frequencies.length > maxSymbol + 1) throw broken('an FSE table that does not add up');
  const done = (bit + 7) >> 3;
  if (done > end) throw ends();
  return { fse: fse(frequencies, log), end: done };
}

/** One entry for each pattern of `log` bits: symbol, and bits of its code << 8. */
interface Huffman {
  readonly log: number;
  readonly table: Uint16Array;
}

const HUFFMAN_MAX = 11;

/** Where a backward stream's bits end: behind them stands a one, then zeros up to the byte. */
function lastBit(from: Uint8Array, start: number, end: number): number {
  const byte = end > start ? from[end - 1]! : 0;
  if (byte === 0) throw broken('a bit stream without an end');
  return (end - 1 - start) * 8 + 31 - Math.clz32(byte);
}

/** The weights as two interleaved FSE streams; they end where the bits do. RFC 8878, 4.2.1.2. */
function huffmanWeights(from: Uint8Array, at: number, end: number): number[] {
  const { fse: table, end: start } = readFse(from, at, end, 6, HUFFMAN_MAX + 1);
  let bit = lastBit(from, start, end);
  /** Bits before the stream's beginning read as zeros. */
  const take = (count: number): number => {
    bit -= count;
    if (bit >= 0) return (u24(from, start + (bit >> 3)) >> (bit & 7)) & ((1 << count) - 1);
    return bit + count <= 0 ? 0 : (from[start]! & ((1 << (bit + count)) - 1)) << -bit;
  };
  const weights: number[] = [];
  const states = [take(table.log), take(table.log)];
  if (bit < 0) throw broken('Huffman weights without bits');
  for (let turn = 0; weights.length < 255; turn ^= 1) {
    const entry = table.table[states[turn]!]!;
    weights.push(entry & 0xff);
    const bits = (entry >> 8) & 0xff;
    states[turn] = (entry >> 16) + take(bits);
    if (bit < 0) {
      weights.push(table.table[states[turn ^ 1]!]! & 0xff);
      return weights;
    }
  }
  throw broken('more than 255 Huffman weights');
}

/** RFC 8878, 4.2.1. */
function readHuffman(
  from: Uint8Array,
  at: number,
  end: number,
): { readonly huffman: Huffman; readonly end: number } {
  if (at >= end) throw ends();
  const head = from[at]!;
  const done = at + 1 + (head < 128 ? head : (head - 126) >> 1);
  if (done > end) throw ends();
  const weights =
    head < 128
      ? huffmanWeights(from, at + 1, done)
      : Array.from({ length: head - 127 }, (_, i) => {
          const byte = from[at + 1 + (i >> 1)]!;
          return i & 1 ? byte & 15 : byte >> 4;
        });
  let sum = 0;
  for (const w of weights) {
    if (w > HUFFMAN_MAX) throw broken(`Huffman weight ${w}`);
    sum += w > 0 ? 1 << (w - 1) : 0;
  }
  if (sum === 0) throw broken('no Huffman weights');
  // The last symbol's weight is not stored: it fills the rest up to a power of two.
  const log = 32 - Math.clz32(sum);
  const rest = (1 << log) - sum;
  if (log > HUFFMAN_MAX || (rest & (rest - 1)) !== 0) throw broken('Huffman weights that do not add up');
  weights.push(32 - Math.clz32(rest));
  if (weights.length > 256) throw broken('more than 256 Huffman weights');

  const table = new Uint16Array(1 << log);
  let place = 0;
  for (let w = 1; w <= log; w++) {
    for (const [symbol, weight] of weights.entries()) {
      if (weight !== w) continue;
      const entries = 1 << (w - 1);
      table.fill(symbol | ((log + 1 - w) << 8), place, place + entries);
      place += entries;
    }
  }
  return { huffman: { log, table }, end: done };
}

/** One Huffman stream in [start, end) into [at, stop) of `into`, which it must fill exactly. */
function huffmanStream(
  huffman: Huffman,
  from: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
  stop: number,
): void {
  const { log, table } = huffman;
  const mask = (1 << log) - 1;
  let bit = lastBit(from, start, end) - log;
  let p = at;
  // Three bytes hold 11 bits wherever they begin; above the stream's bits they are masked away.
  for (; p < stop && bit >= 0; p++) {
    const i = start + (bit >> 3);
    const entry = table[((from[i]! | (from[i + 1]! << 8) | (from[i + 2]! << 16)) >> (bit & 7)) & mask]!;
    into[p] = entry;
    bit -= entry >> 8;
  }
  // Near the beginning: bits before it read as zeros.
  for (; p < stop; p++) {
    if (bit <= -log) throw broken('a Huffman stream that ends early');
    const entry = table[(u16(from, start) << -bit) & mask]!;
    into[p] = entry;
    bit -= entry >> 8;
  }
  if (bit !== -log) throw broken('a Huffman stream that is longer than its output');
}

// --- Blocks -----------------------------------------------------------------------------------------------------------

/** Base value and extra bits of a length's code. */
interface LengthCodes {
  readonly base: Int32Array;
  readonly bits: Uint8Array;
}

function lengthCodes(direct: number, first: number, bits: readonly number[]): LengthCodes {
  const all = [...new Array<number>(direct).fill(0), ...bits];
  let value = first;
  const base = all.map((b) => {
    const here = value;
    value += 2 ** b;
    return here;
  });
  return { base: Int32Array.from(base), bits: Uint8Array.from(all) };
}

interface Tables {
  readonly literalLengths: LengthCodes;
  readonly matchLengths: LengthCodes;
  /** For literal lengths, offsets, match lengths: RFC 8878, appendix A. */
  readonly standard: readonly [Fse, Fse, Fse];
}

function makeTables(): Tables {
  const times = (n: number, value: number): number[] => new Array<number>(n).fill(value);
  const literal = [4, 3, ...times(11, 2), 1, 1, 1, ...times(9, 2), 3, 2, ...times(5, 1), ...times(4, -1)];
  const offset = [...times(6, 1), 2, 2, 2, ...times(15, 1), ...times(5, -1)];
  const match = [1, 4, 3, ...times(6, 2), ...times(37, 1), ...times(7, -1)];
  const upTo16 = Array.from({ length: 11 }, (_, i) => i + 6);
  return {
    literalLengths: lengthCodes(16, 0, [1, 1, 1, 1, 2, 2, 3, 3, 4, ...upTo16]),
    matchLengths: lengthCodes(32, 3, [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, ...upTo16.slice(1)]),
    standard: [fse(literal, 6), fse(offset, 5), fse(match, 6)],
  };
}

/** Largest code and largest table of literal lengths, offsets and match lengths. */
const MOST = [
  { symbol: 35, log: 9 },
  { symbol: 31, log: 8 },
  { symbol: 52, log: 9 },
] as const;

/** What lives from block to block of a frame. */
class FrameState {
  huffman: Huffman | undefined;
  fse: [Fse | undefined, Fse | undefined, Fse | undefined] = [undefined, undefined, undefined];
  offset1 = 1;
  offset2 = 4;
  offset3 = 8;
}

/**
 * At most 24 bits of the backward stream at `origin`, from bit `bit` on. Before the stream's beginning it gives
 * something: the caller looks at `bit` once a sequence. A function of its own arguments alone: as a closure that moves
 * `bit` it took half as long again.
 */
function bitsAt(from: Uint8Array, origin: number, bit: number, count: number): number {
  const i = origin + (bit >> 3);
  const word = from[i]! | (from[i + 1]! << 8) | (from[i + 2]! << 16) | (from[i + 3]! << 24);
  return (word >>> (bit & 7)) & ((1 << count) - 1);
}

class Decoder {
  readonly #from: Uint8Array;
  readonly #into: Uint8Array;
  readonly #partial: boolean;
  #tables: Tables | undefined;
  #scratch: Uint8Array | undefined;

  constructor(from: Uint8Array, into: Uint8Array, partial: boolean) {
    this.#from = from;
    this.#into = into;
    this.#partial = partial;
  }

  /** One frame to byte `begin` of the output; gives the place behind what it made. */
  frame(frame: Frame, begin: number): number {
    const from = this.#from;
    const into = this.#into;
    const state = new FrameState();
    let p = frame.blocks;
    let at = begin;
    for (let last = false; !last; ) {
      if (p + 3 > from.length) throw ends();
      const header = u24(from, p);
      p += 3;
      last = (header & 1) !== 0;
      const kind = (header >> 1) & 3;
      const size = header >> 3;
      if (size > frame.blockMax) throw broken(`a block of ${size} bytes, at most ${frame.blockMax}`);
      const stored = kind === 1 ? 1 : size;
      if (stored > from.length - p) throw ends();
      if (kind === 3) throw broken('a block of the reserved kind');
      if (kind === 2) at = this.#block(p, p + size, begin, at, frame.blockMax, state);
      else {
        const length = this.#room(at, size);
        if (kind === 0) into.set(from.subarray(p, p + length), at);
        else into.fill(from[p]!, at, at + length);
        at += length;
      }
      p += stored;
      if (this.#partial && at === into.length) return at;
    }
    if (frame.size !== undefined && at - begin !== frame.size)
      throw broken(`a frame gives ${at - begin} bytes, its header says ${frame.size}`);
    if (frame.checked) {
      if (p + 4 > from.length) throw ends();
      if (xxh64(into.subarray(begin, at)).low !== u32(from, p)) throw broken('checksum of the content');
    }
    return at;
  }

  /** `length`, or as much as `into` still takes when only the beginning is wanted. */
  #room(at: number, length: number): number {
    const room = this.#into.length - at;
    if (length <= room) return length;
    if (this.#partial) return room;
    throw full('zstd', this.#into.length);
  }

  /** RFC 8878, 3.1.1.3: literals, then sequences of "so many literals, then a match". */
  #block(
    start: number,
    end: number,
    floor: number,
    begin: number,
    blockMax: number,
    state: FrameState,
  ): number {
    const from = this.#from;
    const into = this.#into;
    if (start >= end) throw ends();

    // Literals section.
    let p = start;
    const b0 = from[p]!;
    const kind = b0 & 3;
    const format = (b0 >> 2) & 3;
    let literals: Uint8Array;
    let literal = 0;
    let literalEnd: number;
    if (kind < 2) {
      const headerSize = [1, 2, 1, 3][format]!;
      if (p + headerSize > end) throw ends();
      const count = headerSize === 1 ? b0 >> 3 : headerSize === 2 ? u16(from, p) >> 4 : u24(from, p) >> 4;
      if (count > blockMax) throw broken(`${count} literals in a block of at most ${blockMax}`);
      p += headerSize;
      if (kind === 0) {
        if (count > end - p) throw ends();
        literals = from;
        literal = p;
        p += count;
      } else {
        if (p >= end) throw ends();
        literals = this.#literals().fill(from[p++]!, 0, count);
      }
      literalEnd = literal + count;
    } else {
      const headerSize = [3, 3, 4, 5][format]!;
      if (p + headerSize > end) throw ends();
      const bits = [10, 10, 14, 18][format]!;
      // Up to 36 bits above the four of kind and format.
      const number =
        u24(from, p) +
        (headerSize > 3 ? from[p + 3]! * 2 ** 24 : 0) +
        (headerSize > 4 ? from[p + 4]! * 2 ** 32 : 0);
      const sizes = Math.floor(number / 16);
      const count = sizes % 2 ** bits;
      const packed = Math.floor(sizes / 2 ** bits);
      if (count > blockMax) throw broken(`${count} literals in a block of at most ${blockMax}`);
      p += headerSize;
      if (packed > end - p) throw ends();
      const packedEnd = p + packed;
      if (kind === 2) {
        const read = readHuffman(from, p, packedEnd);
        state.huffman = read.huffman;
        p = read.end;
      }
      const { huffman } = state;
      if (!huffman) throw broken('literals without a Huffman table');
      literals = this.#literals();
      if (format === 0) huffmanStream(huffman, from, p, packedEnd, literals, 0, count);
      else {
        if (p + 6 > packedEnd) throw ends();
        const part = (count + 3) >> 2;
        let streamStart = p + 6;
        for (let i = 0; i < 4; i++) {
          const streamEnd = i < 3 ? streamStart + u16(from, p + 2 * i) : packedEnd;
          if (streamEnd > packedEnd || part * 3 > count) throw ends();
          const stop = i < 3 ? (i + 1) * part : count;
          huffmanStream(huffman, from, streamStart, streamEnd, literals, i * part, stop);
          streamStart = streamEnd;
        }
      }
      p = packedEnd;
      literalEnd = count;
    }

    // Sequences section.
    if (p >= end) throw ends();
    let sequences = from[p++]!;
    if (sequences >= 128) {
      const more = sequences === 255 ? 2 : 1;
      if (p + more > end) throw ends();
      sequences = more === 2 ? u16(from, p) + 0x7f00 : ((sequences - 128) << 8) + from[p]!;
      p += more;
    }
    let at = begin;
    /** A block makes no more than this, whatever its sequences say. */
    const blockEnd = begin + blockMax;
    if (sequences > 0) {
      if (p >= end) throw ends();
      const modes = from[p++]!;
      if (modes & 3) throw broken(`reserved bits in sequence modes 0x${modes.toString(16)}`);
      this.#tables ??= makeTables();
      const { literalLengths, matchLengths, standard } = this.#tables;
      for (const i of [0, 1, 2] as const) {
        const mode = (modes >> (6 - 2 * i)) & 3;
        const most = MOST[i];
        if (mode === 0) state.fse[i] = standard[i];
        else if (mode === 1) {
          if (p >= end) throw ends();
          if (from[p]! > most.symbol) throw broken(`sequence code ${from[p]}, at most ${most.symbol}`);
          state.fse[i] = oneSymbol(from[p++]!);
        } else if (mode === 2) {
          const read = readFse(from, p, end, most.log, most.symbol);
          state.fse[i] = read.fse;
          p = read.end;
        } else if (!state.fse[i]) throw broken('a sequence table repeated before the first');
      }
      const [lTable, oTable, mTable] = state.fse.map((f) => f!.table) as [Int32Array, Int32Array, Int32Array];
      const [lLog, oLog, mLog] = state.fse.map((f) => f!.log) as [number, number, number];
      const lBase = literalLengths.base;
      const lBits = literalLengths.bits;
      const mBase = matchLengths.base;
      const mBits = matchLengths.bits;
      let { offset1, offset2, offset3 } = state;
      let bit = lastBit(from, p, end);
      const origin = p;
      bit -= lLog;
      let lState = bitsAt(from, origin, bit, lLog);
      bit -= oLog;
      let oState = bitsAt(from, origin, bit, oLog);
      bit -= mLog;
      let mState = bitsAt(from, origin, bit, mLog);
      for (let left = sequences; ; ) {
        const lEntry = lTable[lState]!;
        const oEntry = oTable[oState]!;
        const mEntry = mTable[mState]!;
        const oCode = oEntry & 0xff;
        const lCode = lEntry & 0xff;
        const mCode = mEntry & 0xff;
        let offset = 2 ** oCode;
        if (oCode > 24) {
          bit -= oCode - 24;
          offset += bitsAt(from, origin, bit, oCode - 24) * 2 ** 24;
          bit -= 24;
          offset += bitsAt(from, origin, bit, 24);
        } else {
          bit -= oCode;
          offset += bitsAt(from, origin, bit, oCode);
        }
        const mMore = mBits[mCode]!;
        bit -= mMore;
        let length = mBase[mCode]! + bitsAt(from, origin, bit, mMore);
        const lMore = lBits[lCode]!;
        bit -= lMore;
        let count = lBase[lCode]! + bitsAt(from, origin, bit, lMore);
        if (bit < 0) throw broken('sequences that end early');
        if (offset > 3) {
          offset -= 3;
          offset3 = offset2;
          offset2 = offset1;
          offset1 = offset;
        } else {
          // One of the last three; without literals before it the first makes no sense, and all move up by one.
          const which = offset + (count === 0 ? 1 : 0);
          if (which === 1) offset = offset1;
          else {
            offset = which === 2 ? offset2 : which === 3 ? offset3 : offset1 - 1;
            if (which !== 2) offset3 = offset2;
            offset2 = offset1;
            offset1 = offset;
          }
        }
        if (count > literalEnd - literal) throw broken(`${count} literals, ${literalEnd - literal} are left`);
        if (count + length > blockEnd - at) throw broken(`a block of more than ${blockMax} bytes`);
        const room = into.length - at;
        if (count + length > room) {
          if (!this.#partial) throw full('zstd', into.length);
          count = Math.min(count, room);
          length = Math.min(length, room - count);
        }
        if (count < 32) for (let i = 0; i < count; i++) into[at++] = literals[literal++]!;
        else {
          into.set(literals.subarray(literal, literal + count), at);
          at += count;
          literal += count;
        }
        // The output may be full with the match still to come.
        if (this.#partial && at === into.length) return at;
        if (offset < 1 || offset > at - floor)
          throw broken(`distance ${offset} at byte ${at - floor} of the frame`);
        at = copyMatch(into, at, offset, length);
        if (this.#partial && at === into.length) return at;
        if (--left === 0) break;
        const lNext = (lEntry >> 8) & 0xff;
        bit -= lNext;
        lState = (lEntry >> 16) + bitsAt(from, origin, bit, lNext);
        const mNext = (mEntry >> 8) & 0xff;
        bit -= mNext;
        mState = (mEntry >> 16) + bitsAt(from, origin, bit, mNext);
        const oNext = (oEntry >> 8) & 0xff;
        bit -= oNext;
        oState = (oEntry >> 16) + bitsAt(from, origin, bit, oNext);
      }
      if (bit !== 0) throw broken(`${bit} bits behind the last sequence`);
      state.offset1 = offset1;
      state.offset2 = offset2;
      state.offset3 = offset3;
    } else if (p !== end) throw broken('bytes behind a block without sequences');

    const rest = literalEnd - literal;
    if (rest > blockEnd - at) throw broken(`a block of more than ${blockMax} bytes`);
    const length = this.#room(at, rest);
    into.set(literals.subarray(literal, literal + length), at);
    return at + length;
  }

  #literals(): Uint8Array {
    this.#scratch ??= new Uint8Array(BLOCK_MAX);
    return this.#scratch;
  }
}

type NativeZstd = (data: Uint8Array, options: { maxOutputLength: number; chunkSize: number }) => Buffer;

function native(): NativeZstd | undefined {
  return (require('node:zlib') as { zstdDecompressSync?: NativeZstd }).zstdDecompressSync;
}

/**
 * One frame by Node; gives the place behind what it made.
 * @param partial of more output than there is room for the beginning is enough: undefined then, and our own decoder makes it
 */
function nativeFrame(
  decompress: NativeZstd,
  from: Uint8Array,
  into: Uint8Array,
  at: number,
  partial: boolean,
): number | undefined {
  const room = into.length - at;
  let out: Buffer;
  try {
    out = decompress(from, { maxOutputLength: Math.max(1, room), chunkSize: Math.max(64, room + 1) });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_INVALID_ARG_TYPE' || code === 'ERR_INVALID_ARG_VALUE') throw error;
    // Also where the data is bad: our own decoder may have what is wanted before it gets there.
    if (partial) return undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw full('zstd', into.length);
    throw corrupt(`zstd: ${message}`);
  }
  if (out.length > room && partial) return undefined;
  if (out.length > room) throw full('zstd', into.length);
  into.set(out, at);
  return at + out.length;
}

export interface ZstdOptions {
  /** The beginning is enough: decoding ends when `into` is full. */
  readonly partial?: boolean;
  /** For tests: our own decoder even where Node has one. */
  readonly own?: boolean;
}

/**
 * All frames of `from`, one after the other; skippable ones are skipped, zeros behind the last one are padding.
 *
 * @returns bytes written into `into`
 * @throws GuestError `corrupt`: bad data, a wrong checksum, or (unless `partial`) more output than `into` holds;
 *   `unsupported`: a dictionary, a window of more than 128 MiB
 */
export function zstd(from: Uint8Array, into: Uint8Array, options: ZstdOptions = {}): number {
  const partial = options.partial === true;
  const decompress = options.own ? undefined : native();
  let decoder = decompress ? undefined : new Decoder(from, into, partial);
  let at = 0;
  let p = 0;
  let frames = 0;
  while (p < from.length) {
    const magic = p + 4 <= from.length ? u32(from, p) : undefined;
    if (magic === MAGIC) {
      const frame = frameHeader(from, p);
      if (frame.size !== undefined && frame.size > into.length - at && !partial)
        throw full('zstd', into.length);
      let made: number | undefined;
      if (decompress && (!partial || ((frame.size ?? 0) <= into.length - at && isWhole(from, frame))))
        made = nativeFrame(decompress, from.subarray(p, frameEnd(from, frame)), into, at, partial);
      if (made === undefined) {
        decoder ??= new Decoder(from, into, partial);
        made = decoder.frame(frame, at);
      }
      at = made;
      if (partial && at === into.length) return at;
      p = frameEnd(from, frame);
      frames++;
    } else if (magic !== undefined && (magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
      if (p + 8 > from.length) throw ends();
      p += 8 + u32(from, p + 4);
      if (p > from.length) throw ends();
    } else {
      if (frames === 0 || from.subarray(p).some((b) => b !== 0)) throw broken(`no frame at byte ${p}`);
      return at;
    }
  }
  if (frames === 0) throw ends();
  return at;
}
