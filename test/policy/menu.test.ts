/** The menu under a policy: what a person edits, types or opens is judged as well. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { dialects, furtherDialects } from '../../lib/boot';
import type { BootMenu, BootTarget } from '../../lib/boot/model';
import { judgedMenu } from '../../lib/policy/menu';
import { evaluate } from '../boot/dialect';
import { entry, expected, Guest, INITRD, LINUX, selected } from '../menu/guest';
import type { Console } from '../menu/pty';

const dir = mkdtempSync(join(tmpdir(), 'nodegrub-policy-'));
t.teardown(() => rmSync(dir, { recursive: true }));
let count = 0;
function policy(rules: object): string {
  const path = join(dir, `policy${count++}.json`);
  writeFileSync(path, JSON.stringify(rules));
  return `--policy=${path}`;
}
const ready = (console: Console) => console.until((c) => selected(c) !== '');
const CONFIG = `set timeout=5\n${entry('one', `${LINUX} ro`, INITRD)}${entry('two', `${LINUX} init=/bin/sh`, INITRD)}`;
const rules = { arguments: { refused: ['init=', 'single'] } };

t.test('an entry, an edited one and the command line are judged', async (t) => {
  const guest = new Guest(t, CONFIG);
  const console = guest.start({ more: ['--menu-timeout=forever', policy(rules)] });
  await ready(console);
  console.write('\x1b[B\r');
  await console.until(/refused by policy/);
  console.write('\x1b[A');
  await console.until((c) => selected(c) === 'one');
  console.write('a');
  await console.until(/linux \/boot/);
  console.write('\x05 single\r');
  await console.until(/refused by policy/);
  console.write('\x1b');
  await console.until((c) => selected(c) === 'one');
  console.write('c');
  await console.until(/grub> *$/);
  console.write(`${LINUX} single\rboot\r`);
  await console.until(/error: refused by policy/);
  console.write(`${LINUX} allowed\rboot\r`);
  t.match(await guest.outcome(console), { status: 0, kernel: expected.kernel.sha256, args: 'allowed' });
});

t.test('no editing', async (t) => {
  const guest = new Guest(t, CONFIG);
  const console = guest.start({ more: ['--menu-timeout=forever', policy({ editing: false })] });
  await ready(console);
  t.notMatch(console.text(), /e: edit|c: command line/);
  for (const key of ['e', 'a', 'c']) {
    console.write(key);
    await console.until(/Entries may not be edited: policy/);
    console.write('\x1b[B');
    await console.until((c) => !c.text().includes('may not be edited'));
  }
  console.write('\x1b[A\x1b[A\x1b[A\r');
  t.match(await guest.outcome(console), { status: 0, args: 'ro' });
});

t.test('every way to a target', async (t) => {
  const grub = dialects.find(({ name }) => name === 'grub2')!;
  const files = {
    boot: {
      grub: {
        'grub.cfg': `submenu s {\n menuentry in --id in --hotkey=x {\n linux /k\n }\n}\nmenuentry m {\n configfile /other.cfg\n}\n`,
      },
    },
    'other.cfg': 'menuentry o {\n linux /k\n}\n',
    k: 'kernel',
  };
  const { menu, ctx } = evaluate(grub, '/boot/grub/grub.cfg', files);
  const seen: BootTarget[] = [];
  const judge = {
    target(target: BootTarget): BootTarget {
      if (target.problem !== null) return target;
      seen.push(target);
      return { ...target, problem: 'judged' };
    },
    locked: undefined,
  };
  const volume = ctx.guest.device('hd0')!;
  const fs = volume.filesystem()!;
  const wrapped = judgedMenu(menu, { volume, path: '/boot/grub/grub.cfg', fs, node: fs.root }, ctx, judge);
  const [submenu, opens] = wrapped.entries;
  const inner = submenu!.open!().entries[0]!;
  t.equal(opens!.open, undefined, 'no submenu where there was none');
  t.same([inner.title, inner.id, inner.hotkey, inner.hidden], ['in', 'in', 'x', false]);
  t.equal(inner.resolve().problem, 'judged');
  t.equal(inner.resolve('linux /k edited\n').problem, 'judged');
  t.equal(seen[1]!.args, 'edited');
  t.equal(submenu!.resolve().problem, 'is a submenu');
  const opened = opens!.resolve();
  t.equal(opened.problem, 'judged');
  t.equal(opened.menu!.entries[0]!.resolve().problem, 'judged');
  const shell = wrapped.shell!();
  shell.run('linux /k typed');
  const refused = shell.run('boot');
  t.same([refused.how, refused.target, refused.output], ['done', undefined, 'error: judged.\n']);
  const other = shell.run('configfile /other.cfg');
  t.equal(other.menu!.entries[0]!.resolve().problem, 'judged');
  t.ok(shell.complete('linu', 4).insert.startsWith('linux'));
  const immediate = evaluate(grub, '/c', { c: 'linux /k now\nboot\n', k: 'kernel' });
  t.equal(
    judgedMenu(immediate.menu, { volume, path: '/c', fs, node: fs.root }, ctx, judge).immediate?.problem,
    'judged',
  );
  const secret: BootMenu = { ...menu, unlocked: () => menu };
  const unlocked = judgedMenu(secret, { volume, path: '/c', fs, node: fs.root }, ctx, judge).unlocked!();
  t.equal(unlocked.entries[0]!.open!().entries[0]!.resolve().problem, 'judged');
  t.equal(seen.length, 8);
});

t.test('a menu of each dialect keeps what it is', async (t) => {
  const files = {
    boot: {
      grub: { 'menu.lst': 'default 0\ntimeout 3\ncolor red/blue\ntitle x\nkernel /k\n' },
      'extlinux.conf': 'DEFAULT a\nTIMEOUT 50\nLABEL a\n LINUX /k\n MENU PASSWD p\n',
    },
    k: 'k',
  };
  for (const [name, path] of [
    ['grublegacy', '/boot/grub/menu.lst'],
    ['syslinux', '/boot/extlinux.conf'],
  ] as const) {
    const dialect = [...dialects, ...furtherDialects()].find((d) => d.name === name)!;
    const { menu, ctx } = evaluate(dialect, path, files);
    const volume = ctx.guest.device('hd0')!;
    const fs = volume.filesystem()!;
    const wrapped = judgedMenu(menu, { volume, path, fs, node: fs.root }, ctx, {
      target: (target) => ({ ...target, notes: ['judged'] }),
      locked: 'locked',
    });
    const { entries: _, editable: _e, ...rest } = menu;
    for (const key of Object.keys(rest) as (keyof typeof rest)[])
      if (typeof rest[key] !== 'function') t.same(wrapped[key], rest[key], `${name}: ${key}`);
    t.same([wrapped.editable, wrapped.locked], [false, 'locked']);
    const [before] = menu.entries;
    const [after] = wrapped.entries;
    for (const key of ['title', 'id', 'text', 'hidden', 'hotkey', 'classes', 'users', 'password'] as const)
      t.same(after![key], before![key], `${name}: ${key}`);
    t.same(after!.resolve(), { ...before!.resolve(), notes: ['judged'] });
  }
});

t.test('a target that nobody has judged is refused after the copy', async (t) => {
  const { policyFrom } = require('../../lib/policy') as typeof import('../../lib/policy');
  const made = policyFrom(
    { name: 'p.json', text: '{}', files: {} },
    { action: 'boot', entry: undefined },
    () => '',
  );
  const target: BootTarget = { kernel: undefined, initrds: [], args: '', root: '', problem: null, notes: [] };
  const { ctx } = evaluate(dialects.find(({ name }) => name === 'grub2')!, '/c', { c: '' });
  const outputs = { kernel: { fd: -1 }, ramdisk: { fd: -1 } };
  t.throws(() => made.checkCopied(target, outputs, ctx), /not judged/);
  t.throws(
    () => made.checkCopied({ ...made.judged(target, ctx), problem: 'refused' }, outputs, ctx),
    /refused/,
  );
  t.doesNotThrow(() => made.checkCopied(made.judged(target, ctx), outputs, ctx));
});
