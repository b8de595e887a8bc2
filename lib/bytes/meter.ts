/**
 * Processor time and memory of this process, looked at between steps of the budget (budget.ts). A chunk: a boot of few
 * steps never needs it.
 *
 * Time: getrusage(2) of all threads, as whoever watches the process from outside sees it. Memory: the resident set, of which V8's
 * garbage is a part; it is collected only here, when much is held, because V8 itself would let the heap grow to a share of
 * the machine's memory.
 */
import { limit } from './errors';
import type { Limits } from './limits';
import { variable } from './over';

/** Units of work between two looks: about 1 ms, of which a look takes 10 µs. */
const UNITS = 8192;
const MB = 1024 * 1024;

/** Microseconds. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Bytes. Without /proc (a sandbox), what V8 knows of and what Node has at its start. */
function resident(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    const { getHeapStatistics } = require('node:v8') as typeof import('node:v8');
    const heap = getHeapStatistics();
    return 40 * MB + heap.total_physical_size + heap.external_memory + heap.malloced_memory;
  }
}

/** V8's whole collection, which it shows only where a flag asks for it. */
function collector(): () => void {
  (require('node:v8') as typeof import('node:v8')).setFlagsFromString('--expose-gc');
  return (require('node:vm') as typeof import('node:vm')).runInNewContext('gc') as () => void;
}

export class Meter {
  /** Microseconds that were spent on copying. */
  #excused = 0;
  /** Processor time at the last sign of a copy's progress. */
  #mark = 0;
  #collect: (() => void) | undefined;
  /** Resident bytes at which garbage is collected next. */
  #collectAt: number;

  constructor(readonly limits: Limits) {
    this.#collectAt = limits.memory / 2;
  }

  /**
   * @param asked bytes that are about to be allocated
   * @returns units until it is to be called again
   * @throws GuestError `limit`
   */
  sample(asked: number): number {
    const { cpuSeconds, memory } = this.limits;
    if (cpu() - this.#excused > cpuSeconds * 1e6)
      throw limit(`more than ${cpuSeconds} s of processor time (${variable('cpuSeconds')})`);
    let held = resident() + asked;
    if (held > this.#collectAt) {
      this.#collect ??= collector();
      this.#collect();
      held = resident() + asked;
      // Not at each look: a collection of much takes 0.1 s.
      this.#collectAt = Math.max(memory / 2, held + Math.max(8 * MB, (memory - held) / 3));
    }
    if (held > memory)
      throw limit(
        `more than ${Math.round(memory / MB)} MiB of memory${asked > MB ? `, ${asked} bytes more are wanted` : ''} (${variable('memory')})`,
      );
    return UNITS;
  }

  /** See Budget.progress; `silent` are the seconds since the last. @throws GuestError `limit` */
  progress(begins: boolean, silent: number): void {
    const now = cpu();
    if (!begins) this.#excused += now - this.#mark;
    this.#mark = now;
    if (silent > this.limits.silentSeconds)
      throw limit(`nothing came for ${Math.round(silent)} s (${variable('silentSeconds')})`);
  }
}
