/**
 * XXH64, of zstd's frames (its low half) and of btrfs. Source: xxHash, doc/xxhash_spec.md.
 *
 * In 32-bit halves: BigInt takes ten times as long.
 */

/** A 64-bit number in two halves, both as unsigned 32-bit numbers. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

/** The arithmetic's result register: a call can give back only one number. */
class Word {
  h = 0;
  l = 0;

  set(h: number, l: number): void {
    this.h = h | 0;
    this.l = l | 0;
  }

  add(h: number, l: number): void {
    const low = (this.l >>> 0) + (l >>> 0);
    this.h = (this.h + h + (low > 0xffffffff ? 1 : 0)) | 0;
    this.l = low | 0;
  }

  multiply(h: number, l: number): void {
    const a = this.l & 0xffff;
    const b = this.l >>> 16;
    const c = l & 0xffff;
    const d = l >>> 16;
    // The product of the low halves in full; each partial product is below 2^32.
    const low = a * c;
    const middle = b * c + (low >>> 16);
    const middle2 = a * d + (middle % 0x10000);
    const carried = b * d + Math.floor(middle / 0x10000) + Math.floor(middle2 / 0x10000);
    this.h = (carried + Math.imul(this.l, h) + Math.imul(this.h, l)) | 0;
    this.l = (low & 0xffff) | (middle2 << 16);
  }

  rotate(bits: number): void {
    const { h, l } = this;
    if (bits < 32) {
      this.h = (h << bits) | (l >>> (32 - bits));
      this.l = (l << bits) | (h >>> (32 - bits));
    } else if (bits === 32) {
      this.h = l;
      this.l = h;
    } else {
      this.h = (l << (bits - 32)) | (h >>> (64 - bits));
      this.l = (h << (bits - 32)) | (l >>> (64 - bits));
    }
  }

  xor(h: number, l: number): void {
    this.h ^= h;
    this.l ^= l;
  }

  /** x ^= x >> bits, for 0 < bits < 64. */
  fold(bits: number): void {
    if (bits < 32) this.xor(this.h >>> bits, (this.l >>> bits) | (this.h << (32 - bits)));
    else this.xor(0, bits === 32 ? this.h : this.h >>> (bits - 32));
  }
}

const P1H = 0x9e3779b1;
const P1L = 0x85ebca87;
const P2H = 0xc2b2ae3d;
const P2L = 0x27d4eb4f;
const P3H = 0x165667b1;
const P3L = 0x9e3779f9;
const P4H = 0x85ebca77;
const P4L = 0xc2b2ae63;
const P5H = 0x27d4eb2f;
const P5L = 0x165667c5;

/** @param seed the low 32 bits of the seed */
export function xxh64(data: Uint8Array, seed = 0): Hash64 {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const word = new Word();
  let p = 0;

  /** One lane: (accumulator + lane × P2) rotated by 31, × P1. */
  const round = (h: number, l: number, at: number): void => {
    word.set(view.getInt32(at + 4, true), view.getInt32(at, true));
    word.multiply(P2H, P2L);
    word.add(h, l);
    word.rotate(31);
    word.multiply(P1H, P1L);
  };

  let h: number;
  let l: number;
  if (data.length >= 32) {
    const lanes = Array.from({ length: 4 }, () => new Word());
    const [first, second, third, fourth] = lanes as [Word, Word, Word, Word];
    for (const lane of lanes) lane.set(0, seed);
    first.add(P1H, P1L);
    first.add(P2H, P2L);
    second.add(P2H, P2L);
    // minus P1 is plus its complement plus one
    fourth.add(~P1H, ~P1L);
    fourth.add(0, 1);
    for (; p + 32 <= data.length; p += 32) {
      round(first.h, first.l, p);
      first.set(word.h, word.l);
      round(second.h, second.l, p + 8);
      second.set(word.h, word.l);
      round(third.h, third.l, p + 16);
      third.set(word.h, word.l);
      round(fourth.h, fourth.l, p + 24);
      fourth.set(word.h, word.l);
    }
    const sum = new Word();
    for (const [i, lane] of lanes.entries()) {
      word.set(lane.h, lane.l);
      word.rotate([1, 7, 12, 18][i]!);
      sum.add(word.h, word.l);
    }
    for (const lane of lanes) {
      word.set(lane.h, lane.l);
      word.multiply(P2H, P2L);
      word.rotate(31);
      word.multiply(P1H, P1L);
      word.xor(sum.h, sum.l);
      word.multiply(P1H, P1L);
      word.add(P4H, P4L);
      sum.set(word.h, word.l);
    }
    h = sum.h;
    l = sum.l;
  } else {
    word.set(0, seed);
    word.add(P5H, P5L);
    h = word.h;
    l = word.l;
  }
  const total = new Word();
  total.set(h, l);
  total.add(Math.floor(data.length / 2 ** 32), data.length | 0);
  for (; p + 8 <= data.length; p += 8) {
    round(0, 0, p);
    total.xor(word.h, word.l);
    total.rotate(27);
    total.multiply(P1H, P1L);
    total.add(P4H, P4L);
  }
  if (p + 4 <= data.length) {
    word.set(0, view.getInt32(p, true));
    word.multiply(P1H, P1L);
    total.xor(word.h, word.l);
    total.rotate(23);
    total.multiply(P2H, P2L);
    total.add(P3H, P3L);
    p += 4;
  }
  for (; p < data.length; p++) {
    word.set(0, data[p]!);
    word.multiply(P5H, P5L);
    total.xor(word.h, word.l);
    total.rotate(11);
    total.multiply(P1H, P1L);
  }
  total.fold(33);
  total.multiply(P2H, P2L);
  total.fold(29);
  total.multiply(P3H, P3L);
  total.fold(32);
  return { high: total.h >>> 0, low: total.l >>> 0 };
}
