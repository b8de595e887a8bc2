/**
 * Words → arguments: variables, splitting, wildcards. GRUB's order: pieces are joined with everything quoted escaped
 * by backslashes, then wildcards are looked for, then the escapes go.
 */
import type { Budget } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import { walk } from '../../fs/walk';
import type { Guest, Volume } from '../guest';
import { splitDevice } from '../guest';
import type { Word } from './ast';
import { seenBy } from './seen';

/** What expansion needs of the script that runs. */
export interface Scope {
  readonly budget: Budget;
  readonly guest: Guest;
  get(name: ByteString): ByteString | undefined;
  /** Undefined outside of functions and entries. */
  readonly parameters: readonly ByteString[] | undefined;
  root(): Volume | undefined;
  readonly memory: ReadonlyMap<string, unknown>;
}

/** `$1`, `$#`, `$*`, `$@`: not variables, and cannot be set. */
export function isSpecialName(name: ByteString): boolean {
  const c = name.charCodeAt(0);
  return (c >= 48 && c <= 57) || name === '#' || name === '*' || name === '@';
}

const split = (value: ByteString): ByteString[] => value.split(/[ \t\r\n]+/).filter((part) => part !== '');

const escaped = (text: ByteString): ByteString =>
  /[*?\\]/.test(text) ? text.replace(/[*?\\]/g, '\\$&') : text;
/** An unquoted value: its `*` and `?` stay wildcards, its backslashes are literal. */
const escapeValue = (text: ByteString): ByteString =>
  text.includes('\\')
    ? text.replace(/\\([*?])?/g, (_, wild?: string) => (wild ? `\\\\\\${wild}` : '\\\\'))
    : text;
const unescaped = (text: ByteString): ByteString =>
  text.includes('\\') ? text.replace(/\\([\s\S]?)/g, '$1') : text;

/** The values of a variable; none when it is unset or empty. */
function valuesOf(name: ByteString, quoted: boolean, scope: Scope): readonly ByteString[] {
  if (!isSpecialName(name)) {
    const value = scope.get(name);
    if (value === undefined || value === '') return [];
    return quoted ? [value] : split(value);
  }
  const { parameters } = scope;
  if (!parameters) return [];
  scope.budget.step(parameters.length >> 4);
  if (name === '#') return [String(parameters.length)];
  if (name === '*' || name === '@') {
    if (!quoted) return parameters.flatMap(split);
    if (name === '@') return parameters;
    return parameters.length === 0 ? [] : [parameters.join(' ')];
  }
  const value = parameters[Number(name) - 1];
  if (value === undefined) return [];
  return quoted ? [value] : split(value);
}

