/**
 * The strict sandbox on this machine, by each way to make it, and a parser that somebody has taken over in each mode
 * (test/sandbox/hostile-child.cjs): what it can do is the table in SECURITY.md.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { ROOT, THOROUGH } from '../support';
import { EXAMPLE, must, noLoop, run, scratch } from './support';

const root = process.getuid?.() === 0;
const dir = scratch(t);
chmodSync(dir, 0o755);
const hostile = join(dir, 'hostile');
const expected = JSON.parse(readFileSync(join(ROOT, 'fixtures', 'images', 'example.expected.json'), 'utf8'));

must('cp', '-a', join(ROOT, 'dist'), hostile);
must('mv', join(hostile, 'nodegrub.js'), join(hostile, 'nodegrub-real.js'));
must('cp', join(ROOT, 'test', 'sandbox', 'hostile-child.cjs'), join(hostile, 'nodegrub.js'));
must('chmod', '-R', 'a+rX', hostile);

/** Programs that are hidden, and settings that are pretended, in a mount namespace of the test's own. */
type Hidden = readonly string[];
const NO_USER_NAMESPACES = '/proc/sys/user/max_user_namespaces';
const WAYS: readonly (readonly [force: string, hidden: Hidden])[] = [
  ['bwrap, seccomp', []],
  ['bwrap without a user namespace, seccomp', [NO_USER_NAMESPACES]],
  ['unshare, no seccomp filter', ['bwrap']],
];

const zero = join(dir, 'zero');
writeFileSync(zero, '0\n');
const hiding = (hidden: Hidden, command: readonly string[]): string[] => {
  const mounts = hidden.map((name) =>
    name.startsWith('/')
      ? `mount --bind ${zero} ${name}`
      : `for f in /usr/bin/${name} /bin/${name}; do [ ! -e $f ] || mount --bind /dev/null $f; done`,
  );
  // unshare(1) itself may be what is hidden.
  return [
    'unshare',
    '-m',
    '--propagation=slave',
    '/bin/sh',
    '-c',
    `${mounts.map((m) => `${m} && `).join('')}exec "$@"`,
    'sh',
    ...command,
  ];
};

let count = 0;
interface Result {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
  readonly folder: string;
  /** What is left in it. */
  readonly files: string[];
}

