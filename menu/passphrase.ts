/** A passphrase from the console: never shown, never a string. A chunk, loaded when an encrypted volume is in the way. */
import { consoleKind, type Kind, Terminal } from './terminal';

/** GRUB's bound is 256 bytes, cryptsetup's 512. */
const LONGEST = 512;

export class Passphrases {
  readonly #terminal: Terminal;
  #deadline: number | undefined;
  readonly #seconds: number | undefined;
  /** Why the last question had no answer. */
  reason = '';

  /** @param seconds until the first key; undefined: for ever */
  constructor(seconds: number | undefined, kind?: Kind) {
    this.#seconds = seconds;
    this.#terminal = new Terminal(kind ?? consoleKind(process.env));
    if (this.#terminal.kind.tty) {
      this.#deadline = seconds === undefined ? undefined : performance.now() + seconds * 1000;
      this.#terminal.open();
    }
  }

  say(line: string): void {
    this.#terminal.write(`${line}\r\n`);
  }

  close(): void {
    this.#terminal.close();
  }

  /** @returns the bytes as UTF-8, the caller's to wipe; undefined, with the `reason`, when none will come */
  async ask(words: string): Promise<Buffer | undefined> {
    const fail = (reason: string): undefined => {
      this.reason = reason;
    };
    if (!this.#terminal.kind.tty) return fail('no terminal is there to ask at');
    this.#terminal.write(words);
    // Not from Node's pool, which others read.
    const typed = Buffer.alloc(LONGEST);
    let length = 0;
    let done = false;
    try {
      for (;;) {
        const input = await this.#terminal.next(this.#deadline);
        if (input.kind === 'resize') continue;
        if (input.kind !== 'key') {
          this.#terminal.write('\r\n');
          return fail(
            input.kind === 'gone'
              ? 'the console was lost while its passphrase was asked for'
              : `nobody typed a passphrase within ${this.#seconds} s`,
          );
        }
        this.#deadline = undefined;
        const { key } = input;
        if (key === 'enter') {
          this.#terminal.write('\r\n');
          done = true;
          const secret = Buffer.alloc(length);
          typed.copy(secret);
          return secret;
        }
        if (key === 'esc' || key === '^c' || key === '^d') {
          this.#terminal.write('\r\n');
          return fail('the question for its passphrase was left');
        }
        if (key === '^u') length = 0;
        else if (key === 'backspace') {
          // All bytes of the last character.
          while (length > 0 && (typed[--length]! & 0xc0) === 0x80);
        } else if ([...key].length === 1) {
          if (length + Buffer.byteLength(key) > LONGEST) this.#terminal.write('\x07');
          else length += typed.write(key, length);
        }
      }
    } finally {
      if (!done) this.#deadline = undefined;
      typed.fill(0);
    }
  }
}
