/**
 * The Tab key of GRUB's command line: commands, devices, files; beyond GRUB also variables, options, and commands behind
 * `;`, `then` and the like.
 */
import { GuestError } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import type { DirEntry, FileSystem } from '../../fs/types';
import { walk } from '../../fs/walk';
import type { Volume } from '../guest';
import type { Completion } from '../model';
import { longOptions } from './commands/help';
import type { Interpreter } from './evaluate';
import { seenBy } from './seen';

/** Candidates that are shown. */
const MOST_SHOWN = 300;

/** What is completed over. */
export interface Around {
  readonly scope: Interpreter;
  commands(): Iterable<ByteString>;
  functions(): Iterable<ByteString>;
}

/** How the place behind a character is quoted. */
type Quote = '' | '"' | "'";

/** One byte of what a word means. */
interface Char {
  readonly c: string;
  /** Where the word goes on behind it. */
  readonly end: number;
  readonly quote: Quote;
}

interface Word {
  /** In the line. */
  readonly start: number;
  readonly chars: Char[];
  readonly value: ByteString;
  /** Quote that is open at its end. */
  readonly quote: Quote;
  /** Where a variable's name stands at its end: `$na`, `${na`. */
  readonly variable?: { readonly from: number; readonly braces: boolean };
}

/** Words behind which a command stands. */
const BEFORE_COMMAND: ReadonlySet<ByteString> = new Set([
  'if',
  'then',
  'elif',
  'else',
  'while',
  'until',
  'do',
  '!',
]);
const RESERVED = [...BEFORE_COMMAND, 'fi', 'for', 'in', 'done', 'function'];

/** Their arguments are names of variables. */
const TAKES_VARIABLE: ReadonlySet<ByteString> = new Set([
  'set',
  'unset',
  'export',
  'read',
  'increment',
  'decrement',
]);

interface Place {
  /** Undefined where a command stands. */
  readonly command: ByteString | undefined;
  readonly word: Word;
}

/** The word that the text ends in, possibly empty; undefined in a comment. */
function placeOf(text: ByteString, scope: Interpreter): Place | undefined {
  let command: ByteString | undefined;
  let expects = true;
  let at = 0;
  for (;;) {
    scope.budget.step();
    while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n') at++;
    const c = text[at];
    if (c === undefined) return { command: expects ? undefined : (command ?? ''), word: empty(at) };
    if (c === '#') return undefined;
    if (/[;{}|&<>]/.test(c)) {
      at++;
      expects = c !== '<' && c !== '>';
      command = undefined;
      continue;
    }
    const { word, end } = readWord(text, at, scope);
    if (end >= text.length) return { command: expects ? undefined : (command ?? ''), word };
    if (expects) {
      const raw = text.slice(at, end);
      if (!BEFORE_COMMAND.has(raw)) {
        expects = false;
        command = raw === 'for' || raw === 'function' ? '' : word.value;
      }
    } else if (command === '' && (text.slice(at, end) === 'do' || text.slice(at, end) === 'then'))
      expects = true;
    at = end;
  }
}

const empty = (at: number): Word => ({ start: at, chars: [], value: '', quote: '' });

