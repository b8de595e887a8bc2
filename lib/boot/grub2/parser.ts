/**
 * GRUB's grammar, one line at a time: `parseLine` reads a line and as many more as it needs to close what it opens,
 * which is what GRUB executes before it looks at the next one.
 *
 * The body of a block argument (`menuentry … { }`) is checked by the same rules and kept as text, without a tree:
 * so both agree on where it ends and on what is an error, and 10,000 entries cost little.
 */
import type { Budget } from '../../bytes/budget';
import { limit } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import type { Command, FunctionDefinition, List, Piece, Word } from './ast';
import { Lexer, T, variableEnd } from './lexer';

/** Constructs inside each other; GRUB executes no more than 64, and the parser must not run out of stack. */
const MAX_NESTING = 200;

/** What a command, each of its words and each piece of a word take in the tree, roughly. */
const COMMAND_BYTES = 256;
const WORD_BYTES = 128;
const PIECE_BYTES = 80;

export interface Line {
  /** Undefined after a syntax error, and when there is nothing to execute. */
  readonly list: List | undefined;
  /** What GRUB prints of a syntax error, in order. Undefined when there is none. */
  readonly errors?: readonly string[];
  /** Where the next line starts. */
  readonly next: number;
}

class Unexpected {
  constructor(
    readonly kind: T,
    /** Where another statement could begin: GRUB's parser then takes the line for complete, and gives up at once. */
    readonly behindStatement = false,
  ) {}
}

/** Can start a statement (also after GRUB's error recovery). */
const starts = (kind: T): boolean =>
  kind === T.Word ||
  kind === T.If ||
  kind === T.For ||
  kind === T.While ||
  kind === T.Until ||
  kind === T.Function;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

class Parser {
  readonly lexer: Lexer;
  #depth = 0;
  /** Inside a block argument: check only. */
  #checking = 0;

  constructor(
    text: ByteString,
    at: number,
    readonly define: (definition: FunctionDefinition) => void,
    readonly budget: Budget | undefined,
  ) {
    this.lexer = new Lexer(text, at);
  }

  /** One line: statements separated by `;`, up to a newline outside of every construct. */
  line(): Command[] {
    const { lexer } = this;
    const commands: Command[] = [];
    let statements = 0;
    for (let kind = lexer.next(); kind !== T.Newline && kind !== T.End; kind = lexer.next()) {
      if (!starts(kind)) throw new Unexpected(kind, statements > 0);
      if (kind === T.Function) this.#function();
      else commands.push(this.#command()!);
      statements++;
      if (this.#ends()) break;
      if (lexer.kind !== T.Semicolon) this.#fail();
    }
    return commands;
  }

  #ends(): boolean {
    return this.lexer.kind === T.Newline || this.lexer.kind === T.End;
  }

  #fail(): never {
    throw new Unexpected(this.lexer.kind);
  }

