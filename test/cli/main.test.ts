/** The built program as a toolstack starts it, on the example disk and on changed copies of it. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ROOT } from '../support';

const PROGRAM = join(ROOT, 'dist', 'nodegrub.js');
const EXAMPLE = join(ROOT, 'fixtures', 'images', 'example.img');
const expected = JSON.parse(readFileSync(join(ROOT, 'fixtures', 'images', 'example.expected.json'), 'utf8'));
const dir = mkdtempSync(join(tmpdir(), 'nodegrub-cli-'));
t.teardown(() => rmSync(dir, { recursive: true }));

/** tap puts a hook of its own into every Node child; a user who has given up root cannot write its files. */
const CLEAN = ['-i', `PATH=${process.env.PATH}`, 'node'];

let outs = 0;
function outDirectory(): string {
  const out = join(dir, `out${outs++}`);
  mkdirSync(out);
  return out;
}

function run(...args: string[]) {
  const r = spawnSync('env', [...CLEAN, PROGRAM, ...args], { encoding: 'latin1' });
  return { status: r.status, out: r.stdout, err: r.stderr };
}

/** A copy of the example disk with another grub.cfg in the same place. */
function diskWith(config: string): string {
  const disk = readFileSync(EXAMPLE);
  const start = disk.indexOf("# The example disk's menu");
  const end = disk.indexOf(0, start);
  const text = Buffer.alloc(end - start, '\n');
  if (text.write(config, 'latin1') < config.length) throw new Error('does not fit');
  text.copy(disk, start);
  const path = join(dir, `disk${outs++}.img`);
  writeFileSync(path, disk);
  return path;
}

const entry = (title: string, ...lines: string[]) => `menuentry '${title}' {\n${lines.join('\n')}\n}\n`;
const LINUX = `linux ${expected.kernel.path}`;
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

t.test('a boot, as libxl asks for it', async (t) => {
  const out = outDirectory();
  const result = join(dir, 'result');
  writeFileSync(result, 'left from before, and longer than what comes now: '.repeat(20));
  const r = run(`--output=${result}`, '--output-format=simple0', `--output-directory=${out}`, EXAMPLE);
  t.equal(r.status, 0, r.err);
  t.equal(r.out, '');
  t.match(
    r.err,
    /\nnodegrub \d+\.\d+\.\d+ \((basic: user 65534|not root)(, no new privileges)?\) boots gpt1 ext4: \/boot\/grub\/grub\.cfg: menuentry 'Debian GNU\/Linux'\n$/,
  );
  t.match(r.err, /^\* +1 {2}Debian GNU\/Linux\n +2 {2}Advanced/m, 'the list that nobody answers');
  t.notMatch(r.err, /\r/);
  const items = readFileSync(result, 'latin1').split('\0');
  t.match(items[0], new RegExp(`^kernel ${out}/boot_kernel\\.[a-z0-9_]{8}$`));
  t.match(items[1], new RegExp(`^ramdisk ${out}/boot_ramdisk\\.[a-z0-9_]{8}$`));
  t.same(items.slice(2), [`args ${expected.args}`, '', '']);
  for (const [item, what] of [
    [items[0]!, expected.kernel],
    [items[1]!, expected.ramdisk],
  ] as const) {
    const path = item.slice(item.indexOf(' ') + 1);
    t.equal(sha256(path), what.sha256);
    t.equal(statSync(path).mode & 0o7777, 0o600);
  }
});

t.test('the other formats', async (t) => {
  const out = outDirectory();
  const r = run('-q', `--output-directory=${out}`, EXAMPLE);
  t.match(r.out, /^linux \(kernel '.*boot_kernel\.\w{8}'\)\(ramdisk '.*boot_ramdisk\.\w{8}'\)\(args '.*'\)$/);
  const json = JSON.parse(run('-q', '--output-format=json', `--output-directory=${out}`, EXAMPLE).out);
  t.match(json, { args: expected.args, entry: expected.titles[0] });
  t.equal(sha256(json.kernel), expected.kernel.sha256);
  t.equal(
    run('-qn', '--output-format=simple', '--args=more', EXAMPLE).out,
    `kernel <kernel:${expected.kernel.path}>\nramdisk <ramdisk:${expected.ramdisk.path}>\nargs ${expected.args} more\n\n`,
  );
});

