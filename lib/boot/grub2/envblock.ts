/**
 * GRUB's environment block: a file of fixed size (1024 bytes as made by grub-editenv) that is rewritten in place.
 * Format: a signature line, `name=value` lines in which a backslash protects a newline or backslash, `#` up to the end.
 * Source: GRUB manual, "Environment block"; odd blocks as read by grub-emu and grub-editenv.
 */
import type { Context } from '../../bytes/budget';
import type { ByteString } from '../../bytes/text';

export const SIGNATURE = '# GRUB Environment Block\n';

/** Is it one? GRUB wants at least one byte after the signature. */
export const isEnvironmentBlock = (block: ByteString): boolean =>
  block.length > SIGNATURE.length && block.startsWith(SIGNATURE);

interface Assignment {
  readonly name: ByteString;
  /** With its backslashes taken off. */
  readonly value: ByteString;
  /** Offsets of the line and of its value; `end` is that of the newline. */
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** Index of the newline that ends the text at `from`, jumping over what backslashes protect; -1 without one. */
function endOfValue(block: ByteString, from: number, ctx: Context): number {
  for (let at = from; at < block.length; at++) {
    const c = block.charCodeAt(at);
    if (c === 0x0a) {
      ctx.budget.step();
      return at;
    }
    if (c === 0x5c) at++;
  }
  return -1;
}

/** All assignments in order; stops where the block is broken, as GRUB does. */
export function* assignments(block: ByteString, ctx: Context): Generator<Assignment> {
  for (let at = SIGNATURE.length; at < block.length; ) {
    ctx.budget.step();
    if (block[at] === '#') {
      // A comment; usually the padding at the end, in which there is no newline.
      const end = endOfValue(block, at, ctx);
      if (end < 0) return;
      at = end + 1;
      continue;
    }
    const equals = block.indexOf('=', at);
    if (equals < 0) return;
    const end = endOfValue(block, equals + 1, ctx);
    if (end < 0) return;
    // A name reaches over newlines up to its `=`: that is how GRUB reads a line without one.
    const value = block.slice(equals + 1, end).replace(/\\([\s\S])/g, '$1');
    yield { name: block.slice(at, equals), value, start: at, valueStart: equals + 1, end };
    at = end + 1;
  }
}

/** The value of one name, the last one where it is there several times (as load_env leaves it). */
export function valueIn(block: ByteString, name: ByteString, ctx: Context): ByteString | undefined {
  let found: ByteString | undefined;
  for (const a of assignments(block, ctx)) if (a.name === name) found = a.value;
  return found;
}

/**
 * The block with a value replaced or added, of the same size.
 * @returns undefined when there is no room, or no newline before the padding
 */
export function withValue(
  block: ByteString,
  name: ByteString,
  value: ByteString,
  ctx: Context,
): ByteString | undefined {
  let used = block.length;
  while (used > 0 && block[used - 1] === '#') used--;
  if (block[used - 1] !== '\n') return undefined;
  const escaped = value.replace(/[\\\n]/g, '\\$&');
  const old = lineOf(block.slice(0, used), name, ctx);
  const next = old
    ? `${block.slice(0, old.valueStart)}${escaped}${block.slice(old.end, used)}`
    : `${block.slice(0, used)}${name}=${escaped}\n`;
  return next.length > block.length ? undefined : next.padEnd(block.length, '#');
}

/** The block without a name (its first line of it, as GRUB does), of the same size. */
export function withoutName(block: ByteString, name: ByteString, ctx: Context): ByteString {
  const old = lineOf(block, name, ctx);
  return old ? `${block.slice(0, old.start)}${block.slice(old.end + 1)}`.padEnd(block.length, '#') : block;
}

/** The first line `name=…`; unlike reading, rewriting goes line by line. */
function lineOf(
  block: ByteString,
  name: ByteString,
  ctx: Context,
): { start: number; valueStart: number; end: number } | undefined {
  for (let at = SIGNATURE.length; at < block.length; ) {
    ctx.budget.step();
    const end = endOfValue(block, at, ctx);
    if (end < 0) return undefined;
    if (block.startsWith(`${name}=`, at)) return { start: at, valueStart: at + name.length + 1, end };
    at = end + 1;
  }
  return undefined;
}
