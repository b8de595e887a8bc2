/** The harness itself, on programs whose output is known: what a test of the menu relies on. */
import t from 'tap';
import { Console, type ConsoleOptions } from './pty';

const sh = (script: string, options: ConsoleOptions = {}) =>
  Console.start(['-c', script], { ...options, program: ['sh'] });

t.test('the screen', async (t) => {
  const c = sh(
    "printf 'one\\r\\n\\033[7mtwo\\033[0m \\033[1;31;44mx\\033[0m\\342\\224\\202\\344\\270\\255\\a\\033[?25l'",
  );
  t.same(await c.exit, { status: 0 });
  t.same(c.rows().slice(0, 3), ['one', 'two x│中', '']);
  t.equal(c.rows().length, 24);
  t.same(c.cell(0, 1), { chars: 't', width: 1, inverse: true, bold: false, fg: -1, bg: -1 });
  t.same(c.cell(4, 1), { chars: 'x', width: 1, inverse: false, bold: true, fg: 1, bg: 4 });
  t.same([c.cell(6, 1).width, c.cell(7, 1).width], [2, 0]);
  t.same(c.cursor(), { x: 8, y: 1 });
  t.equal(c.bells, 1);
  t.notOk(c.cursorVisible);
  t.equal(c.bytes, c.raw.length);
  t.ok(c.raw.startsWith('one\r'));
  t.ok(c.raw.includes('\xe4\xb8\xad'), 'raw: one character a byte');
});

t.test('its own environment, the size, and a change of it', async (t) => {
  const c = sh('env; trap "stty size; exit 3" WINCH; stty size; while :; do sleep 0.05; done', {
    cols: 40,
    rows: 10,
    term: 'linux',
    env: { LANG: 'C.UTF-8' },
  });
  await c.until(/^10 40$/m);
  const names = [...c.raw.matchAll(/^(\w+)=/gm)].map((m) => m[1]);
  // the shell's own
  t.same(names.filter((name) => name !== 'PWD' && name !== '_').sort(), ['LANG', 'PATH', 'TERM']);
  t.match(c.raw, /^TERM=linux\r$/m);
  c.resize(132, 50);
  t.equal((await c.exit).status, 3);
  t.match(c.text(), /^50 132$/m);
  t.equal(c.rows().length, 50);
});

t.test('a pty of 0x0, in raw mode, of a terminal that answers', async (t) => {
  const c = sh('stty size; printf "\\033[6n"; dd bs=1 count=6 2>/dev/null | od -An -c', {
    size0: true,
    stty: 'raw -echo',
  });
  t.equal((await c.exit).status, 0);
  t.match(c.raw, /^0 0\n/);
  // in raw mode the cursor stays in its column: ESC [ 2 ; 4 R
  t.match(c.raw, /033 +\[ +2 +; +4 +R/);
});

t.test('waiting', async (t) => {
  const c = Console.start([], { program: ['cat'] });
  await t.rejects(c.until(/never/, 50), { message: /50 ms without \/never\/; the screen:\n\|/ });
  c.write('typed\n');
  await c.until((c) => c.row(1) === 'typed');
  const sent = c.bytes;
  await c.settled();
  t.equal(c.bytes, sent);
  c.kill('SIGTERM');
  t.same(await c.exit, { status: 0, signal: 15 });
  await t.rejects(c.until(/never/), { message: /^ended without/ });
  await c.close();
});

t.test('what is left of the terminal', async (t) => {
  const kept = Console.startInShell(['-c', 'stty raw -echo; stty sane; exit 7'], { program: ['sh'] });
  await kept.exit;
  const settings = kept.settings();
  t.equal(settings.status, 7);
  const spoilt = Console.startInShell(['-c', 'stty raw -echo; echo spoilt; exec sleep 60'], {
    program: ['sh'],
  });
  await spoilt.until(/spoilt/);
  spoilt.kill('SIGKILL');
  t.same(await spoilt.exit, { status: 0 });
  t.equal(spoilt.settings().status, 128 + 9);
  t.not(spoilt.settings().after, spoilt.settings().before);
  t.equal(spoilt.settings().before, settings.before);
});

t.test('a console that goes away', async (t) => {
  const c = sh('echo there; exec sleep 60');
  await c.until(/^there$/m);
  c.hangUp();
  t.same(await c.exit, { status: 0, signal: 1 });
});

t.test('the built program', async (t) => {
  const c = Console.start(['--version']);
  t.same(await c.exit, { status: 0 });
  t.match(c.row(0), /^nodegrub \d+\.\d+\.\d+/);
});
