/**
 * What a policy makes of a command line: words are taken out, the line is refused or not, words are put in; in this order. The
 * line is what the guest would get, `--args` included.
 */
import { LIMITS } from '../bytes/limits';
import { type ByteString, printable } from '../bytes/text';
import { anyWords, kernelWords, wordMatches } from './words';

export interface ArgumentRules {
  /** Patterns; a word that matches one is taken out. */
  readonly removed: readonly ByteString[];
  /** Patterns; a word that matches one refuses the entry. */
  readonly refused: readonly ByteString[];
  /** Patterns; there must be a word for each. */
  readonly required: readonly ByteString[];
  /** Words that are put in where they are missing. */
  readonly added: readonly ByteString[];
  /** Words that are put in in any case, behind all others: the kernel takes the last of two. */
  readonly appended: readonly ByteString[];
}

export type Judged = { readonly line: ByteString } | { readonly rule: string; readonly what: string };

const quote = (word: ByteString): string => `'${printable(word, 200)}'`;

/** @returns the line that the guest gets, or the rule that refuses it */
export function judgeArguments(given: ByteString, rules: ArgumentRules): Judged {
  let line = given;
  if (rules.removed.length > 0) {
    const words = kernelWords(line);
    const left = words.filter(({ text }) => !rules.removed.some((pattern) => wordMatches(pattern, text)));
    if (left.length < words.length) line = left.map(({ from, to }) => given.slice(from, to)).join(' ');
    const hidden = firstMatch(line, rules.removed);
    if (hidden !== undefined)
      return { rule: 'arguments.removed', what: `${quote(hidden)} cannot be taken out of its quotes` };
  }
  const refused = firstMatch(line, rules.refused);
  if (refused !== undefined) return { rule: 'arguments.refused', what: quote(refused) };
  const before = parameters(line);
  for (const pattern of rules.required)
    if (!before.some((word) => wordMatches(pattern, word)))
      return { rule: 'arguments.required', what: `${quote(pattern)} is missing` };
  const added = rules.added.filter((word) => !before.some((there) => wordMatches(word, there)));
  line = inserted(line, [...added, ...rules.appended]);
  const after = new Set(parameters(line));
  for (const [rule, words] of [
    ['added', added],
    ['appended', rules.appended],
  ] as const)
    for (const word of words)
      if (!after.has(word))
        return { rule: `arguments.${rule}`, what: `${quote(word)} would stand inside quotes of the guest's` };
  if (line.length > LIMITS.guestCommandLine)
    return {
      rule: 'arguments',
      what: `${line.length} bytes, of which a guest may see the first ${LIMITS.guestCommandLine} alone`,
    };
  return { line };
}

function firstMatch(line: ByteString, patterns: readonly ByteString[]): ByteString | undefined {
  if (patterns.length === 0) return undefined;
  for (const word of anyWords(line)) if (patterns.some((pattern) => wordMatches(pattern, word))) return word;
  return undefined;
}

/** The words before `--`, behind which all is for init. */
function parameters(line: ByteString): ByteString[] {
  const words = kernelWords(line).map(({ text }) => text);
  const end = words.indexOf('--');
  return end < 0 ? words : words.slice(0, end);
}

/** Behind the last parameter, before `--`. */
function inserted(line: ByteString, words: readonly ByteString[]): ByteString {
  if (words.length === 0) return line;
  const end = kernelWords(line).find(({ text }) => text === '--');
  const [head, tail] = end ? [line.slice(0, end.from).replace(/ +$/, ''), line.slice(end.from)] : [line, ''];
  return [head, ...words, tail].filter((part) => part !== '').join(' ');
}
