/** Bytes of real terminals (xterm's ctlseqs, VT220 manual, console_codes(4)) → keys. */
import t from 'tap';
import { KeyReader } from '../../menu/keys';

function keys(...pieces: string[]): string[] {
  const reader = new KeyReader();
  const out = pieces.flatMap((piece) => reader.feed(Buffer.from(piece, 'latin1')));
  return [...out, ...reader.flush()];
}

t.test('both encodings of the arrows, and the other keys of the usual terminals', async (t) => {
  for (const [bytes, key] of [
    ...[
      ['\x1b[A', 'up'],
      ['\x1bOA', 'up'],
      ['\x1b[B', 'down'],
      ['\x1bOB', 'down'],
      ['\x1b[C', 'right'],
      ['\x1bOC', 'right'],
    ],
    ...[
      ['\x1b[D', 'left'],
      ['\x1bOD', 'left'],
      ['\x1b[H', 'home'],
      ['\x1bOH', 'home'],
      ['\x1b[1~', 'home'],
      ['\x1b[7~', 'home'],
    ],
    ...[
      ['\x1b[F', 'end'],
      ['\x1bOF', 'end'],
      ['\x1b[4~', 'end'],
      ['\x1b[8~', 'end'],
      ['\x1b[5~', 'pgup'],
      ['\x1b[6~', 'pgdn'],
    ],
    ...[
      ['\x1b[3~', 'delete'],
      ['\x1b[2~', 'insert'],
      ['\x1bOP', 'f1'],
      ['\x1b[11~', 'f1'],
      ['\x1b[[A', 'f1'],
      ['\x1bOQ', 'f2'],
    ],
    ...[
      ['\x1b[12~', 'f2'],
      ['\x1b[[D', 'f4'],
      ['\x1bOS', 'f4'],
      ['\x1b[14~', 'f4'],
      ['\x1b[21~', 'f10'],
      ['\x1b[24~', 'f12'],
    ],
    ...[
      ['\x1b[1;5C', 'right'],
      ['\x1b[5;2~', 'pgup'],
      ['\r', 'enter'],
      ['\n', 'enter'],
      ['\r\n', 'enter'],
      ['\x1bOM', 'enter'],
    ],
    ...[
      ['\t', 'tab'],
      ['\x7f', 'backspace'],
      ['\b', 'backspace'],
      ['\x03', '^c'],
      ['\x18', '^x'],
      ['\x01', '^a'],
      ['\x1a', '^z'],
    ],
    ...[
      ['\x1b', 'esc'],
      ['\x1bb', 'M-b'],
      ['\x1b<', 'M-<'],
      ['a', 'a'],
      [' ', ' '],
      ['\xc3\xa4', 'ä'],
      ['\xf0\x9f\x98\x80', '😀'],
    ],
  ] as const) {
    t.same(keys(bytes!), [key], JSON.stringify(bytes));
    t.same(keys(...bytes!), [key], `${JSON.stringify(bytes)} byte by byte`);
  }
});

t.test('several keys in one read', async (t) => {
  t.same(keys('\x1bOB\x1b[Bx\r\r'), ['down', 'down', 'x', 'enter', 'enter']);
  t.same(keys('\x1b\x1b[A'), ['esc', 'up']);
  t.same(keys('\x1b\x1b'), ['esc', 'esc']);
  t.same(keys('\x1b[', 'B'), ['down']);
  t.same(keys('\xc3', '\xa4b'), ['ä', 'b']);
});

t.test('what is no key is dropped, and what follows it is not', async (t) => {
  t.same(keys('\x1b[99~a'), ['a']);
  t.same(keys('\x1b[<0;1;2Ma'), ['a'], 'a mouse report');
  t.same(keys('\xffa\xc3(\x80b'), ['a', '(', 'b']);
  t.same(keys('\x00\xc2\x9bx'), ['x'], 'C1 controls');
  t.same(
    keys(`\x1b[${'1'.repeat(100)}`).filter((key) => key !== '1'),
    [],
  );
  const reader = new KeyReader();
  for (let i = 0; i < 1000; i++) reader.feed(Buffer.from('\x1b[;;;;;;;;'));
  reader.flush();
  t.same(reader.feed(Buffer.from('a')), ['a']);
});
