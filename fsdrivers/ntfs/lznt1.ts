/** LZNT1 ([MS-XCA] 2.5): pieces of 4 KiB, each packed for itself or stored. */
import { corrupt } from '../../lib/bytes/errors';
import { CHUNK } from './layout';

/**
 * Unpacks `from` into `into`. What no piece fills stays as it is: zeros.
 * @throws GuestError `corrupt`
 */
export function unpackLznt1(from: Buffer, into: Buffer): void {
  let at = 0;
  for (let start = 0; start < into.length && at + 2 <= from.length; start += CHUNK) {
    const head = from.readUInt16LE(at);
    if (head === 0) return;
    const end = at + 3 + (head & 0xfff);
    if (end > from.length) throw corrupt(`an LZNT1 piece ends at byte ${end} of ${from.length}`);
    const limit = Math.min(into.length, start + CHUNK);
    if (head & 0x8000) unpackPiece(from, at + 2, end, into, start, limit);
    else {
      if (end - at - 2 > limit - start) throw corrupt(`a stored LZNT1 piece of ${end - at - 2} bytes`);
      from.copy(into, start, at + 2, end);
    }
    at = end;
  }
}

function unpackPiece(
  from: Buffer,
  begin: number,
  end: number,
  into: Buffer,
  start: number,
  limit: number,
): void {
  let at = begin;
  let to = start;
  while (at < end) {
    let flags = from[at++]!;
    for (let bit = 0; bit < 8 && at < end; bit++, flags >>= 1) {
      if (!(flags & 1)) {
        if (to >= limit) throw corrupt('an LZNT1 piece of more than 4096 bytes');
        into[to++] = from[at++]!;
        continue;
      }
      if (at + 2 > end) throw corrupt('an LZNT1 match is cut off');
      const token = from[at]! | (from[at + 1]! << 8);
      at += 2;
      // The further in, the more bits tell the distance, and the fewer the length.
      let shift = 12;
      for (let i = to - start - 1; i >= 0x10; i >>= 1) shift--;
      const back = (token >> shift) + 1;
      const length = (token & ((1 << shift) - 1)) + 3;
      if (back > to - start) throw corrupt(`an LZNT1 match ${back} bytes back at byte ${to - start}`);
      if (to + length > limit) throw corrupt('an LZNT1 piece of more than 4096 bytes');
      for (const stop = to + length; to < stop; to++) into[to] = into[to - back]!;
    }
  }
}
