/** State → picture. Every size works: what does not fit is left out, the selected entry last. Pure. */
import type { EditorState } from './editor';
import { lineWindow } from './line';
import type { Level } from './list';
import { Frame, type Look, PLAIN, type Size } from './screen';
import { shown, wrapped } from './text';
import { columnsOf, widthOf } from './width';

export interface Looks {
  readonly normal: Look;
  readonly menu: Look;
  readonly highlight: Look;
}

/** What does not change while a menu is shown. */
export interface Style {
  readonly looks: Looks;
  readonly utf8: boolean;
  /** `nodegrub 0.1.0` */
  readonly program: string;
}

const GRUB_COLOURS = [
  ...['black', 'red', 'green', 'brown', 'blue', 'magenta', 'cyan', 'light-gray'],
  ...[
    'dark-gray',
    'light-red',
    'light-green',
    'yellow',
    'light-blue',
    'light-magenta',
    'light-cyan',
    'white',
  ],
];

/** `white/blue` → a look; undefined where it is none. GRUB manual, "Theme file format" (colours of the text console). */
function look(colours: string | undefined): Look | undefined {
  const [foreground = '', background = 'black'] = (colours ?? '').split('/');
  const at = [foreground, background].map((name) => GRUB_COLOURS.indexOf(name));
  return at.includes(-1) ? undefined : { foreground: at[0], background: at[1] };
}

export function looksOf(colours: Level['menu']['colours']): Looks {
  const normal = look(colours?.normal) ?? PLAIN;
  const menu = look(colours?.menuNormal) ?? normal;
  const given = look(colours?.menuHighlight) ?? look(colours?.highlight);
  const highlight = given ?? { ...menu, reverse: true };
  return { normal, menu, highlight };
}

/** Rows that each part gets. */
interface Layout {
  readonly header: number;
  readonly box: boolean;
  /** Rows of entries or text. */
  readonly page: number;
  readonly footer: number;
}

function layoutOf(size: Size): Layout {
  const { rows } = size;
  const header = rows >= 16 ? 2 : rows >= 6 ? 1 : 0;
  const box = rows >= 9 && size.columns >= 16;
  const footer = rows >= 20 ? 7 : rows >= 14 ? 5 : rows >= 9 ? 3 : rows >= 4 ? 1 : 0;
  return { header, box, page: Math.max(rows - header - footer - (box ? 2 : 0), 1), footer };
}

/** Rows that a list or an editor has on a screen of this size. */
export const pageOf = (size: Size): number => layoutOf(size).page;

/** Columns of the box's inside. */
const INSET = 2;

function base(size: Size, style: Style, title: string): { frame: Frame; layout: Layout } {
  const frame = new Frame(size);
  const layout = layoutOf(size);
  const { looks } = style;
  if (looks.normal !== PLAIN)
    for (let row = 0; row < size.rows; row++) frame.fill(row, 0, size.columns, looks.normal);
  if (layout.header > 0) {
    const [line = ''] = wrapped(title, size.columns - 2, 1);
    const column = Math.max((size.columns - columnsOf(line)) >> 1, 0);
    frame.put(0, column, line, { ...looks.normal, bold: true });
  }
  if (layout.box) drawBox(frame, layout, style);
  else if (looks.menu !== PLAIN)
    for (let row = 0; row < layout.page; row++) frame.fill(layout.header + row, 0, size.columns, looks.menu);
  return { frame, layout };
}

function drawBox(frame: Frame, layout: Layout, style: Style): void {
  const { columns } = frame.size;
  const { menu } = style.looks;
  const [corner, line, side] = style.utf8 ? ['┌┐└┘', '─', '│'] : ['++++', '-', '|'];
  const width = columns - 2 * INSET;
  const top = layout.header;
  const bottom = top + layout.page + 1;
  const edge = (row: number, left: string, right: string) =>
    frame.put(row, INSET - 1, left + line!.repeat(width) + right, menu);
  edge(top, corner![0]!, corner![1]!);
  edge(bottom, corner![2]!, corner![3]!);
  for (let row = top + 1; row < bottom; row++) {
    frame.put(row, INSET - 1, side!, menu);
    frame.fill(row, INSET, columns - INSET, menu);
    frame.put(row, columns - INSET, side!, menu);
  }
}

/** The box's inside: first row, first column, column behind it. */
function inside(frame: Frame, layout: Layout): { row: number; from: number; to: number } {
  const { columns } = frame.size;
  return layout.box
    ? { row: layout.header + 1, from: INSET, to: columns - INSET }
    : { row: layout.header, from: 0, to: columns };
}

