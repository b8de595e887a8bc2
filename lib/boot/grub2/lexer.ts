/**
 * GRUB's script lexer: text → tokens with their places, nothing is decoded here. Facts: GRUB manual, "Shell-like
 * scripting"; behaviour checked against grub-emu 2.06.
 *
 * Works on character codes; every character is looked at once, strings are never built.
 */
import type { ByteString } from '../../bytes/text';

/** What a token is. Reserved words are recognised everywhere; the parser lets them through as arguments. */
export enum T {
  /** End of the text, where a statement is still open or the last line ends. */
  End,
  /** A character or a word that GRUB cannot read (`$` alone, `"$ "`, an open quote). */
  Bad,
  Newline,
  Semicolon,
  OpenBrace,
  CloseBrace,
  /** `|`, `||`, `&`, `&&`, `;;`, `<`, `>`, `[[`, `]]`: known to GRUB, used by no rule of its grammar. */
  Unused,
  Word,
  If,
  Then,
  Elif,
  Else,
  Fi,
  For,
  In,
  Do,
  Done,
  While,
  Until,
  Function,
  /** `case`, `esac`, `select`: reserved, only good as arguments. */
  Reserved,
}

enum C {
  Plain,
  Blank,
  Newline,
  Semicolon,
  Open,
  Close,
  Operator,
  Double,
  Single,
  Backslash,
  Dollar,
}

/** Classes of the 128 ASCII characters; all others are plain. */
const CLASS = new Uint8Array(128);
for (const [characters, kind] of [
  [' \t', C.Blank],
  ['\n', C.Newline],
  [';', C.Semicolon],
  ['{', C.Open],
  ['}', C.Close],
  ['|&<>', C.Operator],
  ['"', C.Double],
  ["'", C.Single],
  ['\\', C.Backslash],
  ['$', C.Dollar],
] as const)
  for (const c of characters) CLASS[c.charCodeAt(0)] = kind;

const WORDS: ReadonlyMap<string, T> = new Map<string, T>([
  ['if', T.If],
  ['then', T.Then],
  ['elif', T.Elif],
  ['else', T.Else],
  ['fi', T.Fi],
  ['for', T.For],
  ['in', T.In],
  ['do', T.Do],
  ['done', T.Done],
  ['while', T.While],
  ['until', T.Until],
  ['function', T.Function],
  ['case', T.Reserved],
  ['esac', T.Reserved],
  ['select', T.Reserved],
  ['[[', T.Unused],
  [']]', T.Unused],
]);

/** First letters of the reserved words by their length, so that most words need no look-up. */
const INITIALS = ['', '', 'dfi[]', 'f', 'cdet', 'uw', 's', '', 'f'] as const;

const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isAlpha = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95;
/** `?`, `#`, `*`, `@` */
const isSpecial = (c: number): boolean => c === 63 || c === 35 || c === 42 || c === 64;

/** The end of a name or number that starts at `at`, or `at` when there is none. */
function nameEnd(text: ByteString, at: number): number {
  const first = text.charCodeAt(at);
  let p = at;
  if (isDigit(first)) {
    while (isDigit(text.charCodeAt(p))) p++;
  } else if (isAlpha(first)) {
    let c = first;
    do c = text.charCodeAt(++p);
    while (isAlpha(c) || isDigit(c));
  } else if (isSpecial(first)) p++;
  return p;
}

/** The end of the variable whose `$` is at `at`, or `at` when it is none. */
export function variableEnd(text: ByteString, at: number): number {
  if (text.charCodeAt(at + 1) !== 123) {
    const end = nameEnd(text, at + 1);
    return end === at + 1 ? at : end;
  }
  const end = nameEnd(text, at + 2);
  return end > at + 2 && text.charCodeAt(end) === 125 ? end + 1 : at;
}

export class Lexer {
  kind: T = T.End;
  start = 0;
  /** One past the token's last character. */
  end = 0;
  /** Whether a Word has no quote, backslash or variable in it. */
  plain = true;
  /** Set with Bad: what GRUB prints before the syntax error. */
  complaint: string | undefined;
  /** GRUB ends every line with a newline, the last one too. */
  #newlineOwed: boolean;

