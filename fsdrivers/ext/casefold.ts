/**
 * Names in directories that ignore case (`chattr +F`). The kernel compares and hashes the NFD case-folded form of
 * UTF-8 without ignorable code points (fs/unicode/, Unicode 12.1). JavaScript knows the same Unicode data but has no
 * case folding; lower, upper, then lower case gives the same, with the exceptions below. ASCII is exact.
 */
import type { ByteString } from '../../lib/bytes/text';
import { exactMatcher, type NameMatcher } from './directory';

/** The folded name in bytes; undefined for bytes that are not UTF-8, which match only themselves. */
export function foldName(name: ByteString): Buffer | undefined {
  if (/^[\x00-\x7f]*$/.test(name)) return Buffer.from(name.toLowerCase(), 'latin1');
  let text: string;
  try {
    // `ignoreBOM`: a byte order mark is a code point like others here.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(name, 'latin1'));
  } catch {
    return undefined;
  }
  let folded = '';
  for (const c of text.normalize('NFD')) folded += foldCodePoint(c);
  return Buffer.from(folded.normalize('NFD').replace(/\p{Default_Ignorable_Code_Point}/gu, ''), 'utf8');
}

function foldCodePoint(c: string): string {
  // Dotless i has no folding. Cherokee folds to upper case, because its lower case came later.
  if (c === '\u0131') return c;
  if (/\p{Script=Cherokee}/u.test(c)) return c.toUpperCase();
  // One code point alone never gets the final form of sigma by context, only as itself.
  return c
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .replace(/\u03c2/g, '\u03c3');
}

/** Matches as the kernel does in a directory with the flag casefold. */
export function foldingMatcher(name: ByteString): NameMatcher {
  const folded = foldName(name);
  if (!folded) return exactMatcher(name);
  return {
    needle: undefined,
    matches(bytes, at, length) {
      // ASCII by ASCII, without making strings, as long as it lasts.
      let i = 0;
      for (; i < length && i < folded.length; i++) {
        const b = bytes[at + i]!;
        if (b >= 0x80 || folded[i]! >= 0x80) break;
        if ((b >= 0x41 && b <= 0x5a ? b + 32 : b) !== folded[i]!) return false;
      }
      if (i === length && i === folded.length) return true;
      for (let j = i; j < length; j++)
        if (bytes[at + j]! >= 0x80)
          return foldName(bytes.toString('latin1', at, at + length))?.equals(folded) ?? false;
      return false;
    },
  };
}
