/**
 * An export that is read: requests in any number, over one connection that is made again when it breaks, once for each break.
 * Works in the thread of the connection (worker.ts), which has an event loop.
 */
import type { SecureContext } from 'node:tls';
import { credentials } from './dial';
import { Fault } from './fault';
import type { Export } from './handshake';
import { ESHUTDOWN } from './layout';
import { Line, type Setup } from './line';
import { Pending, type Problem, Replies } from './replies';

export interface Report {
  opened(found: Export): void;
  done(slot: number): void;
  failed(slot: number, problem: Problem): void;
  /** Nothing more can be had; nothing is reported after it. */
  fatal(fault: Fault): void;
}

/** Bytes of the disk that must come in `silentSeconds`, if so many are asked for: a server that drips is a silent one. */
const LEAST = 64 * 1024;
/** Before a connection is made again: a server that was started again needs a moment. */
const PAUSE_MS = 250;
const TICK_MS = 250;

export class Engine {
  /** All that is asked for and has not come, in order. */
  #asked: Pending[] = [];
  #line: Line | undefined;
  #export: Export | undefined;
  #replies: Replies | undefined;
  #cookie = 0;
  /** Why the connection broke the last time, until a reply has come over the next one. */
  #broke: Fault | undefined;
  #over = false;
  readonly #context: SecureContext | undefined;
  /** Milliseconds of the last progress; payload until then. */
  #mark = 0;
  #payload = 0;
  readonly #ticks: NodeJS.Timeout;

  /** @throws Fault for certificates that cannot be read */
  constructor(
    readonly setup: Setup,
    readonly report: Report,
  ) {
    const { tls } = setup.address;
    this.#context = tls && setup.fd === undefined ? credentials(tls) : undefined;
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
  }

  start(): void {
    this.#line = new Line(this.setup, this.#context, {
      opened: (found) => this.#opened(found),
      ended: (why) => this.#ended(why),
    });
  }

  /** @param into where the data goes */
  read(slot: number, at: number, into: Uint8Array): void {
    if (this.#over) return;
    if (this.#asked.length === 0) this.#progress();
    const request = new Pending(++this.#cookie, slot, at, into);
    this.#asked.push(request);
    if (this.#line?.isOpen) this.#line.read(request);
    // It had broken while nothing was asked for.
    else if (!this.#line) this.#again();
  }

  end(): void {
    this.#close();
    this.#line?.disconnect();
  }

  #opened(found: Export): Replies {
    const before = this.#export;
    if (before) {
      const same =
        found.size === before.size && found.minimum <= before.minimum && found.maximum >= before.maximum;
      if (!same)
        throw new Fault(
          'io',
          `the connection broke (${this.#broke!.message}), and when it was made again the export had another size`,
        );
    }
    const replies = new Replies(found.structured, (request) => this.#finished(request));
    this.#replies = replies;
    this.#payload = 0;
    this.#progress();
    // When the line has these replies.
    queueMicrotask(() => {
      if (this.#over || this.#replies !== replies || !this.#line?.isOpen) return;
      const again = this.#asked;
      this.#asked = [];
      for (const { slot, at, into } of again) {
        const request = new Pending(++this.#cookie, slot, at, into);
        this.#asked.push(request);
        this.#line.read(request);
      }
    });
    if (!before) {
      this.#export = found;
      this.report.opened(found);
    }
    return replies;
  }

  #finished(request: Pending): void {
    if (request.problem?.error === ESHUTDOWN) {
      this.#line?.disconnect();
      this.#ended(new Fault('io', `the server is shutting down (${request.problem.text})`, true));
      return;
    }
    this.#asked.splice(this.#asked.indexOf(request), 1);
    this.#broke = undefined;
    this.#progress();
    if (request.problem) this.report.failed(request.slot, request.problem);
    else this.report.done(request.slot);
  }

  #ended(why: Fault): void {
    if (this.#over) return;
    this.#line = undefined;
    const before = this.#broke;
    if (!this.#export || !why.broken) {
      const more =
        before && !why.message.includes(before.message)
          ? ` (the connection had broken before: ${before.message})`
          : '';
      this.#fatal(more === '' ? why : new Fault(why.code, why.message + more));
      return;
    }
    if (before) {
      this.#fatal(
        new Fault(
          'io',
          `the connection broke (${before.message}), was made again, and broke again (${why.message})`,
        ),
      );
      return;
    }
    if (this.setup.fd !== undefined) {
      this.#fatal(new Fault('io', `the connection broke (${why.message}); the sandbox cannot make another`));
      return;
    }
    this.#broke = why;
    if (this.#asked.length > 0) this.#again();
  }

  #again(): void {
    setTimeout(() => {
      if (!this.#over && !this.#line) this.start();
    }, PAUSE_MS);
  }

  #progress(): void {
    this.#mark = Date.now();
    this.#payload = this.#replies?.payload ?? 0;
  }

  #tick(): void {
    if (this.#over || this.#asked.length === 0 || !this.#line?.isOpen) return;
    const came = this.#replies!.payload - this.#payload;
    if (came >= LEAST) this.#progress();
    const { silentSeconds } = this.setup;
    if (Date.now() - this.#mark <= silentSeconds * 1000) return;
    this.#fatal(
      new Fault(
        'io',
        `${came === 0 ? 'nothing' : `no more than ${came} bytes`} came for ${silentSeconds} s (NODEGRUB_MAX_SILENT_SECONDS)`,
      ),
    );
  }

  #fatal(fault: Fault): void {
    const line = this.#line;
    this.#close();
    line?.disconnect();
    this.report.fatal(fault);
  }

  #close(): void {
    this.#over = true;
    clearInterval(this.#ticks);
  }
}
