/**
 * Expected values: lilo.conf(5) of LILO 24.2, and the order in which its installer writes arguments (bsect.c of 22.8);
 * LILO itself is not in Debian 12. The README says where we differ on purpose.
 */
import t from 'tap';
import { dialects } from '../../../lib/boot/further';
import { GuestError } from '../../../lib/bytes/errors';
import { cpuMs } from '../../support';
import { evaluate, mutations } from '../dialect';
import { bzImage } from '../images';
import { link, MemoryFs, type MemoryTree } from '../memfs';
import { config, described, sameAsExpected } from '../sections';

const lilo = dialects.find((dialect) => dialect.name === 'lilo')!;
const KERNEL = bzImage('x');

const debian: MemoryTree = {
  vmlinuz: link('boot/vmlinuz-2.6.32-5-amd64'),
  'initrd.img': link('boot/initrd.img-2.6.32-5-amd64'),
  boot: {
    vmlinuz: KERNEL,
    'vmlinuz-2.6.32-5-amd64': KERNEL,
    'initrd.img-2.6.32-5-amd64': 'i',
    'vmlinuz-2.6.32-5-xen-amd64': KERNEL,
    'initrd.img-2.6.32-5-xen-amd64': 'i',
  },
};

const of = (text: string, tree: MemoryTree = debian, etc: MemoryTree = {}) =>
  evaluate(lilo, '/etc/lilo.conf', { ...tree, etc: { ...etc, 'lilo.conf': text } }).menu;
const first = (text: string, tree?: MemoryTree, etc?: MemoryTree) =>
  of(text, tree, etc).entries[0]!.resolve();

t.test('whole configurations', async (t) => {
  for (const name of ['debian.conf', 'old.conf'])
    sameAsExpected(t, lilo, name, '/etc/lilo.conf', (text) => ({ ...debian, etc: { 'lilo.conf': text } }));
});

t.test('syntax', async (t) => {
  for (const [text, args] of [
    ['append="a \\"b\\" \\\\c"', 'a "b" \\c'],
    ['append = "one \\\n    two"', 'one  two'],
    ['append=a\\ b', 'a b'],
    ['append=x#comment', 'x'],
    ['append="x#no comment"', 'x#no comment'],
    ['append=x=y', 'x=y'],
    ['append\n=\nx', 'x'],
    ['APPEND=x', 'x'],
    ['append=x\r', 'x'],
    ['append="\\$HOME"', '$HOME'],
  ] as const)
    t.equal(first(`image=/boot/vmlinuz label=l ${text}`).args, `BOOT_IMAGE=l ${args}`, JSON.stringify(text));
  t.same(of('').entries, []);
  for (const [text, warning] of [
    ['append="unclosed\nlabel=l', /line 2: a quoted string does not end/],
    ['append="a\\qb"', /'\\q' in a quoted string/],
    ['append=$HOME', /variable 'HOME'/],
    ['nonsense', /'nonsense' has no value, or is not known/],
    ['=x', /'=' without a word/],
    ['read-only=1', /'read-only' takes no value/],
    ['append=1 append=2', /'append' stands twice/],
    ['default=l', /'default' belongs before/],
    ['append=', /'append' has no value/],
  ] as const) {
    const menu = of(`image=/boot/vmlinuz\n${text}\n`);
    t.match(menu.warnings, [warning], JSON.stringify(text));
    t.equal(menu.entries[0]?.resolve().problem, null);
  }
  const menu = of(
    `image=/boot/vmlinuz label=good\nimage=/boot/vmlinuz label="bad\nappend="${'x\n'.repeat(100)}`,
  );
  t.equal(menu.entries[0]?.resolve().args, 'BOOT_IMAGE=good', 'what stood before a broken line');
  t.ok(menu.warnings.length <= 22, 'not a warning a line without end');
  t.match(menu.warnings.at(-1), /more lines are wrong/);
});

t.test('which entry', async (t) => {
  const three = ['a', 'b', 'c']
    .map((label) => `image=/boot/vmlinuz label=${label} alias=${label}${label}\n`)
    .join('');
  for (const [text, position] of [
    ['', 0],
    ['default=b\n', 1],
    ['default=cc\n', 2],
    ['default=B\n', 1],
    ['default=none\n', 0],
    ['default=b vmdefault=c\n', 2],
  ] as const)
    t.same(of(text + three).default, [position], text);
  t.match(of(`default=none\n${three}`).warnings, [/'none' does not exist/]);
  t.match(first('image=/boot/vmlinuz vmdisable').problem, /vmdisable/);
  t.match(first('image=/boot/vmlinuz vmwarn fallback=x lock').notes, [/lock/, /fallback/, /vmwarn/]);
  t.equal(of('image=/boot/vmlinuz').entries[0]?.title, 'vmlinuz', 'without a label');
});

t.test('waiting, in tenths of a second', async (t) => {
  for (const [text, timeout, style] of [
    ['', 0, 'hidden'],
    ['delay=20', 2, 'hidden'],
    ['timeout=20', 0, 'hidden'],
    ['prompt', -1, 'menu'],
    ['prompt timeout=1', 0.1, 'menu'],
    ['prompt timeout=x', 0, 'menu'],
  ] as const) {
    const menu = of(`${text}\nimage=/boot/vmlinuz`);
    t.same([menu.timeout, menu.timeoutStyle], [timeout, style], text);
  }
});