/** Text of `$"…"`: there are no translations here, so only its variables are replaced. */
function translate(text: ByteString, scope: Scope): ByteString {
  if (!/[\\$]/.test(text)) return text;
  // An unclosed `${` swallows the rest.
  return text.replace(
    /\\\$|\\([\s\S]?)|\$(?:\{([^}]*)\}|(\{[\s\S]*)|(\d+|[A-Za-z_]\w*|[?#]))|\$/g,
    (
      all: string,
      after: string | undefined,
      braced: string | undefined,
      open: string | undefined,
      name: string | undefined,
    ) => {
      if (all === '\\$') return '$';
      if (after !== undefined) return after === '\\' ? '\\' : after === '' ? '' : `\\${after}`;
      if (open !== undefined) return '';
      const wanted = braced ?? name;
      if (wanted === undefined) return '$';
      if (wanted === '#' && scope.parameters) return String(scope.parameters.length);
      return scope.get(wanted) ?? '';
    },
  );
}

/** What one argument takes beside its text, roughly. */
const ARGUMENT_BYTES = 48;

/** Collects arguments; an argument exists only once something was appended to it. */
class Arguments {
  readonly list: ByteString[] = [];
  #open: ByteString | undefined;

  constructor(readonly scope: Scope) {}

  next(): void {
    if (this.#open === undefined) return;
    const text = this.#open;
    this.#open = undefined;
    this.scope.budget.allocate(ARGUMENT_BYTES);
    if ((this.list.length & 15) === 15) this.scope.budget.step();
    if (!/[*?\\]/.test(text)) this.list.push(text);
    else {
      const found = glob(text, this.scope);
      if (found) for (const path of found) this.list.push(path);
      else this.list.push(unescaped(text));
    }
  }

  append(text: ByteString): void {
    this.scope.budget.allocate(text.length + (this.#open?.length ?? 0));
    this.#open = this.#open === undefined ? text : this.#open + text;
  }
}

/** @throws GuestError `limit` */
export function expand(words: readonly Word[], scope: Scope): ByteString[] {
  const out = new Arguments(scope);
  for (const word of words) {
    out.next();
    if (typeof word === 'string') {
      out.append(word);
      continue;
    }
    for (const piece of word) {
      switch (piece.kind) {
        case 'text':
          out.append(piece.text);
          break;
        case 'quoted':
          out.append(escaped(piece.text));
          break;
        case 'gettext':
          out.append(escaped(translate(piece.text, scope)));
          break;
        default: {
          const values = valuesOf(piece.name, piece.quoted, scope);
          for (let i = 0; i < values.length; i++) {
            if (i > 0) out.next();
            out.append(piece.quoted ? escaped(values[i]!) : escapeValue(values[i]!));
          }
        }
      }
    }
  }
  out.next();
  return out.list;
}

/**
 * Whether `name` matches the escaped pattern (`*` any run, `?` one byte). Linear but for one level of backtracking,
 * so no pattern can make it slow.
 */
export function matches(pattern: ByteString, name: ByteString, budget?: Budget): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let retry = 0;
  let work = 0;
  for (;;) {
    work++;
    const c = pattern[p];
    if (c === '*') {
      star = ++p;
      retry = n;
      continue;
    }
    if (n < name.length) {
      if (c === '?') {
        p++;
        n++;
        continue;
      }
      const literal = c === '\\' ? pattern[p + 1] : c;
      if (c !== undefined && literal === name[n]) {
        p += c === '\\' ? 2 : 1;
        n++;
        continue;
      }
    } else if (p >= pattern.length) {
      budget?.step(work >> 6);
      return true;
    }
    if (star < 0 || retry >= name.length) {
      budget?.step(work >> 6);
      return false;
    }
    p = star;
    n = ++retry;
  }
}

/** The part of an escaped path up to and with its first component that has a wildcard. */
function splitPattern(pattern: ByteString, from: number): { plainEnd: number; end: number } {
  let wild = false;
  let plainEnd = from;
  let p = from;
  for (; p < pattern.length; p++) {
    const c = pattern[p];
    if (c === '\\' && p + 1 < pattern.length) p++;
    else if (c === '*' || c === '?') wild = true;
    else if (c === '/') {
      if (wild) break;
      plainEnd = p + 1;
    }
  }
  return { plainEnd: wild ? plainEnd : p, end: p };
}

function deviceNames(scope: Scope): ByteString[] {
  const names: ByteString[] = [];
  // GRUB's order.
  for (const disk of scope.guest.disks)
    names.push(disk.name, ...disk.partitions.map((partition) => partition.name).reverse());
  return names;
}

/** Names in a directory, in the filesystem's own order; none when it cannot be read. */
function* namesIn(directory: ByteString, scope: Scope): Generator<ByteString> {
  try {
    const { device, path } = splitDevice(directory);
    const volume = device === undefined ? scope.root() : scope.guest.device(device);
    const fs = volume && seenBy(scope, volume);
    if (!fs) return;
    const node = walk(fs, path);
    if (node.kind !== 'directory') return;
    for (const entry of fs.readdir(node)) {
      scope.budget.step();
      yield entry.name;
    }
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
  }
}

/** Whether a path that a wildcard led to goes on as the pattern says. */
function exists(path: ByteString, scope: Scope): boolean {
  scope.budget.step();
  try {
    const { device, path: inside } = splitDevice(path);
    const volume = device === undefined ? scope.root() : scope.guest.device(device);
    const fs = volume && seenBy(scope, volume);
    if (!fs) return false;
    const node = walk(fs, inside, false);
    return !inside.endsWith('/') || node.kind === 'directory';
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    return false;
  }
}

/**
 * GRUB's wildcards: on devices (`*`, `(hd*,*)`) and in absolute paths only.
 * @param pattern escaped
 * @returns undefined where there is nothing to expand, or nothing matches
 */
function glob(pattern: ByteString, scope: Scope): ByteString[] | undefined {
  if (!/^[/(*]/.test(pattern)) return undefined;
  let paths: ByteString[] | undefined;
  let wild = false;
  let at = 0;
  while (at < pattern.length) {
    const { plainEnd, end } = splitPattern(pattern, at);
    if (plainEnd === end) {
      const tail = unescaped(pattern.slice(at, end));
      if (!paths) paths = [tail];
      else if (wild) paths = paths.map((p) => p + tail).filter((p) => exists(p, scope));
      if (paths.length === 0) return undefined;
    } else {
      wild = true;
      const component = pattern.slice(plainEnd, end);
      const found: ByteString[] = [];
      if (!paths && at === plainEnd) {
        // The device itself is the pattern; without a parenthesis GRUB takes whole disks only.
        for (const name of deviceNames(scope)) {
          scope.budget.step();
          if (!pattern.startsWith('(') && name.includes(',')) continue;
          if (matches(component, `(${name})`, scope.budget)) found.push(`(${name})`);
        }
      } else {
        const middle = unescaped(pattern.slice(at, plainEnd));
        for (const before of paths ?? [''])
          for (const name of namesIn(before + middle, scope))
            if (matches(component, name, scope.budget)) {
              scope.budget.allocate(before.length + middle.length + name.length);
              found.push(before + middle + name);
            }
      }
      if (found.length === 0) return undefined;
      paths = found;
    }
    at = end;
  }
  return paths;
}
