/** The built program's menu on a real pseudoterminal: look, keys, choosing. */
import t from 'tap';
import { diskWith, entry, expected, Guest, INITRD, LINUX, press, selected } from './guest';

const ARGS = expected.args as string;
const [SIMPLE, FIRST, RECOVERY] = expected.titles as string[];
const ADVANCED = 'Advanced options for Debian GNU/Linux  >';
const PLACE = 'gpt1 ext4: /boot/grub/grub.cfg';

t.test('what is shown, on every kind of terminal', async (t) => {
  for (const [term, cols, rows, size0] of [
    ['vt100', 80, 24, false],
    ['vt100', 80, 24, true],
    ['xterm', 132, 50, false],
    ['linux', 80, 24, false],
    ['vt100', 40, 10, false],
    ['xterm-256color', 20, 5, false],
  ] as const) {
    const what = `${term} ${cols}x${rows}${size0 ? ' that says 0x0' : ''}`;
    const guest = new Guest(t);
    const console = guest.start({ term, cols, rows, size0, more: [] });
    await console.until((c) => selected(c) !== '');
    console.write('\x1b[B');
    await console.until((c) => selected(c).startsWith(ADVANCED.slice(0, 12)));
    await console.settled();
    const text = console.text();
    t.match(text, /Debian GNU\/Linux/, what);
    if (rows >= 10) t.match(console.row(0), /^ *nodegrub \d/, `${what}: the title`);
    if (cols >= 80) {
      t.ok(console.row(0).includes(PLACE), `${what}: the configuration`);
      t.match(text, /Up, Down: select {3}Enter: boot {3}e: edit the commands/, `${what}: help`);
      t.match(text, /\+-{70,}\+/, `${what}: a box of ASCII`);
    }
    if (size0) t.notMatch(console.raw, /(?<!\r)\n/, 'no bare line feed');
    t.notMatch(text, /boots in/, `${what}: the clock stands`);
    t.equal(selected(console).includes('>'), true, `${what}: the submenu is marked`);
    console.write('\x03');
    const { status, kernel } = await guest.outcome(console);
    t.equal(status, 1, 'Ctrl-C');
    t.equal(kernel, undefined);
    t.match(console.raw, /RuntimeError: Ctrl-C was pressed\r\n$/);
    t.notMatch(console.raw, /[\x80-\xff]/, 'ASCII only');
  }
});

t.test('the countdown, and the default after it', async (t) => {
  const guest = new Guest(
    t,
    `set timeout=2\n${entry('one', `${LINUX} one`)}${entry('two', `${LINUX} two`)}set default=1`,
  );
  const console = guest.start({ more: [] });
  await console.until(/boots in 2 s/);
  await console.until(/boots in 1 s/);
  t.equal(selected(console), 'two');
  t.same(await guest.outcome(console), {
    status: 0,
    kernel: expected.kernel.sha256,
    ramdisk: undefined,
    args: 'two',
  });
  t.match(console.raw, /nodegrub \S+ \(.+\) boots gpt1 ext4: \/boot\/grub\/grub\.cfg: menuentry 'two'\r\n$/);
});

