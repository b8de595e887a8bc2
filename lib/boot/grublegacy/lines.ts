/**
 * Text → lines, words and numbers, as GRUB 0.97's stage 2 takes them (get_line_from_config, skip_to, safe_parse_maxint).
 */
import type { Budget } from '../../bytes/budget';
import type { ByteString } from '../../bytes/text';

/** Bytes of one line that are kept (NEW_HEAPSIZE); what follows is lost. */
const LINE_BYTES = 1500;
/** A number beyond this is an error, not a large number (MAXINT). */
const MAX_NUMBER = 0x7fffffff;

const LEADING_BLANKS = /^ +/;

/**
 * The lines that hold something: carriage returns dropped, tabs made blanks, leading blanks, empty lines and comments
 * left out. A backslash at a line's end goes on with the next, in a comment as well; nothing else quotes.
 * @throws GuestError `limit` when the budget is used up
 */
export function* configLines(text: ByteString, budget: Budget): Generator<ByteString> {
  budget.allocate(2 * text.length);
  const clean = text.replaceAll('\r', '').replaceAll('\t', ' ');
  let line = '';
  let comment = false;
  for (let at = 0; at < clean.length; ) {
    let end = clean.indexOf('\n', at);
    const ended = end >= 0;
    if (!ended) end = clean.length;
    // One step a line, and one for each 256 bytes of it.
    budget.step(1 + ((end - at) >> 8));
    const part = clean.slice(at, end);
    at = end + 1;
    const goesOn = ended && part.endsWith('\\');
    if (!comment) {
      const first = line === '';
      const rest = first ? part.replace(LEADING_BLANKS, '') : part;
      if (first && rest.startsWith('#')) comment = true;
      else line = (line + rest).slice(0, LINE_BYTES);
    }
    if (goesOn) {
      // A blank takes the place of the backslash, or of the last byte kept.
      if (!comment) line = line.length > 1 ? `${line.slice(0, -1)} ` : '';
      continue;
    }
    comment = false;
    if (line !== '') yield upToNul(line);
    line = '';
  }
  if (line !== '') yield upToNul(line);
}

/** GRUB's lines are C strings. */
function upToNul(line: ByteString): ByteString {
  const end = line.indexOf('\0');
  return end < 0 ? line : line.slice(0, end);
}

const NEXT_WORD = /^[^ \t]*[ \t]*/;
const NEXT_AFTER_EQUAL = /^[^ \t=]*[ \t=]*/;

/** What follows the first word and the blanks behind it. */
export const afterWord = (text: ByteString): ByteString => text.replace(NEXT_WORD, '');

/** What follows a command: `=` counts as a blank there. */
export const commandArguments = (line: ByteString): ByteString => line.replace(NEXT_AFTER_EQUAL, '');

export const commandName = (line: ByteString): ByteString => /^[^ \t=]*/.exec(line)![0];

/** Up to the first blank. */
export const firstWord = (text: ByteString): ByteString => /^\S*/.exec(text)![0];

/** Decimal or `0x` number at the start, and what follows it; undefined without a digit or when it is too large. */
export function leadingNumber(text: ByteString): { value: number; rest: ByteString } | undefined {
  const hex = /^0x([0-9a-f]+)/i.exec(text);
  const match = hex ?? (/^0x/i.test(text) ? null : /^([0-9]+)/.exec(text));
  if (!match) return undefined;
  const value = Number.parseInt(match[1]!, hex ? 16 : 10);
  return value <= MAX_NUMBER ? { value, rest: text.slice(match[0].length) } : undefined;
}
