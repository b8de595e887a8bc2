/** One line of text with GRUB's keys for it ("The flexible command-line interface" in its manual), and its history. */
import type { Key } from './keys';

/** No more can be typed; a text that is given may be longer, and stays whole. */
export const LINE_LIMIT = 8192;
export const HISTORY_LIMIT = 100;

export interface LineState {
  readonly text: string;
  /** In code points, 0 to the text's length. */
  readonly cursor: number;
  /** What `^y` inserts. */
  readonly killed: string;
  /** Oldest first. */
  readonly history: readonly string[];
  /** Which line of the history is shown; `history.length`: none, the draft. */
  readonly at: number;
  /** What was typed before going into the history. */
  readonly draft: string;
  /** The last key killed text: what the next one kills is added to it. */
  readonly killing: boolean;
}

export type LineAction =
  | 'enter'
  /** esc */
  | 'cancel'
  /** tab */
  | 'complete'
  /** ^c */
  | 'interrupt'
  | 'bell';

export const lineOf = (text = '', history: readonly string[] = []): LineState => ({
  text,
  cursor: countOf(text),
  killed: '',
  history,
  at: history.length,
  draft: text,
  killing: false,
});

/** How many code points. */
export function countOf(text: string): number {
  let count = text.length;
  for (let i = 1; i < text.length; i++) if (isPair(text, i)) count--;
  return count;
}

/** Where the code point number `column` begins, in UTF-16 units; the text's length when there are fewer. */
export function indexOf(text: string, column: number): number {
  let index = 0;
  for (let rest = column; rest > 0 && index < text.length; rest--) index += isPair(text, index + 1) ? 2 : 1;
  return index;
}

/** Do the units before and at the index make one code point? */
const isPair = (text: string, index: number): boolean =>
  (text.charCodeAt(index) & 0xfc00) === 0xdc00 && (text.charCodeAt(index - 1) & 0xfc00) === 0xd800;

/** Is it a character to insert, not a key's name? Never a control character or half a code point. */
export const isText = (key: Key): boolean => /^[^\p{Cc}\p{Cs}]$/u.test(key);

// Letters, digits and what combines with them, as readline and Emacs count words.
const WORD = /[\p{L}\p{N}\p{M}]/u;
const BLANK = /\s/;

/** Index of the end of the word at or after the index. */
export function wordEnd(text: string, index: number): number {
  let at = index;
  let inside = false;
  for (const ch of text.slice(index)) {
    if (WORD.test(ch)) inside = true;
    else if (inside) break;
    at += ch.length;
  }
  return at;
}

/** Index of the beginning of the word before the index. */
export const wordStart = (text: string, index: number): number =>
  backOver(
    text,
    backOver(text, index, (ch) => !WORD.test(ch)),
    (ch) => WORD.test(ch),
  );

/** Index of the beginning of what stands before the index without a blank in it: `^w`. */
export const blankStart = (text: string, index: number): number =>
  backOver(
    text,
    backOver(text, index, (ch) => BLANK.test(ch)),
    (ch) => !BLANK.test(ch),
  );

function backOver(text: string, index: number, over: (ch: string) => boolean): number {
  let at = index;
  while (at > 0) {
    const before = at - (at > 1 && isPair(text, at - 1) ? 2 : 1);
    if (!over(text.slice(before, at))) break;
    at = before;
  }
  return at;
}

/** A history with one more line; what is blank or the last line again is not added. */
export const remember = (history: readonly string[], text: string): string[] =>
  text.trim() === '' || text === history[history.length - 1]
    ? [...history]
    : [...history, text].slice(-HISTORY_LIMIT);