  constructor(
    readonly text: ByteString,
    public position: number,
  ) {
    this.#newlineOwed = text.charCodeAt(text.length - 1) !== 10;
  }

  /** Reads the next token into `kind`, `start`, `end`. */
  next(): T {
    const { text } = this;
    let p = this.position;
    let c = text.charCodeAt(p);
    while (c === 32 || c === 9) c = text.charCodeAt(++p);
    if (c === 35) {
      p = text.indexOf('\n', p);
      if (p < 0) p = text.length;
      c = text.charCodeAt(p);
    }
    this.start = p;
    if (p >= text.length) {
      this.end = p;
      this.position = p;
      this.kind = this.#newlineOwed ? T.Newline : T.End;
      this.#newlineOwed = false;
      return this.kind;
    }
    switch (c < 128 ? CLASS[c]! : C.Plain) {
      case C.Newline:
        return this.#done(T.Newline, p + 1);
      case C.Semicolon:
        return text.charCodeAt(p + 1) === 59 ? this.#done(T.Unused, p + 2) : this.#done(T.Semicolon, p + 1);
      case C.Open:
        return this.#done(T.OpenBrace, p + 1);
      case C.Close:
        return this.#done(T.CloseBrace, p + 1);
      case C.Operator:
        return this.#done(T.Unused, (c === 124 || c === 38) && text.charCodeAt(p + 1) === c ? p + 2 : p + 1);
      default:
        return this.#word(p);
    }
  }

  #done(kind: T, end: number): T {
    this.end = end;
    this.position = end;
    this.kind = kind;
    return kind;
  }

  #word(start: number): T {
    const { text } = this;
    const { length } = text;
    let p = start;
    let plain = true;
    let bad = false;
    scan: while (p < length) {
      const c = text.charCodeAt(p);
      switch (c < 128 ? CLASS[c]! : C.Plain) {
        case C.Plain:
          p++;
          break;
        case C.Single: {
          plain = false;
          const end = text.indexOf("'", p + 1);
          if (end < 0) return this.#open();
          p = end + 1;
          break;
        }
        case C.Double: {
          plain = false;
          p++;
          for (;;) {
            if (p >= length) return this.#open();
            const d = text.charCodeAt(p);
            if (d === 34) break;
            if (d === 92) p += 2;
            else if (d === 36) {
              const end = variableEnd(text, p);
              if (end === p) {
                bad = true;
                p++;
              } else p = end;
            } else p++;
          }
          p++;
          break;
        }
        case C.Backslash:
          plain = false;
          p += 2;
          if (p > length || (p === length && text.charCodeAt(p - 1) === 10)) return this.#open();
          break;
        case C.Dollar: {
          if (text.charCodeAt(p + 1) === 34) {
            plain = false;
            // $"…": variables in it are found when it is expanded.
            p += 2;
            for (;;) {
              if (p >= length) return this.#open();
              const d = text.charCodeAt(p);
              if (d === 34) break;
              p += d === 92 ? 2 : 1;
            }
            p++;
            break;
          }
          const end = variableEnd(text, p);
          if (end === p) {
            if (p > start) break scan;
            this.complaint = '$';
            return this.#done(T.Bad, p + 1);
          }
          plain = false;
          p = end;
          break;
        }
        default:
          break scan;
      }
    }
    this.plain = plain;
    if (bad) {
      this.complaint = undefined;
      return this.#done(T.Bad, p);
    }
    if (plain && p - start <= 8 && INITIALS[p - start]!.includes(text[start]!)) {
      const reserved = WORDS.get(text.slice(start, p));
      if (reserved !== undefined) return this.#done(reserved, p);
    }
    return this.#done(T.Word, p);
  }

  /** A quote or a continued line that the text's end cuts off: GRUB asks for one more line and gets none. */
  #open(): T {
    this.complaint = 'out of memory';
    this.end = this.text.length;
    this.position = this.end;
    this.kind = T.Bad;
    return T.Bad;
  }
}
