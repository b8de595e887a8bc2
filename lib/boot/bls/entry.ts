/**
 * A Boot Loader Specification entry file (type #1): lines of `key value`.
 * Source: uapi-group.org/specifications/specs/boot_loader_specification, and GRUB's reading of it.
 */
import type { Context } from '../../bytes/budget';
import { limit } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import { keyValues } from './lines';

/** Keys of one file; the same number as GRUB's own bound. */
const MAX_FIELDS = 10_000;

export interface BlsEntry {
  /** The file's name without `.conf`. */
  readonly id: ByteString;
  /** In the file's order; repeated keys stay repeated. */
  readonly fields: readonly (readonly [key: ByteString, value: ByteString])[];
}

/**
 * Whose rules: `grub` ends at the first line that is blank or has a key alone (Red Hat's and upstream's GRUB do);
 * `specification` passes over such lines, and reads values as systemd-boot does.
 */
export type BlsRules = 'grub' | 'specification';

/** @throws GuestError `limit` for more than 10,000 keys */
export function parseBlsEntry(id: ByteString, text: ByteString, rules: BlsRules, ctx: Context): BlsEntry {
  const fields: [ByteString, ByteString][] = [];
  const add = (key: ByteString, value: ByteString) => {
    if (fields.length >= MAX_FIELDS) throw limit(`more than ${MAX_FIELDS} keys in one entry`);
    fields.push([key, value]);
  };
  if (rules === 'specification') {
    for (const [key, value] of keyValues(text, ' \t', ctx)) add(key, value);
    return { id, fields };
  }
  for (let at = 0; at < text.length; ) {
    ctx.budget.step();
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const line = text.slice(at, end).replaceAll('\r', '');
    at = end + 1;
    const parts = /^[ \t]*([^ \t]*)[ \t]*/.exec(line)!;
    const key = parts[1]!;
    if (key.startsWith('#')) continue;
    const value = line.slice(parts[0].length);
    if (key === '' || value === '') break;
    add(key, value);
  }
  return { id, fields };
}

/** The first value of a key. */
export function firstValue(entry: BlsEntry, key: string): ByteString | undefined {
  return entry.fields.find(([k]) => k === key)?.[1];
}

/** The last value of a key: what counts where a key is not a list. */
export function lastValue(entry: BlsEntry, key: string): ByteString | undefined {
  return allValues(entry, key).at(-1);
}

/** Every value of a key, in order. */
export function allValues(entry: BlsEntry, key: string): ByteString[] {
  return entry.fields.filter(([k]) => k === key).map(([, v]) => v);
}
