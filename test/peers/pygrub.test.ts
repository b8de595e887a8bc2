/** Options, bytes and statuses against real pygrub; signals, full disks, users and devices as a toolstack brings them. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ROOT } from '../support';
import {
  boot,
  CLEAN_ENV,
  EXAMPLE,
  makeDisk,
  makeFs,
  masked,
  must,
  NODEGRUB,
  noLoop,
  PYGRUB,
  run,
  scratch,
  sha256,
} from './support';

const dir = scratch(t);
const expected = JSON.parse(readFileSync(join(ROOT, 'fixtures/images/example.expected.json'), 'utf8'));
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

let count = 0;
function folder(): string {
  const path = join(dir, `o${count++}`);
  mkdirSync(path);
  return path;
}

/** Both programs with the same arguments; paths and random letters made equal. */
function both(args: readonly string[], outArgument = true) {
  const [ours, theirs] = [NODEGRUB, PYGRUB].map((program): Both => {
    const out = folder();
    const r = run(program, outArgument ? [`--output-directory=${out}`, ...args] : args);
    return { ...r, text: masked(r.stdout.replaceAll(out, '/out')), left: readdirSync(out) };
  });
  return [ours!, theirs!] as const;
}
interface Both {
  status: number | null;
  text: string;
  stdout: string;
  stderr: string;
  left: string[];
}

t.test('a boot: the same bytes for the same arguments', async (t) => {
  const D = EXAMPLE;
  const K = expected.kernel.path as string;
  const R = expected.ramdisk.path as string;
  const S = '--output-format=simple';
  for (const args of [
    ['-q', D],
    [D, '-q'],
    ['--quiet', S, D],
    ['-q', '--output-format', 'simple0', D],
    ['-q', '--output-format=simple0', '--', D],
    ['--qui', '--output-f=simple', D],
    ['-q', '--output-format=simple', '--output-format=sxp', D],
    ['-q', '--output=-', S, D],
    ['--entry=0', S, D],
    ['--entry=1', S, D],
    ['--ent', '2', S, D],
    ['--entry', 'Debian GNU/Linux', S, D],
    [D, S, '--entry=Debian GNU/Linux, with Linux 6.1.0-example-amd64 (recovery mode)'],
    ['-q', '--args=one two', S, D],
    ['-q', '--args=first', '--args=second', S, D],
    ['-q', '--args=', S, D],
    ['-q', "--args=it's", D],
    ['-q', '--args=say "hi"', D],
    ['-q', '--args=it\'s "both"', D],
    ['-q', '--args=back\\slash', D],
    ['-q', '--args=tab\there', D],
    ['-q', `--kernel=${K}`, D],
    ['-q', `--kernel=${K}`, S, D],
    ['-q', `--kernel=${K}`, '--args=alone', S, D],
    ['-q', `--kernel=${K}`, `--ramdisk=${R}`, '--output-format=simple0', D],
    ['-q', '--kernel=/vmlinuz', '--ramdisk=/initrd.img', '--args=a b', D],
    ['-q', '--ramdisk=/nowhere', S, D],
    ['-q', '--offset=32768', S, D],
    ['-q', `--offset=${64 * 512}`, `--kernel=${K}`, S, D],
    ['-q', '--debug', S, D],
  ]) {
    const [ours, theirs] = both(args);
    const what = args.filter((a) => a !== D).join(' ');
    t.equal(theirs.status, 0, `pygrub ${what}: ${theirs.stderr}`);
    t.equal(ours.status, 0, `${what}: ${ours.stderr}`);
    t.equal(ours.text, theirs.text, what);
    t.same(
      ours.left.map((name) => name.replace(/\..*/, '')).sort(),
      theirs.left.map((name) => name.replace(/\..*/, '')).sort(),
      `${what}: files`,
    );
  }
});

t.test('-l: the same but for the root, and no files', async (t) => {
  const [ours, theirs] = both(['-l', EXAMPLE]);
  const withoutRoot = (text: string) => text.replace(/^ {2}root: .*\n/gm, '');
  t.equal(ours.status, 0, ours.stderr);
  t.equal(withoutRoot(ours.text), withoutRoot(theirs.text));
  t.equal(ours.text.match(/^ {2}root: /gm)?.length, 3);
  t.same(ours.left, []);
});