t.test('-l', async (t) => {
  const list = JSON.parse(run('-l', '--output-format=json', EXAMPLE).out);
  t.match(list, {
    image: EXAMPLE,
    volume: 'hd0,gpt1',
    filesystem: 'ext4',
    config: '/boot/grub/grub.cfg',
    dialect: 'grub2',
    timeout: 5,
    timeoutStyle: 'menu',
    default: 0,
    console: '',
  });
  t.same(
    list.entries.slice(0, 3).map((e: { title: string }) => e.title),
    expected.titles,
  );
  t.match(list.entries[1], {
    index: 1,
    path: '1>0',
    titles: ['Advanced options for Debian GNU/Linux', expected.titles[1]],
    root: 'hd0,gpt1',
    kernel: expected.kernel.path,
    initrd: [expected.ramdisk.path],
    problem: null,
  });
  const text = run('-l', EXAMPLE).out.split('\n');
  t.equal(text[0], `title: ${expected.titles[0]}`);
  t.equal(text[2], `  kernel: ${expected.kernel.path}`);
  t.equal(text[4], `  initrd: ${expected.ramdisk.path}`);
});

t.test('--entry', async (t) => {
  const args = (entry: string) => {
    const r = run(`--entry=${entry}`, '-n', '--output-format=json', EXAMPLE);
    return [JSON.parse(r.out).entry, r.err] as const;
  };
  t.equal(args('2')[0], expected.titles[2]);
  t.equal(args(expected.titles[1])[0], expected.titles[1]);
  t.equal(args('1>1')[0], expected.titles[2]);
  t.equal(args('gone')[0], expected.titles[0]);
  t.match(args('gone')[1], /--entry=gone names no entry/);
});

t.test('--kernel, --isconfig, --offset', async (t) => {
  const out = outDirectory();
  const named = run(
    '-q',
    '--kernel=/vmlinuz',
    '--ramdisk=/initrd.img',
    '--args=a=1',
    '--output-format=simple',
    `--output-directory=${out}`,
    EXAMPLE,
  );
  t.equal(named.status, 0, named.err);
  t.match(named.out, /^kernel \S+\nramdisk \S+\nargs a=1\n\n$/);
  t.match(run('-q', '--kernel=/none', `--output-directory=${out}`, EXAMPLE), {
    status: 1,
    err: /\/none: not found/,
  });
  const config = join(dir, 'grub.cfg');
  writeFileSync(config, entry('X', 'linux /k a b', 'initrd /i /j') + entry('Y', 'linux /l'));
  t.equal(run('--isconfig', config).out, '  kernel: /k\n  initrd: /i /j\n  args: a b\n');
  t.equal(run('--isconfig', '--entry=Y', config).out, '  kernel: /l\n  args: \n');
  t.equal(run('-qn', '--offset=32768', EXAMPLE).status, 0);
  t.match(run('-qn', '--offset=999999999', EXAMPLE), { status: 1, err: /^RuntimeError: .*beyond the end/ });
  t.match(run('-qn', '--ramdisk=/x', EXAMPLE), { status: 0, err: /--ramdisk without --kernel/ });
});

t.test('usage', async (t) => {
  for (const bad of [[], ['--nonsense', EXAMPLE], ['--output-format=xml', EXAMPLE]])
    t.match(run(...bad), { status: 1, out: '', err: /^nodegrub: .*\nUsage: / });
  t.match(run('-h'), { status: 0, out: /^Usage: /, err: '' });
  t.match(run('--version'), { status: 0, out: /^nodegrub \d+\.\d+\.\d+\n$/ });
});

