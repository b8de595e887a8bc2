/**
 * The commands of an entry while they are edited, in two modes: 'lines' highlights one line and has the letters of
 * pygrub's edit screen, 'text' has a cursor and the keys of GRUB's ("Editing a menu entry" in its manual), and some more
 * of Emacs and readline. It begins with the lines, and the first key that needs a cursor goes to the text.
 */
import type { Key } from './keys';
import { blankStart, countOf, indexOf, isText, wordEnd, wordStart } from './line';

/** No more can be typed; an entry that is longer can be looked at, shortened and booted. */
export const EDITOR_LIMITS = { /** In UTF-16 units. */ text: 1 << 20, lines: 20_000 };

export interface EditorState {
  /** One at least, none with a newline. */
  readonly lines: readonly string[];
  readonly row: number;
  /** In code points, 0 to the line's length. */
  readonly column: number;
  readonly mode: 'lines' | 'text';
  /** What `^y` inserts. */
  readonly killed: string;
  /** The column that up and down go for, where lines are long enough. */
  readonly goal: number;
  /** The last key killed text: what the next one kills is added to it. */
  readonly killing: boolean;
}

export type EditorAction = 'boot' | 'command-line' | 'leave' | 'bell' | undefined;

interface Place {
  readonly row: number;
  /** In UTF-16 units of the line. */
  readonly index: number;
}

/** At the first line. A final newline is no empty last line. */
export const editorOf = (text: string): EditorState => ({
  lines: text.replace(/\n$/, '').split('\n'),
  row: 0,
  column: 0,
  mode: 'lines',
  killed: '',
  goal: 0,
  killing: false,
});

/** Every line ends in a newline. */
export const editorText = (state: EditorState): string => `${state.lines.join('\n')}\n`;

/** What a key does; `page`: how many rows are shown. A key without a meaning rings the bell. */
export function editorKey(
  state: EditorState,
  key: Key,
  page: number,
): { state: EditorState; action?: EditorAction } {
  const rested = state.killing ? { ...state, killing: false } : state;
  switch (key) {
    case '^x':
    case 'f10':
      return { state: rested, action: 'boot' };
    case '^c':
    case 'f2':
      return { state: rested, action: 'command-line' };
    case 'esc':
      return { state: rested, action: 'leave' };
    case '^l':
      return { state: rested };
  }
  const next = (state.mode === 'lines' ? ofLines(state, key, page) : undefined) ?? ofText(state, key, page);
  if (next === undefined) return { state: rested, action: 'bell' };
  return 'lines' in next ? { state: next } : { state: rested, action: next.action };
}

/** The letters that act on the highlighted line; undefined: it is a key for the text. */
function ofLines(
  state: EditorState,
  key: Key,
  page: number,
): EditorState | { action: EditorAction } | undefined {
  const { lines, row } = state;
  switch (key) {
    case 'up':
      return inRow(state, row - 1);
    case 'down':
      return inRow(state, row + 1);
    case 'pgup':
      return inRow(state, row - Math.max(1, page));
    case 'pgdn':
      return inRow(state, row + Math.max(1, page));
    case 'b':
      return { action: 'boot' };
    case 'c':
      return { action: 'command-line' };
    case 'q':
      return { action: 'leave' };
    case 'd': {
      const rest = lines.length > 1 ? lines.filter((_, i) => i !== row) : [''];
      return inRow({ ...state, lines: rest }, row);
    }
    case 'o':
    case 'O': {
      const below = row + (key === 'o' ? 1 : 0);
      const more = [...lines.slice(0, below), '', ...lines.slice(below)];
      if (!fits(more)) return { action: 'bell' };
      return { ...inRow({ ...state, lines: more }, below), mode: 'text' };
    }
    case 'e':
    case 'enter':
      return at({ ...state, mode: 'text' }, { row, index: lines[row]!.length });
    default:
      return undefined;
  }
}

