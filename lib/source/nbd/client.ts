/** The synchronous side of the thread that holds the connection (worker.ts): asks for stretches, and waits. */
import { join } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { type ErrorCode, GuestError } from '../../bytes/errors';
import { printable } from '../../bytes/text';
import type { Export } from './handshake';
import type { Setup } from './line';
import type { Problem } from './replies';
import {
  ASKED,
  BEAT,
  ENDED,
  FAILED,
  FATAL,
  FREE,
  HEAD,
  LISTENING,
  MEMORY,
  MOST_SLOTS,
  type News,
  OPEN,
  type Order,
  SIGNAL,
  SLOTS,
  STATE,
  type Start,
} from './shared';

declare const NODEGRUB_VERSION: string | undefined;
/** Beside the built program; run from its sources, the built one is taken. */
const WORKER =
  typeof NODEGRUB_VERSION === 'string'
    ? join(__dirname, 'nbdworker.js')
    : join(__dirname, '../../../dist/nbdworker.js');

/** Seconds without a sign of life from the thread: it is gone (memory), or the machine stands still. */
const LIFELESS = 30;

export class Client {
  /** Where the data of slots comes; its first byte has number 0. */
  readonly memory: Uint8Array;
  readonly #ints: Int32Array;
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #problems = new Map<number, Problem>();
  #export: Export | undefined;
  #fatal: News['fatal'];

  /**
   * Starts the thread and waits until it is there.
   * @param atOnce it connects without being told to
   * @param meanwhile what can be done while the thread starts, which takes as long as Node itself
   * @throws GuestError for certificates that cannot be read
   */
  constructor(
    readonly label: string,
    setup: Setup,
    readonly atOnce = false,
    meanwhile?: () => void,
  ) {
    const shared = new SharedArrayBuffer(HEAD + MEMORY);
    this.#ints = new Int32Array(shared, 0, SLOTS + MOST_SLOTS);
    this.memory = new Uint8Array(shared, HEAD);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const start: Start = { nbd: true, shared, port: port2, setup, atOnce };
    this.#worker = new Worker(WORKER, {
      workerData: start,
      transferList: [port2],
      env: {},
      execArgv: [],
      // Not this process's: with those, libuv would make its descriptors non-blocking.
      stdout: true,
      stderr: true,
      // Bytes of the network do not fill them: each is a bound.
      resourceLimits: { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 8, stackSizeMb: 1 },
    });
    this.#worker.unref();
    port1.unref();
    // A defect is told through the port; nobody else is to hear of it.
    this.#worker.on('error', () => {});
    try {
      meanwhile?.();
      this.#until(() => this.#state >= LISTENING);
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  get #state(): number {
    return Atomics.load(this.#ints, STATE);
  }

  /** @throws GuestError */
  open(): Export {
    if (!this.atOnce) this.#order('go');
    this.#until(() => this.#state >= OPEN);
    return this.#export!;
  }

  /** @param start in the memory */
  ask(slot: number, start: number, at: number, length: number): void {
    Atomics.store(this.#ints, SLOTS + slot, ASKED);
    this.#order([slot, start, at, length]);
  }

  isAsked(slot: number): boolean {
    return Atomics.load(this.#ints, SLOTS + slot) === ASKED;
  }

  /** The slot may be asked for something else. */
  free(slot: number): void {
    Atomics.store(this.#ints, SLOTS + slot, FREE);
  }

  /**
   * Waits for its data.
   * @returns why it failed, if it did
   * @throws GuestError `io` when the connection is gone
   */
  wait(slot: number): Problem | undefined {
    this.#until(() => !this.isAsked(slot));
    if (Atomics.load(this.#ints, SLOTS + slot) !== FAILED) return undefined;
    this.#hear();
    return this.#problems.get(slot);
  }

  /** A soft disconnect; may be called twice. */
  end(): void {
    if (this.#state >= FATAL) return;
    this.#order('end');
    const ints = this.#ints;
    for (let tries = 0; tries < 4 && this.#state !== ENDED; tries++)
      Atomics.wait(ints, SIGNAL, Atomics.load(ints, SIGNAL), 50);
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.end();
    this.#port.close();
    await this.#worker.terminate();
  }

  #order(order: Order): void {
    this.#port.postMessage(order);
  }

  #hear(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (!received) return;
      const { opened, failed, fatal } = received.message as News;
      if (opened) this.#export = opened;
      if (failed) this.#problems.set(failed.slot, failed.problem);
      if (fatal) this.#fatal ??= fatal;
    }
  }

  #until(ready: () => boolean): void {
    const ints = this.#ints;
    let beat = Atomics.load(ints, BEAT);
    let since = process.uptime();
    for (;;) {
      const seen = Atomics.load(ints, SIGNAL);
      if (this.#state >= FATAL) this.#fail();
      if (ready()) break;
      Atomics.wait(ints, SIGNAL, seen, 1000);
      const now = Atomics.load(ints, BEAT);
      if (now !== beat || Atomics.load(ints, SIGNAL) !== seen) {
        beat = now;
        since = process.uptime();
      } else if (process.uptime() - since > LIFELESS)
        throw new GuestError('io', 'the thread of the connection gives no sign of life', [this.label]);
    }
    this.#hear();
  }

  #fail(): never {
    this.#hear();
    const { code, message } = this.#fatal ?? { code: 'io', message: 'the connection has been ended' };
    if (code === 'defect') throw new Error(message);
    throw new GuestError(code as ErrorCode, printable(message, 1000), [this.label]);
  }
}
