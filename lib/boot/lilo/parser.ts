/**
 * The language that lilo.conf began and that elilo.conf, yaboot.conf and others took over: words, `word = value`, `#`
 * comments, and sections that begin with `image = FILE`. Facts: lilo.conf(5) and cfg.c of LILO 22.8, config.c of ELILO
 * 3.16, yaboot.conf(5).
 */
import type { Budget } from '../../bytes/budget';
import { type ByteString, printable } from '../../bytes/text';
import { trimBlanks } from '../words';

export interface Rules {
  /** Words that stand alone; all others want a value. Lower case. */
  readonly flags: ReadonlySet<string>;
  /** Words that begin a section, with a value. */
  readonly sections: ReadonlySet<string>;
  /** Words that count for the whole file wherever they stand. */
  readonly globals: ReadonlySet<string>;
  /** `$NAME` is a variable of the installer's environment (LILO). */
  readonly variables?: boolean;
}

/** The settings of one section, or those before the first. Names in lower case; the first of a name counts. */
export type Settings = ReadonlyMap<ByteString, ByteString>;

export interface Section {
  /** `image`, `other` … */
  readonly kind: ByteString;
  readonly value: ByteString;
  readonly settings: Settings;
  /** From its first word up to the next section. */
  readonly text: ByteString;
}

export interface Parsed {
  readonly globals: Settings;
  readonly sections: readonly Section[];
  readonly warnings: readonly string[];
}

interface Token {
  readonly text: ByteString;
  /** Where it starts. */
  readonly at: number;
  readonly equals: boolean;
}

/** More are counted and not shown: a text of a million lines may be wrong on each. */
const MAX_WARNINGS = 20;

class Lexer {
  at = 0;
  line = 1;

  constructor(
    private readonly source: ByteString,
    private readonly rules: Rules,
    private readonly budget: Budget,
    private readonly complain: (line: number, message: string) => void,
  ) {}

  /** @param value the right side of `=`: a `=` in it is an ordinary character (as in ELILO; LILO wants quotes) */
  next(value = false): Token | undefined {
    const { source } = this;
    for (; this.at < source.length; this.at++) {
      const c = source[this.at]!;
      if (c === '\n') {
        this.budget.step();
        this.line++;
      } else if (c === '#') this.#toEndOfLine();
      else if (c !== ' ' && c !== '\t' && c !== '\r') break;
    }
    if (this.at >= source.length) return undefined;
    this.budget.step();
    const at = this.at;
    if (source[at] === '=' && !value) {
      this.at++;
      return { text: '=', at, equals: true };
    }
    const text = source[at] === '"' ? this.#quoted() : this.#plain(value);
    this.budget.step(text.length >> 6);
    this.budget.allocate(text.length);
    return { text, at, equals: false };
  }

  /** On the line feed, or at the end. */
  #toEndOfLine(): void {
    const end = this.source.indexOf('\n', this.at);
    this.at = (end < 0 ? this.source.length : end) - 1;
  }

  #quoted(): ByteString {
    const { source } = this;
    let text = '';
    for (this.at++; this.at < source.length; this.at++) {
      const c = source[this.at]!;
      if (c === '"') {
        this.at++;
        return text;
      }
      if (c === '\r') continue;
      if (c === '\n') break;
      if (c === '\\') {
        const next = source[++this.at] ?? '';
        if (next === '\n' || (next === '\r' && source[this.at + 1] === '\n')) {
          // A line goes on: one blank stands for its end and the next one's indentation.
          if (next === '\r') this.at++;
          this.budget.step();
          this.line++;
          while (source[this.at + 1] === ' ' || source[this.at + 1] === '\t') this.at++;
          text += ' ';
        } else if (next === '"' || next === '\\' || (next === '$' && this.rules.variables)) text += next;
        else {
          this.complain(this.line, `'\\${printable(next)}' in a quoted string`);
          text += `\\${next}`;
        }
      } else if (c === '$' && this.rules.variables) this.#variable();
      else text += c;
    }
    this.complain(this.line, 'a quoted string does not end on its line');
    return text;
  }

  #plain(value: boolean): ByteString {
    const { source } = this;
    let text = '';
    for (; this.at < source.length; this.at++) {
      const c = source[this.at]!;
      if (c === ' ' || c === '\t' || c === '\n' || c === '\r' || c === '#' || (c === '=' && !value)) break;
      if (c === '\\') {
        const next = source[++this.at];
        if (next === undefined) break;
        if (next === '\n') this.line++;
        else text += next === '\t' ? ' ' : next;
      } else if (c === '$' && this.rules.variables) this.#variable();
      else text += c;
    }
    return text;
  }

  /** Passes over `$NAME` or `${NAME}`: the environment in which the installer ran is not known. */
  #variable(): void {
    const name = /^\$(?:\{([^}\x00-\x1f]{0,200})\}|(\w{1,200}))/.exec(
      this.source.slice(this.at, this.at + 210),
    );
    this.complain(
      this.line,
      `the variable '${printable(name?.[1] ?? name?.[2] ?? '')}' of lilo's environment is not known`,
    );
    if (name) this.at += name[0].length - 1;
  }
}

/** @throws GuestError `limit` for too many sections or too much work; never for syntax */
export function parseSections(source: ByteString, rules: Rules, budget: Budget): Parsed {
  const warnings: string[] = [];
  let unsaid = 0;
  const complain = (line: number, message: string): void => {
    if (warnings.length < MAX_WARNINGS) warnings.push(`line ${line}: ${message}`);
    else unsaid++;
  };
  const lexer = new Lexer(source, rules, budget, complain);
  const globals = new Map<ByteString, ByteString>();
  const sections: {
    kind: ByteString;
    value: ByteString;
    settings: Map<ByteString, ByteString>;
    at: number;
  }[] = [];
  let current = globals;
  let word = lexer.next();
  while (word) {
    const { line } = lexer;
    if (word.equals) {
      complain(line, "'=' without a word before it");
      word = lexer.next();
      continue;
    }
    const key = word.text.toLowerCase();
    const shown = printable(word.text, 60);
    let following = lexer.next();
    let value: ByteString | undefined;
    if (following?.equals) {
      const token = lexer.next(true);
      if (!token) complain(line, `'${shown}' has no value`);
      value = token?.text ?? '';
      following = lexer.next();
    }
    if (value === undefined && !rules.flags.has(key))
      complain(line, `'${shown}' has no value, or is not known`);
    else if (value !== undefined && rules.flags.has(key)) complain(line, `'${shown}' takes no value`);
    else if (rules.sections.has(key)) {
      budget.most('menuEntries', sections.length + 1, 'menu entries');
      budget.allocate(200);
      current = new Map();
      sections.push({ kind: key, value: value!, settings: current, at: word.at });
    } else {
      const place = rules.globals.has(key) ? globals : current;
      if (place !== current) complain(line, `'${shown}' belongs before the first section`);
      if (place.has(key)) complain(line, `'${shown}' stands twice, the first counts`);
      else {
        budget.allocate(100);
        place.set(key, value ?? '');
      }
    }
    word = following;
  }
  if (unsaid > 0) warnings.push(`${unsaid} more lines are wrong`);
  return {
    globals,
    warnings,
    sections: sections.map(({ at, ...section }, i) => ({
      ...section,
      text: `${trimBlanks(source.slice(at, sections[i + 1]?.at))}\n`,
    })),
  };
}