/** What a key does. A key without a meaning rings the bell. */
export function lineKey(state: LineState, key: Key): { state: LineState; action?: LineAction } {
  const { text, cursor, history } = state;
  const index = indexOf(text, cursor);
  const rested = state.killing ? { ...state, killing: false } : state;
  const bell = { state: rested, action: 'bell' } as const;
  /** The cursor at an index of the text. */
  const moved = (to: number) => ({ state: { ...rested, cursor: countOf(text.slice(0, to)) } });
  const replaced = (from: number, to: number, by: string) => {
    const before = text.slice(0, from) + by;
    return { ...rested, text: before + text.slice(to), cursor: countOf(before) };
  };
  const killed = (from: number, to: number) => {
    if (from === to) return { state: rested };
    const cut = text.slice(from, to);
    const earlier = state.killing ? state.killed : '';
    return {
      state: {
        ...replaced(from, to, ''),
        killed: to > index ? earlier + cut : cut + earlier,
        killing: true,
      },
    };
  };
  const inserted = (what: string) =>
    countOf(text) + countOf(what) > LINE_LIMIT ? bell : { state: replaced(index, index, what) };
  /** Another line of the history. */
  const recalled = (at: number) => {
    if (at < 0 || at > history.length || at === state.at) return bell;
    const draft = state.at === history.length ? text : state.draft;
    const shown = history[at] ?? draft;
    return { state: { ...rested, draft, at, text: shown, cursor: countOf(shown) } };
  };
  if (isText(key)) return inserted(key);
  switch (key) {
    case 'enter':
      return { state: rested, action: 'enter' };
    case 'esc':
      return { state: rested, action: 'cancel' };
    case 'tab':
      return { state: rested, action: 'complete' };
    case '^c':
      return { state: rested, action: 'interrupt' };
    case 'left':
    case '^b':
      return moved(indexOf(text, cursor - 1));
    case 'right':
    case '^f':
      return moved(indexOf(text, cursor + 1));
    case 'home':
    case '^a':
      return moved(0);
    case 'end':
    case '^e':
      return moved(text.length);
    case 'M-b':
      return moved(wordStart(text, index));
    case 'M-f':
      return moved(wordEnd(text, index));
    case 'backspace':
      return { state: replaced(indexOf(text, cursor - 1), index, '') };
    case 'delete':
    case '^d':
      return { state: replaced(index, indexOf(text, cursor + 1), '') };
    case '^k':
      return killed(index, text.length);
    case '^u':
      return killed(0, index);
    case '^w':
      return killed(blankStart(text, index), index);
    case 'M-d':
      return killed(index, wordEnd(text, index));
    case '^y':
      return inserted(state.killed);
    case 'up':
    case '^p':
      return recalled(state.at - 1);
    case 'down':
    case '^n':
      return recalled(state.at + 1);
    case 'M-<':
      return recalled(0);
    case 'M->':
      return recalled(history.length);
    case '^l':
      return { state: rested };
    default:
      return bell;
  }
}

/**
 * What is shown of a line in `width` columns, so that the cursor is among it: `column` of what is shown, which may be
 * the one after its end. `left`, `right`: there is more on that side; marks for it are the caller's, outside of the
 * width. The window moves by half its width, so that most keys change little of it.
 */
export function lineWindow(
  text: string,
  cursor: number,
  width: number,
  widthOf: (ch: string) => number,
): { shown: string; column: number; left: boolean; right: boolean } {
  if (width < 1)
    return { shown: '', column: 0, left: cursor > 0, right: indexOf(text, cursor) < text.length };
  const chars: string[] = [];
  // to[i]: columns of what is before i
  const to = [0];
  for (const ch of text) {
    chars.push(ch);
    to.push(to[to.length - 1]! + Math.max(0, widthOf(ch)));
    // What is further right than a window from the cursor on is never shown.
    if (chars.length > cursor + 1 && to[to.length - 1]! > to[cursor]! + width) break;
  }
  const place = to[cursor]!;
  // A wide letter under the cursor is shown whole.
  const under = Math.max(1, (to[cursor + 1] ?? place) - place);
  const step = Math.max(1, width >> 1);
  const hidden = Math.min(place, Math.ceil(Math.max(0, place + under - width) / step) * step);
  let start = to.findIndex((columns) => columns >= hidden);
  // No combining mark without its letter.
  while (start > 0 && start < cursor && to[start + 1] === to[start]) start++;
  const end = to[start]! + width;
  let stop = start;
  while (stop < chars.length && to[stop + 1]! <= end) stop++;
  return {
    shown: chars.slice(start, stop).join(''),
    column: place - to[start]!,
    left: start > 0,
    right: stop < chars.length,
  };
}
