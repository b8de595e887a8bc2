/** The shell and Node choose the same way to the strict sandbox, whatever a machine has and forbids. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { type Machine, methods } from '../../lib/sandbox/methods';
import { ROOT } from '../support';

const PROGRAMS = ['bwrap', 'setpriv', 'unshare', 'prlimit', 'mount'];
const SETTINGS = {
  'user/max_user_namespaces': [undefined, '0', '1', '15000'],
  'kernel/unprivileged_userns_clone': [undefined, '0', '1', ''],
  'kernel/apparmor_restrict_unprivileged_userns': [undefined, '0', '1', ''],
} as const;

/** All subsets. */
const sets = <T>(of: readonly T[]): T[][] =>
  Array.from({ length: 2 ** of.length }, (_, bits) => of.filter((_, i) => (bits >> i) & 1));

t.test('all machines', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodegrub-methods-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const all: { machine: Machine; name: string; words: string }[] = [];
  const [users, clones, apparmors] = Object.values(SETTINGS);
  for (const a of users!)
    for (const b of clones!)
      for (const c of apparmors!) {
        const settings = Object.fromEntries(Object.keys(SETTINGS).map((key, i) => [key, [a, b, c][i]]));
        const folder = join(dir, String(all.length));
        for (const [key, value] of Object.entries(settings)) {
          mkdirSync(dirname(join(folder, key)), { recursive: true });
          if (value !== undefined) writeFileSync(join(folder, key), value === '' ? '' : `${value}\n`);
        }
        for (const programs of sets(PROGRAMS)) {
          const machine = {
            has: (program: string) => programs.includes(program),
            setting: (key: string) => settings[key],
          };
          const name = `${programs.join(' ')}; ${JSON.stringify(settings)}`;
          all.push({ machine, name, words: `${folder} ${programs.join(' ')}` });
        }
      }
  // The script as it is, with another /proc/sys and other programs.
  const script = readFileSync(join(ROOT, 'lib/sandbox/confine.sh'), 'utf8').replaceAll('/proc/sys', '$sys');
  const r = spawnSync(
    '/bin/sh',
    [
      '-c',
      `${script}
find_program() { case " $have " in *" $1 "*) program=/usr/bin/$1 ;; *) return 1 ;; esac; }
while read -r sys have; do choose_method && echo "$method" || echo none; done`,
    ],
    { input: `${all.map(({ words }) => words).join('\n')}\n`, encoding: 'utf8' },
  );
  t.equal(r.stderr, '');
  const said = r.stdout.trimEnd().split('\n');
  t.equal(said.length, all.length);
  t.equal(all.length, 2048);
  const met = new Set<string>();
  const different: string[] = [];
  for (const [i, { machine, name }] of all.entries()) {
    const [best = 'none'] = methods('root', machine).methods;
    // The script takes no other way; it leaves them to Node.
    const wanted = best === 'unshare' ? 'none' : best;
    met.add(best);
    if (said[i] !== wanted) different.push(`${name}: ${said[i]}, ${wanted}`);
  }
  t.same(different, []);
  t.same([...met].sort(), ['bwrap', 'bwrap-root', 'none', 'unshare']);
});

t.test('why a way is not there', async (t) => {
  const machine = (programs: string[], settings: Record<string, string> = {}): Machine => ({
    has: (program) => programs.includes(program),
    setting: (name) => settings[name],
  });
  const [forbidden, allowed] = ['0', '15000'].map((n) => ({ 'user/max_user_namespaces': n }));
  t.same(methods('user', machine(['bwrap'])).methods, []);
  t.same(methods('user', machine(['bwrap'], allowed)), { methods: ['bwrap'], reasons: [] });
  t.same(methods('user', machine(['bwrap'], forbidden)), {
    methods: [],
    reasons: ['user namespaces are forbidden here'],
  });
  t.same(methods('user', machine(PROGRAMS.slice(1))), { methods: [], reasons: ['bwrap not installed'] });
  t.same(methods('root', machine([])), {
    methods: [],
    reasons: ['bwrap and setpriv not installed', 'unshare and setpriv and prlimit and mount not installed'],
  });
  t.same(methods('root', machine(PROGRAMS, allowed)).methods, ['bwrap', 'bwrap-root', 'unshare']);
  t.same(methods('root', machine(PROGRAMS, forbidden)).methods, ['bwrap-root', 'unshare']);
});
