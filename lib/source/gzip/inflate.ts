/**
 * Deflate (RFC 1951) that can stop after any byte of output and go on from there later: what `node:zlib` does not give
 * (its synchronous calls want a whole stream, and neither window nor bit position can be had from it).
 */
import type { Budget } from '../../bytes/budget';
import { corrupt } from '../../bytes/errors';

export const WINDOW = 32 * 1024;

const LENGTH_BASE = Uint16Array.of(
  ...[
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
  ],
);
const LENGTH_BITS = Uint8Array.of(
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
);
const DISTANCE_BASE = Uint16Array.of(
  ...[1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073],
  ...[4097, 6145, 8193, 12289, 16385, 24577],
);
const DISTANCE_BITS = Uint8Array.of(
  ...[0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13],
);
/** The order in which the lengths of the code-length code stand. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const MAX_BITS = 15;
const END_OF_BLOCK = 256;

/** One entry for each pattern of `log` bits: symbol << 4 | bits of its code; 0: no code. */
interface Code {
  readonly log: number;
  readonly table: Uint16Array;
}

/** RFC 1951, 3.2.2. Incomplete codes are taken only where zlib takes them: one symbol of one bit. */
function code(lengths: Uint8Array, what: string, mayBeIncomplete: boolean): Code {
  const count = new Uint16Array(MAX_BITS + 1);
  for (const length of lengths) count[length]!++;
  count[0] = 0;
  let log = MAX_BITS;
  while (log > 1 && count[log] === 0) log--;
  let left = 1;
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    left = left * 2 - count[bits]!;
    if (left < 0) throw corrupt(`deflate: too many ${what}`);
  }
  if (left > 0 && !(mayBeIncomplete && log === 1)) throw corrupt(`deflate: ${what} that leave gaps`);
  const next = new Uint16Array(MAX_BITS + 2);
  for (let bits = 1; bits <= MAX_BITS; bits++) next[bits + 1] = (next[bits]! + count[bits]!) << 1;
  const table = new Uint16Array(1 << log);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const bits = lengths[symbol]!;
    if (bits === 0) continue;
    let value = next[bits]!++;
    let reversed = 0;
    for (let i = 0; i < bits; i++, value >>= 1) reversed = (reversed << 1) | (value & 1);
    for (let at = reversed; at < table.length; at += 1 << bits) table[at] = (symbol << 4) | bits;
  }
  return { log, table };
}

let fixed: { readonly literals: Code; readonly distances: Code } | undefined;
/** RFC 1951, 3.2.6. A constant, made when it is first needed. */
function fixedCodes() {
  if (fixed) return fixed;
  const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
  fixed = {
    literals: code(lengths, 'literals', false),
    distances: code(new Uint8Array(32).fill(5), 'distances', false),
  };
  return fixed;
}

/** Where a decoder is: it goes on from here, given the window. */
export interface State {
  /** Bit of the input. */
  readonly bit: number;
  /** Bit at which the header of the block is that is being read; undefined between blocks. */
  readonly block: number | undefined;
  /** Bytes of a stored block, and of a match, that are still to come. */
  readonly stored: number;
  readonly match: number;
  readonly distance: number;
}

export const start = (bit: number): State => ({
  bit,
  block: undefined,
  stored: 0,
  match: 0,
  distance: 0,
});

/** Gives bytes of the input from a place on, at least one; none at its end. */
export type Input = (at: number) => Uint8Array;

export class Inflate {
  #bytes: Uint8Array = new Uint8Array(0);
  /** Place in the input of the first of `#bytes`. */
  #from = 0;
  /** Next byte of `#bytes`; bits of those before it that are not used yet. */
  #next = 0;
  #held = 0;
  #bits = 0;
  #block: number | undefined;
  #last = false;
  #stored = 0;
  #match = 0;
  #distance = 0;
  #literals: Code | undefined;
  #distances: Code | undefined;
  /** The stream's last block has ended. */
  ended = false;

  constructor(
    readonly input: Input,
    readonly budget: Budget,
    state: State,
  ) {
    this.#seek(state.block ?? state.bit);
    if (state.block !== undefined) {
      this.#header();
      this.#seek(state.bit);
    }
    this.#stored = state.stored;
    this.#match = state.match;
    this.#distance = state.distance;
  }

  get state(): State {
    return {
      bit: this.#place(),
      block: this.#block,
      stored: this.#stored,
      match: this.#match,
      distance: this.#distance,
    };
  }

