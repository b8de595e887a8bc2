/**
 * What a parser in the sandbox draws, before a terminal sees it: text, and exactly the control sequences that the menu sends
 * (menu/screen.ts, menu/prompt.ts). Whatever else stands there is shown as `?`.
 */
import { StringDecoder } from 'node:string_decoder';

/** CUP, ED, EL, CUF, the cursor shown and hidden, SGR with the colours of ECMA-48 and their bright ones. */
const SEQUENCE =
  /^\x1b\[(?:[HJKm]|\?25[hl]|\d{1,4}C|\d{1,4}(?:;\d{1,4})?H|(?:[017]|[349][0-7]|10[0-7])(?:;(?:[017]|[349][0-7]|10[0-7])){0,3}m)/;
/** What may become one when more arrives; the longest is `ESC [ 0;1;7;107 m` and the like. */
const BEGUN = /\x1b(?:\[[\d;?]{0,16})?$/;
const LONGEST = 20;

/** Controls but BS, CR, LF and BEL; what printable() escapes. */
const UNWANTED =
  /[\x00-\x06\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

export interface Screened {
  /** For the terminal. */
  readonly text: string;
  /** Raw mode was asked for (SO) or given back (SI), the last word counts. */
  readonly raw: boolean | undefined;
}

export class Screening {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  feed(bytes: Buffer): Screened {
    let text = this.#rest + this.#decoder.write(bytes);
    const begun = BEGUN.exec(text);
    this.#rest = begun && begun[0].length < LONGEST ? begun[0] : '';
    text = text.slice(0, text.length - this.#rest.length);
    let raw: boolean | undefined;
    let out = '';
    for (const part of text.split(/(?=[\x1b\x0e\x0f])/)) {
      const sequence = SEQUENCE.exec(part)?.[0] ?? '';
      let plain = part.slice(sequence.length);
      if (plain[0] === '\x0e' || plain[0] === '\x0f') {
        raw = plain[0] === '\x0e';
        plain = plain.slice(1);
      }
      out += sequence + plain.replace(UNWANTED, '?');
    }
    return { text: out, raw };
  }
}
