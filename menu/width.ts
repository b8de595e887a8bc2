/**
 * Columns that a character takes on a terminal: Unicode's East Asian Width (UAX #11, wide and fullwidth blocks), zero for
 * combining and invisible characters. Terminals disagree about some; screen.ts places the cursor anew after each.
 */

/** First and last code point of the wide blocks. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f265],
  [0x20000, 0x2fffd],
  [0x30000, 0x3fffd],
];

/** @param character one code point */
export function widthOf(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  // Hangul medial vowels and final consonants join the syllable before them.
  if (/^[\p{Mn}\p{Me}\p{Cf}]/u.test(character) || (code >= 0x1160 && code <= 0x11ff)) return 0;
  if (WIDE.some(([first, last]) => code >= first && code <= last)) return 2;
  return /^\p{Emoji_Presentation}/u.test(character) ? 2 : 1;
}

/** Columns of a text. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}