  /** The first whole byte of the input behind what was used. */
  get place(): number {
    return Math.ceil(this.#place() / 8);
  }

  #place(): number {
    return (this.#from + this.#next) * 8 - this.#bits;
  }

  #seek(bit: number): void {
    this.#from = Math.floor(bit / 8);
    this.#bytes = new Uint8Array(0);
    this.#next = 0;
    this.#held = 0;
    this.#bits = 0;
    this.#take(bit % 8);
  }

  /** A byte more into the held bits. @throws GuestError when there is none */
  #more(): void {
    if (this.#next === this.#bytes.length) {
      this.#from += this.#next;
      this.#next = 0;
      this.#bytes = this.input(this.#from);
      if (this.#bytes.length === 0) throw corrupt(`deflate: the input ends at byte ${this.#from}`);
    }
    this.#held |= this.#bytes[this.#next++]! << this.#bits;
    this.#bits += 8;
  }

  /** @param count at most 16 */
  #take(count: number): number {
    while (this.#bits < count) this.#more();
    const value = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#bits -= count;
    return value;
  }

  #symbol({ log, table }: Code): number {
    for (;;) {
      const entry = table[this.#held & ((1 << log) - 1)]!;
      const bits = entry & 15;
      if (bits !== 0 && bits <= this.#bits) {
        this.#held >>>= bits;
        this.#bits -= bits;
        return entry >> 4;
      }
      if (this.#bits >= log) throw corrupt('deflate: a code that is none');
      this.#more();
    }
  }

  #header(): void {
    this.#block = this.#place();
    // A block costs its tables: 32,768 entries twice.
    this.budget.step(100);
    this.#last = this.#take(1) === 1;
    const type = this.#take(2);
    if (type === 0) {
      this.#take(this.#bits % 8);
      const length = this.#take(16);
      const check = this.#take(16);
      if ((length ^ check) !== 0xffff) throw corrupt('deflate: the length of a stored block');
      this.#stored = length;
      this.#literals = undefined;
      return;
    }
    if (type === 3) throw corrupt('deflate: a block of type 3');
    if (type === 1) {
      const codes = fixedCodes();
      this.#literals = codes.literals;
      this.#distances = codes.distances;
      return;
    }
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const orders = this.#take(4) + 4;
    if (literals > 286 || distances > 30) throw corrupt('deflate: too many symbols');
    const small = new Uint8Array(19);
    for (let i = 0; i < orders; i++) small[ORDER[i]!] = this.#take(3);
    const lengthCode = code(small, 'code lengths', false);
    const lengths = new Uint8Array(literals + distances);
    for (let i = 0; i < lengths.length; ) {
      const symbol = this.#symbol(lengthCode);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw corrupt('deflate: a repeated length without one before it');
      const value = symbol === 16 ? lengths[i - 1]! : 0;
      const times =
        symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (i + times > lengths.length) throw corrupt('deflate: too many code lengths');
      lengths.fill(value, i, i + times);
      i += times;
    }
    if (lengths[END_OF_BLOCK] === 0) throw corrupt('deflate: a block without an end');
    this.#literals = code(lengths.subarray(0, literals), 'literals', true);
    const used = lengths.subarray(literals);
    // No distances at all: a block of literals.
    this.#distances = used.some((l) => l !== 0)
      ? code(used, 'distances', true)
      : { log: 1, table: new Uint16Array(2) };
  }

