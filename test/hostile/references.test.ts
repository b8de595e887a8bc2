/** What a guest's disk names on the host is not there; what is no disk is refused at once. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { newResult, Outputs, openResult } from '../../lib/sandbox/outputs';
import { ROOT } from '../support';
import { itemsOf } from './kill';
import { cases, plantHost, SECRET } from './references';
import { romfs } from './romfs';

const PROGRAM = join(ROOT, 'dist', 'nodegrub.js');
const dir = mkdtempSync(join(tmpdir(), 'nodegrub-references-'));
chmodSync(dir, 0o755);
t.teardown(() => rmSync(dir, { recursive: true, force: true }));
const host = join(dir, 'host');
plantHost(host);

function run(...args: string[]) {
  const from = Date.now();
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', PROGRAM, ...args], {
    encoding: 'latin1',
    cwd: '/',
    timeout: 20_000,
  });
  return { status: r.status, out: r.stdout, err: r.stderr, ms: Date.now() - from };
}

t.test('the references would find something', async (t) => {
  const disk = join(dir, 'stolen.img');
  writeFileSync(
    disk,
    romfs({
      'boot/grub/grub.cfg': `set timeout=0\nsource ${host}/grub.cfg\n`,
      ...Object.fromEntries(
        readdirSync(host).map((name) => [`${host}/${name}`, readFileSync(join(host, name))]),
      ),
    }),
  );
  t.match(run('-qn', '--output-format=simple', disk), { status: 0, out: new RegExp(SECRET) });
});

for (const { name, disk, args, kernel } of cases(host))
  t.test(name, async (t) => {
    // Beside what it names, too: a relative path would do.
    const path = join(host, 'guest.img');
    const out = join(dir, 'out');
    writeFileSync(path, disk);
    mkdirSync(out);
    const r = run('-q', '--output-format=simple0', `--output-directory=${out}`, path);
    if (args === undefined) t.match(r, { status: 1, out: '' });
    else {
      t.equal(r.status, 0, r.err);
      const items = itemsOf(r.out);
      t.equal(items.get('args'), args);
      t.equal(readFileSync(items.get('kernel')!, 'latin1'), kernel);
    }
    for (const file of readdirSync(out)) t.notMatch(readFileSync(join(out, file), 'latin1'), SECRET);
    t.notMatch(r.out + r.err, SECRET);
    const listed = run('-l', '--output-format=json', path);
    t.notMatch(listed.out + listed.err, SECRET);
    rmSync(out, { recursive: true });
    rmSync(path);
  });

t.test('what is no disk', async (t) => {
  const fifo = join(dir, 'fifo');
  if (spawnSync('mkfifo', [fifo]).status !== 0) throw new Error('mkfifo');
  const socket = join(dir, 'socket');
  const server = createServer().listen(socket);
  await new Promise((done) => server.once('listening', done));
  t.teardown(() => server.close());
  const good = join(ROOT, 'fixtures', 'images', 'example.img');
  const link = join(dir, 'to-fifo');
  symlinkSync(fifo, link);
  for (const [path, why] of [
    [fifo, /it is a FIFO, not a disk/],
    [link, /it is a FIFO, not a disk/],
    [socket, /it is a socket, not a disk/],
    ['/dev/zero', /it is a character device, not a disk/],
    ['/dev/tty', /it is a character device, not a disk/],
    [dir, /it is a directory, not a disk/],
    ['/proc/self/fd', /it is a directory, not a disk/],
    [join(dir, 'absent'), /no such file/],
  ] as const)
    for (const operands of [[path], [good, path], [good, `--extra-disk=${path}`]])
      for (const what of ['-q', '-l']) {
        const out = join(dir, 'refused');
        mkdirSync(out);
        const r = run(what, `--output-directory=${out}`, ...operands);
        t.match(r, { status: 1, out: '', err: why }, `${what} ${operands}`);
        t.ok(r.ms < 10_000, 'at once');
        t.same(readdirSync(out), []);
        rmSync(out, { recursive: true });
      }
});

t.test('a link in the output directory', async (t) => {
  const out = join(dir, 'planted');
  mkdirSync(out);
  const victim = join(dir, 'victim');
  const letters = (times: number) => 'a'.repeat(times);
  const { random } = Math;
  // The names are random ones; here they are known.
  Math.random = () => 0;
  t.teardown(() => {
    Math.random = random;
  });
  for (const name of ['boot_kernel', 'boot_ramdisk'])
    for (const to of [victim, join(dir, 'not-there')]) {
      writeFileSync(victim, 'untouched');
      const link = join(out, `${name}.${letters(8)}`);
      symlinkSync(to, link);
      t.throws(() => new Outputs(out, []), { code: 'io', message: /EEXIST|ELOOP/ }, `${name} → ${to}`);
      await new Promise((next) => setTimeout(next, 200));
      t.same(readdirSync(out), [`${name}.${letters(8)}`], 'it is left alone, and nothing else is left');
      t.equal(readFileSync(victim, 'latin1'), 'untouched');
      rmSync(link);
    }
  t.same(readdirSync(dir).includes('not-there'), false);
});

t.test("the result's file", async (t) => {
  t.same(newResult('-'), []);
  t.same(newResult(join(dir, 'host')), [], 'what is there is not ours');
  const dangling = join(dir, 'dangling');
  symlinkSync(join(dir, 'nowhere'), dangling);
  t.same(newResult(dangling), [], 'not even a link to nothing');
  t.throws(() => openResult(dangling), { code: 'io' });
  t.same(newResult(join(dir, 'new')), [join(dir, 'new')]);
});
