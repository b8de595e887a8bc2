/**
 * POSIX extended regular expressions on bytes, as GNU's regcomp/regexec understand them in the C locale (GRUB's
 * `regexp` is built on those): leftmost-longest, `.` matches newline and not NUL, `\w \W \s \S \b \B \< \> \` \'`.
 *
 * No backtracking: the expression becomes a small program, run on all its threads at once, so time is at most
 * (bytes of text) × (instructions). First the leftmost start and the longest end are found, then the groups: of all
 * ways to match exactly that range, GNU takes the one that prefers earlier alternatives and longer repetitions.
 * Only back references (`\1`) need backtracking; that is bounded by a number of steps.
 */
import type { Context } from '../../bytes/budget';
import { limit } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';

/** Instructions of one compiled expression; `((a{99}){99}){99}` asks for a million. */
const MAX_PROGRAM = 20_000;
/** Instructions × groups: what the threads' group positions take in memory. */
const MAX_STATE = 2_000_000;
/** Nested parentheses. */
const MAX_DEPTH = 200;
/** RE_DUP_MAX. */
const MAX_REPEAT = 0x7fff;
/** Steps of a match with back references. */
const MAX_BACKTRACKING = 500_000;

/** regerror()'s words. */
export class RegexError extends Error {}

type Assertion = 'start' | 'end' | 'boundary' | 'noBoundary' | 'wordStart' | 'wordEnd';

type Node =
  | { kind: 'empty' }
  | { kind: 'set'; set: Uint8Array }
  | { kind: 'assert'; assertion: Assertion }
  | { kind: 'group'; index: number; body: Node }
  | { kind: 'back'; index: number }
  | { kind: 'concat'; parts: Node[] }
  | { kind: 'either'; parts: Node[] }
  | { kind: 'repeat'; body: Node; min: number; max: number };

type Instruction =
  | { op: 'set'; set: Uint8Array }
  | { op: 'assert'; assertion: Assertion }
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { op: 'open'; group: number }
  | { op: 'close'; group: number; optional: boolean }
  | { op: 'back'; group: number }
  | { op: 'match' };

export interface Match {
  /** `groups[0]` is all of it; undefined where a group took no part. Byte offsets, end exclusive. */
  readonly groups: readonly (readonly [start: number, end: number] | undefined)[];
}

export interface Regex {
  readonly groupCount: number;
  /** @throws GuestError `limit` when the budget (or, with back references, our own bound) is used up */
  match(text: ByteString, ctx: Context): Match | undefined;
}

/** @throws RegexError with GNU's message when `pattern` is not valid, or too big */
export function compileRegex(pattern: ByteString): Regex {
  const parser = new Parser(pattern);
  const tree = parser.parse();
  const program = emitProgram(tree);
  if (program.length * (parser.groups + 1) > MAX_STATE) throw tooBig();
  const backReferences = program.some((i) => i.op === 'back');
  return {
    groupCount: parser.groups,
    match: (text, ctx) =>
      backReferences
        ? matchBacktracking(program, parser.groups, text, ctx)
        : matchThreads(program, parser.groups, text, ctx),
  };
}

const tooBig = () => new RegexError('Regular expression too big');

// --- Parser ---

function byteSet(test: (c: number) => boolean): Uint8Array {
  const set = new Uint8Array(256);
  for (let c = 0; c < 256; c++) if (test(c)) set[c] = 1;
  return set;
}

const between = (c: number, low: string, high: string): boolean =>
  c >= low.charCodeAt(0) && c <= high.charCodeAt(0);
const isAlpha = (c: number): boolean => between(c, 'a', 'z') || between(c, 'A', 'Z');
const isDigit = (c: number): boolean => between(c, '0', '9');
const isSpace = (c: number): boolean => c === 32 || (c >= 9 && c <= 13);
const isWord = (c: number): boolean => isAlpha(c) || isDigit(c) || c === 95;

const CLASSES: Record<string, (c: number) => boolean> = {
  alpha: isAlpha,
  digit: isDigit,
  alnum: (c) => isAlpha(c) || isDigit(c),
  upper: (c) => between(c, 'A', 'Z'),
  lower: (c) => between(c, 'a', 'z'),
  space: isSpace,
  blank: (c) => c === 32 || c === 9,
  cntrl: (c) => c < 32 || c === 127,
  print: (c) => c >= 32 && c < 127,
  graph: (c) => c > 32 && c < 127,
  punct: (c) => c > 32 && c < 127 && !isAlpha(c) && !isDigit(c),
  xdigit: (c) => isDigit(c) || between(c, 'a', 'f') || between(c, 'A', 'F'),
};

