/**
 * One block of LZ4, without a frame, as squashfs, erofs, f2fs, ZFS and the kernel's images keep it.
 * Source: lz4, doc/lz4_Block_format.md.
 */
import { corrupt } from '../errors';
import { copyMatch } from './copy';

const SHORTEST_MATCH = 4;

/**
 * @param dictionary bytes that are taken to stand right before the output
 * @param partial the beginning is enough: decoding ends when `into` is full, whatever input is left
 * @returns bytes written into `into`
 * @throws GuestError `corrupt`: bad data, or (unless `partial`) more output than `into` holds
 */
export function lz4Block(
  from: Uint8Array,
  into: Uint8Array,
  dictionary?: Uint8Array,
  partial = false,
): number {
  const end = from.length;
  const room = into.length;
  const before = dictionary?.length ?? 0;
  let p = 0;
  let at = 0;
  while (p < end) {
    const token = from[p++]!;

    let literals = token >> 4;
    if (literals === 15) {
      let b = 255;
      while (b === 255) {
        if (p >= end) throw corrupt(`lz4: the input ends after ${end} bytes`);
        b = from[p++]!;
        literals += b;
      }
    }
    if (literals > room - at) {
      if (!partial) throw corrupt(`lz4: more than ${room} bytes come out`);
      literals = room - at;
    }
    if (literals > end - p) throw corrupt(`lz4: ${literals} literals, ${end - p} bytes of input left`);
    if (literals < 32) for (let i = 0; i < literals; i++) into[at++] = from[p++]!;
    else {
      into.set(from.subarray(p, p + literals), at);
      at += literals;
      p += literals;
    }
    // The last sequence has no match.
    if (p === end || (partial && at === room)) return at;

    if (p + 2 > end) throw corrupt(`lz4: the input ends after ${end} bytes`);
    const distance = from[p]! | (from[p + 1]! << 8);
    p += 2;
    let length = token & 15;
    if (length === 15) {
      let b = 255;
      while (b === 255) {
        if (p >= end) throw corrupt(`lz4: the input ends after ${end} bytes`);
        b = from[p++]!;
        length += b;
      }
    }
    length += SHORTEST_MATCH;
    if (distance === 0 || distance > at + before) throw corrupt(`lz4: distance ${distance} at byte ${at}`);
    if (length > room - at) {
      if (!partial) throw corrupt(`lz4: more than ${room} bytes come out`);
      length = room - at;
    }
    if (distance > at && dictionary) {
      const start = before + at - distance;
      const part = Math.min(length, distance - at);
      into.set(dictionary.subarray(start, start + part), at);
      at += part;
      length -= part;
    }
    at = copyMatch(into, at, distance, length);
    if (partial && at === room) return at;
  }
  // A block ends inside the loop, with literals; an empty one is no block.
  throw corrupt(`lz4: the input ends after ${end} bytes without last literals`);
}
