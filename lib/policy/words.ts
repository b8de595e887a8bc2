/**
 * Command lines as Linux takes them apart, and the patterns that policies say words with.
 *
 * Sources: lib/cmdline.c (`next_arg`), kernel/params.c (`parse_args` ends at `--`; `-` and `_` are one in names), lib/ctype.c
 * (which bytes are blanks), arch/x86/lib/cmdline.c (looks for some words without regard to quotes).
 */
import type { ByteString } from '../bytes/text';

/** isspace() of the kernel's own table: 0xa0 is one. A NUL ends a line; whoever reads on is to see no new words. */
const isBlank = (c: ByteString): boolean =>
  c === ' ' || (c >= '\t' && c <= '\r') || c === '\xa0' || c === '\0';

export interface Word {
  /** Without the quotes that the kernel takes off. */
  readonly text: ByteString;
  /** Where it stands in the line. */
  readonly from: number;
  readonly to: number;
}

/** The words as the kernel's parser sees them; blanks inside double quotes separate nothing. */
export function kernelWords(line: ByteString): Word[] {
  const words: Word[] = [];
  for (let at = 0; ; ) {
    while (at < line.length && isBlank(line[at]!)) at++;
    if (at >= line.length) return words;
    const from = at;
    // The kernel takes a `=` at the very beginning for a part of the name.
    const first = line[from] === '"' ? from + 1 : from;
    let quoted = false;
    let equals = -1;
    for (; at < line.length && (quoted || !isBlank(line[at]!)); at++) {
      if (line[at] === '"') quoted = !quoted;
      else if (line[at] === '=' && equals < 0 && at > first) equals = at;
    }
    words.push({ text: unquoted(line.slice(from, at), equals - from), from, to: at });
  }
}

/** A quote before the word, and one before its value, are taken off, and one at the end if there was such a one. */
function unquoted(word: ByteString, equals: number): ByteString {
  let from = word.startsWith('"') ? 1 : 0;
  let middle = '';
  if (equals > from) {
    const quoted = word[equals + 1] === '"';
    middle = word.slice(from, equals + 1);
    if (!quoted && from === 0) return word;
    from = equals + (quoted ? 2 : 1);
  } else if (from === 0) return word;
  return middle + (word.endsWith('"') && word.length > from ? word.slice(from, -1) : word.slice(from));
}

/** `*` stands for any number of characters, also none. Takes time in proportion to the text. */
export function globMatches(pattern: ByteString, text: ByteString): boolean {
  const pieces = pattern.split('*');
  const first = pieces[0]!;
  if (pieces.length === 1) return pattern === text;
  const last = pieces[pieces.length - 1]!;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** `-` and `_` are one in a parameter's name. */
function likeKernel(word: ByteString): ByteString {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word : word.slice(0, equals);
  return name.replaceAll('-', '_') + word.slice(name.length);
}

/**
 * `quiet`: that word. `init=`: with any value. `init=/bin/*`: `*` stands for anything.
 */
export function wordMatches(pattern: ByteString, word: ByteString): boolean {
  const wanted = likeKernel(pattern);
  const glob = wanted.endsWith('=') && !wanted.includes('*') ? `${wanted}*` : wanted;
  return globMatches(glob, likeKernel(word));
}

/**
 * All that any reader of the line may take for a word: the kernel's parser; its early code, which splits at blanks alone; and
 * programs that read /proc/cmdline, of which some take off quotes and backslashes wherever they stand.
 */
export function anyWords(line: ByteString): Set<ByteString> {
  const found = new Set(kernelWords(line).map(({ text }) => text));
  for (const piece of line.split(/[\x00-\x20\xa0]+/)) {
    found.add(piece);
    found.add(piece.replace(/["'\\]/g, ''));
  }
  found.delete('');
  return found;
}