t.test('--isconfig: the same bytes', async (t) => {
  const config = join(dir, 'isconfig.cfg');
  const part = join(dir, 'part.img');
  writeFileSync(part, readFileSync(EXAMPLE).subarray(64 * 512));
  must('debugfs', '-R', `dump /boot/grub/grub.cfg ${config}`, part);
  for (const args of [[], ['--args=more'], ['--entry=2'], ['-q', '--args=a', '--entry=1']]) {
    const [ours, theirs] = both(['-q', '--isconfig', ...args, config]);
    t.equal(theirs.status, 0, theirs.stderr);
    t.equal(ours.status, 0, ours.stderr);
    t.equal(ours.text, theirs.text, `--isconfig ${args.join(' ')}`);
    t.same(ours.left, []);
  }
  const noInitrd = join(dir, 'noinitrd.cfg');
  writeFileSync(noInitrd, "menuentry 'x' {\nlinux /k a=b c\n}\n");
  const [ours] = both(['-q', '--isconfig', noInitrd]);
  t.equal(ours.text, '  kernel: /k\n  args: a=b c\n');
});

t.test('-n: paths where pygrub says None', async (t) => {
  const [ours, theirs] = both(['-q', '-n', '--output-format=simple', EXAMPLE]);
  t.equal(ours.status, 0, ours.stderr);
  t.equal(
    ours.text,
    `kernel <kernel:${expected.kernel.path}>\nramdisk <ramdisk:${expected.ramdisk.path}>\nargs ${expected.args}\n\n`,
  );
  t.match(theirs.text, 'kernel None', 'the row of the contract still holds');
  t.same(ours.left, []);
});

t.test('what is refused: status 1 (as pygrub), nothing on stdout, nothing left', async (t) => {
  const blank = join(dir, 'blank.img');
  writeFileSync(blank, Buffer.alloc(1 << 20));
  const D = EXAMPLE;
  for (const args of [
    ['--nonsense', D],
    [],
    ['-q'],
    ['-x', D],
    ['--output-format=xml', D],
    ['--offset=abc', '-q', D],
    ['--o=x', '-q', D],
    ['--quiet=1', D],
    ['--entry'],
    ['--runas=5', D],
    ['--runas=abc', '-q', D],
    ['-q', '/nonexistent'],
    ['-q', blank],
    ['-q', '--kernel=/nowhere', D],
    ['-q', '--kernel=/vmlinuz', '--ramdisk=/nowhere', D],
    ['-q', '--offset=512', D],
    ['-q', '--output=/nonexistent/result', D],
    // where two separators meet in a value
    ['-q', '--output-format=simple', '--args=two\nlines', D],
  ]) {
    const [ours, theirs] = both(args);
    const what = JSON.stringify(args.map((a) => (a === D ? 'DISK' : a)));
    t.not(theirs.status, 0, `pygrub refuses ${what}`);
    t.equal(ours.status, 1, `${what}: ${ours.stdout}`);
    t.equal(ours.stdout, '', what);
    t.not(ours.stderr.trim(), '', `${what} says why`);
    t.same(ours.left, [], what);
  }
  const [ours, theirs] = both(['-q', '--output-directory=/nonexistent/dir', D], false);
  t.equal(ours.status, 1);
  t.equal(theirs.status, 1);
});

t.test('--output: written as pygrub writes it', async (t) => {
  for (const format of ['sxp', 'simple', 'simple0']) {
    const texts = [NODEGRUB, PYGRUB].map((program) => {
      const out = folder();
      const result = join(out, 'result');
      writeFileSync(result, '');
      const r = run(program, [
        '-q',
        `--output-format=${format}`,
        `--output=${result}`,
        `--output-directory=${out}`,
        EXAMPLE,
      ]);
      t.equal(r.status, 0, r.stderr);
      t.equal(r.stdout, '');
      return masked(readFileSync(result, 'latin1').replaceAll(out, '/out'));
    });
    t.equal(texts[0], texts[1], format);
  }
});

t.test('output directories as the toolstacks give them', async (t) => {
  for (const mode of isRoot ? [0o600, 0o700, 0o755] : [0o700]) {
    const out = folder();
    chmodSync(out, mode);
    const r = run(NODEGRUB, ['-q', '--output-format=simple0', `--output-directory=${out}/`, EXAMPLE]);
    t.equal(r.status, 0, r.stderr);
    for (const name of readdirSync(out)) {
      t.equal(statSync(join(out, name)).mode & 0o7777, 0o600, name);
      t.equal(statSync(join(out, name)).uid, process.getuid?.(), name);
    }
  }
});

