/**
 * Words → arguments: variables, splitting, wildcards. GRUB's order: pieces are joined with everything quoted escaped
 * by backslashes, then wildcards are looked for, then the escapes go.
 */
import type { Budget } from '../../bytes/budget';
import type { ByteString } from '../../bytes/text';
import type { Guest, Volume } from '../guest';
import type { Word } from './ast';

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
export const unescaped = (text: ByteString): ByteString =>
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
    // Devices and absolute paths alone have wildcards; few configurations do.
    const found = /^[/(*].*[*?]|^\*/s.test(text)
      ? (require('./glob') as typeof import('./glob')).glob(text, this.scope)
      : undefined;
    if (found) for (const path of found) this.list.push(path);
    else this.list.push(text.includes('\\') ? unescaped(text) : text);
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