t.test('a failure says why, on its last line once, and leaves nothing', async (t) => {
  const out = outDirectory();
  const fails = (disk: string, ...more: string[]) => {
    const r = run('-q', '--no-guess', '--output-format=simple', `--output-directory=${out}`, ...more, disk);
    t.equal(r.status, 1);
    t.equal(r.out, '');
    t.same(readdirSync(out), []);
    const lines = r.err.trimEnd().split('\n');
    t.match(lines[lines.length - 1], /^RuntimeError: /);
    t.equal(r.err.split('RuntimeError: ').length, 2, 'once');
    return r.err;
  };
  t.match(
    fails(diskWith(entry('Gone', 'linux /boot/gone x'))),
    /gpt1 ext4: \/boot\/grub\/grub\.cfg: menuentry 'Gone': .*\/boot\/gone: not found/,
  );
  t.match(
    fails(diskWith(`${entry('A', 'linux /gone')}${entry('B', LINUX)}`)),
    /menuentry 'A'/,
    'never silently another entry',
  );
  t.match(fails(diskWith('# nothing')), /no menu entries/);
  t.match(fails(diskWith(entry('RuntimeError: me \x1b[2J', 'true'))), /RuntimeError\\x3a me \\x1b\[2J/);
  const blank = join(dir, 'blank');
  writeFileSync(blank, Buffer.alloc(1 << 20));
  t.match(fails(blank), /no filesystem/);
  t.match(fails(join(dir, 'absent')), /ENOENT|no such file/i);
  t.match(fails(dir), /director/);
  t.match(fails(EXAMPLE, `--output-directory=${join(dir, 'no')}`), /output-directory/);
  t.match(
    fails(diskWith(entry('A', 'linux /boot'))),
    /\/boot: not a regular file/,
    'a directory is no kernel',
  );
  t.match(fails(EXAMPLE, '--kernel=/boot'), /\/boot: not a regular file/);
  const created = join(dir, 'created-result');
  fails(blank, `--output=${created}`);
  fails(blank, '-n', `--output=${created}`);
  t.notOk(readdirSync(dir).includes('created-result'), 'a result file of ours is removed too');
});

t.test('--isconfig knows a configuration by its name, or else by what is in it', async (t) => {
  const LEGACY = 'default 1\ntitle A\nkernel /a\ntitle B\nroot (hd0,0)\nkernel /k legacy\ninitrd /i\n';
  const SYSLINUX = 'default b\nlabel a\n  kernel /a\nlabel b\n  kernel /k\n  initrd /i\n  append syslinux\n';
  const LILO = 'default=b\nimage=/a\n  label=a\nimage=/k\n  label=b\n  initrd=/i\n  append=lilo\n';
  const BLS = 'title X\nlinux /k\ninitrd /i\noptions bls\n';
  for (const [name, text, args] of [
    ['menu.lst', LEGACY, 'legacy'],
    ['grub.conf', LEGACY, 'legacy'],
    ['what', LEGACY, 'legacy'],
    ['extlinux.conf', SYSLINUX, 'syslinux'],
    ['isolinux.cfg', SYSLINUX, 'syslinux'],
    ['what', SYSLINUX, 'syslinux'],
    ['lilo.conf', LILO, 'lilo'],
    ['what', LILO, 'lilo'],
    ['6.1.conf', BLS, 'bls'],
    ['what', entry('X', 'linux /k grub2', 'initrd /i'), 'grub2'],
  ]) {
    const path = join(dir, name!);
    writeFileSync(path, text!);
    const r = run('--isconfig', path);
    t.equal(r.status, 0, r.err);
    t.match(r.out, new RegExp(`^ {2}kernel: /k\\n {2}initrd: /i\\n {2}args: .*\\b${args}\\n$`), `${name}`);
  }
});

t.test('nothing boots, so the kernels on the disk are guessed at', async (t) => {
  const disk = diskWith(entry('Gone', 'linux /gone x'));
  const out = outDirectory();
  const r = run('-q', '--output-format=json', `--output-directory=${out}`, '--args=more', disk);
  t.equal(r.status, 0, r.err);
  const result = JSON.parse(r.out);
  t.equal(sha256(result.kernel), expected.kernel.sha256);
  t.equal(sha256(result.ramdisk), expected.ramdisk.sha256);
  t.match(result.args, /^root=\S+ ro more$/);
  t.match(result.entry, /guessed/);
  t.match(r.err, /menuentry 'Gone': \/gone: not found/, 'why the configuration does not boot is still said');
  t.match(r.err, /^warning: gpt1 ext4: .*guessed/m);
  t.match(JSON.parse(run('-l', '--output-format=json', disk).out), { dialect: 'guess', default: 0 });
  const plain = run('-l', '--no-guess', '--output-format=json', disk);
  t.match(JSON.parse(plain.out), { dialect: 'grub2', entries: [{ title: 'Gone' }] });
});

t.test('fallback, and no ramdisk', async (t) => {
  const out = outDirectory();
  const disk = diskWith(
    `set default=A\nset fallback="gone 1"\n${entry('A', 'linux /gone')}${entry('B', `${LINUX} b`)}`,
  );
  const r = run('-q', '--output-format=simple', `--output-directory=${out}`, disk);
  t.equal(r.status, 0, r.err);
  t.match(r.out, /^kernel \S+\nargs b\n\n$/);
  t.match(r.err, /menuentry 'A': .*\/gone: not found/);
  t.match(r.err, /fallback 'gone' does not exist/);
  t.match(readdirSync(out), [/^boot_kernel\./], 'no file for a ramdisk that is not there');
});

t.test('symbolic links', async (t) => {
  const out = outDirectory();
  const link = join(dir, 'link');
  symlinkSync(out, link);
  const r = run('-q', '--output-format=simple', `--output-directory=${link}`, EXAMPLE);
  t.match(r.out, new RegExp(`^kernel ${link}/boot_kernel`), 'kept in the path');
});

/** Starts the program, waits until `ready`, sends the signal; gives the milliseconds until the end. */
async function signalled(t: Test, args: string[], signal: NodeJS.Signals, ready: () => boolean) {
  const child = spawn('env', [...CLEAN, PROGRAM, ...args], { stdio: 'ignore' });
  const ended = new Promise<{ code: number | null; signal: string | null }>((done) =>
    child.on('exit', (code, signal) => done({ code, signal })),
  );
  for (let i = 0; i < 500 && !ready(); i++) await new Promise((next) => setTimeout(next, 10));
  t.ok(ready(), 'got so far');
  await new Promise((next) => setTimeout(next, 60));
  const sent = Date.now();
  child.kill(signal);
  const end = await ended;
  t.not(end.code, 0, `${signal}: status`);
  return Date.now() - sent;
}

/** The helper that cleans up has a moment after the program's end. */
async function emptied(folder: string): Promise<string[]> {
  for (let i = 0; i < 100 && readdirSync(folder).length > 0; i++)
    await new Promise((next) => setTimeout(next, 10));
  return readdirSync(folder);
}

t.test('signals', async (t) => {
  const loop = diskWith('while true; do true; done\n');
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGKILL'] as const) {
    const out = outDirectory();
    // The files exist before the first guest byte is parsed; the loop runs for its whole budget.
    await signalled(
      t,
      ['-q', `--output-directory=${out}`, loop],
      signal,
      () => readdirSync(out).length === 2,
    );
    t.same(await emptied(out), [], `${signal} in an endless loop`);
  }
  // A reader that does not read: the program stands just before its result is printed.
  const fifo = join(dir, 'fifo');
  if (spawnSync('mkfifo', [fifo]).status !== 0) throw new Error('mkfifo');
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(reader, Buffer.alloc(4096));
  } catch (error) {
    t.match(error, { code: 'EAGAIN' }, 'the pipe is full');
  }
  const out = outDirectory();
  const full = () => readdirSync(out).filter((f) => statSync(join(out, f)).size > 0).length === 2;
  await signalled(t, ['-q', `--output=${fifo}`, `--output-directory=${out}`, EXAMPLE], 'SIGTERM', full);
  t.same(await emptied(out), [], 'SIGTERM before the result is printed');
  closeSync(reader);
});

t.test('an endless loop ends by its budget', async (t) => {
  const out = outDirectory();
  const r = run('-q', '--no-guess', `--output-directory=${out}`, diskWith('while true; do true; done\n'));
  t.match(r, { status: 1, err: /too much work/ });
  t.same(readdirSync(out), []);
});

t.test(
  'as root: privileges are gone, an unreadable program still works',
  { skip: process.getuid?.() !== 0 && 'not root' },
  async (t) => {
    const out = outDirectory();
    t.match(run('-q', '--debug', '--runas=12345', `--output-directory=${out}`, EXAMPLE), {
      status: 0,
      err: /user 12345/,
    });
    t.match(run('-q', '--debug', `--output-directory=${out}`, EXAMPLE), { status: 0, err: /user 65534/ });
    chmodSync(out, 0o600);
    const closed = join(dir, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    spawnSync('cp', ['-r', join(ROOT, 'dist'), closed]);
    const r = spawnSync(
      'env',
      [...CLEAN, join(closed, 'dist', 'nodegrub.js'), '-q', `--output-directory=${out}`, EXAMPLE],
      { encoding: 'utf8' },
    );
    t.equal(r.status, 0, r.stderr);
  },
);