t.test(
  'as another user than root',
  { skip: isRoot ? false : 'not root: cannot become nobody' },
  async (t) => {
    const as = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const disk = join(dir, 'nobody.img');
    copyFileSync(EXAMPLE, disk);
    const out = folder();
    chownSync(out, NOBODY, NOBODY);
    const args = [NODEGRUB, '-q', '--output-format=simple0', `--output-directory=${out}`, disk];
    const r = run('setpriv', [...as, ...args]);
    t.equal(r.status, 0, r.stderr);
    const files = readdirSync(out).sort();
    t.equal(sha256(readFileSync(join(out, files[0]!))), expected.kernel.sha256);
    t.equal(sha256(readFileSync(join(out, files[1]!))), expected.ramdisk.sha256);
    t.equal(statSync(join(out, files[0]!)).uid, NOBODY);

    chmodSync(disk, 0o600);
    const mine = folder();
    chownSync(mine, NOBODY, NOBODY);
    const refused = run('setpriv', [...as, ...args.slice(0, -2), `--output-directory=${mine}`, disk]);
    t.equal(refused.status, 1);
    t.match(refused.stderr, /permission denied|EACCES/i);
    t.equal(refused.stdout, '');
    t.same(readdirSync(mine), []);

    chmodSync(disk, 0o644);
    const notMine = folder();
    const unwritable = run('setpriv', [...as, ...args.slice(0, -2), `--output-directory=${notMine}`, disk]);
    t.equal(unwritable.status, 1);
    t.same(readdirSync(notMine), []);
  },
);

t.test('block devices', { skip: noLoop() }, async (t) => {
  for (const [what, options] of [
    ['the disk', []],
    ['one partition of it', ['-o', String(64 * 512), '--sizelimit', String(1400 * 1024)]],
    ['read-only', ['-r']],
  ] as const) {
    const device = must('losetup', ...options, '-f', '--show', EXAMPLE).trim();
    try {
      const ours = boot(NODEGRUB, dir, [device]);
      t.equal(ours.status, 0, `${what}: ${ours.stderr}`);
      t.equal(ours.kernel && sha256(ours.kernel), expected.kernel.sha256, `${what}: kernel`);
      t.equal(ours.ramdisk && sha256(ours.ramdisk), expected.ramdisk.sha256, `${what}: ramdisk`);
      t.equal(ours.args, expected.args, `${what}: args`);
    } finally {
      run('losetup', ['-d', device]);
    }
  }
  t.equal(sha256(readFileSync(EXAMPLE)), expected.image.sha256, 'nothing was written to it');
});

// ---- ends in the wrong moment

const LARGE = 256 << 20;
/** A disk whose initrd takes a while to copy. */
function largeDisk(): string {
  const path = join(dir, 'large.img');
  const initrd = Buffer.alloc(LARGE, 'nodegrub');
  makeFs(path, {
    fs: 'ext4',
    size: 290 << 10,
    tree: {
      'boot/grub/grub.cfg': "menuentry 'large' {\nlinux /boot/k\ninitrd /boot/i\n}\n",
      'boot/k': Buffer.alloc(1 << 20, 'k'),
      'boot/i': initrd,
    },
  });
  return path;
}

function start(
  args: readonly string[],
  stdout: 'pipe' | number = 'pipe',
): { child: ChildProcess; ended: Promise<void> } {
  const variables = Object.entries(CLEAN_ENV).map(([k, v]) => `${k}=${v}`);
  const child = spawn('env', ['-i', ...variables, NODEGRUB, ...args], {
    stdio: ['ignore', stdout, 'pipe'],
    cwd: '/',
  });
  child.stdout?.resume();
  child.stderr?.resume();
  return { child, ended: new Promise((done) => child.once('exit', () => done())) };
}

const sizes = (out: string) =>
  readdirSync(out).map((name) => {
    try {
      return statSync(join(out, name)).size;
    } catch {
      return 0;
    }
  });

async function until(condition: () => boolean, ms: number): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(1)) if (condition()) return true;
  return condition();
}

/** Sends the signal and checks what is owed: gone within 200 ms, not with 0, and no file left a moment later. */
async function killed(
  t: Test,
  run: ReturnType<typeof start>,
  out: string,
  signal: NodeJS.Signals,
  what: string,
) {
  t.equal(run.child.exitCode, null, `${what}: it still runs`);
  const at = process.hrtime.bigint();
  run.child.kill(signal);
  await run.ended;
  const ms = Number(process.hrtime.bigint() - at) / 1e6;
  t.ok(ms < 200, `${what}: ended ${ms.toFixed(0)} ms after ${signal}`);
  t.not(run.child.exitCode, 0, `${what}: status ${run.child.exitCode ?? run.child.signalCode}`);
  t.ok(await until(() => readdirSync(out).length === 0, 1000), `${what}: ${readdirSync(out)} left`);
}

const SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGKILL'] as const;

t.test('signals in the middle of a large copy', async (t) => {
  const disk = largeDisk();
  for (const signal of SIGNALS) {
    const out = folder();
    const run = start(['-q', '--output-format=simple0', `--output-directory=${out}`, disk]);
    t.ok(await until(() => Math.max(0, ...sizes(out)) > 8 << 20, 5000), 'the copy has begun');
    const so_far = Math.max(0, ...sizes(out));
    t.ok(so_far < LARGE, `${so_far} bytes of ${LARGE} are copied`);
    await killed(t, run, out, signal, `${signal} in a copy`);
  }
});

