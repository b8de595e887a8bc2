/**
 * LZMA: the coder that LZMA2 (xz.ts) shares, the `.lzma` container, and MicroLZMA of erofs.
 * Source: "LZMA specification (draft)" of the LZMA SDK (public domain); xz, src/liblzma/api/lzma/container.h (MicroLZMA).
 *
 * The whole output is kept in `into`, so it is its own dictionary: nothing but the probabilities takes memory.
 */
import { corrupt, limit } from '../errors';
import { copyMatch } from './copy';
import { full } from './full';

/** `lc` literal context bits, `lp` literal position bits, `pb` position bits. */
export interface LzmaProperties {
  readonly lc: number;
  readonly lp: number;
  readonly pb: number;
}

/** The byte that holds all three. @throws GuestError `corrupt` */
export function lzmaProperties(byte: number): LzmaProperties {
  if (byte >= 9 * 5 * 5) throw corrupt(`lzma: properties 0x${byte.toString(16)}`);
  const rest = Math.floor(byte / 9);
  return { lc: byte % 9, lp: rest % 5, pb: Math.floor(rest / 5) };
}

// Where each kind of probability stands in the one array. States: 12; position states: up to 16.
const IS_MATCH = 0;
const IS_REP = IS_MATCH + 12 * 16;
const IS_REP0 = IS_REP + 12;
const IS_REP1 = IS_REP0 + 12;
const IS_REP2 = IS_REP1 + 12;
const IS_REP0_LONG = IS_REP2 + 12;
const DISTANCE_SLOT = IS_REP0_LONG + 12 * 16;
const DISTANCE_SPECIAL = DISTANCE_SLOT + 4 * 64;
const DISTANCE_ALIGN = DISTANCE_SPECIAL + 115;
const MATCH_LENGTH = DISTANCE_ALIGN + 16;
const LENGTH_LOW = 2;
const LENGTH_MID = LENGTH_LOW + 16 * 8;
const LENGTH_HIGH = LENGTH_MID + 16 * 8;
const REP_LENGTH = MATCH_LENGTH + LENGTH_HIGH + 256;
const LITERAL = REP_LENGTH + LENGTH_HIGH + 256;
/** Probabilities of one literal coder. */
const LITERAL_SIZE = 0x300;

const HALF = 1024;
/** Range below which another byte is taken, as a shift: `range >>> 24 === 0`. */
const TOP = 24;

/** How a run of the coder ends. */
export interface LzmaRun {
  /** Bytes of `into` that are filled, from its start. */
  readonly at: number;
  /** Bytes of `from` that were taken. */
  readonly taken: number;
  /** The end marker was met. */
  readonly marked: boolean;
}

/** What `run` may do when the output is full. */
export interface LzmaEnding {
  /** A match that would go on is cut instead of `corrupt`. */
  readonly cut?: boolean;
  /** The end marker is allowed (LZMA1) and is `corrupt` otherwise (LZMA2, MicroLZMA). */
  readonly marker?: boolean;
  /** The range coder must have nothing left and all input must be taken (LZMA2). */
  readonly exact?: boolean;
}

export class LzmaCoder {
  #probs = new Uint16Array(0);
  #literalProbs = 0;
  #lc = 0;
  #literalMask = 0;
  #positionMask = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;

  /** Bytes of memory that the coder takes with these properties. */
  static memory(properties: LzmaProperties): number {
    return 2 * (LITERAL + (LITERAL_SIZE << (properties.lc + properties.lp)));
  }