/** Marks at the right edge where there is more above and below. */
function scrollMarks(frame: Frame, layout: Layout, style: Style, above: boolean, below: boolean): void {
  const { row, to } = inside(frame, layout);
  const column = layout.box ? to : to - 1;
  const [up, down] = style.utf8 ? ['↑', '↓'] : ['^', 'v'];
  if (above) frame.put(row, column, up!, style.looks.menu);
  if (below) frame.put(row + layout.page - 1, column, down!, style.looks.menu);
}

/** Rows under the box: help, then what is to be told, and the clock in the last one. The first ones give way. */
function footer(
  frame: Frame,
  layout: Layout,
  style: Style,
  told: string,
  help: readonly string[],
  clock: string,
): void {
  const { columns, rows } = frame.size;
  const width = Math.max(columns - 2 * INSET, 1);
  const first = rows - layout.footer;
  const room = layout.footer - (clock === '' ? 0 : 1);
  const news = told === '' ? [] : wrapped(told, width, Math.min(4, layout.footer));
  // Help stays in its place whatever is told, so that little is drawn anew.
  const lines = helpLines(help, width).slice(0, Math.max(Math.min(layout.footer - 1 - news.length, 3), 0));
  const shownNews = news.slice(0, Math.max(room - lines.length, told === '' ? 0 : 1));
  const put = (row: number, text: string) =>
    frame.put(row, Math.min(INSET, columns >> 3), text, style.looks.normal);
  for (const [i, text] of [...lines, ...shownNews].entries()) if (i < layout.footer) put(first + i, text);
  if (clock !== '' && lines.length + shownNews.length < layout.footer)
    put(rows - 1, wrapped(clock, width, 1)[0] ?? '');
}

/** Help items in lines, an item never broken. */
function helpLines(items: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const line = lines[lines.length - 1];
    if (line !== undefined && line.length + 3 + item.length <= width)
      lines[lines.length - 1] = `${line}   ${item}`;
    else lines.push(item);
  }
  return lines;
}

const EDITING = {
  free: ['e: edit the commands', 'a: edit the kernel arguments', 'c: command line'],
  locked: ['p: password, to edit entries'],
  never: [],
} as const;

export interface ListPicture {
  readonly level: Level;
  /** `gpt2 ext4: /boot/grub/grub.cfg` */
  readonly place: string;
  /** What went wrong, in full sentences. */
  readonly message: string;
  /** Seconds until the default boots; undefined: the clock does not run. */
  readonly seconds: number | undefined;
  /** May entries be edited: yes, with a password, never. */
  readonly editing: 'free' | 'locked' | 'never';
}

export function listFrame(picture: ListPicture, size: Size, style: Style): Frame {
  const { level } = picture;
  const path = level.titles.map((title) => ` > ${shown(title, style.utf8)}`).join('');
  const { frame, layout } = base(size, style, `${style.program}   ${picture.place}${path}`);
  const { row, from, to } = inside(frame, layout);
  const { looks } = style;
  let cut = '';
  for (let i = 0; i < layout.page; i++) {
    const at = level.top + i;
    const entry = level.entries[at];
    if (!entry) break;
    const chosen = at === level.selected;
    const mark = entry.open ? (size.columns >= 20 ? '  >' : '>') : '';
    const title = shown(entry.title, style.utf8);
    const room = to - from - 2 - mark.length;
    const fits = columnsOf(title) <= room;
    if (chosen && !fits) cut = rest(title, room - 1);
    // Only the words are highlighted, not the row: over a serial line each column counts.
    const shownLook = chosen ? looks.highlight : looks.menu;
    let column = frame.put(row + i, from, chosen ? '*' : ' ', shownLook, to);
    column = frame.put(row + i, column, title, shownLook, Math.min(fits ? to : from + 1 + room - 1, to));
    if (!fits) column = frame.put(row + i, column, '>', shownLook, to);
    if (mark !== '') column = frame.put(row + i, column, mark, shownLook, to);
  }
  const below = level.top + layout.page < level.entries.length;
  scrollMarks(frame, layout, style, level.top > 0, below);
  if (layout.box && (below || level.top > 0)) {
    const count = ` ${level.selected + 1}/${level.entries.length} `;
    frame.put(row + layout.page, to - count.length - 1, count, looks.menu, to);
  }
  if (level.entries.length === 0) frame.put(row, from + 1, '(no entries)', looks.menu, to);
  // What the row has no room for, from the word on that it breaks.
  const told = picture.message !== '' ? picture.message : cut;
  const inner = level.titles.length > 0;
  const help = [
    style.utf8 ? '↑ ↓: select' : 'Up, Down: select',
    'Enter: boot',
    ...EDITING[picture.editing],
    ...(inner ? ['ESC: back'] : []),
    'Ctrl-C: give up',
  ];
  footer(frame, layout, style, told, help, countdown(picture.seconds));
  return frame;
}

