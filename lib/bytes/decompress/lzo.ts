/**
 * LZO1X as squashfs, btrfs and f2fs keep it, with the run-length extension of Linux ("LZO-RLE", bitstream version 1).
 * Source: Linux, Documentation/staging/lzo.rst. The stream ends with a marker; nothing may follow it.
 */
import { corrupt } from '../errors';
import { copyMatch } from './copy';

/** Distance of the instruction that ends the stream. */
const END = 16384;
/** Distance that means a run of zeros in bitstream version 1. */
const ZERO_RUN = 0xbfff;

/**
 * @returns bytes written into `into`
 * @throws GuestError `corrupt`: bad data, no end marker, or more output than `into` holds
 */
export function lzo1x(from: Uint8Array, into: Uint8Array): number {
  const end = from.length;
  const room = into.length;
  let p = 0;
  let at = 0;
  let rle = false;
  /** Literals copied by the last instruction: 0 to 3, or 4 for a run. It decides what instructions below 16 mean. */
  let state = 0;

  const byte = (): number => {
    if (p >= end) throw corrupt(`lzo: the input ends after ${end} bytes`);
    return from[p++]!;
  };
  /** A length that did not fit its bits: 255 for each zero byte, and the first other one. */
  const more = (): number => {
    let length = 0;
    for (;;) {
      const b = byte();
      if (b !== 0) return length + b;
      length += 255;
      if (length > room) throw corrupt(`lzo: a length of more than ${room}`);
    }
  };
  const literals = (count: number): void => {
    if (count > end - p) throw corrupt(`lzo: ${count} literals, ${end - p} bytes of input left`);
    if (count > room - at) throw corrupt(`lzo: more than ${room} bytes come out`);
    if (count < 32) for (let i = 0; i < count; i++) into[at++] = from[p++]!;
    else {
      into.set(from.subarray(p, p + count), at);
      at += count;
      p += count;
    }
  };
  const match = (distance: number, length: number): void => {
    if (distance > at) throw corrupt(`lzo: distance ${distance} at byte ${at}`);
    if (length > room - at) throw corrupt(`lzo: more than ${room} bytes come out`);
    at = copyMatch(into, at, distance, length);
  };

  if (end >= 5 && from[0] === 17) {
    const version = from[1]!;
    if (version > 1) throw corrupt(`lzo: bitstream version ${version}`);
    rle = version === 1;
    p = 2;
  }
  if (p < end && from[p]! > 17) {
    const count = from[p++]! - 17;
    literals(count);
    state = Math.min(count, 4);
  }

  for (;;) {
    const op = byte();
    if (op >= 64) {
      const high = byte();
      const length = op >= 128 ? 5 + ((op >> 5) & 3) : 3 + ((op >> 5) & 1);
      match((high << 3) + ((op >> 2) & 7) + 1, length);
      state = op & 3;
    } else if (op >= 32) {
      const length = 2 + (op & 31 || 31 + more());
      const low = byte();
      const word = low | (byte() << 8);
      match((word >> 2) + 1, length);
      state = low & 3;
    } else if (op >= 16) {
      const short = op & 7;
      // The zero run keeps its length elsewhere: look at the distance first where the bits alone can say so.
      if (rle && (op & 8) !== 0 && p + 2 < end && ((from[p]! | (from[p + 1]! << 8)) & 0xfffc) === 0xfffc) {
        const length = ((from[p + 2]! << 3) | short) + 4;
        if (length > room - at) throw corrupt(`lzo: more than ${room} bytes come out`);
        into.fill(0, at, at + length);
        at += length;
        state = from[p]! & 3;
        p += 3;
      } else {
        const length = 2 + (short || 7 + more());
        const low = byte();
        const word = low | (byte() << 8);
        const distance = END + ((op & 8) << 11) + (word >> 2);
        if (distance === END) {
          if (length !== 3) throw corrupt(`lzo: end marker of length ${length}`);
          if (p !== end) throw corrupt(`lzo: ${end - p} bytes follow the end marker`);
          return at;
        }
        if (rle && distance === ZERO_RUN) throw corrupt('lzo: a run of zeros with a length before it');
        match(distance, length);
        state = low & 3;
      }
    } else if (state === 0) {
      literals(3 + (op || 15 + more()));
      state = 4;
      continue;
    } else {
      const high = byte();
      if (state === 4) match((high << 2) + (op >> 2) + 2049, 3);
      else match((high << 2) + (op >> 2) + 1, 2);
      state = op & 3;
    }
    if (state > 0) literals(state);
  }
}
