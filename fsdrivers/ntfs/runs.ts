/** Mapping pairs → runs of clusters, and runs by place. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, limit } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import type { Geometry } from './boot';
import { RUNS_MOST } from './layout';

export interface Run {
  /** First cluster of the attribute. */
  readonly vcn: number;
  /** First cluster of the disk; undefined: a hole. */
  readonly lcn: number | undefined;
  readonly count: number;
}

/**
 * @param from the mapping pairs
 * @param vcn the first cluster that they tell of
 * @param clusters of the filesystem
 * @throws GuestError `corrupt`
 */
export function* decodeRuns(from: Buffer, vcn: number, clusters: number, ctx: Context): Generator<Run> {
  let lcn = 0;
  let next = vcn;
  for (let at = 0; at < from.length && from[at] !== 0; ) {
    ctx.budget.step();
    const head = from[at++]!;
    const sizes = [head & 0xf, head >>> 4] as const;
    if (sizes[0] === 0 || sizes[0] > 8 || sizes[1] > 8 || at + sizes[0] + sizes[1] > from.length)
      throw corrupt(`mapping pair 0x${head.toString(16)} with ${from.length - at} bytes behind it`);
    const count = signed(from, at, sizes[0]);
    at += sizes[0];
    const delta = signed(from, at, sizes[1]);
    at += sizes[1];
    if (count <= 0 || !Number.isSafeInteger(next + count)) throw corrupt(`a run of ${count} clusters`);
    lcn += delta;
    // Before NTFS 3.0 a hole had the number -1.
    const isHole = sizes[1] === 0 || lcn === -1;
    if (!isHole && !(lcn >= 0 && lcn + count <= clusters))
      throw corrupt(`a run of ${count} clusters at ${lcn} of ${clusters}`);
    yield { vcn: next, lcn: isHole ? undefined : lcn, count };
    next += count;
  }
}

/** Up to eight bytes; inexact beyond 2^53, where every bound is exceeded. */
function signed(bytes: Buffer, at: number, size: number): number {
  if (size === 0) return 0;
  let value = bytes.readInt8(at + size - 1);
  for (let i = size - 2; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

/** The runs of $MFT or a directory, to be read from anywhere. */
export class RunMap {
  readonly #vcns: number[] = [];
  /** -1: a hole. */
  readonly #lcns: number[] = [];
  /** First cluster behind the last run. */
  end = 0;

  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {}

  /** @throws GuestError `corrupt`, `limit` */
  add(runs: Iterable<Run>): void {
    for (const { vcn, lcn, count } of runs) {
      if (vcn !== this.end) throw corrupt(`runs of cluster ${vcn} where ${this.end} is next`);
      if (this.#vcns.length >= RUNS_MOST) throw limit(`more than ${RUNS_MOST} runs`);
      this.#vcns.push(vcn);
      this.#lcns.push(lcn ?? -1);
      this.end += count;
    }
  }

  /** @throws GuestError `corrupt` for holes, and for what is beyond the end */
  read(at: number, length: number): Buffer {
    const { clusterBytes } = this.geometry;
    if (!(at >= 0 && at + length <= this.end * clusterBytes))
      throw corrupt(`${length} bytes at ${at}, its clusters end at ${this.end * clusterBytes}`);
    const parts: Buffer[] = [];
    for (let done = 0; done < length; ) {
      const place = at + done;
      let low = 0;
      for (let high = this.#vcns.length; high - low > 1; ) {
        const middle = (low + high) >>> 1;
        if (this.#vcns[middle]! * clusterBytes <= place) low = middle;
        else high = middle;
      }
      const end = (this.#vcns[low + 1] ?? this.end) * clusterBytes;
      const count = Math.min(length - done, end - place);
      const lcn = this.#lcns[low]!;
      if (lcn < 0) throw corrupt(`a hole at byte ${place}`);
      const from = lcn * clusterBytes + place - this.#vcns[low]! * clusterBytes;
      parts.push(readBytes(this.source, from, count, this.ctx));
      done += count;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}
