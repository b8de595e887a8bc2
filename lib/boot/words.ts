/** Blanks of byte strings. JavaScript's own `\s` and `trim` take the byte 0xa0, half of a UTF-8 letter, for one. */
import type { ByteString } from '../bytes/text';

const isBlank = (c: number): boolean => c === 0x20 || (c >= 0x09 && c <= 0x0d);

/** Without blanks at both ends; in linear time, which `/ +$/` is not. */
export function trimBlanks(text: ByteString): ByteString {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

/** Words between blanks. */
export const wordsOf = (text: ByteString): ByteString[] =>
  text.split(/[ \t\n\v\f\r]+/).filter((word) => word !== '');