  /** New properties; `reset` must follow. */
  setProperties({ lc, lp, pb }: LzmaProperties): void {
    this.#literalProbs = LITERAL_SIZE << (lc + lp);
    if (this.#probs.length < LITERAL + this.#literalProbs)
      this.#probs = new Uint16Array(LITERAL + this.#literalProbs);
    this.#lc = lc;
    this.#literalMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
  }

  /** All probabilities at one half, no earlier distances. */
  reset(): void {
    this.#probs.fill(HALF, 0, LITERAL + this.#literalProbs);
    this.#state = 0;
    this.#rep0 = 0;
    this.#rep1 = 0;
    this.#rep2 = 0;
    this.#rep3 = 0;
  }

  /**
   * Decodes from the first byte of a range coder in [p, end) of `from` until `into` is filled up to `stop`, or to the
   * end marker.
   *
   * Decoding one bit is written out wherever one is decoded: the range, the code and the place must stay in registers,
   * which V8 does not manage across calls or closures (it is twice as fast so, measured on Node 20).
   * Reading beyond `end` gives something, but is found at the next symbol, before it has any effect.
   *
   * @param floor where the dictionary begins in `into`
   * @param dictionarySize how far back a match may reach
   */
  run(
    from: Uint8Array,
    start: number,
    end: number,
    into: Uint8Array,
    begin: number,
    stop: number,
    floor: number,
    dictionarySize: number,
    ending: LzmaEnding,
  ): LzmaRun {
    if (end - start < 5) throw corrupt(`lzma: ${end - start} bytes of input`);
    if (from[start] !== 0) throw corrupt(`lzma: first byte of the range coder ${from[start]}`);
    const probs = this.#probs;
    const lc = this.#lc;
    const literalMask = this.#literalMask;
    const positionMask = this.#positionMask;
    let state = this.#state;
    let rep0 = this.#rep0;
    let rep1 = this.#rep1;
    let rep2 = this.#rep2;
    let rep3 = this.#rep3;
    let p = start + 5;
    let at = begin;
    let range = -1;
    let code =
      (from[start + 1]! << 24) | (from[start + 2]! << 16) | (from[start + 3]! << 8) | from[start + 4]!;
    let marked = false;
    let prob = 0;
    let bound = 0;
    let i = 0;

    // With an end marker allowed, the symbol after the last byte is looked at only when the size is not known: the
    // caller then gives a `stop` that is never reached by sound data.
    while (at < stop) {
      if (p > end) throw corrupt(`lzma: the input ends at byte ${at} of the output`);
      const positionState = (at - floor) & positionMask;

      i = IS_MATCH + (state << 4) + positionState;
      if (range >>> TOP === 0) {
        range <<= 8;
        code = (code << 8) | from[p++]!;
      }
      prob = probs[i]!;
      bound = Math.imul(range >>> 11, prob);
      if (code >>> 0 < bound >>> 0) {
        range = bound;
        probs[i] = prob + ((2048 - prob) >> 5);

        // A literal.
        const previous = at > floor ? into[at - 1]! : 0;
        const base = LITERAL + LITERAL_SIZE * ((((at - floor) & literalMask) << lc) + (previous >> (8 - lc)));
        let symbol = 1;
        if (state >= 7) {
          // After a match: coded against the byte that the match would have gone on with.
          if (rep0 >= at - floor) throw corrupt(`lzma: distance ${rep0 + 1} at byte ${at}`);
          let other = into[at - rep0 - 1]!;
          do {
            const otherBit = (other >> 7) & 1;
            other <<= 1;
            i = base + ((1 + otherBit) << 8) + symbol;
            if (range >>> TOP === 0) {
              range <<= 8;
              code = (code << 8) | from[p++]!;
            }
            prob = probs[i]!;
            bound = Math.imul(range >>> 11, prob);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              probs[i] = prob + ((2048 - prob) >> 5);
              symbol <<= 1;
              if (otherBit !== 0) break;
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              probs[i] = prob - (prob >> 5);
              symbol = (symbol << 1) | 1;
              if (otherBit === 0) break;
            }
          } while (symbol < 0x100);
        }
        while (symbol < 0x100) {
          i = base + symbol;
          if (range >>> TOP === 0) {
            range <<= 8;
            code = (code << 8) | from[p++]!;
          }
          prob = probs[i]!;
          bound = Math.imul(range >>> 11, prob);
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            probs[i] = prob + ((2048 - prob) >> 5);
            symbol <<= 1;
          } else {
            range = (range - bound) | 0;
            code = (code - bound) | 0;
            probs[i] = prob - (prob >> 5);
            symbol = (symbol << 1) | 1;
          }
        }
        into[at++] = symbol;
        state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
        continue;
      }
      range = (range - bound) | 0;
      code = (code - bound) | 0;
      probs[i] = prob - (prob >> 5);

      let lengths = MATCH_LENGTH;
      let repeated = false;
      i = IS_REP + state;
      if (range >>> TOP === 0) {
        range <<= 8;
        code = (code << 8) | from[p++]!;
      }
      prob = probs[i]!;
      bound = Math.imul(range >>> 11, prob);
      if (code >>> 0 < bound >>> 0) {
        range = bound;
        probs[i] = prob + ((2048 - prob) >> 5);
        rep3 = rep2;
        rep2 = rep1;
        rep1 = rep0;
        state = state < 7 ? 7 : 10;
      } else {
        range = (range - bound) | 0;
        code = (code - bound) | 0;
        probs[i] = prob - (prob >> 5);
        repeated = true;
        lengths = REP_LENGTH;

        i = IS_REP0 + state;
        if (range >>> TOP === 0) {
          range <<= 8;
          code = (code << 8) | from[p++]!;
        }
        prob = probs[i]!;
        bound = Math.imul(range >>> 11, prob);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          probs[i] = prob + ((2048 - prob) >> 5);

          i = IS_REP0_LONG + (state << 4) + positionState;
          if (range >>> TOP === 0) {
            range <<= 8;
            code = (code << 8) | from[p++]!;
          }
          prob = probs[i]!;
          bound = Math.imul(range >>> 11, prob);
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            probs[i] = prob + ((2048 - prob) >> 5);
            if (rep0 >= at - floor || rep0 >= dictionarySize)
              throw corrupt(`lzma: distance ${rep0 + 1} at byte ${at}`);
            into[at] = into[at - rep0 - 1]!;
            at++;
            state = state < 7 ? 9 : 11;
            continue;
          }
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          probs[i] = prob - (prob >> 5);
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          probs[i] = prob - (prob >> 5);

          let distance = rep1;
          i = IS_REP1 + state;
          if (range >>> TOP === 0) {
            range <<= 8;
            code = (code << 8) | from[p++]!;
          }
          prob = probs[i]!;
          bound = Math.imul(range >>> 11, prob);
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            probs[i] = prob + ((2048 - prob) >> 5);
          } else {
            range = (range - bound) | 0;
            code = (code - bound) | 0;
            probs[i] = prob - (prob >> 5);
            distance = rep2;
            i = IS_REP2 + state;
            if (range >>> TOP === 0) {
              range <<= 8;
              code = (code << 8) | from[p++]!;
            }
            prob = probs[i]!;
            bound = Math.imul(range >>> 11, prob);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              probs[i] = prob + ((2048 - prob) >> 5);
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              probs[i] = prob - (prob >> 5);
              distance = rep3;
              rep3 = rep2;
            }
            rep2 = rep1;
          }
          rep1 = rep0;
          rep0 = distance;
        }
        state = state < 7 ? 8 : 11;
      }

      // The length: 2 to 9, 10 to 17, 18 to 273.
      let tree = lengths + LENGTH_LOW + (positionState << 3);
      let leaves = 8;
      let length = 2;
      i = lengths;
      if (range >>> TOP === 0) {
        range <<= 8;
        code = (code << 8) | from[p++]!;
      }
      prob = probs[i]!;
      bound = Math.imul(range >>> 11, prob);
      if (code >>> 0 < bound >>> 0) {
        range = bound;
        probs[i] = prob + ((2048 - prob) >> 5);
      } else {
        range = (range - bound) | 0;
        code = (code - bound) | 0;
        probs[i] = prob - (prob >> 5);
        i = lengths + 1;
        if (range >>> TOP === 0) {
          range <<= 8;
          code = (code << 8) | from[p++]!;
        }
        prob = probs[i]!;
        bound = Math.imul(range >>> 11, prob);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          probs[i] = prob + ((2048 - prob) >> 5);
          tree = lengths + LENGTH_MID + (positionState << 3);
          length = 10;
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          probs[i] = prob - (prob >> 5);
          tree = lengths + LENGTH_HIGH;
          leaves = 256;
          length = 18;
        }
      }
      let node = 1;
      do {
        i = tree + node;
        if (range >>> TOP === 0) {
          range <<= 8;
          code = (code << 8) | from[p++]!;
        }
        prob = probs[i]!;
        bound = Math.imul(range >>> 11, prob);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          probs[i] = prob + ((2048 - prob) >> 5);
          node <<= 1;
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          probs[i] = prob - (prob >> 5);
          node = (node << 1) | 1;
        }
      } while (node < leaves);
      length += node - leaves;

      if (!repeated) {
        tree = DISTANCE_SLOT + (Math.min(length - 2, 3) << 6);
        node = 1;
        do {
          i = tree + node;
          if (range >>> TOP === 0) {
            range <<= 8;
            code = (code << 8) | from[p++]!;
          }
          prob = probs[i]!;
          bound = Math.imul(range >>> 11, prob);
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            probs[i] = prob + ((2048 - prob) >> 5);
            node <<= 1;
          } else {
            range = (range - bound) | 0;
            code = (code - bound) | 0;
            probs[i] = prob - (prob >> 5);
            node = (node << 1) | 1;
          }
        } while (node < 64);
        const slot = node - 64;
        if (slot < 4) rep0 = slot;
        else {
          let bits = (slot >> 1) - 1;
          rep0 = ((2 | (slot & 1)) << bits) >>> 0;
          if (slot < 14) tree = DISTANCE_SPECIAL + rep0 - slot;
          else {
            // All but the lowest four bits are not modelled.
            let direct = 0;
            for (bits -= 4; bits > 0; bits--) {
              if (range >>> TOP === 0) {
                range <<= 8;
                code = (code << 8) | from[p++]!;
              }
              range >>>= 1;
              direct <<= 1;
              if (code >>> 0 >= range >>> 0) {
                code = (code - range) | 0;
                direct |= 1;
              }
            }
            rep0 = (rep0 + direct * 16) >>> 0;
            tree = DISTANCE_ALIGN;
            bits = 4;
          }
          node = 1;
          for (let bit = 0; bit < bits; bit++) {
            i = tree + node;
            if (range >>> TOP === 0) {
              range <<= 8;
              code = (code << 8) | from[p++]!;
            }
            prob = probs[i]!;
            bound = Math.imul(range >>> 11, prob);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              probs[i] = prob + ((2048 - prob) >> 5);
              node <<= 1;
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              probs[i] = prob - (prob >> 5);
              node = (node << 1) | 1;
              rep0 += 1 << bit;
            }
          }
          if (rep0 === 0xffffffff) {
            if (!ending.marker) throw corrupt(`lzma: an end marker at byte ${at}`);
            marked = true;
            break;
          }
        }
      }

      if (rep0 >= at - floor || rep0 >= dictionarySize)
        throw corrupt(`lzma: distance ${rep0 + 1} at byte ${at}`);
      if (length > stop - at) {
        if (!ending.cut) throw corrupt(`lzma: a match of ${length} with ${stop - at} bytes left`);
        length = stop - at;
      }
      at = copyMatch(into, at, rep0 + 1, length);
    }

    // The encoder flushes so that decoding the last symbol, and making the range large again, takes the last byte.
    if (range >>> TOP === 0) {
      code = (code << 8) | from[p++]!;
    }
    if (p > end) throw corrupt(`lzma: the input ends at byte ${at} of the output`);
    if (ending.exact && (code !== 0 || p !== end))
      throw corrupt(`lzma: ${end - p} bytes of a chunk left, code 0x${(code >>> 0).toString(16)}`);
    this.#state = state;
    this.#rep0 = rep0;
    this.#rep1 = rep1;
    this.#rep2 = rep2;
    this.#rep3 = rep3;
    return { at, taken: p - start, marked };
  }
}

