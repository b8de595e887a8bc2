/**
 * The screen as cells, and the fewest bytes from one picture to the next. Only what every terminal since the VT100
 * knows is sent: cursor position, erase, and attributes (ECMA-48 CUP, ED, EL, SGR).
 */
import { widthOf } from './width';

/** How a cell looks. Colours are SGR's 0–7, 8–15 for bright ones; undefined is the terminal's own. */
export interface Look {
  readonly reverse?: boolean;
  readonly bold?: boolean;
  readonly foreground?: number | undefined;
  readonly background?: number | undefined;
}

export const PLAIN: Look = {};

interface Cell {
  /** A character with its combining ones; empty: the right half of a wide one. */
  readonly text: string;
  readonly look: Look;
}

const BLANK: Cell = { text: ' ', look: PLAIN };

/** Combining characters that one cell keeps: a title of 4 KB of them must not make one cell of 4 KB. */
const COMBINING = 4;

/** Unchanged cells that are sent again, because a jump over them would be longer. */
const GAP = 5;

const sameLook = (a: Look, b: Look): boolean =>
  a === b ||
  (Boolean(a.reverse) === Boolean(b.reverse) &&
    Boolean(a.bold) === Boolean(b.bold) &&
    a.foreground === b.foreground &&
    a.background === b.background);

const sameCell = (a: Cell, b: Cell): boolean => a === b || (a.text === b.text && sameLook(a.look, b.look));

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** One picture. */
export class Frame {
  readonly cells: Cell[][];
  /** Where the cursor is left, or hidden. */
  cursor: { readonly row: number; readonly column: number } | undefined;

  constructor(readonly size: Size) {
    this.cells = Array.from({ length: size.rows }, () => new Array<Cell>(size.columns).fill(BLANK));
  }

  /**
   * Puts text on a row, cut at column `end`; a wide character that does not fit whole is left out.
   * @returns the column behind it
   */
  put(row: number, column: number, text: string, look: Look = PLAIN, end = this.size.columns): number {
    const cells = this.cells[row];
    if (!cells) return column;
    const edge = Math.min(end, this.size.columns);
    let at = column;
    let combined = 0;
    for (const character of text) {
      const width = widthOf(character);
      if (width === 0) {
        const before = cells[at - 1]?.text === '' ? at - 2 : at - 1;
        const cell = cells[before];
        if (cell && before >= column && combined++ < COMBINING)
          cells[before] = { text: cell.text + character, look };
        continue;
      }
      if (at + width > edge) break;
      combined = 0;
      cells[at] = { text: character, look };
      if (width === 2) cells[at + 1] = { text: '', look };
      at += width;
    }
    return at;
  }

  fill(row: number, from: number, to: number, look: Look): void {
    const cells = this.cells[row];
    if (!cells) return;
    for (let at = from; at < Math.min(to, cells.length); at++) cells[at] = { text: ' ', look };
  }
}

const sgr = (look: Look): string => {
  const codes = ['0'];
  if (look.bold) codes.push('1');
  if (look.reverse) codes.push('7');
  const colour = (value: number | undefined, base: number) => {
    if (value !== undefined) codes.push(String(value < 8 ? base + value : base + 52 + value));
  };
  colour(look.foreground, 30);
  colour(look.background, 40);
  return `\x1b[${codes.length === 1 ? '' : codes.join(';')}m`;
};

const simple = (cell: Cell): boolean => cell.text.length === 1 && cell.text >= ' ' && cell.text <= '~';

/** Draws frames on a terminal; keeps what the terminal shows. */
export class Screen {
  #shown: Frame | undefined;
  /** What the terminal writes with, undefined when that is not known. */
  #look: Look | undefined;
  #at: { row: number; column: number } | undefined;
  #hidden = false;

  /** What the terminal shows is not known any more. */
  forget(): void {
    this.#shown = undefined;
    this.#look = undefined;
    this.#at = undefined;
    this.#hidden = false;
  }

