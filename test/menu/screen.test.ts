/** What the screen sends makes a real terminal emulator show the picture. */
import { Terminal } from '@xterm/headless';
import t from 'tap';
import { Frame, type Look, PLAIN, Screen } from '../../menu/screen';
import { generator } from '../boot/dialect';

const LOOKS: readonly Look[] = [
  PLAIN,
  { reverse: true },
  { bold: true },
  { foreground: 6, background: 4 },
  { foreground: 15 },
];

const write = (terminal: Terminal, text: string) => new Promise<void>((done) => terminal.write(text, done));

/** The emulator's cells as `text/reverse/bold/fg/bg`. */
function shown(terminal: Terminal, row: number, column: number): string {
  const cell = terminal.buffer.active.getLine(terminal.buffer.active.baseY + row)!.getCell(column)!;
  const colour = (isDefault: boolean, value: number) => (isDefault ? '' : value);
  const text = cell.getWidth() === 0 ? '' : cell.getChars() || ' ';
  return [
    ...[text, cell.isInverse() > 0, cell.isBold() > 0],
    ...[colour(cell.isFgDefault(), cell.getFgColor()), colour(cell.isBgDefault(), cell.getBgColor())],
  ].join('/');
}

function wanted(frame: Frame, row: number, column: number): string {
  const { text, look } = frame.cells[row]![column]!;
  return [text, Boolean(look.reverse), Boolean(look.bold), look.foreground ?? '', look.background ?? ''].join(
    '/',
  );
}

t.test('random pictures, one after the other', async (t) => {
  const below = generator(7);
  const words = ['Debian', ' ', 'x', 'Linux 6.1', '漢字', 'é', 'e\u0301', '----------', '       '];
  for (const [columns, rows] of [
    [80, 24],
    [40, 10],
    [132, 50],
    [7, 3],
  ] as const) {
    const terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 });
    const screen = new Screen();
    let previous: Frame | undefined;
    for (let round = 0; round < 60; round++) {
      const frame = new Frame({ columns, rows });
      if (previous && round % 3 > 0)
        for (const [row, cells] of previous.cells.entries()) frame.cells[row] = [...cells];
      for (let i = below(6); i >= 0; i--)
        frame.put(below(rows), below(columns), words[below(words.length)]!, LOOKS[below(LOOKS.length)]);
      // A wide character that was half overwritten is no picture: blanked.
      for (const cells of frame.cells)
        for (const [at, cell] of cells.entries()) {
          const wide = /[漢字]/.test(cell.text);
          if (wide && cells[at + 1]?.text !== '') cells[at] = { text: ' ', look: PLAIN };
          if (cell.text === '' && !/[漢字]/.test(cells[at - 1]?.text ?? ''))
            cells[at] = { text: ' ', look: PLAIN };
        }
      if (round % 5 === 4) frame.cursor = { row: below(rows), column: below(columns) };
      await write(terminal, screen.draw(frame));
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          // The last corner is never written.
          if (row === rows - 1 && column >= columns - 2) continue;
          const is = shown(terminal, row, column);
          if (is !== wanted(frame, row, column)) {
            t.equal(
              is,
              wanted(frame, row, column),
              `${columns}x${rows}, round ${round}, row ${row}, column ${column}`,
            );
            return;
          }
        }
      if (frame.cursor)
        t.same(
          [terminal.buffer.active.cursorY, terminal.buffer.active.cursorX],
          [frame.cursor.row, frame.cursor.column],
        );
      previous = frame;
    }
  }
  t.pass('every cell as it should be');
});

t.test('an unchanged picture costs nothing', async (t) => {
  const screen = new Screen();
  const frame = () => {
    const f = new Frame({ columns: 80, rows: 24 });
    f.put(3, 5, 'the same');
    return f;
  };
  screen.draw(frame());
  t.equal(screen.draw(frame()), '');
});