const HEADER_SIZE = 13;

/**
 * The `.lzma` ("LZMA alone") container: properties, dictionary size, size of the output or -1, LZMA1. What follows the
 * stream is not looked at.
 *
 * @param memoryLimit bytes that the probabilities may take (properties of a hostile file ask for 6 MB)
 * @returns bytes written into `into`
 * @throws GuestError `corrupt`: bad data, or more output than `into` holds; `limit`
 */
export function lzma(from: Uint8Array, into: Uint8Array, memoryLimit = 8 * 1024 * 1024): number {
  if (from.length < HEADER_SIZE) throw corrupt(`lzma: ${from.length} bytes`);
  const view = new DataView(from.buffer, from.byteOffset, from.length);
  const properties = lzmaProperties(from[0]!);
  const memory = LzmaCoder.memory(properties);
  if (memory > memoryLimit) throw limit(`lzma: ${memory} bytes for its state, at most ${memoryLimit}`);
  // The SDK's decoder takes smaller ones for 4 KiB.
  const dictionarySize = Math.max(4096, view.getUint32(1, true));
  const low = view.getUint32(5, true);
  const high = view.getUint32(9, true);
  const unknown = low === 0xffffffff && high === 0xffffffff;
  const size = high * 2 ** 32 + low;
  if (!unknown && size > into.length) throw full('lzma', into.length);
  const coder = new LzmaCoder();
  coder.setProperties(properties);
  coder.reset();
  if (!unknown) {
    const ending = { marker: true };
    const r = coder.run(from, HEADER_SIZE, from.length, into, 0, size, 0, dictionarySize, ending);
    if (r.at !== size) throw corrupt(`lzma: an end marker at byte ${r.at} of ${size}`);
    return size;
  }
  // One symbol more than fits, so that the marker is met when the output is exactly full: what a typed array has no room for, it
  // does not take (but Node's Buffer throws).
  const out = new Uint8Array(into.buffer, into.byteOffset, into.length);
  const r = coder.run(from, HEADER_SIZE, from.length, out, 0, out.length + 1, 0, dictionarySize, {
    marker: true,
    cut: true,
  });
  if (!r.marked) throw full('lzma', into.length);
  return r.at;
}

/**
 * MicroLZMA, as erofs keeps it: LZMA1 without a header or an end marker, whose first byte (always 0) is replaced by the
 * inverted properties. The size of the output is known from elsewhere: it is `into.length`, and `into` is filled.
 *
 * @param partial the beginning is enough
 * @returns `into.length`
 * @throws GuestError `corrupt`
 */
export function microLzma(from: Uint8Array, into: Uint8Array, partial = false): number {
  if (from.length < 5) throw corrupt(`lzma: ${from.length} bytes`);
  const properties = lzmaProperties(~from[0]! & 0xff);
  if (properties.lc + properties.lp > 4)
    throw corrupt(`lzma: ${properties.lc} and ${properties.lp} literal bits, together at most 4`);
  const stream = Uint8Array.from(from);
  stream[0] = 0;
  const coder = new LzmaCoder();
  coder.setProperties(properties);
  coder.reset();
  const whole = { cut: partial };
  return coder.run(stream, 0, stream.length, into, 0, into.length, 0, 2 ** 32, whole).at;
}