for (const [term, cols, rows, page, size0] of [
  ['vt100', 80, 24, 13, false],
  ['vt100', 80, 24, 13, true],
  ['linux', 40, 10, 4, false],
  ['xterm', 132, 50, 39, false],
] as const)
  t.test(`every key of the list: ${term} ${cols}x${rows}${size0 ? ', 0x0' : ''}`, async (t) => {
    const titles = Array.from({ length: 40 }, (_, i) => `${i % 5 === 1 ? 'boot' : 'run'}_${i + 1}`);
    const guest = new Guest(
      t,
      `set timeout=1\nfor i in ${titles.join(' ')}; do menuentry "$i" { ${LINUX} $1; }; done
menuentry last --hotkey=z { ${LINUX} last; }\nhiddenentry ghost --hotkey=g { ${LINUX} ghost; }
submenu sub { menuentry inner { ${LINUX} inner; } }`,
    );
    const console = guest.start({ term, cols, rows, size0 });
    const name = (n: number) => [...titles, 'last', 'sub  >'][Math.min(n, 42) - 1]!;
    await press(console, '\x1b[B', name(2));
    for (const [keys, wanted, what] of [
      ['\x1bOB', name(3), 'ESC O B'],
      ['\x1b[A', name(2), 'ESC [ A'],
      ['\x1bOA', name(1), 'ESC O A'],
      ['\x1b[A', name(1), 'no further'],
      ['\x0e', name(2), '^n'],
      ['\x10', name(1), '^p'],
      ['\x16', name(page), '^v'],
      ['\x07', name(1), '^g'],
      ['\x1b[6~', name(page), 'PgDn'],
      ['\x1b[6~', name(2 * page - 1), 'PgDn again'],
      ['\x1b[5~', name(Math.min(2 * page - 1, 42) - page + 1), 'PgUp'],
      ['\x1b[F', 'sub  >', 'End'],
      ['\x1b[H', name(1), 'Home'],
      ['\x1b[4~', 'sub  >', 'End'],
      ['\x1b[1~', name(1), 'Home'],
      ['\x05', 'sub  >', '^e'],
      ['\x01', name(1), '^a'],
      ['b', name(2), 'by letter'],
      ['B', name(7), 'either case'],
      ['s', 'sub  >', 'by letter'],
      ['\x1b[C', 'inner', 'right'],
      ['\x1b[D', 'sub  >', 'left'],
      ['\r', 'inner', 'Enter'],
      ['\x1b', 'sub  >', 'ESC'],
      ['\x06', 'inner', '^f'],
      ['\x02', 'sub  >', '^b'],
      ['\x1b[H\x1b[B\x1b[B\x1b[B', name(4), 'several at once'],
      ['\x1b[C', name(4), 'right is not Enter'],
      ['\x0c', name(4), '^l'],
    ] as const) {
      await press(console, keys, wanted);
      t.equal(selected(console), wanted, what);
    }
    t.notMatch(console.text(), /ghost/, 'hidden');
    if (page < 42) t.match(console.text(), / 4\/42 /);
    console.write('g');
    t.equal((await guest.outcome(console)).args, 'ghost', 'the hotkey of a hidden entry boots it');
  });

t.test('a submenu, and what is in it', async (t) => {
  const guest = new Guest(t);
  const console = guest.start();
  await press(console, '\x1b[B', ADVANCED);
  await press(console, '\r', FIRST!);
  t.ok(console.row(0).includes('> Advanced options'), 'the title says where one is');
  await press(console, '\x1b[B', RECOVERY!);
  console.write('\r');
  t.same(await guest.outcome(console), {
    status: 0,
    kernel: expected.kernel.sha256,
    ramdisk: expected.ramdisk.sha256,
    args: ARGS.replace('console=hvc0 quiet', 'single console=hvc0'),
  });
});

t.test('an arrow key costs few bytes', async (t) => {
  const guest = new Guest(t);
  const console = guest.start();
  await console.until((c) => selected(c) !== '');
  await console.settled();
  let before = console.bytes;
  await press(console, 'x', SIMPLE!);
  await console.settled();
  before = console.bytes;
  await press(console, '\x1b[B', ADVANCED);
  await console.settled();
  t.ok(console.bytes - before < 110, `${console.bytes - before} bytes`);
});

t.test('an entry that does not boot', async (t) => {
  const guest = new Guest(
    t,
    `set timeout=5\n${entry('bad', 'linux /nowhere')}${entry('good', LINUX, INITRD)}`,
  );
  const console = guest.start();
  await press(console, '\x1b[B\x1b[A', 'bad');
  await press(console, '\r', /cannot boot 'bad': \/nowhere: not found/);
  await press(console, '\x1b[B', 'good');
  t.notMatch(console.text(), /nowhere/, 'the next key takes the reason away');
  console.write('\r');
  t.equal((await guest.outcome(console)).ramdisk, expected.ramdisk.sha256);
});

