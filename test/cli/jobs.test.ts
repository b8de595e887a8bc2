/** Many disks: `--jobs`, `--disks-from`, `--disk-timeout`, as the built program. */
import { spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import Ajv2020 from 'ajv/dist/2020';
import t from 'tap';
import { pathsIn } from '../../lib/cli/jobs/disks';
import { understood } from '../../lib/cli/jobs/protocol';
import { ROOT } from '../support';

const PROGRAM = join(ROOT, 'dist', 'nodegrub.js');
const IMAGES = join(ROOT, 'fixtures', 'images');
const EXAMPLE = join(IMAGES, 'example.img');
// Short: a worker that is to be found in /proc has it in no argument.
const dir = mkdtempSync(join(tmpdir(), 'nodegrub-jobs-'));
spawnSync('chmod', ['755', dir]);
t.teardown(() => rmSync(dir, { recursive: true }));

// The machine may be busy: a hundred starts of Node.
t.setTimeout(400_000);

const CLEAN = ['-i', `PATH=${process.env.PATH}`];

function run(args: readonly string[], input?: string | Buffer, more: readonly string[] = []) {
  const r = spawnSync('env', [...CLEAN, ...more, 'node', PROGRAM, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...(input !== undefined && { input }),
  });
  return { status: r.status, out: r.stdout, err: r.stderr, lines: r.stdout.split('\n').filter(Boolean) };
}

const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line));
const byNumber = (a: { number: number }, b: { number: number }) => a.number - b.number;

let copies = 0;
/** A copy of the example disk with another grub.cfg in the same place. */
function diskWith(config: string): string {
  const disk = readFileSync(EXAMPLE);
  const start = disk.indexOf("# The example disk's menu");
  const text = Buffer.alloc(disk.indexOf(0, start) - start, '\n');
  if (text.write(config, 'latin1') < config.length) throw new Error('does not fit');
  text.copy(disk, start);
  const path = join(dir, `copy${copies++}.img`);
  writeFileSync(path, disk);
  return path;
}

