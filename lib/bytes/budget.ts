import { limit } from './errors';

/** What a piece of work may cost. Nothing can interrupt synchronous code, so it counts and stops itself. */
export interface Allowance {
  /** Loop turns over guest data: directory entries, extents, evaluated commands … */
  readonly steps: number;
  /** Bytes read from the disk for parsing (the copied payload is not counted). */
  readonly bytesRead: number;
  /** Bytes of memory asked for in total; an upper bound of what is held at once. */
  readonly bytesAllocated: number;
}

/**
 * Counts work against an allowance; passed in, never global. A child spends from itself and from its parents, so a
 * child that is used up stops only the work it was made for.
 */
export class Budget {
  #steps: number;
  #bytesRead: number;
  #bytesAllocated: number;
  readonly #parent: Budget | undefined;
  readonly name: string;

  constructor(allowance: Allowance, name = 'run', parent?: Budget) {
    this.#steps = allowance.steps;
    this.#bytesRead = allowance.bytesRead;
    this.#bytesAllocated = allowance.bytesAllocated;
    this.#parent = parent;
    this.name = name;
  }

  child(allowance: Allowance, name: string): Budget {
    return new Budget(allowance, name, this);
  }

  /** @throws GuestError `limit` when more steps were taken than allowed */
  step(count = 1): void {
    this.#steps -= count;
    if (this.#steps < 0) throw limit(`too much work (steps) in ${this.name}`);
    this.#parent?.step(count);
  }

  /** @throws GuestError `limit` when more bytes were read than allowed */
  read(bytes: number): void {
    this.#bytesRead -= bytes;
    if (this.#bytesRead < 0) throw limit(`too many bytes read in ${this.name}`);
    this.#parent?.read(bytes);
  }

  /** @throws GuestError `limit` when more memory was asked for than allowed */
  allocate(bytes: number): void {
    this.#bytesAllocated -= bytes;
    if (this.#bytesAllocated < 0) throw limit(`too much memory asked for in ${this.name}`);
    this.#parent?.allocate(bytes);
  }
}

/** What every stage is given: what it may spend, and where its warnings go. */
export interface Context {
  readonly budget: Budget;
  /** A sentence for the log; guest text in it must be escaped (text.ts). */
  warn(message: string): void;
}
