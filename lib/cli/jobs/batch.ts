/**
 * The process that looks at some of the disks. It opens them all, gives root up for good, and only then are bytes of guests read,
 * by threads of its own, with a time and a share of memory for each disk. What hangs is left behind; when too much does, the rest
 * goes back to the supervisor.
 */
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GuestError } from '../../bytes/errors';
import { LIMITS } from '../../bytes/limits';
import { writeAll } from '../../output/write';
import { dropPrivileges } from '../../sandbox/drop';
import { mustBeReadable } from '../../sandbox/readable';
import { openDisk } from '../../source/file';
import { limitsInForce } from '../main';
import type { Task } from './look';
import type { Order } from './protocol';
import { type Seen, unseen } from './record';

/** Threads that hang in a call of the host's: each keeps 10 MB. With so many this process ends. */
const MOST_LOST = 8;
const MIB = 1024 * 1024;
/** Node's own part of `NODEGRUB_MAX_MEMORY`, once a process and not a worker (bytes/meter.ts). */
const NODE_MIB = 40;

const say = (line: string): void => writeAll(1, Buffer.from(`${line}\n`), 'to the supervisor');

/** In a worker thread. */
export const inWorker = () => (require('./worker') as typeof import('./worker')).work();

interface Seat {
  readonly worker: Worker;
  task: Task | undefined;
  timer: NodeJS.Timeout | undefined;
}

class Batch {
  readonly #order: Order;
  readonly #tasks: Task[] = [];
  readonly #seats = new Set<Seat>();
  #lost = 0;
  #done: () => void = () => {};

  constructor(order: Order) {
    this.#order = order;
  }

  #report(number: number, { verdict, line }: Seen): void {
    say(`r ${number} ${verdict} ${line}`);
  }

  #failed({ number, path }: { number: number; path: string }, reason: string): void {
    this.#report(number, unseen(number, path, this.#order.options.format === 'json', reason));
  }

  /** While this process is what it was started as. */
  open(): void {
    for (const disk of this.#order.disks) {
      say(`o ${disk.number}`);
      try {
        const { fd, size, sectorSize } = openDisk(disk.path);
        this.#tasks.push({ ...disk, fd, geometry: { size, sectorSize } });
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        this.#failed(disk, error.describe());
      }
    }
  }

  /** @returns whether threads are left that cannot be ended */
  async look(): Promise<boolean> {
    const { workers } = this.#order;
    const finished = new Promise<void>((done) => {
      this.#done = done;
    });
    for (let i = 0; i < Math.min(workers, this.#tasks.length); i++) this.#hire();
    if (this.#seats.size > 0) await finished;
    return this.#lost > 0;
  }

  #hire(): void {
    const program = JSON.stringify(join(__dirname, 'nodegrub.js'));
    const { options, policy } = this.#order;
    const memory = (limitsInForce() ?? LIMITS).memory / MIB - NODE_MIB;
    const worker = new Worker(`require(${program}).load('lib-cli-jobs-batch.js').inWorker()`, {
      eval: true,
      workerData: { options, policy },
      resourceLimits: { maxOldGenerationSizeMb: Math.max(16, memory), maxYoungGenerationSizeMb: 6 },
    });
    const seat: Seat = { worker, task: undefined, timer: undefined };
    this.#seats.add(seat);
    worker.on('message', (seen: Seen) => {
      const { task } = seat;
      if (!task) return;
      this.#leave(seat);
      closeSync(task.fd);
      this.#report(task.number, seen);
      this.#next(seat);
    });
    worker.on('error', (error: NodeJS.ErrnoException) => {
      this.#died(seat, error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out of memory' : String(error.message));
    });
    worker.on('exit', () => this.#died(seat, 'it ended'));
    this.#next(seat);
  }

  /** Its disk is no longer its own. */
  #leave(seat: Seat): void {
    clearTimeout(seat.timer);
    seat.task = undefined;
  }

  #died(seat: Seat, why: string): void {
    if (!this.#seats.delete(seat)) return;
    const { task } = seat;
    this.#leave(seat);
    if (task) {
      closeSync(task.fd);
      this.#failed(task, `the thread that looked at it died: ${why}`);
    }
    this.#replace();
  }

  #replace(): void {
    if (this.#tasks.length > 0 && this.#lost < MOST_LOST) this.#hire();
    else if (this.#seats.size === 0) this.#done();
  }

  #next(seat: Seat): void {
    const task = this.#lost < MOST_LOST ? this.#tasks.shift() : undefined;
    if (!task) {
      this.#seats.delete(seat);
      void seat.worker.terminate();
      if (this.#seats.size === 0) this.#done();
      return;
    }
    seat.task = task;
    say(`s ${task.number}`);
    seat.worker.postMessage(task);
    // What was said in time may be heard late: where the reader of our results was slow.
    seat.timer = setTimeout(
      () => setImmediate(() => seat.task === task && this.#tooLong(seat, task)),
      this.#order.seconds * 1000,
    );
  }

  #tooLong(seat: Seat, task: Task): void {
    this.#seats.delete(seat);
    this.#leave(seat);
    this.#failed(task, `nothing came of it within ${this.#order.seconds} s (--disk-timeout)`);
    // Its descriptor stays: the thread may hang in a read of it. One that computes can be ended.
    this.#lost++;
    void seat.worker.terminate().then(() => {
      this.#lost--;
      closeSync(task.fd);
    });
    this.#replace();
  }
}

/** Reads the order; the end of stdin after it is the supervisor's death. */
function ordered(): Promise<Order> {
  return new Promise((done) => {
    const parts: Buffer[] = [];
    process.stdin.on('data', (part: Buffer) => {
      parts.push(part);
      if (part.at(-1) === 0x0a) done(JSON.parse(Buffer.concat(parts).toString('utf8')) as Order);
    });
    process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
  });
}

/** @returns the exit status */
export async function batch(): Promise<number> {
  // Of a terminal's Ctrl-C the supervisor decides.
  process.on('SIGINT', () => {});
  const order = await ordered();
  if (order.user !== undefined && process.geteuid!() === 0) mustBeReadable(__dirname, order.user);
  const all = new Batch(order);
  all.open();
  if (order.user !== undefined) dropPrivileges(order.user, __dirname);
  const hangs = await all.look();
  say('e');
  // The ordinary end waits for its threads.
  if (hangs) process.kill(process.pid, 'SIGKILL');
  return 0;
}