function fixture(name: string): string {
  const path = join(dir, name.replace(/\.gz$/, ''));
  const bytes = readFileSync(join(IMAGES, name));
  writeFileSync(path, name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  return path;
}

const blank = join(dir, 'blank.img');
writeFileSync(blank, '');
truncateSync(blank, 10 * 2 ** 30);

t.test('as single runs see them', async (t) => {
  // Those of dialects boot; those of filesystems mostly hold nothing that does.
  const names = readdirSync(IMAGES)
    .filter((name) =>
      /^(example|bls|bsd|elilo|lilo|sdboot|grub|syslinux|kboot|guess|luks1|xfs-5|other).*\.img/.test(name),
    )
    .slice(0, 10);
  t.ok(names.length >= 6, names.join());
  const disks = [...names.map(fixture), blank];
  const many = run(['-l', '--jobs=2', '--output-format=json', ...disks]);
  const found = parsed(many.lines).sort(byNumber);
  t.same(
    found.map((r) => [r.number, r.image]),
    disks.map((disk, i) => [i + 1, disk]),
  );
  let boot = 0;
  for (const [i, disk] of disks.entries()) {
    const { number: _, ok, boots, reasons, ...listing } = found[i];
    t.same(listing, JSON.parse(run(['-l', '--output-format=json', disk]).out), `${disk}: the list`);
    const one = run(['-q', '-n', '--output-format=json', disk]);
    t.equal(ok, one.status === 0, `${disk}: whether it boots`);
    if (ok) {
      boot++;
      const { kernel, entry } = JSON.parse(one.out);
      t.equal(`<kernel:${boots.kernel}>`, kernel, disk);
      t.equal(boots.title, entry, disk);
      t.same(reasons, []);
    } else {
      const last = one.err.trimEnd().split('\n').at(-1)!;
      t.equal(reasons.at(-1), last.replace(/^RuntimeError: (\S+ does not boot: )?/, ''), disk);
    }
  }
  t.ok(boot >= 3 && boot < disks.length, `${boot} of ${disks.length} boot`);
  t.equal(many.status, 1);
  t.match(
    many.err,
    new RegExp(
      `^${disks.length} disks in [\\d.]+ s: ${boot} boot, ${disks.length - boot} do not, 0 could not`,
    ),
    'nothing else on stderr, which is no terminal',
  );
});

t.test('order, and one line a disk', async (t) => {
  const disks = [EXAMPLE, blank, EXAMPLE, join(dir, 'none'), EXAMPLE];
  const r = run(['-l', '--jobs=1', '--', ...disks]);
  t.equal(r.status, 2);
  const [first, ...looked] = r.lines;
  t.match(first, /none: could not be looked at: cannot open none: no such file or directory \(ENOENT\)$/);
  t.same(
    looked.map((line) => line.slice(0, line.indexOf(':'))),
    [EXAMPLE, blank, EXAMPLE, EXAMPLE],
    'one worker: in the order of the input',
  );
  t.match(looked[0], /: boots 'Debian GNU\/Linux': \/boot\/vmlinuz-6\.1\.0-example-amd64$/);
  t.match(looked[1], /: does not boot: no filesystem that is known here on disk$/);
});

t.test('exit status', async (t) => {
  t.equal(run(['-l', '--jobs=2', EXAMPLE, EXAMPLE]).status, 0);
  t.equal(run(['-l', '--jobs=auto', EXAMPLE, blank]).status, 1);
  t.equal(run(['-l', '--jobs=auto', EXAMPLE, dir, blank]).status, 2);
  const only = diskWith(
    `menuentry a { linux /gone }\nmenuentry b { linux /boot/vmlinuz-6.1.0-example-amd64 }`,
  );
  const rescued = diskWith(
    `set fallback=1\nmenuentry a { linux /gone }\nmenuentry b { linux /boot/vmlinuz-6.1.0-example-amd64 }`,
  );
  const [a, b] = parsed(run(['-l', '--jobs=1', '--output-format=json', only, rescued]).lines);
  t.match(a, { ok: false, boots: null, default: 0 }, 'never silently another entry');
  t.match(a.reasons.at(-1), /menuentry 'a': .*not found$/);
  t.match(b, { ok: true, boots: { title: 'b' }, default: 0 }, "the guest's own fallback");
  t.match(run(['-l', '--jobs=1', '--entry=1', only]).out, /boots 'b'/);
});

t.test('which disks', async (t) => {
  const list = join(dir, 'list');
  writeFileSync(list, `${EXAMPLE}\r\n\n${blank}\n`);
  t.equal(run(['-l', '--jobs=2', `--disks-from=${list}`]).lines.length, 2);
  t.equal(run(['-l', `--disks-from=${list}`, EXAMPLE]).lines.length, 3, 'operands come first');
  t.equal(run(['-l', '--disks-from=-'], `${EXAMPLE}\n${EXAMPLE}`).status, 0);
  const odd = join(dir, 'a\nb \u{fc}.img');
  symlinkSync(EXAMPLE, odd);
  const nul = run(['-l', '--disks-from=-', '--output-format=json'], `${odd}\0${EXAMPLE}\0`);
  t.same(
    parsed(nul.lines)
      .map((r) => r.image)
      .sort(),
    [odd, EXAMPLE].sort(),
  );
  t.equal(run(['-l', '--disks-from=-'], `${odd}\0`).lines.length, 1, 'a name is one line');
  t.match(run(['-l', '--disks-from=-'], Buffer.from([0x2f, 0xff, 0x0a])), { status: 2, err: /not UTF-8/ });
  t.match(run(['-l', '--disks-from=-'], ''), { status: 2, err: /no disk is named/ });
  t.match(run(['-l', '--disks-from=/no/such']), { status: 2, err: /ENOENT/ });
  t.same(pathsIn(Buffer.from(' a \nb\0c\0\0'), ''), [' a \nb', 'c']);
});

t.test('what cannot be meant', async (t) => {
  for (const [args, why] of [
    [['--jobs=2', EXAMPLE], /needs -l/],
    [['-l', '--jobs=2', '--output-format=simple', EXAMPLE], /--output-format is json/],
    [['-l', '--jobs=2', '--sandbox=strict', EXAMPLE], /strict sandbox holds one disk/],
    [['-l', '--jobs=2', '-q', '--runas=65534', EXAMPLE], /strict sandbox holds one disk/],
    [['-l', '--jobs=2', `--key-file=${EXAMPLE}`, EXAMPLE], /keys are for one disk/],
    [['-l', '--jobs=2', '--kernel=/x', EXAMPLE], /--kernel/],
  ] as const)
    t.match(run(args), { status: 2, out: '', err: why }, args.join(' '));
  for (const word of ['--jobs=0', '--jobs=many', '--jobs=257', '--disk-timeout=0', '--disks-from='])
    t.match(run(['-l', word, EXAMPLE]), { status: 1, out: '', err: /Usage: / }, word);
  t.match(run(['--jobs=2', '--help']), { status: 0, out: /--disks-from/ });
});

t.test('to a file, as a user, under a policy', async (t) => {
  const out = join(dir, 'report');
  t.match(run(['-l', '--jobs=2', `--output=${out}`, EXAMPLE]), { status: 0, out: '' });
  t.match(readFileSync(out, 'utf8'), /boots/);
  const policy = join(dir, 'policy.json');
  writeFileSync(policy, '{"filesystems":["xfs"]}');
  const r = run(['-l', '--jobs=2', `--policy=${policy}`, EXAMPLE]);
  t.match(r, { status: 1, out: /refused by policy .*filesystems: 'ext4'/ });
});

t.test('a disk that takes too long', async (t) => {
  const endless = diskWith(
    Array.from({ length: 30 }, (_, i) => `menuentry ${i} { while true; do true; done; }`).join('\n'),
  );
  const began = Date.now();
  const r = run([
    '-l',
    '--jobs=2',
    '--disk-timeout=1',
    '--output-format=json',
    endless,
    EXAMPLE,
    EXAMPLE,
    EXAMPLE,
  ]);
  const found = parsed(r.lines).sort(byNumber);
  t.same(
    found.map((one) => one.ok),
    [false, true, true, true],
    r.err,
  );
  t.same(found[0].reasons, ['nothing came of it within 1 s (--disk-timeout)']);
  t.equal(r.status, 2);
  t.ok(Date.now() - began < 10_000);
});

t.test("a disk's own share of time", async (t) => {
  // Each takes more than 0.4 s of the one second; together they take more.
  const costly = Array.from({ length: 4 }, () =>
    diskWith(
      'for a in 1 2 3 4 5 6 7 8 9; do for b in 1 2 3 4 5 6 7 8 9; do for c in 1 2 3 4 5 6 7 8 9; do for d in 1 2 3 4 5 6 7 8 9; do for e in 1 2 3 4 5 6 7 8 9; do true; done; done; done; done; done\nmenuentry a { linux /boot/vmlinuz-6.1.0-example-amd64 }',
    ),
  );
  const limits = ['NODEGRUB_MAX_CPU_SECONDS=1'];
  const r = run(['-l', '--jobs=2', ...costly], undefined, limits);
  t.equal(r.status, 0, r.out);
  const none = diskWith(
    Array.from({ length: 30 }, (_, i) => `menuentry ${i} { while true; do true; done; }`).join('\n'),
  );
  t.match(run(['-l', '--jobs=1', none], undefined, limits).out, /does not boot: /, 'and it is a limit');
});

/** Batches below a process, by pid. */
function batches(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => {
      try {
        const stat = readFileSync(`/proc/${child}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

const lives = (pid: number): boolean => {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
};

const until = async (what: () => boolean): Promise<boolean> => {
  for (let i = 0; i < 1000; i++) {
    if (what()) return true;
    await new Promise((done) => setTimeout(done, 10));
  }
  return false;
};

t.test('signals, and processes that die', async (t) => {
  const pool = join(dir, 'pool');
  mkdirSync(pool);
  const disks = Array.from({ length: 150 }, (_, i) => {
    const path = join(pool, `${i}`);
    symlinkSync(EXAMPLE, path);
    return path;
  });
  const list = join(dir, 'pool.list');
  writeFileSync(list, disks.join('\n'));
  const start = async (args: readonly string[] = []) => {
    const child = spawn(
      process.execPath,
      [PROGRAM, '-l', '--jobs=2', '--output-format=json', `--disks-from=${list}`, ...args],
      { env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let out = '';
    let err = '';
    child.stdout.on('data', (b) => {
      out += b;
    });
    child.stderr.on('data', (b) => {
      err += b;
    });
    const ended = new Promise<string | number | null>((done) =>
      child.on('close', (status, signal) => done(signal ?? status)),
    );
    t.ok(await until(() => out.includes('\n')), 'it has begun');
    const [batch] = batches(child.pid!);
    return { child, batch: batch!, ended, out: () => out, err: () => err };
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    const run = await start();
    process.kill(run.child.pid!, signal);
    t.equal(await run.ended, signal);
    t.ok(await until(() => !lives(run.batch)), `${signal}: nothing is left`);
    if (signal !== 'SIGKILL') t.match(run.err(), /interrupted: \d+( of 150)? disks?/);
    for (const line of run.out().split('\n').slice(0, -1)) JSON.parse(line);
  }
  const run = await start();
  process.kill(run.batch, 'SIGKILL');
  t.equal(await run.ended, 0, 'a batch that dies is made again, and what it was looking at too');
  t.same(
    parsed(run.out().split('\n').filter(Boolean))
      .map((r) => r.number)
      .sort((a, b) => a - b),
    disks.map((_, i) => i + 1),
    'each disk once',
  );
});

t.test('memory of a worker', async (t) => {
  const r = run(['-l', '--jobs=2', EXAMPLE, EXAMPLE, blank], undefined, ['NODEGRUB_MAX_MEMORY=41M']);
  t.equal(r.lines.length, 3, r.out);
});

t.test('what a batch says is not believed', async (t) => {
  t.same(understood('o 12'), { kind: 'o', number: 12 });
  t.same(understood('r 3 1 x\x1b[2Jy'), { kind: 'r', number: 3, verdict: 1, line: 'x?[2Jy' });
  for (const line of ['', 'r 3 4 x', 'r 3 1', 'q 1', 'o -1', 'o 1234567890', 'e e'])
    t.equal(understood(line), undefined, line);
});

t.test('the schema', async (t) => {
  const schema = JSON.parse(readFileSync(join(ROOT, 'docs', 'jobs.schema.json'), 'utf8'));
  const list = JSON.parse(readFileSync(join(ROOT, 'docs', 'list.schema.json'), 'utf8'));
  const ajv = new Ajv2020({ allowUnionTypes: true, strictRequired: false });
  ajv.addSchema(list);
  const valid = ajv.compile(schema);
  for (const one of parsed(run(['-l', '--jobs=2', '--output-format=json', EXAMPLE, blank, dir]).lines)) {
    t.ok(valid(one), JSON.stringify(valid.errors));
    t.notOk(valid({ ...one, ok: 'yes' }));
  }
});
