/** Colours and columns. Everything of the guest's goes through `safe` before it comes here or is part of a line. */
import { columnsOf, widthOf } from '../../menu/width';
import { fromHost, printable } from '../bytes/text';

export interface Look {
  readonly colour: boolean;
  /** Columns of the terminal; undefined: nothing is cut. */
  readonly columns: number | undefined;
}

/** Decoded text of a guest's, as one line without controls. */
export const safe = (text: string, most = 512): string => printable(fromHost(text), most);

/** ECMA-48's SGR. */
const STYLES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36' } as const;
export type Style = keyof typeof STYLES;

export class Painter {
  constructor(readonly look: Look) {}

  paint(style: Style, text: string): string {
    return this.look.colour && text !== '' ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  }

  /** Rows in columns; the last column is cut at the terminal's edge. @param head titles, left out where there are none */
  table(
    head: readonly string[],
    rows: readonly (readonly string[])[],
    styles: readonly (Style | undefined)[] = [],
  ): string[] {
    // A column that no row fills is left out.
    const used = head.flatMap((_, i) => (rows.some((row) => (row[i] ?? '') !== '') ? i : []));
    const all = [head, ...rows];
    const widths = used.map((i) => Math.max(...all.map((row) => columnsOf(row[i] ?? ''))));
    return all.map((row, number) => {
      let left = (this.look.columns ?? Number.POSITIVE_INFINITY) - 2;
      const cells = used.map((i, at) => {
        const text = row[i] ?? '';
        const last = at === used.length - 1;
        const cut = cutTo(text, Math.max(0, left));
        left -= widths[at]! + 2;
        const style = number === 0 ? 'dim' : styles[number - 1];
        const pad = last ? '' : ' '.repeat(Math.max(0, widths[at]! - columnsOf(text)));
        return (style ? this.paint(style, cut) : cut) + (left > 0 ? pad : '');
      });
      return `  ${cells.join('  ').trimEnd()}`;
    });
  }

  /** A line that goes on in further ones, each with `indent` blanks; without a terminal it stays one. */
  wrapped(text: string, indent: number, first = indent): string[] {
    const { columns } = this.look;
    if (columns === undefined || columns < 40) return [' '.repeat(first) + text];
    const lines: string[] = [];
    let line = ' '.repeat(first);
    let width = first;
    for (const word of text.split(' ')) {
      const columnsOfWord = columnsOf(word);
      if (width > indent && width + 1 + columnsOfWord > columns) {
        lines.push(line);
        line = ' '.repeat(indent) + word;
        width = indent + columnsOfWord;
      } else {
        const blank = lines.length === 0 && line.trim() === '' ? '' : ' ';
        line += blank + word;
        width += blank.length + columnsOfWord;
      }
    }
    return [...lines, line];
  }
}

function cutTo(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let out = '';
  let width = 0;
  for (const character of text) {
    const next = widthOf(character);
    if (width + next > columns - 1) break;
    out += character;
    width += next;
  }
  return `${out}…`;
}

/** `10.0 GiB`; exact where it is a whole number of a unit. */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
