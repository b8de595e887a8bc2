/** Sources that are put together from others. What lies below keeps its cache; none is made here. */
import type { Context } from '../../bytes/budget';
import { type BlockSource, checkRange, readOnce } from '../../source/types';

/** How bytes are read: through the caches below, or past them. */
export type How = (source: BlockSource, at: number, into: Uint8Array) => void;

const cached: How = (source, at, into) => source.read(at, into);

export abstract class MappedSource implements BlockSource {
  readonly sectorSize: number = 512;
  /** Small reads are cheap: those below have caches. */
  readonly cached = true;

  constructor(
    readonly label: string,
    readonly size: number,
    readonly ctx: Context,
  ) {}

  /** Bytes from `at` on: at least one and at most `into.length`. @returns how many */
  protected abstract piece(at: number, into: Uint8Array, how: How): number;

  read(at: number, into: Uint8Array): void {
    this.#read(at, into, cached);
  }

  readOnce(at: number, into: Uint8Array): void {
    this.#read(at, into, readOnce);
  }

  #read(at: number, into: Uint8Array, how: How): void {
    checkRange(this, at, into.length);
    for (let done = 0; done < into.length; ) {
      this.ctx.budget.step();
      done += this.piece(at + done, done === 0 ? into : into.subarray(done), how);
    }
  }
}

/** One run of bytes of a source, or of zeros, or of nothing that can be had. */
export interface Run {
  readonly length: number;
  /** Undefined: zeros. */
  readonly source: BlockSource | undefined;
  readonly at: number;
}

/** Runs, one after the other. */
export class RunSource extends MappedSource {
  readonly #starts: number[] = [];
  readonly #runs: Run[] = [];

  constructor(label: string, runs: readonly Run[], ctx: Context) {
    super(
      label,
      runs.reduce((sum, run) => sum + run.length, 0),
      ctx,
    );
    let start = 0;
    for (const run of runs) {
      if (run.length === 0) continue;
      this.#starts.push(start);
      this.#runs.push(run);
      start += run.length;
    }
  }

  protected piece(at: number, into: Uint8Array, how: How): number {
    let low = 0;
    for (let high = this.#starts.length; high - low > 1; ) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= at) low = middle;
      else high = middle;
    }
    const run = this.#runs[low]!;
    const inside = at - this.#starts[low]!;
    const count = Math.min(into.length, run.length - inside);
    const part = into.subarray(0, count);
    if (run.source) how(run.source, run.at + inside, part);
    else part.fill(0);
    return count;
  }
}

/** Where something would be that is not there: every read says why. */
export class AbsentSource implements BlockSource {
  readonly sectorSize = 512;
  readonly cached = true;
  constructor(
    readonly label: string,
    readonly size: number,
    /** Makes the error, for each read a new one: its places are added on the way. */
    readonly why: () => Error,
  ) {}

  read(): void {
    throw this.why();
  }
}