class Parser {
  groups = 0;
  #at = 0;
  readonly #closed = new Set<number>();

  constructor(readonly text: ByteString) {}

  parse(): Node {
    return this.#alternatives(0);
  }

  #alternatives(depth: number): Node {
    if (depth > MAX_DEPTH) throw tooBig();
    const parts: Node[] = [this.#sequence(depth)];
    while (this.text[this.#at] === '|') {
      this.#at++;
      parts.push(this.#sequence(depth));
    }
    return parts.length === 1 ? parts[0]! : { kind: 'either', parts };
  }

  #sequence(depth: number): Node {
    const parts: Node[] = [];
    for (;;) {
      const c = this.text[this.#at];
      // A `)` that closes nothing is an ordinary character.
      if (c === undefined || c === '|' || (c === ')' && depth > 0)) break;
      parts.push(this.#repeated(depth));
    }
    return parts.length === 1
      ? parts[0]!
      : parts.length === 0
        ? { kind: 'empty' }
        : { kind: 'concat', parts };
  }

  #repeated(depth: number): Node {
    let node = this.#atom(depth);
    // Anchors take no repetition: what follows stands for itself, and is then an error.
    if (node.kind === 'assert') return node;
    for (;;) {
      const c = this.text[this.#at];
      if (c === '*') node = { kind: 'repeat', body: node, min: 0, max: Infinity };
      else if (c === '+') node = { kind: 'repeat', body: node, min: 1, max: Infinity };
      else if (c === '?') node = { kind: 'repeat', body: node, min: 0, max: 1 };
      else if (c === '{') {
        node = this.#interval(node);
        continue;
      } else return node;
      this.#at++;
    }
  }

  #interval(body: Node): Node {
    const found = /^\{(\d*)(,?)(\d*)(\}?)/.exec(this.text.slice(this.#at, this.#at + 64))!;
    const [all, low, comma, high, close] = found;
    const atEnd = this.#at + all!.length >= this.text.length;
    if (close === '') throw new RegexError(atEnd ? 'Unmatched \\{' : 'Invalid content of \\{\\}');
    if (low === '' && comma === '') throw new RegexError('Invalid content of \\{\\}');
    const min = low === '' ? 0 : Number(low);
    const max = comma === '' ? min : high === '' ? Infinity : Number(high);
    if (min > max) throw new RegexError('Invalid content of \\{\\}');
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT)) throw tooBig();
    this.#at += all!.length;
    return { kind: 'repeat', body, min, max };
  }

  #atom(depth: number): Node {
    const c = this.text[this.#at++]!;
    switch (c) {
      case '(': {
        const index = ++this.groups;
        const body = this.#alternatives(depth + 1);
        if (this.text[this.#at] !== ')') throw new RegexError('Unmatched ( or \\(');
        this.#at++;
        this.#closed.add(index);
        return { kind: 'group', index, body };
      }
      case '*':
      case '+':
      case '?':
      case '{':
        throw new RegexError('Invalid preceding regular expression');
      case '.':
        return { kind: 'set', set: byteSet((b) => b !== 0) };
      case '^':
        return { kind: 'assert', assertion: 'start' };
      case '$':
        return { kind: 'assert', assertion: 'end' };
      case '[':
        return { kind: 'set', set: this.#brackets() };
      case '\\':
        return this.#escape();
      default:
        return literal(c);
    }
  }

  #escape(): Node {
    const c = this.text[this.#at++];
    switch (c) {
      case undefined:
        throw new RegexError('Trailing backslash');
      case 'w':
        return { kind: 'set', set: byteSet(isWord) };
      case 'W':
        return { kind: 'set', set: byteSet((b) => !isWord(b)) };
      case 's':
        return { kind: 'set', set: byteSet(isSpace) };
      case 'S':
        return { kind: 'set', set: byteSet((b) => !isSpace(b)) };
      case 'b':
        return { kind: 'assert', assertion: 'boundary' };
      case 'B':
        return { kind: 'assert', assertion: 'noBoundary' };
      case '<':
        return { kind: 'assert', assertion: 'wordStart' };
      case '>':
        return { kind: 'assert', assertion: 'wordEnd' };
      case '`':
        return { kind: 'assert', assertion: 'start' };
      case "'":
        return { kind: 'assert', assertion: 'end' };
      default:
        if (c >= '1' && c <= '9') {
          if (!this.#closed.has(Number(c))) throw new RegexError('Invalid back reference');
          return { kind: 'back', index: Number(c) };
        }
        return literal(c);
    }
  }

  /** After `[`. A backslash is an ordinary character here. */
  #brackets(): Uint8Array {
    const unmatched = () => new RegexError('Unmatched [, [^, [:, [., or [=');
    const set = new Uint8Array(256);
    if (this.text[this.#at] === undefined) throw new RegexError('Invalid regular expression');
    const negated = this.text[this.#at] === '^';
    if (negated) this.#at++;
    for (let first = true; ; first = false) {
      const c = this.text[this.#at];
      if (c === undefined) throw unmatched();
      if (c === ']' && !first) break;
      // A dash stands for itself only first or last.
      if (c === '-' && !first && this.text[this.#at + 1] !== ']') throw new RegexError('Invalid range end');
      const from = this.#bracketItem(set, unmatched);
      if (from === undefined) continue;
      if (this.text[this.#at] !== '-' || this.text[this.#at + 1] === ']') {
        set[from] = 1;
        continue;
      }
      this.#at++;
      if (this.text[this.#at] === undefined) throw unmatched();
      const to = this.#bracketItem(undefined, unmatched);
      if (to === undefined || to < from) throw new RegexError('Invalid range end');
      set.fill(1, from, to + 1);
    }
    this.#at++;
    return negated ? set.map((b) => 1 - b) : set;
  }

  /** One byte, or undefined after a class that went into `set`. */
  #bracketItem(set: Uint8Array | undefined, unmatched: () => RegexError): number | undefined {
    const c = this.text[this.#at]!;
    const kind = c === '[' ? this.text[this.#at + 1] : undefined;
    if (kind !== ':' && kind !== '=' && kind !== '.') {
      this.#at++;
      return c.charCodeAt(0);
    }
    const end = this.text.indexOf(`${kind}]`, this.#at + 2);
    if (end < 0) throw unmatched();
    const name = this.text.slice(this.#at + 2, end);
    this.#at = end + 2;
    if (kind === ':') {
      const test = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
      if (!test) throw new RegexError('Invalid character class name');
      if (!set) throw new RegexError('Invalid range end');
      for (let b = 0; b < 256; b++) if (test(b)) set[b] = 1;
      return undefined;
    }
    if (name.length !== 1) throw new RegexError('Invalid collation character');
    if (kind === '.') return name.charCodeAt(0);
    if (!set) throw new RegexError('Invalid range end');
    set[name.charCodeAt(0)] = 1;
    return undefined;
  }
}

function literal(c: string): Node {
  const set = new Uint8Array(256);
  set[c.charCodeAt(0)] = 1;
  return { kind: 'set', set };
}

// --- Program ---

function emitProgram(tree: Node): Instruction[] {
  const out: Instruction[] = [];
  const put = (instruction: Instruction): number => {
    if (out.length >= MAX_PROGRAM) throw tooBig();
    return out.push(instruction) - 1;
  };
  /** `optional`: the node stands under a repetition that may take it no times. */
  const emit = (node: Node, optional: boolean): void => {
    switch (node.kind) {
      case 'empty':
        break;
      case 'set':
        put({ op: 'set', set: node.set });
        break;
      case 'assert':
        put({ op: 'assert', assertion: node.assertion });
        break;
      case 'back':
        put({ op: 'back', group: node.index });
        break;
      case 'group':
        put({ op: 'open', group: node.index });
        emit(node.body, optional);
        put({ op: 'close', group: node.index, optional });
        break;
      case 'concat':
        for (const part of node.parts) emit(part, optional);
        break;
      case 'either': {
        const ends: number[] = [];
        node.parts.forEach((part, i) => {
          if (i === node.parts.length - 1) {
            emit(part, optional);
            return;
          }
          const split = put({ op: 'split', first: out.length + 1, second: 0 });
          emit(part, optional);
          ends.push(put({ op: 'jump', to: 0 }));
          out[split] = { op: 'split', first: split + 1, second: out.length };
        });
        for (const end of ends) out[end] = { op: 'jump', to: out.length };
        break;
      }
      case 'repeat': {
        for (let i = 0; i < node.min; i++) emit(node.body, optional);
        if (node.max === Infinity) {
          const split = put({ op: 'split', first: out.length + 1, second: 0 });
          emit(node.body, true);
          put({ op: 'jump', to: split });
          out[split] = { op: 'split', first: split + 1, second: out.length };
          break;
        }
        const splits: number[] = [];
        for (let i = node.min; i < node.max; i++) {
          splits.push(put({ op: 'split', first: out.length + 1, second: 0 }));
          emit(node.body, true);
        }
        for (const split of splits) out[split] = { op: 'split', first: split + 1, second: out.length };
      }
    }
  };
  emit(tree, false);
  put({ op: 'match' });
  return out;
}

function holds(assertion: Assertion, text: ByteString, at: number): boolean {
  const before = at > 0 && isWord(text.charCodeAt(at - 1));
  const after = at < text.length && isWord(text.charCodeAt(at));
  switch (assertion) {
    case 'start':
      return at === 0;
    case 'end':
      return at === text.length;
    case 'boundary':
      return before !== after;
    case 'noBoundary':
      return before === after;
    case 'wordStart':
      return !before && after;
    case 'wordEnd':
      return before && !after;
  }
}

// --- Matching without back references ---

function matchThreads(
  program: Instruction[],
  groups: number,
  text: ByteString,
  ctx: Context,
): Match | undefined {
  const range = findRange(program, text, ctx);
  if (!range) return undefined;
  if (groups === 0) return { groups: [range] };
  return { groups: findGroups(program, groups, text, range, ctx) };
}

/** Leftmost start, longest end: every state keeps the earliest start that leads to it. */
function findRange(program: Instruction[], text: ByteString, ctx: Context): [number, number] | undefined {
  let best: [number, number] | undefined;
  const size = program.length;
  let starts = new Int32Array(size).fill(-1);
  let next = new Int32Array(size).fill(-1);
  let states: number[] = [];
  const stack: number[] = [];
  /** Spreads `start` from `pc` over what needs no byte. */
  const add = (pc: number, start: number, at: number, into: Int32Array, list: number[]): void => {
    stack.push(pc);
    while (stack.length > 0) {
      const here = stack.pop()!;
      const known = into[here]!;
      if (known >= 0 && known <= start) continue;
      if (known < 0) list.push(here);
      into[here] = start;
      const i = program[here]!;
      if (i.op === 'split') stack.push(i.second, i.first);
      else if (i.op === 'jump') stack.push(i.to);
      else if (i.op === 'open' || i.op === 'close') stack.push(here + 1);
      else if (i.op === 'assert') {
        if (holds(i.assertion, text, at)) stack.push(here + 1);
      } else if (i.op === 'match' && (!best || start < best[0] || (start === best[0] && at > best[1])))
        best = [start, at];
    }
  };
  for (let at = 0; ; at++) {
    if (!best) add(0, at, at, starts, states);
    ctx.budget.step(1 + 3 * states.length);
    if (at >= text.length || (states.length === 0 && best)) break;
    const c = text.charCodeAt(at);
    const nextStates: number[] = [];
    for (const pc of states) {
      const i = program[pc]!;
      const start = starts[pc]!;
      if (i.op === 'set' && i.set[c] === 1 && (!best || start <= best[0]))
        add(pc + 1, start, at + 1, next, nextStates);
    }
    for (const pc of states) starts[pc] = -1;
    [starts, next] = [next, starts];
    states = nextStates;
  }
  return best;
}

/** Positions of the groups of one thread: start and end by turns, -1 unset; and as they were at the last close. */
interface Captures {
  readonly now: Int32Array;
  readonly before: Int32Array;
}

/** Threads in order of preference; the first to arrive in a state at a byte stays. */
function findGroups(
  program: Instruction[],
  groups: number,
  text: ByteString,
  [from, to]: [number, number],
  ctx: Context,
): ([number, number] | undefined)[] {
  const none = new Int32Array(2 * (groups + 1)).fill(-1);
  let threads: { pc: number; captures: Captures }[] = [];
  const seen = new Int32Array(program.length).fill(-1);
  let result: Int32Array | undefined;
  const add = (list: typeof threads, pc: number, captures: Captures, at: number): void => {
    const stack: { pc: number; captures: Captures }[] = [{ pc, captures }];
    while (stack.length > 0) {
      const t = stack.pop()!;
      if (seen[t.pc] === at) continue;
      seen[t.pc] = at;
      const i = program[t.pc]!;
      if (i.op === 'split')
        stack.push({ pc: i.second, captures: t.captures }, { pc: i.first, captures: t.captures });
      else if (i.op === 'jump') stack.push({ pc: i.to, captures: t.captures });
      else if (i.op === 'open') stack.push({ pc: t.pc + 1, captures: opened(t.captures, i.group, at) });
      else if (i.op === 'close')
        stack.push({ pc: t.pc + 1, captures: closed(t.captures, i.group, i.optional, at) });
      else if (i.op === 'assert') {
        if (holds(i.assertion, text, at)) stack.push({ pc: t.pc + 1, captures: t.captures });
      } else if (i.op === 'match') {
        if (at === to) result ??= t.captures.now;
      } else list.push(t);
    }
  };
  add(threads, 0, { now: none, before: none }, from);
  for (let at = from; at < to; at++) {
    ctx.budget.step(1 + 3 * threads.length);
    const c = text.charCodeAt(at);
    const next: typeof threads = [];
    for (const t of threads) {
      const i = program[t.pc]!;
      if (i.op === 'set' && i.set[c] === 1) add(next, t.pc + 1, t.captures, at + 1);
    }
    threads = next;
  }
  return groupList(result ?? none, groups, [from, to]);
}

function groupList(
  captures: Int32Array,
  groups: number,
  all: [number, number],
): ([number, number] | undefined)[] {
  const out: ([number, number] | undefined)[] = [all];
  for (let g = 1; g <= groups; g++) {
    const start = captures[2 * g]!;
    const end = captures[2 * g + 1]!;
    out.push(start < 0 || end < 0 ? undefined : [start, end]);
  }
  return out;
}

function opened(captures: Captures, group: number, at: number): Captures {
  const now = captures.now.slice();
  now[2 * group] = at;
  now[2 * group + 1] = -1;
  return { now, before: captures.before };
}

/** An empty match of an optional group does not replace what it matched before (`(a?)*` on `a` is `a`). */
function closed(captures: Captures, group: number, optional: boolean, at: number): Captures {
  const empty = captures.now[2 * group] === at;
  if (empty && optional && captures.before[2 * group]! >= 0)
    return { now: captures.before, before: captures.before };
  const now = captures.now.slice();
  now[2 * group + 1] = at;
  return { now, before: empty ? captures.before : now };
}

// --- Matching with back references ---

/** Every way to match, in order of preference, from each start in turn; the longest of the first start counts. */
function matchBacktracking(
  program: Instruction[],
  groups: number,
  text: ByteString,
  ctx: Context,
): Match | undefined {
  let steps = 0;
  const none = new Int32Array(2 * (groups + 1)).fill(-1);
  for (let start = 0; start <= text.length; start++) {
    let best: { end: number; captures: Int32Array } | undefined;
    /** `since`: the place of the last byte taken, and the splits passed since: a loop that takes nothing ends. */
    const stack: { pc: number; at: number; captures: Captures; loops: readonly number[] }[] = [
      { pc: 0, at: start, captures: { now: none, before: none }, loops: [] },
    ];
    while (stack.length > 0) {
      ctx.budget.step();
      if (++steps > MAX_BACKTRACKING) throw limit('regular expression with back references takes too long');
      const t = stack.pop()!;
      const i = program[t.pc]!;
      const on = (pc: number, at = t.at, captures = t.captures, loops = t.loops) =>
        stack.push({ pc, at, captures, loops: at > t.at ? [] : loops });
      switch (i.op) {
        case 'set':
          if (t.at < text.length && i.set[text.charCodeAt(t.at)] === 1) on(t.pc + 1, t.at + 1);
          break;
        case 'assert':
          if (holds(i.assertion, text, t.at)) on(t.pc + 1);
          break;
        case 'jump':
          on(i.to);
          break;
        case 'split':
          on(i.second);
          if (!t.loops.includes(t.pc)) on(i.first, t.at, t.captures, [...t.loops, t.pc]);
          break;
        case 'open':
          on(t.pc + 1, t.at, opened(t.captures, i.group, t.at));
          break;
        case 'close':
          on(t.pc + 1, t.at, closed(t.captures, i.group, i.optional, t.at));
          break;
        case 'back': {
          const from = t.captures.now[2 * i.group]!;
          const to = t.captures.now[2 * i.group + 1]!;
          if (from < 0 || to < 0) break;
          const wanted = text.slice(from, to);
          if (text.startsWith(wanted, t.at)) on(t.pc + 1, t.at + wanted.length);
          break;
        }
        case 'match':
          if (!best || t.at > best.end) best = { end: t.at, captures: t.captures.now };
      }
    }
    if (best) return { groups: groupList(best.captures, groups, [start, best.end]) };
  }
  return undefined;
}
