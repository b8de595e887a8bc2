/** JSON that somebody else wrote, with bounds: parsed only after its nesting and the number of its parts are known. */
import type { Context } from '../../bytes/budget';
import { corrupt, limit } from '../../bytes/errors';
import { printable } from '../../bytes/text';
import { MAX_JSON_DEPTH, MAX_JSON_TOKENS, MAX_OBJECTS } from './layout';

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * @param text the JSON area up to its first NUL, a byte string
 * @throws GuestError `corrupt`, `limit`
 */
export function parseBounded(text: string, ctx: Context): JsonObject {
  ctx.budget.step(1 + (text.length >>> 6));
  ctx.budget.allocate(text.length * 2);
  let depth = 0;
  let tokens = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (quoted) {
      if (c === 0x5c) i++;
      else if (c === 0x22) quoted = false;
      continue;
    }
    if (c === 0x22) quoted = true;
    else if (c === 0x7b || c === 0x5b) depth++;
    else if (c === 0x7d || c === 0x5d) depth--;
    else if (c !== 0x2c && c !== 0x3a) continue;
    if (++tokens > MAX_JSON_TOKENS) throw limit(`JSON of more than ${MAX_JSON_TOKENS} parts`);
    if (depth > MAX_JSON_DEPTH) throw limit(`JSON nested deeper than ${MAX_JSON_DEPTH}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
  } catch {
    throw corrupt('the JSON area cannot be parsed');
  }
  return objectOf(value, 'JSON area');
}

export function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw corrupt(`${what} is no JSON object`);
  return value as JsonObject;
}

const own = (object: JsonObject, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;

export const objectIn = (object: JsonObject, key: string, what: string): JsonObject =>
  objectOf(own(object, key), `${what}: ${key}`);

/** Objects by number, in its order: `{"0": …, "1": …}`. */
export function numbered(object: JsonObject, key: string): [id: string, value: JsonObject][] {
  const ids = Object.keys(objectIn(object, key, 'JSON area'));
  if (ids.length > MAX_OBJECTS) throw limit(`${ids.length} ${key}, at most ${MAX_OBJECTS}`);
  for (const id of ids)
    if (!/^\d{1,9}$/.test(id)) throw corrupt(`${key}: '${printable(id, 40)}' is no number`);
  return ids
    .sort((a, b) => Number(a) - Number(b))
    .map((id) => [id, objectOf((objectIn(object, key, 'JSON area') as JsonObject)[id], `${key} ${id}`)]);
}

export function textIn(object: JsonObject, key: string, what: string): string {
  const value = own(object, key);
  if (typeof value !== 'string' || value.length > 1024) throw corrupt(`${what}: ${key} is no short text`);
  return value;
}

/** A JSON number that is whole and from 0 to `most`. */
export function wholeIn(object: JsonObject, key: string, what: string, most = 0xffff_ffff): number {
  const value = own(object, key);
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most)
    throw corrupt(`${what}: ${key} is no whole number up to ${most}`);
  return value;
}

/** LUKS2 writes 64-bit numbers as text. */
export function longIn(object: JsonObject, key: string, what: string): number {
  const value = own(object, key);
  if (typeof value !== 'string' || !/^\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value)))
    throw corrupt(`${what}: ${key} is no number of at most 2^53`);
  return Number(value);
}

/** Texts of a list; absent: none. */
export function textsIn(object: JsonObject, key: string): string[] {
  const value = own(object, key);
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string').slice(0, 64) : [];
}

/** Base64, at most `most` bytes. */
export function bytesIn(object: JsonObject, key: string, what: string, most: number): Buffer {
  const value = own(object, key);
  if (typeof value !== 'string' || value.length > most * 2 || !/^[A-Za-z0-9+/\n]*={0,2}\n?$/.test(value))
    throw corrupt(`${what}: ${key} is no base64`);
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length === 0 || bytes.length > most) throw corrupt(`${what}: ${key} has ${bytes.length} bytes`);
  return bytes;
}
