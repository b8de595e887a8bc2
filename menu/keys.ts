/**
 * What a terminal sends → keys. Sequences: ECMA-48, DEC's VT100 and VT220 manuals, xterm's control sequences, the Linux
 * console's (console_codes(4)).
 */

/**
 * One key. Printable text is the character itself (one code point). Others have names: `up down left right home end pgup
 * pgdn enter tab backspace delete insert esc f1`…`f12`, `^a`…`^z` with Control, `M-b` after ESC or with Alt.
 */
export type Key = string;

/** Final bytes of `ESC [ …` and `ESC O …`. */
const FINALS: Readonly<Record<string, Key>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  P: 'f1',
  Q: 'f2',
  R: 'f3',
  S: 'f4',
};

/** Numbers in `ESC [ N ~`. */
const NUMBERS: Readonly<Record<number, Key>> = {
  1: 'home',
  2: 'insert',
  3: 'delete',
  4: 'end',
  5: 'pgup',
  6: 'pgdn',
  7: 'home',
  8: 'end',
  11: 'f1',
  12: 'f2',
  13: 'f3',
  14: 'f4',
  15: 'f5',
  17: 'f6',
  18: 'f7',
  19: 'f8',
  20: 'f9',
  21: 'f10',
  23: 'f11',
  24: 'f12',
};

/** Bytes that a sequence may have; a longer one is noise. */
const LONGEST = 32;

const ESC = 0x1b;

function control(byte: number): Key | undefined {
  if (byte === 0x0d || byte === 0x0a) return 'enter';
  if (byte === 0x09) return 'tab';
  if (byte === 0x08 || byte === 0x7f) return 'backspace';
  if (byte > 0 && byte < 0x1b) return `^${String.fromCharCode(byte + 0x60)}`;
  return undefined;
}

/** Bytes of the UTF-8 character that starts with this byte; 0 where none does. */
function utf8Length(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte >= 0xc2 && byte < 0xe0) return 2;
  if (byte >= 0xe0 && byte < 0xf0) return 3;
  if (byte >= 0xf0 && byte < 0xf5) return 4;
  return 0;
}

/** Collects bytes and gives keys. What may go on (a lone ESC, half a character) is kept until more comes, or `flush`. */
export class KeyReader {
  #held: number[] = [];
  /** The last byte was a carriage return: a line feed behind it belongs to it. */
  #return = false;

  /** True while a key is incomplete: after a short time without more bytes, `flush`. */
  get waiting(): boolean {
    return this.#held.length > 0;
  }

  feed(bytes: Uint8Array): Key[] {
    const keys: Key[] = [];
    for (const byte of bytes) {
      this.#held.push(byte);
      this.#take(keys);
    }
    return keys;
  }

  /** Nothing more came: ESC was the key itself. */
  flush(): Key[] {
    const held = this.#held;
    this.#held = [];
    // ESC [ and ESC O alone are Alt and that letter.
    if (held.length === 2 && held[0] === ESC && held[1] !== ESC)
      return [`M-${String.fromCharCode(held[1]!)}`];
    const keys: Key[] = [];
    for (const byte of held) if (byte === ESC) keys.push('esc');
    return keys;
  }

  #take(keys: Key[]): undefined {
    const held = this.#held;
    const [first, second] = held;
    const done = (key: Key | undefined): undefined => {
      this.#held = [];
      if (key !== undefined) keys.push(key);
    };
    const afterReturn = this.#return;
    this.#return = false;
    if (first !== ESC) {
      const length = utf8Length(first!);
      if (length === 0) return done(undefined);
      if (length === 1) {
        this.#return = first === 0x0d;
        if (first === 0x0a && afterReturn) return done(undefined);
        return done(first! >= 0x20 && first !== 0x7f ? String.fromCharCode(first!) : control(first!));
      }
      const last = held[held.length - 1]!;
      if (held.length > 1 && (last & 0xc0) !== 0x80) {
        // Half a character: what came in its place counts.
        this.#held = [last];
        return this.#take(keys);
      }
      if (held.length < length) return;
      const text = Buffer.from(held).toString('utf8');
      return done(/[\p{Cc}\ufffd]/u.test(text) ? undefined : text);
    }
    if (second === undefined) return;
    if (second === ESC) {
      // Twice: the first one was a key, the second may begin another.
      keys.push('esc');
      this.#held = [ESC];
      return;
    }
    if (second !== 0x5b && second !== 0x4f) {
      if (second >= 0x20 && second < 0x7f) return done(`M-${String.fromCharCode(second)}`);
      keys.push('esc');
      this.#held = [second];
      return this.#take(keys);
    }
    if (held.length === 2) return;
    const last = held[held.length - 1]!;
    // The Linux console's function keys: ESC [ [ A … E.
    if (held.length === 3 && second === 0x5b && last === 0x5b) return;
    if (held.length === 4 && held[2] === 0x5b)
      return done(last >= 0x41 && last <= 0x45 ? `f${last - 0x40}` : undefined);
    if (last === ESC) {
      this.#held = [ESC];
      return;
    }
    if (last < 0x40 || last > 0x7e) {
      if (last < 0x20 || held.length > LONGEST) done(undefined);
      return;
    }
    const parameters = String.fromCharCode(...held.slice(2, -1));
    if (last === 0x7e) return done(NUMBERS[Number.parseInt(parameters, 10)]);
    // ESC O M is the keypad's Enter of a VT100; parameters with a mark (<, ?) belong to reports, not to keys.
    if (second === 0x4f && last === 0x4d) return done('enter');
    return done(/^[<=>?]/.test(parameters) ? undefined : FINALS[String.fromCharCode(last)]);
  }
}
