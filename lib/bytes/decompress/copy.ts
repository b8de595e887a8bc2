/**
 * What all LZ77 kinds share: copying from what has already been put out. The caller has checked that
 * `distance` reaches nothing before the output and that `length` bytes fit.
 */

/** Shorter copies are faster byte by byte than by a call of copyWithin (measured on Node 20). */
const BY_CALL = 48;

/** Copies `length` bytes from `distance` bytes before `at` to `at`; they may overlap. Returns the place behind them. */
export function copyMatch(into: Uint8Array, at: number, distance: number, length: number): number {
  const end = at + length;
  if (length >= BY_CALL) {
    if (distance >= length) {
      into.copyWithin(at, at - distance, end - distance);
      return end;
    }
    if (distance === 1) {
      into.fill(into[at - 1]!, at, end);
      return end;
    }
    // A pattern that repeats: what is there doubles with each call.
    let have = distance;
    for (let p = at; p < end; have *= 2) {
      const part = Math.min(have, end - p);
      into.copyWithin(p, at - distance, at - distance + part);
      p += part;
    }
    return end;
  }
  for (let p = at, q = at - distance; p < end; ) into[p++] = into[q++]!;
  return end;
}
