/** The passphrase at a real pseudoterminal. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { image } from '../support';
import { entry, Guest, LINUX, press, selected } from './guest';
import { Console, type ConsoleOptions } from './pty';

const work = mkdtempSync(join(tmpdir(), 'nodegrub-console-'));
t.teardown(() => rmSync(work, { recursive: true }));
const disk = join(work, 'disk.img');
const bytes = Buffer.from(image('luks-disk.img'));
image('luks-1.img').copy(bytes, 6144 * 512);
writeFileSync(disk, bytes);

const QUESTION = /Enter passphrase for hd0,gpt2 \(11111111222243338444555555555555\):$/;
const start = (args: string[] = [], options: ConsoleOptions = {}) =>
  Console.start(['--output-format=simple', `--output-directory=${work}`, ...args, disk], {
    cols: 132,
    ...options,
  });

/** Types and waits for the next question. */
async function wrong(c: Console, words: string, count: number): Promise<void> {
  c.write(`${words}\r`);
  await c.until(
    (now) => (now.text().match(/Enter passphrase/g)?.length ?? 0) > count && QUESTION.test(now.text()),
  );
}

for (const [what, options] of [
  ['a terminal', {}],
  ['as libxl starts it', { size0: true, stty: 'raw -echo' }],
  ['a dumb terminal', { term: 'dumb' }],
] as const)
  t.test(`${what}: the third try`, async (t) => {
    const c = start([], options);
    await c.until(QUESTION);
    await wrong(c, 'Fool-one', 1);
    t.match(c.text(), /what was typed opens none of its 1 key slots/);
    await wrong(c, 'Fool-two', 2);
    // Backspace, a line that is taken back, a key that is none.
    c.write('xx\x15passpx\x7f\x7fphr\x1b[Aase\r');
    await c.until(/^kernel \S+boot_kernel/m);
    t.equal((await c.exit).status, 0, c.text());
    t.notMatch(c.raw, /Fool|passp[^h]|passphrase(?! for)/, 'nothing that was typed is shown');
  });

t.test('three times wrong', async (t) => {
  const c = start();
  await c.until(QUESTION);
  await wrong(c, 'Fool-one', 1);
  await wrong(c, 'Fool-two', 2);
  c.write('Fool-three\r');
  t.equal((await c.exit).status, 1);
  t.match(c.raw, /RuntimeError: .* gpt2 luks1: encrypted \(1{8}-.*what was typed opens none/);
  t.equal(c.raw.match(/Enter passphrase/g)?.length, 3);
  t.notMatch(c.raw, 'Fool');
});

t.test('nobody is there', async (t) => {
  const c = start(['--menu-timeout=2']);
  await c.until(QUESTION);
  t.equal((await c.exit).status, 1);
  t.match(c.raw, /nobody typed a passphrase within 2 s: --key-file=FILE or --key-fd=N gives one/);
});

t.test('somebody leaves', async (t) => {
  const c = start();
  await c.until(QUESTION);
  c.write('half\x03');
  t.equal((await c.exit).status, 1);
  t.match(c.raw, /the question for its passphrase was left/);
});

t.test('a signal at the question', async (t) => {
  const before = readdirSync(work);
  const c = start();
  await c.until(QUESTION);
  c.write('half');
  process.kill(c.pid, 'SIGTERM');
  t.equal((await c.exit).signal, 15);
  await new Promise((done) => setTimeout(done, 300));
  t.same(readdirSync(work), before, 'nothing is left');
});

t.test('the terminal is as it was', async (t) => {
  const c = Console.startInShell([`--output-directory=${work}`, disk], { cols: 132 });
  await c.until(QUESTION);
  c.write('passphrase\r');
  await c.until(/status 0$/m);
  await c.exit;
  const settings = [...c.raw.matchAll(/^([0-9a-f]+:[0-9a-f:]+)\r$/gm)].map((m) => m[1]);
  t.equal(settings.length, 2);
  t.equal(settings[0], settings[1]);
});

t.test('unattended nobody is asked', async (t) => {
  const c = start(['-q']);
  t.equal((await c.exit).status, 1);
  t.notMatch(c.raw, /Enter passphrase/);
});

t.test('an entry that is chosen in the menu, and needs what is closed', async (t) => {
  const extra = join(work, 'encrypted.img');
  writeFileSync(extra, image('luks-1.img'));
  const key = join(work, 'key');
  writeFileSync(key, 'passphrase');
  const locked = entry(
    'locked',
    'cryptomount -u 11111111222243338444555555555555',
    'set root=crypto0',
    'linux /boot/vmlinuz locked',
  );
  const ASKED = /Enter passphrase for hd1 \(1{8}2{4}\S+\):$/;
  const begin = async (t: Test, config: string, ...more: string[]) => {
    const guest = new Guest(t, config);
    const c = guest.start({
      cols: 132,
      more: [`--extra-disk=${extra}`, '--menu-timeout=forever', ...more],
    });
    await c.until(() => selected(c) === 'plain');
    await press(c, '\x1b[B', 'locked');
    c.write('\r');
    return { guest, c };
  };
  const config = entry('plain', `${LINUX} plain`) + locked;

  const { guest, c } = await begin(t, config);
  await c.until(ASKED);
  c.write('Fool-one\r');
  await c.until((now) => /opens none of its 1 key slots/.test(now.text()) && ASKED.test(now.text()));
  c.write('passphrase\r');
  t.match(await guest.outcome(c), { status: 0, args: 'locked' });
  t.notMatch(c.raw, /Fool|passphrase(?! for)/, 'nothing that was typed is shown');

  const keyed = await begin(t, config, `--key-file=${key}`);
  t.match(await keyed.guest.outcome(keyed.c), { status: 0, args: 'locked' });
  t.notMatch(keyed.c.raw, /Enter passphrase/);

  const left = await begin(t, config);
  await left.c.until(ASKED);
  left.c.write('\x1b');
  await left.c.until(/cannot boot 'locked': [\s\S]*the question for its passphrase was left/);
  await press(left.c, '\x1b[A', 'plain');
  left.c.write('\r');
  t.match(await left.guest.outcome(left.c), { status: 0, args: 'plain' });
});
