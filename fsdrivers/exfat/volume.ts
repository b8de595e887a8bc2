/** The one door to the disk: where clusters are, and which follow each other. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import type { Geometry } from './boot';
import { CHAIN_END, FIRST_CLUSTER } from './layout';

/** Bytes of the FAT that are looked at in one go; a cache of pages lies below. */
const WINDOW = 4096;

/** A stretch of the disk, in bytes. */
export interface Region {
  readonly at: number;
  readonly length: number;
}

/** Where the bytes of a file, directory or table are said to be. */
export interface Allocation {
  /** 0: none. */
  readonly firstCluster: number;
  /** Section 6.3.4.2: the clusters follow each other. */
  readonly noFatChain: boolean;
}

export class ExfatVolume {
  readonly #warned = new Set<string>();
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;

  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {}

  /** One warning for each kind of damage. */
  warnOnce(kind: string, message: string): void {
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.ctx.warn(message);
  }

  /**
   * The first `length` bytes of an allocation, or all of a shorter chain, in long stretches.
   * @throws GuestError `corrupt` for a number outside the heap, a free or bad cluster, a loop, and bytes beyond the disk
   */
  *regions(from: Allocation, length: number): Generator<Region> {
    const { clusterBytes, heapStart } = this.geometry;
    let left = length;
    for (const run of this.#runs(from, Math.ceil(length / clusterBytes))) {
      const at = heapStart + (run.cluster - FIRST_CLUSTER) * clusterBytes;
      const bytes = Math.min(left, run.count * clusterBytes);
      if (at + bytes > this.source.size)
        throw corrupt(
          `clusters ${run.cluster} to ${run.cluster + run.count - 1} end at byte ${at + bytes} of ${this.source.size}`,
        );
      yield { at, length: bytes };
      left -= bytes;
    }
  }

  /** A loop is found by Brent's method: no memory, and no later than in the third time round. */
  *#runs(from: Allocation, most: number): Generator<{ cluster: number; count: number }> {
    const first = from.firstCluster;
    this.#check(first, 'the chain starts');
    if (from.noFatChain) {
      this.#check(first + most - 1, `${most} clusters from ${first} on lead`);
      yield { cluster: first, count: most };
      return;
    }
    let start = first;
    let current = first;
    let landmark = first;
    let sinceLandmark = 0;
    let nextLandmark = 1;
    for (let seen = 1; seen < most; seen++) {
      const next = this.#next(current);
      if (next === CHAIN_END) break;
      this.#check(next, `cluster ${current} leads`);
      if (next === landmark) throw corrupt(`the cluster chain from ${first} loops at ${next}`);
      if (++sinceLandmark === nextLandmark) {
        landmark = next;
        sinceLandmark = 0;
        nextLandmark *= 2;
      }
      if (next !== current + 1) {
        yield { cluster: start, count: current - start + 1 };
        start = next;
      }
      current = next;
    }
    yield { cluster: start, count: current - start + 1 };
  }

  #check(cluster: number, what: string): void {
    const { lastCluster } = this.geometry;
    if (cluster < FIRST_CLUSTER || cluster > lastCluster)
      throw corrupt(`${what} to cluster ${cluster}, allowed ${FIRST_CLUSTER} to ${lastCluster}`);
  }

  /** The FAT's entry of a cluster, whose number was checked. */
  #next(cluster: number): number {
    this.ctx.budget.step();
    const at = cluster * 4;
    if (at < this.#windowStart || at + 4 > this.#windowStart + this.#window.length) {
      const { fatStart, lastCluster } = this.geometry;
      const start = at - (at % WINDOW);
      const length = Math.min(WINDOW, (lastCluster + 1) * 4 - start);
      this.#window = readBytes(this.source, fatStart + start, length, this.ctx);
      this.#windowStart = start;
    }
    return this.#window.readUInt32LE(at - this.#windowStart);
  }
}
