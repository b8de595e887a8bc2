/**
 * Measuring how work grows: by how often each block of code ran, and by what the budget and the disk count, which are the same on
 * every machine; and by processor time, which also sees what V8's own functions do, with THOROUGH=1.
 */
import { type Profiler, Session } from 'node:inspector';
import { Budget, type Context } from '../../lib/bytes/budget';
import { LIMITS, type Limits } from '../../lib/bytes/limits';
import type { BlockSource } from '../../lib/source/types';
import { THOROUGH } from '../support';

/** More than n log n over two doublings (1.1), less than n² (2). */
export const MOST = 1.6;

const cpu = (act: () => void): number => {
  const from = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(from);
  return user + system;
};

/** Microseconds below which what every size costs hides how the rest grows. */
const ENOUGH = 15_000;

export type Prepare = (n: number) => () => void;

/** The exponent of the time from N to 4N, N being what takes long enough; `prepare` is not counted. */
export function exponent(start: number, prepare: Prepare, most = 16 * start): number {
  const best = (size: number) => {
    const act = prepare(size);
    return Math.min(...[1, 2, 3].map(() => cpu(act)));
  };
  best(start); // V8 has seen the code.
  let n = start;
  let one = best(n);
  while (one < ENOUGH && n < most) {
    n *= 2;
    one = best(n);
  }
  return Math.log(best(4 * n) / one) / Math.log(4);
}

/** Noise only adds: the least of some attempts. */
export function least(n: number, prepare: Prepare, most?: number): number {
  let found = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 4 && found > MOST; attempt++)
    found = Math.min(found, exponent(n, prepare, most));
  return found;
}

// From the start: what was compiled before is counted by calls only.
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/** How often blocks of this process' code were entered since the last call (V8's block coverage). */
export function blocks(): number {
  let total = 0;
  session.post('Profiler.takePreciseCoverage', (error, found: Profiler.TakePreciseCoverageReturnType) => {
    if (error) throw error;
    for (const { functions } of found.result)
      for (const { ranges } of functions) for (const { count } of ranges) total += count;
  });
  return total;
}

/** The exponent of the blocks that are run, from `n` to 4 `n`; `prepare` is not counted. */
export function ran(n: number, prepare: Prepare): number {
  const counts = [n, 4 * n].map((size) => {
    const act = prepare(size);
    blocks();
    act();
    return blocks();
  });
  if (counts[0]! < n) throw new Error(`only ${counts[0]} blocks ran for ${n}`);
  return Math.log(counts[1]! / counts[0]!) / Math.log(4);
}

/**
 * The larger of the exponents of the blocks and, with THOROUGH=1, of the time.
 *
 * @param start the least that is measured
 * @param most the most that may be multiplied by four
 */
export function grown(start: number, prepare: Prepare, most?: number): number {
  const found = ran(start, prepare);
  return THOROUGH ? Math.max(found, least(start, prepare, most)) : found;
}

/** What is the same on every machine. */
export class Count {
  steps = 0;
  /** Bytes. */
  read = 0;
  allocated = 0;
  /** Calls to the disk. */
  reads = 0;

  get all(): Readonly<Record<string, number>> {
    const { steps, read, allocated, reads } = this;
    return { steps, read, allocated, reads };
  }
}

class CountingBudget extends Budget {
  constructor(
    limits: Limits,
    readonly count: Count,
  ) {
    super(limits, 'test');
  }
  override step(count = 1): void {
    this.count.steps += count;
    super.step(count);
  }
  override read(bytes: number): void {
    this.count.read += bytes;
    super.read(bytes);
  }
  override allocate(bytes: number): void {
    this.count.allocated += bytes;
    super.allocate(bytes);
  }
}

/** A context whose work is counted, under limits that nothing here meets. */
export function counting(count: Count, limits: Partial<Limits> = {}): Context {
  const large = { ...LIMITS, runSteps: 2 ** 40, runBytesRead: 2 ** 50, runBytesAllocated: 2 ** 50 };
  return {
    budget: new CountingBudget({ ...large, cpuSeconds: 1e6, memory: 2 ** 50, ...limits }, count),
    warn: () => {},
  };
}

/** A disk whose reads are counted. */
export function countedDisk(below: BlockSource, count: Count): BlockSource {
  const { label, size, sectorSize } = below;
  return {
    label,
    size,
    sectorSize,
    read(at, into) {
      count.reads++;
      below.read(at, into);
    },
  };
}

/** More than n log n from 4,000 to 16,000 (1.11), less than n². */
export const MOST_COUNTED = 1.35;

/**
 * Work at sizes that are four times each other → the largest exponent of what was counted, over the last two, where what every size costs
 * hides least. What is never above `some` does not count.
 */
export function growthOf(
  sizes: readonly number[],
  counts: readonly Readonly<Record<string, number>>[],
  some = 200,
): { exponent: number; what: string } {
  let most = { exponent: 0, what: 'nothing' };
  for (const what of Object.keys(counts[0]!)) {
    const [from, to] = counts.slice(-2).map((c) => c[what]!);
    if (to! < some) continue;
    const found = Math.log(to! / Math.max(from!, some / 16)) / Math.log(sizes.at(-1)! / sizes.at(-2)!);
    if (found > most.exponent)
      most = { exponent: found, what: `${what}: ${counts.map((c) => c[what]).join(', ')}` };
  }
  return most;
}