  #expect(kind: T): void {
    if (this.lexer.kind !== kind) this.#fail();
    this.lexer.next();
  }

  #newlines(): void {
    while (this.lexer.kind === T.Newline) this.lexer.next();
  }

  #enter(): void {
    if (++this.#depth > MAX_NESTING) throw limit(`script nested deeper than ${MAX_NESTING}`);
  }

  /**
   * Commands up to a word that ends them; `delimited` says whether a `;` or newline must stand before that word.
   * @returns undefined while checking only
   */
  #commands(delimited: boolean): List | undefined {
    const { lexer } = this;
    this.#enter();
    const commands: Command[] | undefined = this.#checking > 0 ? undefined : [];
    this.#newlines();
    for (;;) {
      if (lexer.kind === T.Function) this.#fail();
      const command = this.#command();
      if (command) commands?.push(command);
      if (lexer.kind !== T.Semicolon && lexer.kind !== T.Newline) {
        if (delimited) this.#fail();
        break;
      }
      lexer.next();
      this.#newlines();
      if (!starts(lexer.kind)) break;
    }
    this.#depth--;
    return commands && { kind: 'list', commands };
  }

  #command(): Command | undefined {
    switch (this.lexer.kind) {
      case T.Word:
        return this.#simple();
      case T.If: {
        this.lexer.next();
        const command = this.#if();
        this.#expect(T.Fi);
        return command;
      }
      case T.For:
        return this.#for();
      case T.While:
      case T.Until:
        return this.#while();
      default:
        return this.#fail();
    }
  }

  #simple(): Command | undefined {
    const { lexer } = this;
    if (this.#checking > 0) {
      do lexer.next();
      while (lexer.kind >= T.Word);
      if (lexer.kind === T.OpenBrace) this.#block();
      return undefined;
    }
    const words: Word[] = [];
    this.budget?.allocate(COMMAND_BYTES);
    do {
      this.#add(words);
      lexer.next();
    } while (lexer.kind >= T.Word);
    if (lexer.kind !== T.OpenBrace) return { kind: 'simple', words };
    return { kind: 'simple', words, block: this.#block() };
  }

  #block(): ByteString {
    const { lexer } = this;
    const from = lexer.end;
    this.#checking++;
    lexer.next();
    this.#commands(false);
    if (lexer.kind !== T.CloseBrace) this.#fail();
    const to = lexer.start;
    this.#checking--;
    lexer.next();
    return this.#checking > 0 ? '' : lexer.text.slice(from, to);
  }

  #function(): void {
    const { lexer } = this;
    lexer.next();
    const name = this.#name();
    this.#newlines();
    this.#expect(T.OpenBrace);
    const body = this.#commands(true)!;
    // GRUB defines it here, while parsing; before the look-ahead, so that an error behind it does not undo it.
    if (lexer.kind !== T.CloseBrace) this.#fail();
    this.define({ name, body });
    lexer.next();
  }

  #name(): ByteString {
    const { lexer } = this;
    const name = lexer.text.slice(lexer.start, lexer.end);
    if (lexer.kind !== T.Word || !NAME.test(name)) this.#fail();
    lexer.next();
    return name;
  }

  #if(): Command | undefined {
    const { lexer } = this;
    this.#enter();
    const condition = this.#commands(true);
    this.#expect(T.Then);
    const then = this.#commands(true);
    let otherwise: List | Command | undefined;
    if (lexer.kind === T.Else) {
      lexer.next();
      otherwise = this.#commands(true);
    } else if (lexer.kind === T.Elif) {
      lexer.next();
      otherwise = this.#if();
    }
    this.#depth--;
    return condition && then && { kind: 'if', condition, then, otherwise };
  }

  #for(): Command | undefined {
    const { lexer } = this;
    lexer.next();
    const name = this.#name();
    this.#expect(T.In);
    const words: Word[] = [];
    this.budget?.allocate(COMMAND_BYTES);
    while (lexer.kind >= T.Word) {
      if (this.#checking === 0) this.#add(words);
      lexer.next();
    }
    this.#delimiters();
    this.#expect(T.Do);
    const body = this.#commands(true);
    this.#expect(T.Done);
    return body && { kind: 'for', name, words, body };
  }

  #delimiters(): void {
    const { lexer } = this;
    if (lexer.kind !== T.Semicolon && lexer.kind !== T.Newline) this.#fail();
    lexer.next();
    this.#newlines();
  }

  #while(): Command | undefined {
    const { lexer } = this;
    const until = lexer.kind === T.Until;
    lexer.next();
    const condition = this.#commands(true);
    this.#expect(T.Do);
    const body = this.#commands(true);
    this.#expect(T.Done);
    return condition && body && { kind: 'while', until, condition, body };
  }

  #add(words: Word[]): void {
    const { lexer, budget } = this;
    const { text, start, end } = lexer;
    const plain = lexer.kind !== T.Word || lexer.plain;
    budget?.allocate(WORD_BYTES);
    // A long word may have as many pieces as half its characters.
    if (!plain && end - start > 4096) budget?.allocate(PIECE_BYTES * marks(text, start, end));
    words.push(plain ? text.slice(start, end) : decode(text, start, end));
  }
}

/** Characters of `text` from `start` to `end` that end a plain run: `"`, `$`, `'`, `\`. */
function runEnd(text: ByteString, start: number, end: number): number {
  let p = start;
  while (p < end) {
    const c = text.charCodeAt(p);
    if (c === 34 || c === 36 || c === 39 || c === 92) break;
    p++;
  }
  return p;
}

/** How many characters of it may begin a piece, or end one. */
function marks(text: ByteString, start: number, end: number): number {
  let n = 0;
  for (let p = start; p < end; p++) if (runEnd(text, p, p + 1) === p) n++;
  return n;
}