  /** Bytes (as a string) that change the picture on the terminal to this one. */
  draw(frame: Frame): string {
    const out: string[] = [];
    const old = this.#shown;
    const { rows, columns } = frame.size;
    const fresh = !old || old.size.rows !== rows || old.size.columns !== columns;
    if (fresh) {
      out.push('\x1b[m\x1b[H\x1b[J');
      this.#look = PLAIN;
      this.#at = { row: 0, column: 0 };
    }
    for (let row = 0; row < rows; row++) this.#row(frame, row, fresh ? undefined : old!.cells[row]!, out);
    this.#shown = frame;
    if (frame.cursor) {
      this.#move(frame.cursor.row, Math.min(frame.cursor.column, columns - 1), out);
      if (this.#hidden || fresh) out.push('\x1b[?25h');
      this.#hidden = false;
    } else if (!this.#hidden) {
      out.push('\x1b[?25l');
      this.#hidden = true;
    }
    return out.join('');
  }

  /** Leaves the picture where it is; text goes on below it. */
  leave(): string {
    const rows = this.#shown?.size.rows ?? 1;
    this.forget();
    return `\x1b[m\x1b[?25h\x1b[${rows};1H\r\n`;
  }

  #row(frame: Frame, row: number, old: readonly Cell[] | undefined, out: string[]): void {
    const cells = frame.cells[row]!;
    const { columns, rows } = frame.size;
    // Writing in the last corner would scroll.
    const width = row === rows - 1 ? columns - 1 : columns;
    const changed = (at: number): boolean => !sameCell(cells[at]!, old ? old[at]! : BLANK);
    // Blank to the end of the row: erased in one go.
    let blankFrom = width;
    while (blankFrom > 0 && sameCell(cells[blankFrom - 1]!, BLANK)) blankFrom--;
    let changedInBlank = 0;
    for (let at = blankFrom; at < width; at++) if (changed(at)) changedInBlank++;
    const erase = changedInBlank > 3;
    const end = erase ? blankFrom : width;
    for (let at = 0; at < end; ) {
      if (!changed(at)) {
        at++;
        continue;
      }
      let last = at;
      for (let next = at + 1; next < end && next - last <= GAP; next++) if (changed(next)) last = next;
      // Never begin in the middle of a wide character.
      while (at > 0 && cells[at]!.text === '') at--;
      while (last + 1 < columns && cells[last + 1]!.text === '') last++;
      this.#cells(row, at, last, cells, columns, out);
      at = last + 1;
    }
    if (!erase) return;
    this.#move(row, end, out);
    this.#attributes(PLAIN, out);
    out.push('\x1b[K');
  }

  #cells(
    row: number,
    from: number,
    to: number,
    cells: readonly Cell[],
    columns: number,
    out: string[],
  ): void {
    for (let at = from; at <= to; at++) {
      const cell = cells[at]!;
      if (cell.text === '') continue;
      this.#move(row, at, out);
      this.#attributes(cell.look, out);
      out.push(cell.text);
      const known = simple(cell) && at + 1 < columns;
      this.#at = known ? { row, column: at + 1 } : undefined;
    }
  }

  #move(row: number, column: number, out: string[]): void {
    const at = this.#at;
    if (at && at.row === row && at.column === column) return;
    if (at && column === 0 && at.row === row) out.push('\r');
    else if (at && column === 0 && at.row + 1 === row) out.push('\r\n');
    else if (at && at.row === row && at.column > column && at.column - column < 4)
      out.push('\b'.repeat(at.column - column));
    else
      out.push(column === 0 ? (row === 0 ? '\x1b[H' : `\x1b[${row + 1}H`) : `\x1b[${row + 1};${column + 1}H`);
    this.#at = { row, column };
  }

  #attributes(look: Look, out: string[]): void {
    if (this.#look && sameLook(this.#look, look)) return;
    if (
      this.#look &&
      sameLook(this.#look, PLAIN) &&
      look.reverse &&
      !look.bold &&
      look.foreground === undefined
    )
      out.push('\x1b[7m');
    else out.push(sgr(look));
    this.#look = look;
  }
}
