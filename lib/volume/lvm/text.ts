/**
 * LVM's text metadata: `name { key = value … }`, values numbers, strings in quotes and lists; `#` begins a comment
 * (lvm2's libdm/libdm-config.c).
 */
import type { Context } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import { TEXT_DEPTH } from './layout';

export type Value = number | ByteString | readonly Value[];
export interface Section {
  readonly values: ReadonlyMap<ByteString, Value>;
  readonly sections: ReadonlyMap<ByteString, Section>;
}

const TOKEN = /[ \t\r\n]+|#[^\n]*|([A-Za-z0-9_.+@/-]+)|([{}[\]=,])/y;

/** @throws GuestError `syntax`, `limit` */
export function parseText(input: ByteString, ctx: Context): Section {
  let at = 0;
  let token = '';
  let kind: 'text' | 'word' | 'mark' | 'end' = 'end';
  const fail = (what: string): never => {
    throw new GuestError('syntax', `metadata at byte ${at}: ${what}`);
  };
  /** By hand: the stack of a regular expression for it would grow with the text. */
  const quoted = (): void => {
    const start = at + 1;
    let end = start;
    let escapes = 0;
    for (;;) {
      const c = input.charCodeAt(end);
      if (c === 0x22) break;
      if (!(end < input.length)) fail('a text that does not end');
      if (c === 0x5c) escapes++;
      end += c === 0x5c ? 2 : 1;
    }
    ctx.budget.step(escapes + ((end - start) >>> 8));
    at = end + 1;
    const found = input.slice(start, end);
    token = escapes > 0 ? found.replace(/\\([\s\S])/g, '$1') : found;
  };
  const next = (): void => {
    for (;;) {
      ctx.budget.step();
      if (at >= input.length || input[at] === '\0') {
        kind = 'end';
        token = '';
        return;
      }
      if (input[at] === '"') {
        kind = 'text';
        quoted();
        return;
      }
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(input);
      if (!match) fail(`'${printable(input.slice(at, at + 10))}'`);
      at = TOKEN.lastIndex;
      const [, word, mark] = match!;
      if (word ?? mark) {
        kind = word ? 'word' : 'mark';
        token = (word ?? mark)!;
        return;
      }
    }
  };
  const is = (mark: string) => kind === 'mark' && token === mark;
  const value = (depth: number): Value => {
    if (depth > TEXT_DEPTH) fail(`more than ${TEXT_DEPTH} levels`);
    if (is('[')) {
      const list: Value[] = [];
      next();
      while (!is(']')) {
        list.push(value(depth + 1));
        if (is(',')) next();
        else if (!is(']')) fail('a list that does not end');
      }
      next();
      return list;
    }
    if (kind !== 'text' && kind !== 'word') fail('no value');
    const found = kind === 'word' && /^-?[0-9]{1,15}$/.test(token) ? Number(token) : token;
    next();
    return found;
  };
  const section = (depth: number): Section => {
    if (depth > TEXT_DEPTH) fail(`more than ${TEXT_DEPTH} levels`);
    const values = new Map<ByteString, Value>();
    const sections = new Map<ByteString, Section>();
    while (kind === 'word' || kind === 'text') {
      const name = token;
      next();
      if (is('{')) {
        next();
        sections.set(name, section(depth + 1));
        if (!is('}')) fail('a section that does not end');
        next();
      } else if (is('=')) {
        next();
        values.set(name, value(depth + 1));
      } else fail(`'${printable(name, 40)}' is neither a section nor a value`);
    }
    return { values, sections };
  };
  next();
  const root = section(0);
  if ((kind as string) !== 'end') fail(`'${token}' where a name should be`);
  return root;
}

export const numberOf = (section: Section, key: string, otherwise?: number): number => {
  const value = section.values.get(key) ?? otherwise;
  if (typeof value !== 'number' || value < 0) throw new GuestError('corrupt', `metadata: no number '${key}'`);
  return value;
};
export const textOf = (section: Section, key: string, otherwise?: ByteString): ByteString => {
  const value = section.values.get(key) ?? otherwise;
  if (typeof value !== 'string') throw new GuestError('corrupt', `metadata: no text '${key}'`);
  return value;
};
export const listOf = (section: Section, key: string): readonly Value[] => {
  const value = section.values.get(key);
  return Array.isArray(value) ? value : [];
};