/** The editor's own keys; undefined: it has no such key, or no room for it. */
function ofText(state: EditorState, key: Key, page: number): EditorState | undefined {
  const { lines, row } = state;
  const line = lines[row]!;
  const here: Place = { row, index: indexOf(line, state.column) };
  const end: Place = { row, index: line.length };
  const text: EditorState = { ...state, mode: 'text', killing: false };
  const previous: Place | undefined = row > 0 ? { row: row - 1, index: lines[row - 1]!.length } : undefined;
  const following: Place | undefined = row + 1 < lines.length ? { row: row + 1, index: 0 } : undefined;
  const before = (): Place =>
    here.index > 0 ? { row, index: indexOf(line, state.column - 1) } : (previous ?? here);
  const after = (): Place =>
    here.index < line.length ? { row, index: indexOf(line, state.column + 1) } : (following ?? here);
  const kill = (from: Place, to: Place): EditorState => {
    const rest = replace(text, from, to, '');
    if (rest === undefined) return text;
    const cut = between(lines, from, to);
    if (cut === '') return text;
    const earlier = state.killing ? state.killed : '';
    const forward = from.row === here.row && from.index === here.index;
    return { ...rest, killed: forward ? earlier + cut : cut + earlier, killing: true };
  };
  if (isText(key)) return replace(text, here, here, key);
  switch (key) {
    case 'tab':
      return replace(text, here, here, ' ');
    case 'enter':
      return replace(text, here, here, '\n');
    case '^o': {
      const opened = replace(text, here, here, '\n');
      return opened && at(opened, here);
    }
    case 'backspace':
      return replace(text, before(), here, '');
    case 'delete':
    case '^d':
      return replace(text, here, after(), '');
    case 'left':
    case '^b':
      return at(text, before());
    case 'right':
    case '^f':
      return at(text, after());
    case 'home':
    case '^a':
      return at(text, { row, index: 0 });
    case 'end':
    case '^e':
      return at(text, end);
    case 'up':
    case '^p':
      return previous ? inRow(text, row - 1) : at(text, { row, index: 0 });
    case 'down':
    case '^n':
      return following ? inRow(text, row + 1) : at(text, end);
    case 'pgup':
    case '^g':
      return inRow(text, row - Math.max(1, page));
    case 'pgdn':
    case '^v':
      return inRow(text, row + Math.max(1, page));
    case 'M-<':
      return at(text, { row: 0, index: 0 });
    case 'M->':
      return at(text, { row: lines.length - 1, index: lines[lines.length - 1]!.length });
    case 'M-b':
      return at(text, wordBefore(lines, here));
    case 'M-f':
      return at(text, wordAfter(lines, here));
    case '^k':
      return kill(here, here.index < line.length ? end : after());
    case '^u':
      return kill({ row, index: 0 }, here);
    case '^w':
      // only ever one line at a time: the blanks that a line begins with do not take the line before along
      return kill(here.index > 0 ? { row, index: blankStart(line, here.index) } : before(), here);
    case 'M-d':
      return kill(here, here.index < line.length ? { row, index: wordEnd(line, here.index) } : after());
    case '^y':
      return replace(text, here, here, state.killed);
    default:
      return undefined;
  }
}

const at = (state: EditorState, { row, index }: Place): EditorState => {
  const column = countOf(state.lines[row]!.slice(0, index));
  return { ...state, row, column, goal: column, killing: false };
};

/** In another row, the nearest that there is. */
function inRow(state: EditorState, row: number): EditorState {
  const there = Math.max(0, Math.min(row, state.lines.length - 1));
  const column = Math.min(state.goal, countOf(state.lines[there]!));
  return { ...state, row: there, column, killing: false };
}

/** Another text from one place to another, with the cursor after it; undefined: it would be more than may be typed. */
function replace(state: EditorState, from: Place, to: Place, by: string): EditorState | undefined {
  const { lines } = state;
  const head = lines[from.row]!.slice(0, from.index);
  const tail = lines[to.row]!.slice(to.index);
  const middle = (head + by).split('\n');
  const row = from.row + middle.length - 1;
  const index = middle[middle.length - 1]!.length;
  middle.push(middle.pop()! + tail);
  const next = [...lines.slice(0, from.row), ...middle, ...lines.slice(to.row + 1)];
  if (by !== '' && !fits(next)) return undefined;
  return at({ ...state, lines: next }, { row, index });
}

function fits(lines: readonly string[]): boolean {
  if (lines.length > EDITOR_LIMITS.lines) return false;
  let size = 0;
  for (const line of lines) size += line.length + 1;
  return size <= EDITOR_LIMITS.text;
}

const between = (lines: readonly string[], from: Place, to: Place): string =>
  from.row === to.row
    ? lines[from.row]!.slice(from.index, to.index)
    : [
        lines[from.row]!.slice(from.index),
        ...lines.slice(from.row + 1, to.row),
        lines[to.row]!.slice(0, to.index),
      ].join('\n');

/** The beginning of the word before, in whatever line it is. */
function wordBefore(lines: readonly string[], here: Place): Place {
  let { row, index } = here;
  for (;;) {
    const start = wordStart(lines[row]!, index);
    if (hasWord(lines[row]!.slice(start, index)) || row === 0) return { row, index: start };
    row--;
    index = lines[row]!.length;
  }
}

/** The end of the word after, in whatever line it is. */
function wordAfter(lines: readonly string[], here: Place): Place {
  let { row, index } = here;
  for (;;) {
    const end = wordEnd(lines[row]!, index);
    if (hasWord(lines[row]!.slice(index, end)) || row === lines.length - 1) return { row, index: end };
    row++;
    index = 0;
  }
}

const hasWord = (text: string): boolean => /[\p{L}\p{N}\p{M}]/u.test(text);