function program(
  hidden: Hidden,
  options: readonly string[],
  { dist = join(ROOT, 'dist'), disk = EXAMPLE, limits = '' } = {},
): Result {
  const folder = join(dir, `out${count++}`);
  mkdirSync(folder);
  const command = [join(dist, 'nodegrub'), `--output-directory=${folder}`, ...options, disk];
  const limited = ['/bin/sh', '-c', `${limits} exec "$@"`, 'sh', ...command];
  const r = run('env', ['-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...hiding(hidden, limited)]);
  return { status: r.status, out: r.stdout, err: r.stderr, folder, files: readdirSync(folder) };
}

const sha256 = (path: string): string => must('sha256sum', path).slice(0, 64);

t.test('boots', { skip: !root && 'not root' }, async (t) => {
  const plain = program([], ['-q', '--output-format=simple']);
  const sums = (r: Result) =>
    ['kernel', 'ramdisk'].map((kind) =>
      sha256(join(r.folder, r.files.find((f) => f.startsWith(`boot_${kind}`))!)),
    );
  for (const [force, hidden] of WAYS)
    for (const options of [
      ['--runas=12345', '-q', '--output-format=simple'],
      ['--sandbox=strict', '-q', '--output-format=simple0'],
      ['--sandbox=strict', '-q'],
      ['--sandbox=strict', '--user=4321', '-q', '--output-format=json', '--debug'],
    ]) {
      const what = `${force}: ${options.join(' ')}`;
      const r = program(hidden, [...options, '--debug']);
      t.equal(r.status, 0, `${what}: ${r.err}`);
      t.ok(r.err.includes(`sandbox strict (${force})`), `${what}: said in the log`);
      t.ok(r.out.includes(expected.args), what);
      t.same(sums(r), sums(plain), `${what}: the same bytes`);
      const [file] = r.files;
      t.equal(statSync(join(r.folder, file!)).mode & 0o777, 0o600);
      t.equal(statSync(join(r.folder, file!)).uid, 0);
    }
});

t.test('lists, policies, formats, keys', { skip: !root && 'not root' }, async (t) => {
  const policy = join(dir, 'policy.json');
  writeFileSync(policy, '{"arguments":{"appended":["by-policy"]}}');
  chmodSync(policy, 0o600);
  const qcow2 = join(dir, 'example.qcow2');
  must('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', EXAMPLE, qcow2);
  for (const [force, hidden] of WAYS) {
    const plain = program([], ['-l', '--output-format=json']);
    const list = program(hidden, ['-l', '--output-format=json', '--sandbox=strict']);
    t.equal(list.status, 0, `${force}: ${list.err}`);
    t.same(JSON.parse(list.out), JSON.parse(plain.out), `${force}: the same list`);
    const judged = program(hidden, ['-q', '--sandbox=strict', `--policy=${policy}`]);
    t.match(judged.out, /by-policy/, `${force}: ${judged.err}`);
    const image = program(hidden, ['-q', '--sandbox=strict'], { disk: qcow2 });
    t.ok(image.out.includes(expected.args), `${force}: ${image.err}`);
    const luks = join(dir, 'luks.img');
    writeFileSync(luks, gunzipSync(readFileSync(join(ROOT, 'fixtures/images/luks-disk.img.gz'))));
    const key = join(dir, 'key');
    writeFileSync(key, 'passphrase');
    chmodSync(key, 0o600);
    const without = program([], ['-q', `--key-file=${key}`], { disk: luks });
    const opened = program(hidden, ['-q', '--sandbox=strict', `--key-file=${key}`], { disk: luks });
    t.equal(opened.status, without.status, `${force}: ${opened.err}`);
    t.equal(opened.err, without.err);
  }
  const member = program(
    [],
    ['-q', '--sandbox=strict', '--image-format=qcow2', '--image-references=directory'],
    { disk: qcow2 },
  );
  t.equal(member.status, 1);
  t.match(member.err, /--sandbox=strict cannot be had: files that an image names/);
  const config = run(join(ROOT, 'dist', 'nodegrub'), [
    '--isconfig',
    '--sandbox=strict',
    join(ROOT, 'fixtures', 'malformed', 'grub-limit-nesting.cfg'),
  ]);
  t.notMatch(config.stderr, /defect/);
});

t.test('a block device', { skip: (!root && 'not root') || noLoop() || false }, async (t) => {
  const device = must('losetup', '-r', '-f', '--show', EXAMPLE).trim();
  try {
    for (const [force, hidden] of WAYS) {
      const r = program(hidden, ['-q', '--runas=65534', '--output-format=simple'], { disk: device });
      t.ok(r.out.includes(expected.args), `${force}: ${r.err}`);
    }
  } finally {
    must('losetup', '-d', device);
  }
});

t.test('where there is no sandbox', { skip: !root && 'not root' }, async (t) => {
  const nothing = ['bwrap', 'setpriv'];
  const strict = program(nothing, ['-q', '--sandbox=strict']);
  t.equal(strict.status, 1);
  t.equal(strict.out, '');
  t.match(strict.err, /RuntimeError: --sandbox=strict cannot be had: .*not installed/);
  t.same(strict.files, []);
  const runas = program(nothing, ['-q', '--runas=65534', '--output-format=simple', '--debug']);
  t.equal(runas.status, 0, runas.err);
  t.match(runas.err, /warning: --runas=65534 changes the user only/);
  t.match(runas.err, /basic: user 65534/);
  // A folder that the user cannot come to.
  const hidden = join(dir, 'hidden');
  mkdirSync(hidden, { mode: 0o700 });
  must('cp', '-a', join(ROOT, 'dist'), join(hidden, 'dist'));
  const unreadable = program([], ['-q', '--sandbox=strict'], { dist: join(hidden, 'dist') });
  t.equal(unreadable.status, 1);
  t.match(unreadable.err, /RuntimeError: user 65534 cannot read .*hidden/);
  t.same(unreadable.files, []);
});

/**
 * bwrap's second process waits for ever for the first where that is killed before it wished to die with it. Here a script in bwrap's
 * place leaves such a process always.
 */
t.test('no process of the sandbox outlives the program', { skip: !root && 'not root' }, async (t) => {
  const fake = join(dir, 'bwrap');
  const lasting = join(dir, 'lasting');
  writeFileSync(lasting, '#!/bin/sh\ntrap "" HUP INT TERM\nwhile :; do sleep 1; done\n', { mode: 0o755 });
  const started = join(dir, 'started');
  writeFileSync(fake, `#!/bin/sh\n${lasting} "$@" </dev/null >/dev/null 2>&1 &\n: >${started}\nwait\n`, {
    mode: 0o755,
  });
  writeFileSync(started, '');
  chmodSync(started, 0o666);
  const alive = () => run('pgrep', ['-f', lasting]).stdout.trim();
  for (const format of ['simple0', 'sxp']) {
    const folder = join(dir, `out${count++}`);
    mkdirSync(folder);
    const pidFile = join(dir, `pid-${format}`);
    const script = `mount --bind ${fake} /usr/bin/bwrap && { ${join(ROOT, 'dist', 'nodegrub')} -q --runas=65534 --output-format=${format} --output-directory=${folder} ${EXAMPLE} & echo $! >${pidFile}; wait; }`;
    const child = spawn('unshare', ['-m', '/bin/sh', '-c', script], { stdio: 'ignore' });
    const ended = new Promise((next) => child.on('close', next));
    for (let i = 0; i < 100 && alive() === ''; i++) await setTimeout(50);
    t.not(alive(), '', `${format}: it is there`);
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
    await ended;
    await setTimeout(1000);
    t.equal(alive(), '', `${format}: and is gone a second later`);
    for (const pid of alive().split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
    t.same(readdirSync(folder), [], `${format}: nothing is left`);
  }
});

t.test('what is unmounted is free, though a menu waits', { skip: !root && 'not root' }, async (t) => {
  const image = join(dir, 'other.img');
  must('mke2fs', '-q', image, '1M');
  const shared = join(dir, 'shared');
  mkdirSync(shared);
  must('mount', '-t', 'tmpfs', 'nodegrub-shared', shared);
  // As systemd makes all mounts.
  must('mount', '--make-shared', shared);
  const other = join(shared, 'other');
  mkdirSync(other);
  try {
    for (const [force, hidden] of WAYS) {
      must('mount', '-o', 'loop', image, other);
      const folder = join(dir, `out${count++}`);
      mkdirSync(folder);
      const command = [
        join(ROOT, 'dist', 'nodegrub'),
        '--sandbox=strict',
        `--output-directory=${folder}`,
        EXAMPLE,
      ];
      const [unshare, ...words] = hiding(hidden, command);
      const child = spawn(unshare!, words, { stdio: ['pipe', 'pipe', 'pipe'] });
      const ended = new Promise((next) => child.on('close', next));
      let said = '';
      for (const from of [child.stdout, child.stderr])
        from.on('data', (text) => {
          said += text;
        });
      for (let i = 0; i < 200 && !said.includes('Debian'); i++) await setTimeout(50);
      must('umount', other);
      // bwrap leaves the host's root a moment after it has copied it.
      for (let i = 0; i < 40 && run('losetup', ['-j', image]).stdout !== ''; i++) await setTimeout(50);
      t.equal(run('losetup', ['-j', image]).stdout, '', force);
      t.equal(child.exitCode, null, 'meanwhile the menu waits');
      child.stdin.end('\n');
      await ended;
      t.match(said, /kernel/, `${force}: and the entry boots`);
    }
  } finally {
    run('umount', [other]);
    must('umount', shared);
  }
});

// --- a parser that somebody has taken over

/** What it tried, and in which modes it could: SECURITY.md's table says the same, which the last test compares. */
const TRIED = [
  ['passwd', 'read /etc/passwd'],
  ['shadow', 'read /etc/shadow'],
  ['list', "list the host's /"],
  ['proc', 'read /proc'],
  ['tmp', 'write in /tmp'],
  ['own', 'write into the program'],
  ['reopen', 'open the disk for writing'],
  ['disk', 'write through the descriptor of the disk'],
  ['exec', 'run /bin/sh'],
  ['node', 'run Node again'],
  ['socket', 'connect to a port of the host'],
  ['signal', 'signal the parent'],
  ['root', 'become root'],
  ['name', "make a link in the outputs' folder"],
] as const;

const COLUMNS = ['off', 'basic', ...WAYS.map(([force]) => force)];

t.test('what it could do', { skip: !root && 'not root' }, async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await new Promise((next) => server.once('listening', next));
  const { port } = server.address() as { port: number };
  const disk = join(dir, 'mine.img');
  must('cp', EXAMPLE, disk);
  const could = new Map<string, Record<string, { done: boolean; with: string }>>();
  const attack = (name: string) => `--args=${name},${disk},${port},${process.pid}`;
  try {
    for (const mode of ['off', 'basic']) {
      const r = await later(['-q', `--sandbox=${mode}`, attack(mode)], [], disk);
      could.set(mode, JSON.parse(/^REPORT (.*)$/m.exec(r.out)![1]!));
      rmSync('/tmp/nodegrub-hostile', { force: true });
      rmSync(join(hostile, 'nodegrub-hostile'), { force: true });
      must('cp', EXAMPLE, disk);
    }
    for (const [force, hidden] of WAYS) {
      const r = await later(['-q', '--runas=65534', '--output-format=simple', attack('all')], hidden, disk);
      t.equal(r.status, 0, `${force}: ${r.err}`);
      could.set(
        force,
        JSON.parse(readFileSync(join(r.folder, r.files.find((f) => f.includes('kernel'))!), 'utf8')),
      );
    }
  } finally {
    server.close();
  }
  t.equal(sha256(disk), sha256(EXAMPLE), 'the disk is as it was');
  const rows = TRIED.map(([key, what]) => {
    const cells = COLUMNS.map((mode) => (could.get(mode)![key]!.done ? 'can' : '—'));
    return `| ${[what, ...cells].join(' | ')} |`;
  });
  for (const [force] of WAYS)
    for (const [key, what] of TRIED)
      t.notOk(could.get(force)![key]!.done, `${force}: ${what}: ${could.get(force)![key]!.with}`);
  t.ok(
    could.get('off')!.passwd!.done && could.get('off')!.exec!.done && could.get('off')!.socket!.done,
    'the attempts are real',
  );
  for (const key of ['shadow', 'reopen', 'disk', 'root', 'name', 'own', 'signal'])
    t.notOk(could.get('basic')![key]!.done, `basic: ${key}: ${could.get('basic')![key]!.with}`);
  const document = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8');
  for (const row of rows) t.ok(document.includes(row), `SECURITY.md: ${row}`);
});

/** Without blocking this process, which is the port that is connected to. */
function later(options: readonly string[], hidden: Hidden, disk: string): Promise<Result> {
  const { spawn } = require('node:child_process') as typeof import('node:child_process');
  const folder = join(dir, `out${count++}`);
  mkdirSync(folder);
  const command = [join(hostile, 'nodegrub'), `--output-directory=${folder}`, ...options, disk];
  return new Promise((next) => {
    const child = spawn('env', ['-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...hiding(hidden, command)]);
    let out = '';
    let err = '';
    child.stdout.on('data', (text) => {
      out += text;
    });
    child.stderr.on('data', (text) => {
      err += text;
    });
    child.on('close', (status) => next({ status, out, err, folder, files: readdirSync(folder) }));
  });
}

/** Attacks that end the run: nothing is printed, nothing stays, and the log says what happened. */
const ENDED: readonly (readonly [attack: string, limits: string, said: RegExp])[] = [
  ['fill', '', /RuntimeError: the sandbox ended/],
  ['eat', '', /RuntimeError: the sandbox ended/],
  ['loop', 'ulimit -t 1;', /RuntimeError: the sandbox ended/],
  ['flood', '', /RuntimeError: the sandbox/],
  ['log', '', /RuntimeError: the sandbox/],
  ['path', '', /RuntimeError: the sandbox broke its protocol/],
  ['item', '', /RuntimeError: the sandbox broke its protocol|args holds the byte that separates/],
  ['twice', '', /RuntimeError: the sandbox broke its protocol/],
  ['raw', '', /RuntimeError: the sandbox broke its protocol/],
  ['terminal', '', /RuntimeError: .*red/],
  ['empty', '', /RuntimeError: the sandbox wrote no kernel/],
  ['silent', '', /RuntimeError: the sandbox broke its protocol/],
  ['dies', '', /RuntimeError: the sandbox ended/],
];

// simple0 and simple go by the shell script, sxp by the parent in Node.
// Each way and each format; each with each if everything is wanted.
for (const [i, format] of ['simple0', 'simple', 'sxp'].entries())
  for (const [force, hidden] of WAYS.filter((_, j) => THOROUGH || (i + j) % 3 === 0))
    t.test(`${format}, ${force}: attacks that end it`, { skip: !root && 'not root' }, async (t) => {
      for (const [attack, limits, said] of ENDED) {
        if (attack === 'fill' && force !== WAYS[0]![0]) continue;
        const r = program(hidden, ['-q', '--runas=65534', `--output-format=${format}`, `--args=${attack}`], {
          dist: hostile,
          limits,
        });
        if (attack === 'item' && format === 'sxp') {
          // A quoted text there: neither ends anything.
          if (r.status === 0) t.notMatch(r.out, /\(kernel '\/etc/, attack);
          continue;
        }
        t.not(r.status, 0, `${attack}: status`);
        t.equal(r.out, '', `${attack}: nothing is printed`);
        t.same(r.files, [], `${attack}: nothing stays`);
        t.match(r.err, said, attack);
        t.notMatch(r.err, /\x1b|\x07/, `${attack}: no control reaches the log`);
        t.ok(r.err.length < 400_000, `${attack}: the log is bounded`);
      }
    });