t.test('root=', async (t) => {
  const arg = (root: string, etc: MemoryTree = {}) =>
    first(`image=/boot/vmlinuz label=l root=${root}`, debian, etc).args.slice('BOOT_IMAGE=l '.length);
  t.equal(arg('/dev/sda1'), 'root=/dev/sda1');
  t.equal(arg('"LABEL=root"'), 'root=LABEL=root');
  t.equal(arg('UUID=ab-cd'), 'root=UUID=ab-cd');
  t.equal(arg('769'), 'root=301');
  t.equal(arg('0x0801'), 'root=801');
  t.equal(arg('current', { fstab: '/dev/xvda1 / ext3 defaults' }), 'root=/dev/xvda1');
  t.equal(arg('current'), '');
});

t.test('passwords', async (t) => {
  const menu = of('password="" \nimage=/boot/vmlinuz label=a\nimage=/boot/vmlinuz label=b bypass\n');
  t.same(
    menu.entries.map((e) => e.users),
    [[''], undefined],
  );
  t.match(menu.warnings, [/file of hashes/]);
  const plain = of('image=/boot/vmlinuz label=a password=x restricted');
  t.equal(plain.entries[0]?.password, undefined, 'only what is typed needs it');
  t.same(plain.passwords?.get(''), { scheme: 'plain', value: 'x' });
});

t.test('a separate /boot', async (t) => {
  const text = 'image=/boot/vmlinuz-2 label=a initrd=/boot/sub/initrd\nimage=/vmlinuz label=b\n';
  const boot = new MemoryFs({ 'vmlinuz-2': KERNEL, sub: { initrd: 'i' } }, { uuid: 'AB-CD', label: 'boot' });
  for (const spec of [
    'UUID=ab-cd',
    'UUID="AB-CD"',
    'LABEL=boot',
    '/dev/xvda1',
    '/dev/sda1',
    '/dev/disk/by-uuid/AB-CD',
  ]) {
    const root = new MemoryFs({
      vmlinuz: link('boot/vmlinuz-2'),
      boot: {},
      etc: { fstab: `${spec}\t/boot/\text2 defaults 0 2\n`, 'lilo.conf': text },
    });
    const { menu } = evaluate(lilo, '/etc/lilo.conf', {
      disks: [{ scheme: 'msdos', partitions: [{ fs: boot }, { fs: root }] }],
      volume: 'hd0,2',
    });
    const targets = menu.entries.map((entry) => entry.resolve());
    t.same(
      targets.map((target) => target.problem),
      [null, null],
      spec,
    );
    t.same(targets[0]?.initrds[0]?.file.path, '/sub/initrd');
  }
  t.match(
    first(text, { boot: {} }, { fstab: 'UUID=none /boot ext2 defaults' }).problem,
    /\/boot is UUID=none by \/etc\/fstab, which is not among the disks/,
  );
  t.equal(first(text, { 'vmlinuz-2': KERNEL, sub: { initrd: 'i' } }).problem, null, 'this volume is /boot');
  t.match(first(text, { boot: {} }).problem, /\/boot\/vmlinuz-2: not found/);
  t.match(first(text, { vmlinuz: link('vmlinuz'), boot: {} }).problem, /not found/, 'links without end');
});

t.test('a person edits', async (t) => {
  const entry = of(`append=all\n${'image=/boot/vmlinuz label=l'}`).entries[0]!;
  t.equal(entry.resolve('image=/boot/vmlinuz label=l append="single"').args, 'BOOT_IMAGE=l single');
  t.equal(entry.resolve('image=/boot/vmlinuz').args, 'BOOT_IMAGE=l all');
  t.match(entry.resolve('').problem, /names no kernel/);
  t.match(entry.resolve('image=/none').problem, /not found/);
});

t.test('damaged configurations', async (t) => {
  const started = cpuMs();
  for (const name of ['debian.conf', 'old.conf'])
    for (const text of mutations(config('lilo', name), 1500, 3)) {
      try {
        described(of(text));
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
      }
    }
  t.ok(cpuMs() - started < 20_000);
  const mounts = Array.from({ length: 20_000 }, (_, i) => `UUID=${i} /boot/${i} ext4 defaults\n`).join('');
  const from = cpuMs();
  const missing = of(
    `optional\n${'image=/boot/none label=x\n'.repeat(20_000)}`,
    { boot: {} },
    { fstab: mounts },
  );
  t.equal(missing.entries.length, 0);
  t.ok(cpuMs() - from < 5000, 'many mounts and many images');
  for (const text of [
    'image=x\n'.repeat(200_000),
    '"'.repeat(1e6),
    `append="${'\\\n '.repeat(300_000)}`,
    '\\'.repeat(1e6),
  ]) {
    const from = cpuMs();
    try {
      of(text);
    } catch (error) {
      t.ok(error instanceof GuestError, String(error));
    }
    t.ok(cpuMs() - from < 3000, 'in time');
  }
});