/** Splits one word (known to be well formed) into its pieces. */
function decode(text: ByteString, start: number, end: number): Piece[] {
  const pieces: Piece[] = [];
  let run = '';
  let p = start;
  const flush = (kind: 'text' | 'gettext') => {
    if (run !== '') pieces.push({ kind, text: run });
    run = '';
  };
  while (p < end) {
    const stop = runEnd(text, p, end);
    run += text.slice(p, stop);
    p = stop;
    if (p >= end) break;
    switch (text.charCodeAt(p)) {
      case 92:
        // The backslash stays: expansion must know that what follows is literal.
        if (text.charCodeAt(p + 1) !== 10) run += text.slice(p, p + 2);
        p += 2;
        break;
      case 39: {
        flush('text');
        const close = text.indexOf("'", p + 1);
        pieces.push({ kind: 'quoted', text: text.slice(p + 1, close) });
        p = close + 1;
        break;
      }
      case 34:
        flush('text');
        p = decodeDouble(text, p + 1, pieces);
        break;
      default:
        if (text.charCodeAt(p + 1) === 34) {
          // GRUB hands the unquoted text before $"…" to the translator as well.
          flush('gettext');
          p = decodeGettext(text, p + 2, pieces);
        } else {
          flush('text');
          p = decodeVariable(text, p, pieces, false);
        }
    }
  }
  flush('text');
  return pieces;
}

function decodeVariable(text: ByteString, at: number, pieces: Piece[], quoted: boolean): number {
  const end = variableEnd(text, at);
  const braces = text.charCodeAt(at + 1) === 123;
  const name = braces ? text.slice(at + 2, end - 1) : text.slice(at + 1, end);
  pieces.push({ kind: 'variable', name, quoted });
  return end;
}

/** From behind the opening quote; returns the place behind the closing one. */
function decodeDouble(text: ByteString, start: number, pieces: Piece[]): number {
  let value = '';
  let p = start;
  let run = start;
  for (;;) {
    const c = text.charCodeAt(p);
    if (c === 34) {
      // Also when it is empty: quotes make an argument.
      pieces.push({ kind: 'quoted', text: value + text.slice(run, p) });
      return p + 1;
    }
    if (c === 92) {
      const after = text.charCodeAt(p + 1);
      if (after === 36 || after === 92 || after === 34) {
        value += text.slice(run, p);
        run = p + 1;
      } else if (after === 10) {
        value += text.slice(run, p);
        run = p + 2;
      }
      p += 2;
    } else if (c === 36) {
      pieces.push({ kind: 'quoted', text: value + text.slice(run, p) });
      p = decodeVariable(text, p, pieces, true);
      value = '';
      run = p;
    } else p++;
  }
}

function decodeGettext(text: ByteString, start: number, pieces: Piece[]): number {
  let value = '';
  let p = start;
  let run = start;
  for (;;) {
    const c = text.charCodeAt(p);
    if (c === 34) {
      pieces.push({ kind: 'gettext', text: value + text.slice(run, p) });
      return p + 1;
    }
    if (c === 92) {
      const after = text.charCodeAt(p + 1);
      if (after === 34 || after === 10) {
        value += text.slice(run, p);
        run = after === 34 ? p + 1 : p + 2;
      }
      p += 2;
    } else p++;
  }
}

/**
 * Parses the line at `at`. Functions are handed to `define` as soon as they are complete.
 * @param budget what the tree takes is asked for there
 * @throws GuestError `limit` when constructs are nested too deeply, or the tree becomes too large
 */
export function parseLine(
  text: ByteString,
  at: number,
  define: (definition: FunctionDefinition) => void,
  budget?: Budget,
): Line {
  const parser = new Parser(text, at, define, budget);
  const { lexer } = parser;
  try {
    const commands = parser.line();
    return { list: commands.length > 0 ? { kind: 'list', commands } : undefined, next: lexer.end };
  } catch (error) {
    if (!(error instanceof Unexpected)) throw error;
    // GRUB goes on with the line behind the one that holds the token it could not take.
    const errors: string[] = [];
    if (error.kind === T.End) errors.push('out of memory');
    if (error.kind === T.Bad && lexer.complaint !== undefined) errors.push(lexer.complaint);
    errors.push('syntax error');
    if (!error.behindStatement) errors.push('Incorrect command', 'syntax error');
    // Its parser tries once more from the same token, where that can begin a statement.
    if (starts(error.kind)) errors.push('Incorrect command', 'syntax error');
    const newline = error.kind === T.Newline ? lexer.start : text.indexOf('\n', lexer.end);
    return { list: undefined, errors, next: newline < 0 ? text.length : newline + 1 };
  }
}