  /**
   * Fills `out` from `at` to `end`, unless the stream ends before. What lies before `at` (from 0 on) is what came before.
   * @returns where it stopped
   */
  fill(out: Uint8Array, at: number, end: number): number {
    let p = at;
    while (p < end && !this.ended) {
      if (this.#match > 0) p = this.#copy(out, p, end);
      else if (this.#block === undefined) this.#header();
      else if (!this.#literals) p = this.#plain(out, p, end);
      else p = this.#codes(out, p, end);
    }
    return p;
  }

  #blockEnds(): void {
    this.#block = undefined;
    this.ended = this.#last;
  }

  #plain(out: Uint8Array, at: number, end: number): number {
    let p = at;
    while (this.#stored > 0 && p < end) {
      if (this.#bits > 0) {
        out[p++] = this.#take(8);
        this.#stored--;
        continue;
      }
      if (this.#next === this.#bytes.length) {
        this.#more();
        continue;
      }
      const count = Math.min(this.#stored, end - p, this.#bytes.length - this.#next);
      out.set(this.#bytes.subarray(this.#next, this.#next + count), p);
      this.#next += count;
      this.#stored -= count;
      p += count;
    }
    if (this.#stored === 0) this.#blockEnds();
    return p;
  }

  #copy(out: Uint8Array, at: number, end: number): number {
    const distance = this.#distance;
    if (distance > at) throw corrupt(`deflate: a match ${distance} bytes back, there are ${at}`);
    const count = Math.min(this.#match, end - at);
    this.#match -= count;
    copyMatch(out, at, distance, count);
    return at + count;
  }

  /** Literals and matches; as long as input and room are plenty, without looking at either's end. */
  #codes(out: Uint8Array, at: number, end: number): number {
    let p = at;
    while (p < end && this.#block !== undefined && this.#match === 0) {
      if (this.#bytes.length - this.#next >= FAST_INPUT && end - p >= FAST_OUTPUT)
        p = this.#fast(out, p, end);
      else p = this.#one(out, p, end);
    }
    return p;
  }

  #one(out: Uint8Array, at: number, end: number): number {
    const symbol = this.#symbol(this.#literals!);
    if (symbol < END_OF_BLOCK) {
      out[at] = symbol;
      return at + 1;
    }
    if (symbol === END_OF_BLOCK) {
      this.#blockEnds();
      return at;
    }
    const length = symbol - 257;
    if (length > 28) throw corrupt('deflate: a length that is none');
    this.#match = LENGTH_BASE[length]! + this.#take(LENGTH_BITS[length]!);
    const d = this.#symbol(this.#distances!);
    if (d > 29) throw corrupt('deflate: a distance that is none');
    this.#distance = DISTANCE_BASE[d]! + this.#take(DISTANCE_BITS[d]!);
    return this.#copy(out, at, end);
  }

  /** The same in local variables. Up to 31 bits are held; a length takes 20 at most, a distance 15 and 13. */
  #fast(out: Uint8Array, at: number, end: number): number {
    const { table: literals, log: literalLog } = this.#literals!;
    const { table: distances, log: distanceLog } = this.#distances!;
    const literalMask = (1 << literalLog) - 1;
    const distanceMask = (1 << distanceLog) - 1;
    const bytes = this.#bytes;
    const lastIn = bytes.length - FAST_INPUT;
    const lastOut = end - FAST_OUTPUT;
    let next = this.#next;
    let held = this.#held;
    let bits = this.#bits;
    let p = at;
    let ends = false;
    while (p <= lastOut && next <= lastIn) {
      while (bits < 24) {
        held |= bytes[next++]! << bits;
        bits += 8;
      }
      let entry = literals[held & literalMask]!;
      let used = entry & 15;
      if (used === 0) throw corrupt('deflate: a code that is none');
      held >>>= used;
      bits -= used;
      let symbol = entry >> 4;
      if (symbol < END_OF_BLOCK) {
        out[p++] = symbol;
        continue;
      }
      if (symbol === END_OF_BLOCK) {
        ends = true;
        break;
      }
      symbol -= 257;
      if (symbol > 28) throw corrupt('deflate: a length that is none');
      used = LENGTH_BITS[symbol]!;
      const length = LENGTH_BASE[symbol]! + (held & ((1 << used) - 1));
      held >>>= used;
      bits -= used;
      while (bits < 24) {
        held |= bytes[next++]! << bits;
        bits += 8;
      }
      entry = distances[held & distanceMask]!;
      used = entry & 15;
      symbol = entry >> 4;
      if (used === 0 || symbol > 29) throw corrupt('deflate: a distance that is none');
      held >>>= used;
      bits -= used;
      while (bits < 24) {
        held |= bytes[next++]! << bits;
        bits += 8;
      }
      used = DISTANCE_BITS[symbol]!;
      const distance = DISTANCE_BASE[symbol]! + (held & ((1 << used) - 1));
      held >>>= used;
      bits -= used;
      if (distance > p) throw corrupt(`deflate: a match ${distance} bytes back, there are ${p}`);
      if (length < 48) for (const stop = p + length; p < stop; p++) out[p] = out[p - distance]!;
      else {
        copyMatch(out, p, distance, length);
        p += length;
      }
    }
    // Whole bytes go back: the slow way may run out of input without having needed them.
    const back = Math.min(bits >> 3, next);
    this.#next = next - back;
    this.#bits = bits - back * 8;
    this.#held = held & ((1 << this.#bits) - 1);
    if (ends) this.#blockEnds();
    return p;
  }
}

/** Bytes of input that a length and a distance take at most, and bytes that they give. */
const FAST_INPUT = 12;
const FAST_OUTPUT = 258;

function copyMatch(out: Uint8Array, at: number, distance: number, count: number): void {
  if (distance === 1) out.fill(out[at - 1]!, at, at + count);
  else if (distance >= count) out.copyWithin(at, at - distance, at - distance + count);
  else for (let i = at; i < at + count; i++) out[i] = out[i - distance]!;
}