t.test('nobody is there: fallback, or the end', async (t) => {
  const bad = entry('bad', 'linux /nowhere');
  const good = entry('good', LINUX);
  const rescued = new Guest(t, `set timeout=1\nset fallback=1\n${bad}${good}`);
  t.equal((await rescued.outcome(rescued.start({ more: [] }))).kernel, expected.kernel.sha256);
  const failed = new Guest(t, `set timeout=1\n${bad}${good}`);
  const console = failed.start({ more: [] });
  t.equal((await failed.outcome(console)).status, 1);
  t.match(console.raw, /RuntimeError: .*menuentry 'bad': \/nowhere: not found\r\n$/);
  const broken = new Guest(t, `set timeout=1\n${bad}`);
  const last = broken.start({ more: ['--no-guess'] });
  await last.until((c) => selected(c) === 'bad');
  t.equal((await broken.outcome(last)).status, 1, 'what nothing boots of is shown as well');
});

t.test('a resize in the middle', async (t) => {
  const guest = new Guest(t);
  const console = guest.start({ term: 'xterm' });
  await press(console, '\x1b[B', ADVANCED);
  for (const [cols, rows] of [
    [132, 50],
    [40, 10],
    [80, 24],
    [10, 3],
    [1, 1],
    [100, 30],
  ] as const) {
    console.resize(cols, rows);
    console.write('x');
    if (cols >= 40) {
      await console.until((c) => selected(c).startsWith('Advanced options for'));
      await console.settled();
      const corner = console.rows().findIndex((row) => /^ \+-+\+$/.test(row));
      t.equal(console.row(corner).length, cols - 1, `${cols}x${rows}: the box has the new width`);
    } else await console.settled();
  }
  console.write('\r\x1b[B\r');
  t.equal((await guest.outcome(console)).status, 0);
});

t.test('10,000 entries', async (t) => {
  const digits = '0 1 2 3 4 5 6 7 8 9';
  const guest = new Guest(
    t,
    `set timeout=9\nfor a in ${digits}; do for b in ${digits}; do for c in ${digits}; do for d in ${digits}; do
menuentry "entry $a$b$c$d" { ${LINUX} number=$1; }\ndone; done; done; done`,
  );
  const console = guest.start();
  await press(console, '\x1b[F', 'entry 9999');
  t.match(console.text(), / 10000\/10000 /);
  await press(console, '\x1b[A\x1b[A', 'entry 9997');
  await console.settled();
  const before = console.bytes;
  await press(console, '\x1b[A', 'entry 9996');
  await console.settled();
  t.ok(console.bytes - before < 100, `${console.bytes - before} bytes for a key`);
  console.write('\r');
  t.equal((await guest.outcome(console)).args, 'number=entry 9996');
});

