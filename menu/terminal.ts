/**
 * The console: raw mode, keys with a time limit, size, signals. Whatever ends the menu, the terminal is as it was before.
 */
import { isatty } from 'node:tty';
import { GuestError } from '../lib/bytes/errors';
import { writeAll } from '../lib/output/write';
import { type Key, KeyReader } from './keys';
import type { Size } from './screen';

export type Input =
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'time' }
  | { readonly kind: 'resize' }
  | { readonly kind: 'gone' };

/** Milliseconds after which an ESC that nothing follows is the key itself. A serial line of 9600 baud needs 1 a byte. */
const ESC_TIME = 100;

/** Signals that end the program; the terminal is put right before they do. */
const ENDING: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT'];

/** Columns and rows that a terminal is believed; libxl's has 0x0, and nobody has one of a million. */
const LARGEST = 1000;

const UNKNOWN_SIZE: Size = { columns: 80, rows: 24 };

/** What kind of console this is, from its descriptors and the environment. */
export interface Kind {
  /** Cursor addressing works. */
  readonly full: boolean;
  /** Input is a terminal: its end means that nobody is there any more. */
  readonly tty: boolean;
  readonly utf8: boolean;
  /** Where is written. */
  readonly fd: number;
  /**
   * The console is another process's, which passes keys on and shows what is drawn (sandbox/parent.ts): SO and SI ask it for raw
   * mode and back, `CSI 8 ; rows ; columns t` among the keys says its new size.
   */
  readonly remote?: { readonly drawn: boolean; readonly size: Size };
}

export function consoleKind(environment: NodeJS.ProcessEnv): Kind {
  const tty = isatty(0);
  const fd = isatty(1) ? 1 : 2;
  const term = environment.TERM ?? '';
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  return {
    tty,
    fd,
    full: tty && isatty(fd) && term !== '' && term !== 'dumb' && term !== 'unknown',
    utf8: /utf-?8/i.test(locale),
  };
}

export class Terminal {
  readonly kind: Kind;
  readonly #reader = new KeyReader();
  readonly #inputs: Input[] = [];
  #wake: (() => void) | undefined;
  #flush: NodeJS.Timeout | undefined;
  /** No key will come any more. */
  #gone = false;
  /** Nothing that is written arrives. */
  #deaf = false;
  #open = false;
  #remoteSize: Size | undefined;

  constructor(kind: Kind) {
    this.kind = kind;
    if (kind.remote) this.#resized(kind.remote.size);
  }

  #resized({ columns, rows }: Size): void {
    const known = columns >= 1 && rows >= 1;
    this.#remoteSize = known
      ? { columns: Math.min(columns, LARGEST), rows: Math.min(rows, LARGEST) }
      : UNKNOWN_SIZE;
  }

  /** Takes the console. */
  open(): void {
    if (this.#open) return;
    this.#open = true;
    const { stdin } = process;
    for (const signal of ENDING) process.on(signal, this.#onSignal);
    stdin.on('data', this.#onData);
    stdin.on('end', this.#onEnd);
    stdin.on('close', this.#onEnd);
    stdin.on('error', this.#onEnd);
    this.#output?.on('resize', this.#onResize);
    try {
      this.#raw(true);
      stdin.resume();
    } catch {
      this.#onEnd();
    }
  }

  /** Gives the console back; what was typed and not taken stays. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const { stdin } = process;
    clearTimeout(this.#flush);
    stdin.off('data', this.#onData);
    stdin.off('end', this.#onEnd);
    stdin.off('close', this.#onEnd);
    this.#output?.off('resize', this.#onResize);
    try {
      stdin.pause();
      this.#raw(false);
    } catch {
      // The console is gone.
    }
    for (const signal of ENDING) process.off(signal, this.#onSignal);
  }

  #raw(on: boolean): void {
    if (!this.kind.tty) return;
    if (this.kind.remote) this.write(on ? '\x0e' : '\x0f');
    else process.stdin.setRawMode(on);
  }

  get size(): Size {
    if (this.#remoteSize) return this.#remoteSize;
    const { columns = 0, rows = 0 } = this.#output ?? {};
    if (columns < 1 || rows < 1) return UNKNOWN_SIZE;
    return { columns: Math.min(columns, LARGEST), rows: Math.min(rows, LARGEST) };
  }

  write(text: string): void {
    if (text === '' || this.#deaf) return;
    try {
      const lines = this.#output || this.kind.remote?.drawn ? text : text.replaceAll('\r\n', '\n');
      writeAll(this.kind.fd, Buffer.from(lines), 'the console');
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      this.#deaf = true;
      this.#onEnd();
    }
  }

  /**
   * The next thing that happens.
   * @param deadline of `performance.now()`; undefined: none
   */
  async next(deadline: number | undefined): Promise<Input> {
    for (;;) {
      const input = this.#inputs.shift();
      if (input) return input;
      if (this.#gone) return { kind: 'gone' };
      const left = deadline === undefined ? undefined : deadline - performance.now();
      if (left !== undefined && left <= 0) return { kind: 'time' };
      await new Promise<void>((done) => {
        const timer =
          left === undefined ? undefined : setTimeout(done, Math.min(Math.ceil(left), 2 ** 31 - 1));
        this.#wake = () => {
          clearTimeout(timer);
          done();
        };
      });
      this.#wake = undefined;
    }
  }

  get #output() {
    if (this.kind.remote || !isatty(this.kind.fd)) return undefined;
    return this.kind.fd === 1 ? process.stdout : process.stderr;
  }

  #push(input: Input): void {
    this.#inputs.push(input);
    this.#wake?.();
  }

  readonly #onData = (bytes: Buffer): void => {
    clearTimeout(this.#flush);
    for (const key of this.#reader.feed(this.#withoutSizes(bytes))) this.#push({ kind: 'key', key });
    if (!this.#reader.waiting) return;
    this.#flush = setTimeout(() => {
      for (const key of this.#reader.flush()) this.#push({ kind: 'key', key });
    }, ESC_TIME);
  };

  /** The parent writes each size at once, so none is cut. */
  #withoutSizes(bytes: Buffer): Buffer {
    if (!this.kind.remote) return bytes;
    const keys = bytes.toString('latin1').replace(/\x1b\[8;(\d+);(\d+)t/g, (_, rows, columns) => {
      this.#resized({ columns: Number(columns), rows: Number(rows) });
      this.#push({ kind: 'resize' });
      return '';
    });
    return Buffer.from(keys, 'latin1');
  }

  readonly #onEnd = (): void => {
    this.#gone = true;
    this.#wake?.();
  };

  readonly #onResize = (): void => this.#push({ kind: 'resize' });

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.kind.full) this.write('\x1b[m\x1b[?25h\r\n');
    this.close();
    // Now with its default action, which the toolstack sees.
    process.kill(process.pid, signal);
  };
}