/** The end of a title that is cut after `columns`, with the word that is cut. */
function rest(title: string, columns: number): string {
  let used = 0;
  let at = 0;
  for (const character of title) {
    used += widthOf(character);
    if (used > columns) break;
    at += character.length;
  }
  const word = title.lastIndexOf(' ', at) + 1;
  return `>${title.slice(at - word > 20 ? at : word)}`;
}

const countdown = (seconds: number | undefined): string =>
  seconds === undefined ? '' : `The highlighted entry boots in ${seconds} s. Any key stops the clock.`;

/** The line that `timeout_style=countdown` shows. */
export const countdownLine = (seconds: number): string => `Booting in ${seconds} s; ESC or F4 for the menu. `;

export function editorFrame(
  editor: EditorState,
  title: string,
  message: string,
  size: Size,
  style: Style,
): Frame {
  const { frame, layout } = base(size, style, `${style.program}   ${shown(title, style.utf8)}`);
  const { row, from, to } = inside(frame, layout);
  const { looks } = style;
  const { page } = layout;
  const top = Math.min(Math.max(editor.row - (page >> 1), 0), Math.max(editor.lines.length - page, 0));
  const width = to - from - 1;
  for (let i = 0; i < page; i++) {
    const at = top + i;
    const line = editor.lines[at];
    if (line === undefined) break;
    const here = at === editor.row;
    const clean = displayed(line, style.utf8);
    const view = lineWindow(clean, here ? editor.column : 0, width - 1, widthOf);
    const chosen = here && editor.mode === 'lines';
    const shownLook = chosen ? looks.highlight : looks.menu;
    frame.put(row + i, from, view.left ? '<' : ' ', chosen ? looks.highlight : looks.menu, to);
    frame.put(row + i, from + 1, view.shown === '' && chosen ? ' ' : view.shown, shownLook, to - 1);
    if (view.right) frame.put(row + i, to - 1, '>', looks.menu, to);
    if (here && editor.mode === 'text')
      frame.cursor = { row: row + i, column: Math.min(from + 1 + view.column, to - 1) };
  }
  scrollMarks(frame, layout, style, top > 0, top + page < editor.lines.length);
  const help =
    editor.mode === 'lines'
      ? [
          ...[
            'b: boot',
            'e: edit the line',
            'o, O: new line below, above',
            'd: delete the line',
            'c: command line',
          ],
          ...['ESC: back, changes are dropped', 'Or move within the line and type.'],
        ]
      : ['Ctrl-X or F10: boot', 'Ctrl-C or F2: command line', 'ESC: back, changes are dropped'];
  footer(frame, layout, style, message, help, '');
  return frame;
}

/** Each code point of an edited line as one that can be shown, so that columns stay those of the editor. */
export function displayed(line: string, utf8: boolean): string {
  let out = '';
  for (const character of line) {
    if (character === '\t') out += ' ';
    else if (character >= ' ' && character <= '~') out += character;
    else if (!utf8 || /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/u.test(character)) out += '?';
    else out += character;
  }
  return out;
}

/** One line of text over as many rows as it needs, for the kernel's arguments. */
export function argumentsFrame(
  text: string,
  cursor: number,
  title: string,
  message: string,
  size: Size,
  style: Style,
): Frame {
  const { frame, layout } = base(size, style, `${style.program}   ${shown(title, style.utf8)}`);
  const { row, from, to } = inside(frame, layout);
  const { looks } = style;
  const rows: string[] = [''];
  let used = 0;
  let at = 0;
  let place = { row: 0, column: 0 };
  const width = Math.max(to - from - 2, 2);
  for (const character of `${displayed(text, style.utf8)} `) {
    const w = widthOf(character);
    if (used + w > width) {
      rows.push('');
      used = 0;
    }
    if (at++ === cursor) place = { row: rows.length - 1, column: used };
    rows[rows.length - 1] += character;
    used += w;
  }
  const top = Math.max(place.row - layout.page + 1, 0);
  for (let i = 0; i < layout.page && top + i < rows.length; i++)
    frame.put(row + i, from + 1, rows[top + i]!, looks.menu, to - 1);
  frame.cursor = { row: row + place.row - top, column: Math.min(from + 1 + place.column, to - 1) };
  footer(frame, layout, style, message, ['Enter: boot', 'ESC: back, changes are dropped'], '');
  return frame;
}