t.test('hostile titles', async (t) => {
  const long = 'x'.repeat(900);
  const titles = [
    '\x1b[2Jerased\x07\x9b31m',
    '\r\nnew line',
    '\xe2\x80\xaereversed',
    '\xff\xfe',
    `RuntimeError: no`,
  ];
  const guest = new Guest(
    t,
    `set timeout=5\n${titles.map((title) => entry(title, LINUX)).join('')}t=${long}\nmenuentry "begin$t$t$t$t end" { ${LINUX} long; }\n`,
  );
  const console = guest.start();
  await press(console, '\x1b[F', new RegExp(`begin${'x'.repeat(50)}`));
  await console.settled();
  t.match(console.text(), /beginx{60,}>/, 'cut, and marked so');
  t.match(console.text(), /^ {2}> ?x{60,}$/m, 'what is cut stands below');
  t.match(console.text(), /\\x1b\[2Jerased\\x07\\x9b31m/);
  t.match(console.text(), /\\u\{202e\}reversed/);
  // The program's own sequences are all of these kinds.
  t.notMatch(console.raw.replace(/\x1b\[\??[\d;]*[HJKmhl]/g, ''), /[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\xff]/);
  t.equal(console.bells, 0);
  console.write('\r');
  t.equal((await guest.outcome(console)).args, 'long');
  t.equal(console.raw.match(/RuntimeError: /g), null);
});

t.test('Unicode titles where the locale says so', async (t) => {
  const utf8 = (text: string) => Buffer.from(text).toString('latin1');
  const config = `set timeout=5\n${['Grün ☃', '漢字カナ Linux', 'e\u0301e\u0301 combining', '😀 smile'].map((title) => entry(utf8(title), LINUX)).join('')}`;
  const right = new Guest(t, config);
  const console = right.start({ env: { LANG: 'de_DE.UTF-8' }, term: 'xterm' });
  await press(console, '\x1b[B', '漢字カナ Linux');
  t.match(console.text(), /Grün ☃/);
  t.match(console.text(), /e\u0301e\u0301 combining/);
  t.match(console.text(), /┌─{70,}┐/);
  // Whatever the terminal thinks of widths, the right border stands in one column.
  const edges = new Set(
    console
      .rows()
      .flatMap((row, y) =>
        row.includes('│')
          ? [[...Array(80).keys()].filter((x) => console.cell(x, y).chars === '│').pop()]
          : [],
      ),
  );
  t.equal(edges.size, 1, [...edges].join());
  console.write('\x03');
  await console.exit;
  const plain = new Guest(t, config);
  const ascii = plain.start();
  await press(ascii, '\x1b[B', '???? Linux');
  t.match(ascii.text(), /Gr\?n \?/);
  ascii.write('\x03');
  await ascii.exit;
});

t.test('colours', async (t) => {
  const guest = new Guest(
    t,
    `set timeout=5\nset menu_color_normal=cyan/blue\nset menu_color_highlight=white/red\n${entry('one', LINUX)}${entry('two', LINUX)}`,
  );
  const console = guest.start({ term: 'linux' });
  await console.until(/two/);
  console.write('x');
  await console.settled();
  const y = console.rows().findIndex((row) => row.includes('one'));
  const x = console.row(y).indexOf('one');
  t.match(console.cell(x, y), { fg: 15, bg: 1 });
  t.match(console.cell(x, y + 1), { fg: 6, bg: 4 });
  t.match(console.cell(0, 0), { fg: -1, bg: -1 });
  console.write('\x03');
  await console.exit;
});

t.test('1,000 random keys: nothing breaks, and the terminal is as it was', async (t) => {
  const keys = [
    ...[
      '\x1b[A',
      '\x1b[B',
      '\x1bOA',
      '\x1bOB',
      '\x1b[C',
      '\x1b[D',
      '\x1b[H',
      '\x1b[F',
      '\x1b[5~',
      '\x1b[6~',
      '\x1b[3~',
      '\x1b',
      '\x1b',
    ],
    ...[
      'e',
      'a',
      'c',
      'p',
      'b',
      'd',
      'o',
      'O',
      'q',
      'x',
      ' ',
      '\t',
      '\x01',
      '\x05',
      '\x0b',
      '\x15',
      '\x19',
      '\x0c',
      '\x17',
      '\x7f',
    ],
    ...['\x1b[99~', '\xc3', '\xff', '(', '"', '$', '{', '漢', '\x0e', '\x10', '\x16', '\x1bb', '\x1bf'],
  ];
  const guest = new Guest(
    t,
    `set timeout=5\nset superusers=a\npassword a b\n${entry('bad', 'linux /x').repeat(30)}submenu sub {\n${entry('inner', 'false')}}\n`,
  );
  const console = guest.start({ shell: true });
  await console.until((c) => selected(c) !== '');
  let seed = 12345;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  for (let i = 0; i < 100; i++) {
    console.write(Array.from({ length: 10 }, () => keys[random(keys.length)]).join(''));
    if (i % 10 === 0) await console.settled(20);
  }
  await console.settled(200);
  for (let i = 0; i < 40 && !/status \d/.test(console.raw); i++) {
    console.write('\x1b');
    await console.settled(150);
    console.write('\x03');
    await console.settled(50);
  }
  await console.exit;
  const { before, after, status } = console.settings();
  t.equal(status, 1);
  t.equal(after, before);
  t.notMatch(console.raw, /an error of its own/);
  t.ok(console.cursorVisible);
});

t.test('a disk for the size of the text', async (t) => {
  t.throws(() => diskWith('x'.repeat(4000)), /do not fit/);
});
