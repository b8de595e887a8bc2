/** The ordinary mode, as the kernel sees it: what every thread is, what is open, what the helper has. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import t from 'tap';
import { sandboxNamed, userId } from '../../lib/cli/further';
import { parseOptions } from '../../lib/cli/options';
import { ROOT } from '../support';
import { childrenOf, descriptors, standing, threads } from './standing';

const EXAMPLE = join(ROOT, 'fixtures', 'images', 'example.img');
const LAUNCHER = join(ROOT, 'dist', 'nodegrub');
const SCRIPT = join(ROOT, 'dist', 'nodegrub.js');
const dir = mkdtempSync(join(tmpdir(), 'nodegrub-basic-'));
t.teardown(() => rmSync(dir, { recursive: true, force: true }));
const root = process.getuid?.() === 0;
const needsRoot = { skip: !root && 'not root' };
const setpriv = spawnSync('setpriv', ['--version']).status === 0;

const run = (program: string, ...args: string[]) => {
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, program, ...args], { encoding: 'latin1' });
  return { status: r.status, out: r.stdout, err: r.stderr };
};

t.test('--user and --sandbox', async (t) => {
  const passwd = join(dir, 'passwd');
  writeFileSync(
    passwd,
    'root:x:0:0::/:/bin/sh\nbroken\nxen:x:991:990:a:b:c\nlate:x:4294967295:1::/:/\nodd:x:-5:1::/:/\n',
  );
  t.equal(userId('1234'), 1234);
  t.equal(userId('xen', passwd), 991);
  for (const bad of [
    '0',
    '00',
    'root',
    'broken',
    'late',
    'odd',
    'nobody else',
    '',
    '-1',
    '4294967295',
    '1e3',
  ])
    t.throws(() => userId(bad, passwd), { name: 'UsageError' }, `--user=${bad}`);
  t.throws(() => userId('xen', join(dir, 'absent')), /neither a user id nor a name/);
  t.equal(sandboxNamed('basic'), 'basic');
  t.throws(() => sandboxNamed('none'), /off, basic, strict, auto/);
  t.match(parseOptions(['d']), { sandbox: 'auto', user: undefined });
  t.match(parseOptions(['--user=77', '--sandbox=basic', 'd']), { sandbox: 'basic', user: 77 });
  t.throws(() => parseOptions(['--user=77', '--sandbox=off', 'd']), /--sandbox=off would keep/);
  t.throws(() => parseOptions(['-q', '--runas=77', '--sandbox=off', 'd']), /--sandbox=off would keep/);
});

t.test('every thread has changed, the one that writes among them', needsRoot, async (t) => {
  for (const [program, options, uid] of [
    [SCRIPT, [], 65534],
    [LAUNCHER, [], 65534],
    [LAUNCHER, ['--user=4711'], 4711],
    [LAUNCHER, ['--user=4711', '--sandbox=basic', '--runas=4712'], 4712],
  ] as const) {
    const what = [basename(program), ...options].join(' ');
    const held = await standing(dir, [program, '-q', '--debug', ...options, EXAMPLE]);
    const all = threads(held.pid);
    t.ok(all.length > 5, `${what}: ${all.length} threads`);
    for (const thread of all) {
      const name = `${what}: thread ${thread.Pid}`;
      t.equal(thread.Uid, Array(4).fill(uid).join('\t'), `${name}: Uid`);
      t.equal(thread.Gid, Array(4).fill(uid).join('\t'), `${name}: Gid`);
      t.equal(thread.Groups, '', `${name}: Groups`);
      for (const set of ['CapPrm', 'CapEff', 'CapAmb']) t.match(thread[set], /^0+$/, `${name}: ${set}`);
    }
    const nnp = readFileSync(LAUNCHER, 'utf8').includes("p='/") && program === LAUNCHER;
    t.equal(all[0]!.NoNewPrivs, nnp ? '1' : '0', `${what}: no-new-privs where the launcher can`);
    t.match(
      held.stderr(),
      new RegExp(`, basic: user ${uid}${nnp ? ', no new privileges' : ''}\n`),
      'and says so',
    );
    // The helper is root's still, and holds nothing of the toolstack's.
    const helpers = childrenOf(held.pid);
    t.equal(helpers.length, 1);
    const helper = threads(helpers[0]!)[0]!;
    t.match(helper.Uid, /^0\t/);
    const testers = descriptors(process.pid).map(({ path }) => path);
    t.same(
      descriptors(helpers[0]!)
        .map(({ path }) => path)
        .filter((path) => path === '/dev/null' || !testers.includes(path))
        .map((path) => path.replace(/\[.*/, ''))
        .sort(),
      ['/dev/null', '/dev/null', 'socket:'],
    );
    t.match(readFileSync(`/proc/${helpers[0]}/limits`, 'latin1'), /^Max address space +67108864 +67108864/m);
    t.equal(await held.end(), 0);
  }
});