t.test('signals in an endless loop, and its own end', async (t) => {
  const disk = join(dir, 'loop.img');
  makeDisk(disk, 'mbr', [
    {
      fs: 'ext4',
      tree: {
        'boot/grub/grub.cfg': "while true; do\n  set x=$x\ndone\nmenuentry 'never' {\n  linux /k\n}\n",
        k: 'k',
      },
    },
  ]);
  for (const signal of SIGNALS) {
    const out = folder();
    const run = start(['-q', `--output-directory=${out}`, disk]);
    await sleep(150);
    await killed(t, run, out, signal, `${signal} in a loop`);
  }
  const out = folder();
  const begun = Date.now();
  const r = run(NODEGRUB, ['-q', `--output-directory=${out}`, disk]);
  t.equal(r.status, 1, `ends by its budget, after ${Date.now() - begun} ms`);
  t.ok(Date.now() - begun < 20_000, 'soon enough for a toolstack');
  t.match(r.stderr.trim().split('\n').pop(), /^RuntimeError: /);
  t.same(readdirSync(out), []);
});

t.test('signals while the result cannot be written', async (t) => {
  for (const signal of SIGNALS) {
    const out = folder();
    const fifo = join(dir, `fifo${count++}`);
    must('mkfifo', fifo);
    const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const piece = Buffer.alloc(4096, 'x');
    for (;;) {
      try {
        writeSync(reader, piece);
      } catch (error) {
        t.equal((error as NodeJS.ErrnoException).code, 'EAGAIN', 'the pipe is full');
        break;
      }
    }
    const writer = openSync(fifo, constants.O_WRONLY);
    const run = start(['-q', '--output-format=simple0', `--output-directory=${out}`, EXAMPLE], writer);
    closeSync(writer);
    const complete = [expected.ramdisk.size, expected.kernel.size];
    const both = () =>
      sizes(out)
        .sort((a, b) => a - b)
        .join() === complete.join();
    t.ok(await until(both, 5000), 'both files are complete');
    await sleep(50);
    await killed(t, run, out, signal, `${signal} before the result`);
    closeSync(reader);
  }
});

t.test('nobody reads the result any more', async (t) => {
  const out = folder();
  const r = run('sh', [
    '-c',
    `exec 3>&2; { sleep 0.2; "$0" -q --output-format=simple0 --output-directory="$1" "$2" 2>&3; echo "status $?" >&3; } | :`,
    NODEGRUB,
    out,
    EXAMPLE,
  ]);
  t.match(r.stderr, /status [1-9]/);
  t.ok(await until(() => readdirSync(out).length === 0, 1000), 'nothing left');
});

function noTmpfs(): string | undefined {
  if (!isRoot) return 'not root: cannot mount';
  const at = join(dir, 'tmpfs-probe');
  mkdirSync(at);
  const r = run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', at]);
  if (r.status !== 0) return `cannot mount a tmpfs: ${r.stderr.trim()}`;
  run('umount', [at]);
  return undefined;
}

t.test('a full disk', { skip: noTmpfs() }, async (t) => {
  const small = folder();
  const full = folder();
  must('mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', small);
  must('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', full);
  t.teardown(() => {
    run('umount', [small]);
    run('umount', [full]);
  });
  const r = run(NODEGRUB, [
    '-q',
    '--output-format=simple0',
    `--output-directory=${small}`,
    join(dir, 'large.img'),
  ]);
  t.equal(r.status, 1);
  t.equal(r.stdout, '');
  t.match(r.stderr, /ENOSPC|no space left/i);
  t.match(r.stderr.trim().split('\n').pop(), /^RuntimeError: /);
  t.same(readdirSync(small), [], 'nothing left');

  // The result file's own disk is full: the files of the boot must not stay either.
  writeFileSync(join(full, 'result'), '');
  const fill = openSync(join(full, 'fill'), 'w');
  t.throws(() => {
    for (;;) writeSync(fill, Buffer.alloc(4096));
  }, /ENOSPC/);
  closeSync(fill);
  const out = folder();
  const second = run(NODEGRUB, [
    '-q',
    '--output-format=simple0',
    `--output=${full}/result`,
    `--output-directory=${out}`,
    EXAMPLE,
  ]);
  t.equal(second.status, 1, second.stderr);
  t.match(second.stderr, /ENOSPC|no space left/i);
  t.same(readdirSync(out), []);
  t.same(readFileSync(join(full, 'result'), 'latin1'), '');
});