function readWord(text: ByteString, start: number, scope: Interpreter): { word: Word; end: number } {
  const chars: Char[] = [];
  let quote: Quote = '';
  let at = start;
  let variable: Word['variable'];
  const add = (value: ByteString, end: number) => {
    for (const c of value) chars.push({ c, end, quote });
  };
  while (at < text.length) {
    scope.budget.step();
    const c = text[at]!;
    variable = undefined;
    if (quote === "'") {
      at++;
      if (c === "'") quote = '';
      else add(c, at);
    } else if (c === '\\') {
      const next = text[at + 1];
      const kept = quote === '"' && next !== undefined && !/[$"\\]/.test(next);
      at = Math.min(at + 2, text.length);
      add(kept ? `\\${next}` : (next ?? ''), at);
    } else if (c === '"') {
      quote = quote === '"' ? '' : '"';
      at++;
    } else if (c === '$') {
      const found = /^\$(?:\{([A-Za-z_]\w*|[\d?#*@]*)(\}?)|([A-Za-z_]\w*|\d+|[?#*@])?)/.exec(
        text.slice(at, at + 300),
      )!;
      const braces = found[0].startsWith('${');
      const end = at + found[0].length;
      const open = end >= text.length && found[2] !== '}';
      if (open) variable = { from: at, braces };
      const name = found[1] ?? found[3] ?? '';
      const value = /^[A-Za-z_]/.test(name) ? (scope.get(name) ?? '') : '';
      scope.budget.allocate(value.length * 64);
      at = Math.max(end, at + 1);
      add(open ? text.slice(variable!.from, end) : value, at);
    } else if (quote === '' && c === "'") {
      quote = "'";
      at++;
    } else if (quote === '' && /[ \t\n;{}|&<>]/.test(c)) break;
    else {
      at++;
      add(c, at);
    }
  }
  const value = chars.map(({ c }) => c).join('');
  return { word: { start, chars, value, quote, ...(variable ? { variable } : {}) }, end: at };
}

/** A way to go on. */
interface Candidate {
  /** What takes the place of the part that is being typed. */
  readonly text: ByteString;
  /** What follows when it is the only one: `/`, `)`, `,`, a blank … */
  readonly behind: ByteString;
  readonly shown?: ByteString;
}

/** The longest beginning of all; not cut inside a character of UTF-8. */
function commonStart(words: readonly ByteString[]): ByteString {
  let [common = ''] = words;
  for (const word of words) {
    let n = 0;
    while (n < common.length && common[n] === word[n]) n++;
    common = common.slice(0, n);
  }
  let n = common.length;
  const inside = (word: ByteString) => /[\x80-\xbf]/.test(word[n] ?? '');
  while (n > 0 && words.some(inside)) n--;
  return common.slice(0, n);
}

/** A text as it must be written where it is quoted so. */
function written(text: ByteString, quote: Quote): ByteString {
  if (quote === "'") return text.replaceAll("'", "'\\''");
  if (quote === '"') return text.replace(/[$"\\]/g, '\\$&');
  return text.replace(/[ \t'"\\$|&;<>{}*?]/g, '\\$&');
}

const nothing = (cursor: number): Completion => ({ start: cursor, insert: '', candidates: [] });

/** @param from place in the word's meaning where the part that `candidates` replace begins */
function answer(text: ByteString, word: Word, from: number, candidates: readonly Candidate[]): Completion {
  const cursor = text.length;
  // A newline cannot be typed into a word.
  const possible = candidates.filter((candidate) => !candidate.text.includes('\n'));
  if (possible.length === 0) return nothing(cursor);
  const before = word.chars[from - 1];
  const start = from === 0 ? word.start : before!.end;
  // The part may begin inside of what a variable stands for; that much of it is there already.
  let there = 0;
  while (before && word.chars[from + there]?.end === before.end) there++;
  // At its start the word may have an opening quote.
  const opening = from === 0 ? (/^["']/.exec(text.slice(start))?.[0] ?? '') : '';
  const quote = from === 0 ? (opening as Quote) : before!.quote;
  const typed = word.value.slice(from);
  if (possible.length === 1) {
    const [only] = possible;
    const ends =
      /[/,]$/.test(only!.behind) || only!.behind === '' || only!.behind === '=' || only!.behind === ')';
    const closing = ends ? '' : quote;
    return {
      start,
      insert: opening + written(only!.text.slice(there), quote) + closing + only!.behind,
      candidates: [],
    };
  }
  const shown = possible.map((candidate) => candidate.shown ?? candidate.text);
  const sorted = [...new Set(shown)].sort((a, b) => (a < b ? -1 : 1)).slice(0, MOST_SHOWN);
  const common = commonStart(possible.map((candidate) => candidate.text));
  // Where cases are ignored what was typed may be no beginning of theirs.
  if (!common.startsWith(typed) || common === typed) return { start: cursor, insert: '', candidates: sorted };
  return { start, insert: opening + written(common.slice(there), quote), candidates: sorted };
}

const starting = (words: Iterable<ByteString>, with_: ByteString, behind: ByteString): Candidate[] =>
  [...words].filter((word) => word.startsWith(with_)).map((text) => ({ text, behind }));

/** Disks, or the partitions of one, for `(hd0,g`. */
function devices(value: ByteString, scope: Interpreter): Candidate[] {
  const { disks } = scope.guest;
  const comma = value.indexOf(',');
  if (comma < 0) {
    const found = disks.filter((disk) => `(${disk.name}`.startsWith(value));
    const [only] = found;
    if (found.length !== 1 || only!.partitions.length === 0)
      return found.map((disk) => ({
        text: `(${disk.name}`,
        behind: ')',
        shown: `(${disk.name})`,
      }));
  }
  const candidates: Candidate[] = [];
  for (const disk of disks)
    for (const { name } of disk.partitions)
      if (`(${name}`.startsWith(value))
        candidates.push({ text: `(${name}`, behind: ')', shown: `(${name})` });
  return candidates;
}

/** Also by a symbolic link. */
function isDirectory(fs: FileSystem, directory: ByteString, entry: DirEntry): boolean {
  try {
    const { kind } = entry.node();
    return (
      kind === 'directory' || (kind === 'symlink' && walk(fs, directory + entry.name).kind === 'directory')
    );
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}

function files(
  directory: ByteString,
  name: ByteString,
  volume: Volume | undefined,
  scope: Interpreter,
): Candidate[] {
  const fs = volume && seenBy(scope, volume);
  if (!fs) return [];
  const node = walk(fs, directory);
  if (node.kind !== 'directory') return [];
  const same = fs.ignoresCase ? (text: ByteString) => text.toLowerCase() : (text: ByteString) => text;
  const wanted = same(name);
  const candidates: Candidate[] = [];
  for (const entry of fs.readdir(node)) {
    scope.budget.step();
    if (entry.name === '.' || entry.name === '..' || !same(entry.name).startsWith(wanted)) continue;
    scope.budget.allocate(entry.name.length + 100);
    scope.budget.step(20);
    candidates.push(
      isDirectory(fs, directory, entry)
        ? { text: entry.name, behind: '/', shown: `${entry.name}/` }
        : { text: entry.name, behind: ' ' },
    );
  }
  return candidates;
}

/** Devices and files for the part of the word from `from` on. */
function paths(text: ByteString, word: Word, from: number, scope: Interpreter): Completion {
  const value = word.value.slice(from);
  if (value === '') return answer(text, word, from, [...devices('(', scope), { text: '/', behind: '' }]);
  const close = value.indexOf(')');
  if (value.startsWith('(') && close < 0) return answer(text, word, from, devices(value, scope));
  const path = value.startsWith('(') ? value.slice(close + 1) : value;
  if (value.startsWith('(') && path === '')
    return { start: text.length, insert: scope.guest.device(value) ? '/' : '', candidates: [] };
  if (!path.startsWith('/')) return nothing(text.length);
  const volume = value.startsWith('(') ? scope.guest.device(value.slice(0, close + 1)) : scope.root();
  const slash = value.lastIndexOf('/') + 1;
  const directory = path.slice(0, path.lastIndexOf('/') + 1);
  return answer(text, word, from + slash, files(directory, value.slice(slash), volume, scope));
}

function variable(text: ByteString, word: Word, scope: Interpreter): Completion {
  const { from, braces } = word.variable!;
  const typed = text.slice(from + (braces ? 2 : 1));
  const names = [...scope.variables()].map(([name]) => name).filter((name) => /^[A-Za-z_]\w*$/.test(name));
  const found = names.filter((name) => name.startsWith(typed));
  if (found.length === 0) return nothing(text.length);
  const start = from + (braces ? 2 : 1);
  if (found.length === 1) return { start, insert: found[0]! + (braces ? '}' : ''), candidates: [] };
  return { start, insert: commonStart(found), candidates: found.slice(0, MOST_SHOWN) };
}

function argument(text: ByteString, { command = '', word }: Place, around: Around): Completion {
  const { scope } = around;
  const { value } = word;
  if (value === '' && word.chars.length === 0) {
    if (command === 'help') return answer(text, word, 0, starting(around.commands(), '', ' '));
    if (!TAKES_VARIABLE.has(command)) return paths(text, word, 0, scope);
  }
  if (/^[/(]/.test(value)) return paths(text, word, 0, scope);
  if (value.startsWith('-') && !value.includes('='))
    return value === '-'
      ? nothing(text.length)
      : answer(text, word, 0, starting(longOptions(command), value, ' '));
  const equals = value.indexOf('=');
  if (equals >= 0) return paths(text, word, equals + 1, scope);
  if (TAKES_VARIABLE.has(command)) {
    const names = [...scope.variables()].map(([name]) => name).filter((name) => name !== '?');
    return answer(text, word, 0, starting(names, value, command === 'set' ? '=' : ' '));
  }
  return command === 'help'
    ? answer(text, word, 0, starting(around.commands(), value, ' '))
    : nothing(text.length);
}

/** @param text the line up to the cursor */
export function complete(text: ByteString, around: Around): Completion {
  try {
    const place = placeOf(text, around.scope);
    if (!place) return nothing(text.length);
    const { word } = place;
    if (word.variable) return variable(text, word, around.scope);
    if (place.command !== undefined || /^[/(]/.test(word.value)) return argument(text, place, around);
    const names = new Set([...around.commands(), ...around.functions(), ...RESERVED]);
    const equals = word.value.indexOf('=');
    if (equals >= 0) return paths(text, word, equals + 1, around.scope);
    return answer(text, word, 0, starting(names, word.value, ' '));
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return nothing(text.length);
  }
}
