/** A terminal's screen as an SVG: one `text` for each run of cells that look alike. */
import type { Console } from './pty';

/** Of a cell, in pixels: monospaced letters are 0.6 times as wide as their size. */
const WIDTH = 7.8;
const HEIGHT = 17;
const MARGIN = 12;

const INK = '#d0d7de';
const PAPER = '#161b22';

/** In pixels, without the noise of binary fractions. */
const px = (n: number) => String(Math.round(n * 10) / 10);

const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

interface Run {
  readonly x: number;
  text: string;
  cells: number;
  readonly inverse: boolean;
  readonly bold: boolean;
}

/** Blanks that are not inverse stand for nothing. */
function runsOf(console: Console, y: number, cols: number): Run[] {
  const runs: Run[] = [];
  let current: Run | undefined;
  for (let x = 0; x < cols; x++) {
    const { chars, width, inverse, bold } = console.cell(x, y);
    if (width === 0) continue;
    const text = chars === '' ? ' ' : chars;
    if (current && current.inverse === inverse && current.bold === bold) {
      current.text += text;
      current.cells += width;
    } else {
      current = { x, text, cells: width, inverse, bold };
      runs.push(current);
    }
  }
  return runs.flatMap((run) => {
    if (run.inverse) return [run];
    const text = run.text.trim();
    if (text === '') return [];
    const before = run.text.length - run.text.trimStart().length;
    return [{ ...run, x: run.x + before, text, cells: text.length }];
  });
}

/** @param title what a reader who does not see it is told */
export function screenAsSvg(console: Console, title: string, cols = 80): string {
  const rows = console.rows().length;
  const width = cols * WIDTH + 2 * MARGIN;
  const height = rows * HEIGHT + 2 * MARGIN;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${px(width)} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    `<style>text { font: 13px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: ${INK}; white-space: pre; } .i { fill: ${PAPER}; } .b { font-weight: bold; }</style>`,
    `<rect width="${px(width)}" height="${height}" rx="8" fill="${PAPER}" stroke="#6e7681"/>`,
  ];
  const { x: cursorX, y: cursorY } = console.cursor();
  for (let y = 0; y < rows; y++) {
    for (const { x, text, cells, inverse, bold } of runsOf(console, y, cols)) {
      const left = MARGIN + x * WIDTH;
      const top = MARGIN + y * HEIGHT;
      if (inverse)
        lines.push(
          `<rect x="${px(left)}" y="${top}" width="${px(cells * WIDTH)}" height="${HEIGHT}" fill="${INK}"/>`,
        );
      const classes = [inverse ? 'i' : '', bold ? 'b' : ''].filter(Boolean).join(' ');
      lines.push(
        `<text${classes ? ` class="${classes}"` : ''} x="${px(left)}" y="${top + 13}" textLength="${px(cells * WIDTH)}" xml:space="preserve">${escaped(text)}</text>`,
      );
    }
    if (console.cursorVisible && y === cursorY)
      lines.push(
        `<rect x="${px(MARGIN + cursorX * WIDTH)}" y="${MARGIN + y * HEIGHT + 14}" width="${WIDTH}" height="2" fill="${INK}"/>`,
      );
  }
  return `${lines.join('\n')}\n</svg>\n`;
}
