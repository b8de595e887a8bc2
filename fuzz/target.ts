/** What the harness can run: one target is one parser (a driver, a dialect, a decompressor …) or the whole program. */
import { Budget, type Context } from '../lib/bytes/budget';
import { LIMITS } from '../lib/bytes/limits';
import type { Random } from './random';

export interface Target<C = unknown> {
  readonly name: string;
  readonly kind: 'parser' | 'program';
  /** Share of the time; 1 is usual. */
  readonly weight: number;
  /** The input of a round; the same for the same numbers. */
  make(random: Random): C;
  /**
   * Runs it. GuestErrors of looking at what was accepted stay inside; anything else that is thrown is a finding.
   * @returns whether the input got past what says "not mine" (superblock check, empty menu …)
   */
  run(input: C): boolean | Promise<boolean>;
  /** Smaller inputs that may show the same. */
  smaller(input: C): Iterable<C>;
  /** The input as files for a person: name's ending → bytes. */
  files(input: C): Record<string, Buffer | string>;
}

/** What one execution may spend: enough for any sound fixture, and little enough that a million of them end today. */
export const ALLOWANCE = {
  runSteps: 200_000,
  runBytesRead: 32 * 1024 ** 2,
  runBytesAllocated: 48 * 1024 ** 2,
};

export function context(allowance: typeof ALLOWANCE = ALLOWANCE): Context {
  // Time and memory are measured by the harness, over one execution and not over the process.
  const limits = { ...LIMITS, ...allowance, cpuSeconds: 1e9, memory: 2 ** 50 };
  return { budget: new Budget(limits, 'fuzz'), warn: () => {} };
}