t.test('what is open: the disk to be read, the outputs to be written', needsRoot, async (t) => {
  const held = await standing(dir, [LAUNCHER, '-q', EXAMPLE]);
  const files = descriptors(held.pid).filter(
    ({ path }) => path.startsWith('/') && !path.startsWith('/dev/null'),
  );
  t.same(
    files.map(({ path, writes }) => `${path.replace(/\.[a-z0-9_]{8}$/, '')} ${writes}`).sort(),
    [
      `${EXAMPLE} false`,
      `${held.out}/boot_kernel true`,
      `${held.out}/boot_ramdisk true`,
      `${held.out.replace('standing', 'pipe')} true`,
    ].sort(),
  );
  t.equal(await held.end(), 0);
});

t.test('--sandbox=off gives nothing up, and says so', needsRoot, async (t) => {
  const held = await standing(dir, [LAUNCHER, '-q', '--debug', '--sandbox=off', EXAMPLE]);
  t.match(threads(held.pid)[0], { Uid: '0\t0\t0\t0' });
  t.match(held.stderr(), /, sandbox off\n/);
  t.equal(await held.end(), 0);
});

t.test('a signal of another process of that user opens no debugger', needsRoot, async (t) => {
  const said = async (...options: string[]) => {
    const held = await standing(dir, [SCRIPT, '-q', ...options, EXAMPLE]);
    process.kill(held.pid, 'SIGUSR1');
    await new Promise((next) => setTimeout(next, 300));
    t.equal(await held.end(), 0);
    return held.stderr();
  };
  t.equal(await said(), '');
  t.match(await said('--sandbox=off'), /debugger|inspector/i, 'as Node does if nobody forbids it');
});

t.test(
  'a change that is not whole is an error',
  { skip: !(root && setpriv) && 'needs root and setpriv' },
  async (t) => {
    // Root that keeps its capabilities when it becomes somebody else, and root that may not become anybody.
    for (const [how, why] of [
      ['--securebits=+no_setuid_fixup', /capabilities are left/],
      ['--bounding-set=-setuid', /cannot become user 65534/],
      ['--bounding-set=-setgid', /cannot become user 65534/],
    ] as const) {
      const out = mkdtempSync(join(dir, 'out'));
      const r = run('setpriv', how, 'node', SCRIPT, '-q', `--output-directory=${out}`, EXAMPLE);
      t.match(r, { status: 1, out: '', err: why }, how);
      t.same(readdirSync(out), [], 'nothing is left');
    }
  },
);

t.test('who is not root can become nobody else', { skip: root && !setpriv && 'no setpriv' }, async (t) => {
  const other = join(dir, 'other.img');
  writeFileSync(other, readFileSync(EXAMPLE));
  chmodSync(dir, 0o755);
  chmodSync(other, 0o644);
  const as = root ? ['setpriv', '--reuid=4711', '--regid=4711', '--clear-groups'] : [];
  for (const option of ['--user=4712', '--runas=4712'])
    t.match(run('env', ...as, 'node', SCRIPT, '-qn', option, other), {
      status: 1,
      out: '',
      err: /cannot become user 4712: (.*EPERM|this is not root)/,
    });
  t.match(run('env', ...as, 'node', SCRIPT, '-qn', '--debug', other), { status: 0, err: /, not root\n/ });
});
