/** The file allocation table: cluster chains as runs of neighbours. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import type { BlockSource } from '../../lib/source/types';
import type { Geometry } from './boot';

/** Bytes of the FAT that are looked at in one go; a cache of pages lies below. */
const WINDOW = 4096;

export interface Run {
  /** First cluster. */
  readonly cluster: number;
  readonly count: number;
}

export class AllocationTable {
  readonly #source: BlockSource;
  readonly #geometry: Geometry;
  readonly #ctx: Context;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = -1;

  constructor(source: BlockSource, geometry: Geometry, ctx: Context) {
    this.#source = source;
    this.#geometry = geometry;
    this.#ctx = ctx;
  }

  /**
   * The chain from `first`, neighbours joined, at most `max` clusters of it.
   * @throws GuestError `corrupt` for a number outside the table, a free or bad cluster, and a loop (found by Brent's
   * method among the places that are jumped to: no memory, and no later than in the third time round)
   */
  *runs(first: number, max: number): Generator<Run> {
    this.#check(first, 'the chain starts');
    let start = first;
    let current = first;
    let landmark = first;
    let sinceLandmark = 0;
    let nextLandmark = 1;
    for (let seen = 1; ; seen++) {
      const along = this.#neighbours(current, max - seen);
      current += along;
      seen += along;
      const next = seen < max ? this.#next(current) : undefined;
      if (next === undefined) break;
      this.#check(next, `cluster ${current} leads`);
      if (next === current + 1) {
        current = next;
        continue;
      }
      if (next === landmark) throw corrupt(`the cluster chain from ${first} loops at ${next}`);
      if (++sinceLandmark === nextLandmark) {
        landmark = next;
        sinceLandmark = 0;
        nextLandmark *= 2;
      }
      yield { cluster: start, count: current - start + 1 };
      start = next;
      current = next;
    }
    yield { cluster: start, count: current - start + 1 };
  }

  #check(cluster: number, what: string): void {
    const { lastCluster } = this.#geometry;
    if (cluster < 2 || cluster > lastCluster)
      throw corrupt(`${what} to cluster ${cluster}, allowed 2 to ${lastCluster}`);
  }

  /** How many clusters follow this one each beside the last, at most `most`, as far as one look into the table shows. */
  #neighbours(cluster: number, most: number): number {
    const { bits, lastCluster } = this.#geometry;
    if (bits === 12 || most < 2) return 0;
    const width = bits / 8;
    this.#u16(cluster * width);
    const window = this.#window;
    let place = cluster * width - this.#windowStart;
    let next = cluster + 1;
    for (
      const last = Math.min(lastCluster, cluster + most);
      next <= last && place + width <= WINDOW;
      next++
    ) {
      if (window[place] !== (next & 0xff) || window[place + 1] !== ((next >>> 8) & 0xff)) break;
      if (width === 4 && (window[place + 2]! | ((window[place + 3]! & 15) << 8)) !== next >>> 16) break;
      place += width;
    }
    const along = next - cluster - 1;
    this.#ctx.budget.step(along);
    return along;
  }

  /** The entry of a cluster; undefined at the end of the chain. */
  #next(cluster: number): number | undefined {
    this.#ctx.budget.step();
    switch (this.#geometry.bits) {
      case 12: {
        const pair = this.#u16(cluster + (cluster >>> 1));
        const value = cluster & 1 ? pair >>> 4 : pair & 0xfff;
        return value >= 0xff8 ? undefined : value;
      }
      case 16: {
        const value = this.#u16(cluster * 2);
        return value >= 0xfff8 ? undefined : value;
      }
      case 32: {
        const at = cluster * 4;
        // The upper four bits are reserved.
        const value = this.#u16(at) | ((this.#u16(at + 2) & 0xfff) << 16);
        return value >= 0x0ffffff8 ? undefined : value;
      }
    }
  }

  /** `at` is inside the FAT: cluster numbers were checked against its size. */
  #u16(at: number): number {
    let place = at - this.#windowStart;
    if (this.#windowStart < 0 || place < 0 || place + 2 > this.#window.length) {
      const { fatStart, fatBytes } = this.#geometry;
      // FAT12 entries cross any boundary: one byte more than a window.
      this.#windowStart = at - (at % WINDOW);
      const length = Math.min(WINDOW + 1, fatBytes - this.#windowStart);
      if (this.#window.length !== length) {
        this.#ctx.budget.allocate(length);
        this.#window = Buffer.allocUnsafeSlow(length);
      }
      this.#ctx.budget.read(length);
      const start = this.#windowStart;
      this.#windowStart = -1; // stays so when the read throws
      this.#source.read(fatStart + start, this.#window);
      this.#windowStart = start;
      place = at - start;
    }
    return this.#window[place]! | (this.#window[place + 1]! << 8);
  }
}
