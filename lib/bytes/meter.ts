/**
 * Processor time and memory of this process, looked at between steps of the budget (budget.ts). A chunk: a boot of few
 * steps never needs it.
 *
 * Time: getrusage(2) of all threads, as whoever watches the process from outside sees it. Memory: the resident set, of which V8's
 * garbage is a part; it is collected only here, when much is held, because V8 itself would let the heap grow to a share of
 * the machine's memory.
 */
import { readFileSync } from 'node:fs';
import { limit } from './errors';
import type { Limits } from './limits';
import { variable } from './over';

/** Units of work between two looks: about 1 ms, of which a look takes 10 µs. */
const UNITS = 8192;
const MB = 1024 * 1024;

/** Whether this is one of several threads that look at a disk each (cli/jobs): then only what it does itself counts. */
const inWorker = (): boolean =>
  !(require('node:worker_threads') as typeof import('node:worker_threads')).isMainThread;

/** Microseconds. */
function cpu(worker: boolean): number {
  if (worker) {
    try {
      // proc(5): nanoseconds on the processor.
      return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1000;
    } catch {
      return performance.now() * 1000;
    }
  }
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Bytes. In a worker, and without /proc (a sandbox), what V8 knows of and what Node has at its start. */
function resident(worker: boolean): number {
  try {
    if (worker) throw worker;
    return process.memoryUsage.rss();
  } catch {
    const { getHeapStatistics } = require('node:v8') as typeof import('node:v8');
    const heap = getHeapStatistics();
    return 40 * MB + heap.total_physical_size + heap.external_memory + heap.malloced_memory;
  }
}

/** V8's whole collection, which it shows only where a flag asks for it. */
function collector(): () => void {
  const { setFlagsFromString } = require('node:v8') as typeof import('node:v8');
  setFlagsFromString('--expose-gc');
  const collect = (require('node:vm') as typeof import('node:vm')).runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return collect;
}

/** Limits of what is one of many things that a process does (lib/api): what that used before is not counted, nor what other threads do. */
export interface CallLimits extends Limits {
  readonly perCall: true;
}

export class Meter {
  readonly #worker: boolean;
  /** Microseconds that were spent on copying, or on the disks before this one. */
  #excused: number;
  /** Bytes that the caller held before. */
  readonly #before: number;
  /** Processor time at the last sign of a copy's progress. */
  #mark = 0;
  #collect: (() => void) | undefined;
  /** Resident bytes at which garbage is collected next. */
  #collectAt: number;

  constructor(readonly limits: Limits) {
    const { perCall = false } = limits as Partial<CallLimits>;
    this.#worker = perCall || inWorker();
    this.#excused = this.#worker ? cpu(true) : 0;
    this.#before = perCall ? resident(true) : 0;
    this.#collectAt = limits.memory / 2;
  }

  /**
   * @param asked bytes that are about to be allocated
   * @returns units until it is to be called again
   * @throws GuestError `limit`
   */
  sample(asked: number): number {
    const { cpuSeconds, memory } = this.limits;
    if (cpu(this.#worker) - this.#excused > cpuSeconds * 1e6)
      throw limit(`more than ${cpuSeconds} s of processor time (${variable('cpuSeconds')})`);
    let held = this.#held(asked);
    if (held > this.#collectAt) {
      this.#collect ??= collector();
      this.#collect();
      held = this.#held(asked);
      // Not at each look: a collection of much takes 0.1 s.
      this.#collectAt = Math.max(memory / 2, held + Math.max(8 * MB, (memory - held) / 3));
    }
    if (held > memory)
      throw limit(
        `more than ${Math.round(memory / MB)} MiB of memory${asked > MB ? `, ${asked} bytes more are wanted` : ''} (${variable('memory')})`,
      );
    return UNITS;
  }

  #held(asked: number): number {
    return resident(this.#worker) - this.#before + asked;
  }

  /** See Budget.progress; `silent` are the seconds since the last. @throws GuestError `limit` */
  progress(begins: boolean, silent: number): void {
    const now = cpu(this.#worker);
    if (!begins) this.#excused += now - this.#mark;
    this.#mark = now;
    if (silent > this.limits.silentSeconds)
      throw limit(`nothing came for ${Math.round(silent)} s (${variable('silentSeconds')})`);
  }
}
