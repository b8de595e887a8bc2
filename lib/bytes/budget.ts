import { LIMITS, type LimitName, type Limits } from './limits';

/** Units of work (a step, 128 bytes read or allocated) before processor time and memory are looked at: no small boot gets there. */
const UNMEASURED = 100_000;

const words = () => require('./over') as typeof import('./over');

/** What a budget is for: three rows of `limits.ts`. */
export type Kind = 'run' | 'evaluation' | 'entry';

/**
 * Counts work; passed in, never global. Nothing can interrupt synchronous code, so it counts and stops itself. A child
 * spends from itself and from its parents, so a child that is used up stops only the work it was made for.
 *
 * Steps: loop turns over guest data (directory entries, extents, evaluated commands …). Bytes read: from the disk, for parsing
 * (the copied payload is not counted). Bytes allocated: asked for in total, an upper bound of what is held at once.
 * What counting cannot know, the time that a step takes and what is really held, is measured in between (meter.ts).
 */
export class Budget {
  #steps: number;
  #bytesRead: number;
  #bytesAllocated: number;
  /** Units until the next measurement; below zero once the run is over. */
  #due = UNMEASURED;
  #meter: import('./meter').Meter | undefined;
  /** Seconds since the process began: when a copy began, and its last sign of life. */
  #began = 0;
  #sign = 0;

  constructor(
    readonly limits: Limits = LIMITS,
    readonly name = 'this run',
    readonly kind: Kind = 'run',
    readonly parent?: Budget,
  ) {
    this.#steps = limits[`${kind}Steps`];
    this.#bytesRead = limits[`${kind}BytesRead`];
    this.#bytesAllocated = limits[`${kind}BytesAllocated`];
  }

  child(kind: Kind, name: string): Budget {
    return new Budget(this.limits, name, kind, this);
  }

  /** @throws GuestError `limit` when more steps were taken than allowed */
  step(count = 1): void {
    this.#steps -= count;
    if (this.#steps < 0) this.#spent('Steps');
    if (this.parent) this.parent.step(count);
    else this.#work(count);
  }

  /** @throws GuestError `limit` when more bytes were read than allowed */
  read(bytes: number): void {
    this.#bytesRead -= bytes;
    if (this.#bytesRead < 0) this.#spent('BytesRead');
    if (this.parent) this.parent.read(bytes);
    else this.#work(bytes / 128);
  }

  /** @throws GuestError `limit` when more memory was asked for than allowed */
  allocate(bytes: number): void {
    this.#bytesAllocated -= bytes;
    if (this.#bytesAllocated < 0) this.#spent('BytesAllocated');
    if (this.parent) this.parent.allocate(bytes);
    else this.#work(bytes / 128, bytes);
  }

  /** @throws GuestError `limit`, naming limit and value, when `count` is above the limit of that name */
  most(name: LimitName, count: number, what: string, ...where: string[]): void {
    if (count > this.limits[name]) throw words().over(this.limits, name, count, what, where);
  }

  /**
   * A copy begins, or has put out another megabyte: the time since the last call is not work on the guest's structures.
   * @throws GuestError `limit` when there was none for too long
   */
  progress(begins: boolean): void {
    const now = process.uptime();
    const silent = begins ? 0 : now - this.#sign;
    this.#sign = now;
    if (begins) this.#began = now;
    // A plain boot's copy is over before a second, and loads nothing for this.
    if (!this.#meter && now - this.#began < 1) return;
    this.#measured().progress(begins, silent);
  }

  #spent(what: 'Steps' | 'BytesRead' | 'BytesAllocated'): never {
    throw words().spent(this.kind, what, this.name);
  }

  #measured() {
    this.#meter ??= new (require('./meter') as typeof import('./meter')).Meter(this.limits);
    return this.#meter;
  }

  #work(units: number, bytes = 0): void {
    this.#due -= units;
    if (this.#due < 0) this.#due = this.#measured().sample(bytes);
  }
}

/** What every stage is given: what it may spend, and where its warnings go. */
export interface Context {
  readonly budget: Budget;
  /** A sentence for the log; guest text in it must be escaped (text.ts). */
  warn(message: string): void;
}
