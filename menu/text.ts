/** Guest text for the screen: no control sequence, nothing invisible, in the console's character set. */
import { type ByteString, printable, toUnicode } from '../lib/bytes/text';
import { columnsOf, widthOf } from './width';

/** Bytes of a title that are looked at. */
const LONGEST = 4096;

const asciiOnly = (text: string): string =>
  text.replace(/[^\x00-\x7f]/gu, (character) => (widthOf(character) === 0 ? '' : '?'));

/** One line. @param utf8 the console shows Unicode; otherwise what is not ASCII becomes `?` */
export function shown(text: ByteString, utf8: boolean): string {
  const line = printable(text, LONGEST);
  return utf8 ? line : asciiOnly(line);
}

/** What a command printed, as lines; tabs end at columns of eight. */
export function outputLines(text: ByteString, utf8: boolean): string[] {
  const lines = text.split('\n');
  return lines.map((line) => {
    let out = '';
    let column = 0;
    for (const part of line.replace(/\r/g, '').split('\t').entries()) {
      if (part[0] > 0) {
        const blanks = 8 - (column % 8);
        out += ' '.repeat(blanks);
        column += blanks;
      }
      const piece = utf8
        ? printable(part[1], Number.POSITIVE_INFINITY)
        : asciiOnly(printable(part[1], Number.POSITIVE_INFINITY));
      out += piece;
      column += columnsOf(piece);
    }
    return out;
  });
}

/**
 * Text that a person edits ↔ the guest's bytes. What is UTF-8 is edited as such; a text that is not is edited byte by
 * byte (latin1), so that saving it changes nothing. Controls other than line feed and tab have pictures meanwhile.
 */
export function editable(text: ByteString): { text: string; bytes(edited: string): ByteString } {
  const unicode = toUnicode(text);
  const asBytes = unicode === text && /[\x80-\xff]/.test(text);
  const controls = (from: string) =>
    from.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (c) =>
      String.fromCharCode(c === '\x7f' ? 0x2421 : 0x2400 + c.charCodeAt(0)),
    );
  const back = (from: string) =>
    from.replace(/[\u2400-\u2408\u240b-\u241f\u2421]/g, (c) =>
      c === '\u2421' ? '\x7f' : String.fromCharCode(c.charCodeAt(0) - 0x2400),
    );
  return {
    text: controls(unicode),
    bytes: (edited) => {
      const raw = back(edited);
      if (asBytes && !/[^\x00-\xff]/.test(raw)) return raw;
      return Buffer.from(raw, 'utf8').toString('latin1');
    },
  };
}

/** Words of a text in lines of at most `width` columns; longer words are cut. At most `most` lines, the rest is left out. */
export function wrapped(text: string, width: number, most: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  const end = () => {
    lines.push(line);
    line = '';
    used = 0;
  };
  for (const word of text.split(' ')) {
    if (lines.length >= most) break;
    const columns = columnsOf(word);
    if (used > 0 && used + 1 + columns > width) end();
    if (used > 0) {
      line += ' ';
      used++;
    }
    if (columns <= width) {
      line += word;
      used += columns;
      continue;
    }
    for (const character of word) {
      const w = widthOf(character);
      if (used + w > width) end();
      if (lines.length > most) break;
      line += character;
      used += w;
    }
  }
  if (used > 0) end();
  return lines.slice(0, most);
}
