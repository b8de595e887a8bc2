/**
 * The same configuration's menu in real pygrub, in GRUB (grub-emu) and here, on a real pseudoterminal of 80x24: the pictures
 * in docs/menu.md, and what an arrow key costs over a serial line. `WRITE_DOCS=1` writes the pictures anew.
 */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { entry, Guest, INITRD, LINUX } from '../menu/guest';
import { Console } from '../menu/pty';
import { ROOT } from '../support';
import { must, PYGRUB, scratch } from './support';

const DOCUMENT = join(ROOT, 'docs', 'menu.md');
const body = (args: string) => [`\t${LINUX} root=/dev/xvda1 ro ${args}`, `\t${INITRD}`];
const CONFIG = `set default=0
set timeout=30
${entry('Debian GNU/Linux', ...body('quiet'))}
submenu 'Advanced options for Debian GNU/Linux' {
${entry('Debian GNU/Linux, with Linux 6.1.0-31-amd64', ...body('quiet'))}
${entry('Debian GNU/Linux, with Linux 6.1.0-31-amd64 (recovery mode)', ...body('single'))}
}
${entry('Debian GNU/Linux, with Linux 6.1.0-31-amd64, and all that a long title can say of it', ...body('debug'))}
`;

type Starter = (t: Test) => Console;

const STARTERS: Readonly<Record<string, Starter>> = {
  pygrub: (t) => {
    const guest = new Guest(t, CONFIG);
    writeFileSync(guest.result, '');
    return started(t, Console.start([...guest.arguments, guest.disk], { program: [PYGRUB] }));
  },
  GRUB: (t) => {
    const dir = scratch(t);
    mkdirSync(join(dir, 'grub'));
    writeFileSync(join(dir, 'grub', 'grub.cfg'), CONFIG);
    writeFileSync(join(dir, 'disk.img'), '');
    truncateSync(join(dir, 'disk.img'), 1 << 20);
    writeFileSync(join(dir, 'map'), `(hd0) ${join(dir, 'disk.img')}\n`);
    const args = ['-d', join(dir, 'grub'), '-m', join(dir, 'map'), '-r', 'host'];
    return started(t, Console.start(args, { program: ['grub-emu'], term: 'linux' }));
  },
  nodegrub: (t) => new Guest(t, CONFIG).start({ more: [] }),
};

function started(t: Test, console: Console): Console {
  t.teardown(() => console.kill('SIGKILL'));
  return console;
}

/** The picture without what changes from second to second, or from one version to the next. */
const still = (console: Console): string =>
  console
    .rows()
    .map((row) =>
      row
        .replace(/\b(?:2\d|30)(?=s| s| seconds)/, '30')
        .replace(/^ *(nodegrub) \d\S+/, (all) => all.replace(/\d\S+$/, 'VERSION')),
    )
    .join('\n')
    .trimEnd();

function checkPicture(t: Test, name: string, picture: string): void {
  const document = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [`<!-- ${name} -->\n\`\`\`\n`, '\n```\n'];
  const from = document.indexOf(begin) + begin.length;
  const to = document.indexOf(end, from);
  if (!t.ok(from >= begin.length && to >= from, `there is a place for ${name}`)) return;
  if (process.env.WRITE_DOCS) writeFileSync(DOCUMENT, document.slice(0, from) + picture + document.slice(to));
  else t.equal(picture, document.slice(from, to), `${name}: the document's picture is the real one`);
}

const costs = new Map<string, number[]>();

for (const [name, start] of Object.entries(STARTERS))
  t.test(name, async (t) => {
    const console = start(t);
    await console.until(/Advanced options|with Linux 6\.1/);
    await console.until(/\b30 ?s/);
    checkPicture(t, name, still(console));
    // The first key stops the clock, which is another line that changes.
    const cost: number[] = [];
    // A VT100's arrows; grub-emu knows the Linux console's.
    const arrow = name === 'GRUB' ? '\x1b[' : '\x1bO';
    for (const key of ['B', 'B', 'A', 'A'].map((final) => arrow + final)) {
      await console.settled(cost.length > 0 ? 400 : 100);
      const before = console.bytes;
      console.write(key);
      await console.settled(400);
      cost.push(console.bytes - before);
    }
    t.comment(
      `${name}: an arrow key costs ${cost.slice(1).join(', ')} bytes (the first, which stops the clock: ${cost[0]})`,
    );
    costs.set(name, cost);
    t.notMatch(console.text(), /\b30 ?s/, 'the clock was stopped');
    if (name === 'pygrub') return;
    console.write('e');
    await console.until(/setparams[\s\S]*vmlinuz/);
    await console.settled(200);
    checkPicture(t, `${name}, editing`, still(console));
  });

t.test('an arrow key is cheaper here than in pygrub', async (t) => {
  const [ours, theirs] = [costs.get('nodegrub')!, costs.get('pygrub')!];
  for (const i of [0, 1, 2, 3]) t.ok(ours[i]! < theirs[i]!, `${ours[i]} bytes, ${theirs[i]}`);
});

t.test('nobody presses a key: the default boots when the time is over', async (t) => {
  for (const program of [[PYGRUB], undefined]) {
    const guest = new Guest(t, CONFIG.replace('timeout=30', 'timeout=2'));
    writeFileSync(guest.result, '');
    const options = program ? { program } : {};
    const console = started(t, Console.start([...guest.arguments, guest.disk], options));
    const from = performance.now();
    t.match(await guest.outcome(console), { status: 0, args: 'root=/dev/xvda1 ro quiet' });
    t.ok(performance.now() - from > 1500, 'not before');
  }
});

t.test('progress of a copy that takes its time, and none with -q', async (t) => {
  const dir = scratch(t);
  const tree = join(dir, 'tree');
  mkdirSync(join(tree, 'boot', 'grub'), { recursive: true });
  writeFileSync(
    join(tree, 'boot', 'grub', 'grub.cfg'),
    entry('one', 'linux /boot/kernel', 'initrd /boot/initrd'),
  );
  writeFileSync(join(tree, 'boot', 'kernel'), 'a kernel');
  writeFileSync(join(tree, 'boot', 'initrd'), Buffer.alloc(12 << 20, 'x'));
  const disk = join(dir, 'disk.img');
  must('mke2fs', '-q', '-F', '-t', 'ext4', '-d', tree, disk, '24M');
  // Each MiB is written half a second late, three at a time.
  const slow = join(dir, 'slow.js');
  writeFileSync(
    slow,
    "const fs = require('fs'); const write = fs.write; fs.write = (...args) => setTimeout(() => write(...args), 500);",
  );
  for (const options of [[], ['-q']]) {
    const guest = new Guest(t, readFileSync(disk));
    const console = started(
      t,
      Console.start([...guest.arguments, '--menu-timeout=0', ...options, guest.disk], {
        program: ['node', '-r', slow, join(ROOT, 'dist', 'nodegrub.js')],
      }),
    );
    t.equal((await guest.outcome(console)).status, 0);
    const seen = [...console.raw.matchAll(/(\d+) MB of (\d+) MB \((\d+)%\)/g)].map((match) =>
      Number(match[3]),
    );
    if (options.length > 0) t.same(seen, []);
    else {
      t.ok(seen.length >= 2, `${seen}`);
      t.same(
        [...seen].sort((a, b) => a - b),
        seen,
        'it grows',
      );
      t.equal(console.text().includes('MB of'), false, 'and is taken away');
    }
  }
});
