/** The built program: size, and that classes exist once across its files. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './support';

const dist = join(ROOT, 'dist');
const work = mkdtempSync(join(tmpdir(), 'nodegrub-build-'));
t.teardown(() => rmSync(work, { recursive: true }));

/** Runs a script over dist/ in a Node of its own, without `-e` and tap's hook, which load modules themselves. */
function script(text: string, folder = dist) {
  const file = join(work, 'script.js');
  writeFileSync(file, `const nodegrub = require(${JSON.stringify(join(folder, 'nodegrub.js'))});\n${text}`);
  return spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', file], { encoding: 'utf8' });
}

t.test('the core is small, the launcher executable', async (t) => {
  const { size } = statSync(join(dist, 'core.js'));
  t.ok(size <= 100_000, `${size} bytes`);
  t.ok(statSync(join(dist, 'nodegrub.js')).mode & 0o100);
  t.ok(readFileSync(join(dist, 'nodegrub.js'), 'utf8').startsWith('#!/usr/bin/env node\n'));
});

t.test('an error that a chunk throws is caught by its class in the core', async (t) => {
  const r = script(`
    const { GuestError } = nodegrub.load('core.js').modules['lib/bytes/errors'];
    const { driver } = nodegrub.load('fsdrivers-ext.js');
    const source = { label: 'x', size: 4096, sectorSize: 512, read(at, into) {
      into.fill(0);
      if (at <= 1080 && at + into.length > 1081) { into[1080 - at] = 0x53; into[1081 - at] = 0xef; } } };
    const ctx = { budget: { step() {}, read() {}, allocate() {} }, warn() {} };
    try { driver.open([source], ctx); console.log('opened'); }
    catch (error) { console.log(error instanceof GuestError, error.name); }`);
  t.equal(r.stdout, 'true GuestError\n', r.stderr);
});

t.test('no chunk holds what the core has', async (t) => {
  const chunks = readdirSync(dist).filter((name) => /-.*\.js$/.test(name) && !name.startsWith('make-'));
  t.ok(chunks.length >= 2);
  for (const name of chunks) {
    const text = readFileSync(join(dist, name), 'utf8');
    // One that needs nothing (a checksum) is right without.
    if (text.includes('require(')) t.match(text, /require\("\.\/core\.js"\)/, `${name} asks the core`);
    t.notMatch(text, /"GuestError"/, `${name} has no GuestError of its own`);
  }
});

t.test('only what is needed is loaded', async (t) => {
  const r = script(`nodegrub.load('core.js');
    console.log([...nodegrub.loaded.keys()].join(),
      process.moduleLoadList.filter((m) => /NativeModule (zlib|crypto|child_process|readline)$/.test(m)).join());`);
  t.equal(r.stdout, 'core.js \n', r.stderr);
});

t.test('the script that an xl.cfg names', async (t) => {
  const copy = join(work, 'started');
  cpSync(dist, copy, { recursive: true });
  const stamp = join(copy, 'node.stamp');
  const link = join(work, 'link');
  symlinkSync(join(copy, 'nodegrub'), link);
  // What a Node is started with: the flags, and the cache that belongs to them.
  writeFileSync(
    join(copy, 'nodegrub.js'),
    `console.log(process.execArgv.length, process.argv.slice(2).join('|'));`,
  );
  const run = (program: string, cwd = '/') =>
    spawnSync(program, ['a b', '-q', "it's"], { encoding: 'utf8', cwd, env: { PATH: process.env.PATH } });
  const text = readFileSync(join(copy, 'nodegrub'), 'utf8');
  const flags = /exec "\$n" (--.*) "\$d/.exec(text)?.[1]?.split(' ').length ?? 0;
  t.ok(flags > 0, text);
  spawnSync('touch', ['-r', process.execPath, stamp]);
  for (const [program, cwd] of [
    [join(copy, 'nodegrub'), '/'],
    [link, '/'],
    ['./nodegrub', copy],
  ] as const) {
    const { stdout, stderr } = run(program, cwd);
    t.same([stdout, stderr], [`${flags} a b|-q|it's\n`, ''], program);
  }
  spawnSync('touch', [stamp]);
  t.equal(run(link).stdout, "0 a b|-q|it's\n", 'another Node than the one that was asked: no flags');
  writeFileSync(join(copy, 'nodegrub'), text.replace(/^n=.*$/m, "n='/no/such/node'"));
  t.equal(run(link).stdout, "0 a b|-q|it's\n", 'none there: the one on PATH');
});

t.test('what the script forbids Node', async (t) => {
  const flags = /exec "\$n" (--.*) "\$d/.exec(readFileSync(join(dist, 'nodegrub'), 'utf8'))![1]!.split(' ');
  const tries = {
    "new Function('return 1')()": /EvalError/,
    "eval('1')": /EvalError/,
    '({}).__proto__': /ERR_PROTO_ACCESS/,
    "process.dlopen({}, '/lib/x86_64-linux-gnu/libc.so.6')": /ERR_DLOPEN_DISABLED/,
  };
  for (const [text, refusal] of Object.entries(tries)) {
    const file = join(work, 'forbidden.js');
    writeFileSync(file, text);
    const run = (...options: string[]) =>
      spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', ...options, file], { encoding: 'utf8' });
    t.match(run(...flags).stderr, refusal, text);
    t.notMatch(run().stderr, refusal, `${text} without the flags`);
  }
});

t.test('the code cache', async (t) => {
  const copy = join(work, 'dist');
  cpSync(dist, copy, { recursive: true });
  const { stdout: flags } = spawnSync(
    'sed',
    ['-n', 's/.*exec "$n" \\(--.*\\) "$d.*/\\1/p', join(copy, 'nodegrub')],
    {
      encoding: 'utf8',
    },
  );
  const withFlags = spawnSync(
    'env',
    [
      '-i',
      `PATH=${process.env.PATH}`,
      'node',
      ...flags.trim().split(' '),
      '-p',
      `const n = require(${JSON.stringify(join(copy, 'nodegrub.js'))}); n.load('core.js'); n.loaded.get('core.js').script.cachedDataRejected`,
    ],
    { encoding: 'utf8' },
  );
  t.equal(withFlags.stdout, 'false\n', `that for ${flags} is taken with them`);
  const rejected = () =>
    script(
      `nodegrub.load('core.js'); console.log(nodegrub.loaded.get('core.js').script.cachedDataRejected);`,
      copy,
    );
  t.equal(rejected().stdout, 'false\n', 'is taken by the Node that built');
  const boots = () =>
    spawnSync('env', [
      '-i',
      `PATH=${process.env.PATH}`,
      'node',
      join(copy, 'nodegrub.js'),
      '-qn',
      join(ROOT, 'fixtures/images/example.img'),
    ]);
  const good = boots();
  t.equal(good.status, 0);
  for (const [what, bytes] of [
    ['empty', Buffer.alloc(0)],
    ['of another Node', Buffer.alloc(5000, 7)],
  ] as const) {
    writeFileSync(join(copy, 'core.js.cache'), bytes);
    t.equal(rejected().stdout, 'true\n', `one that is ${what} is not taken`);
    t.same(boots().stdout, good.stdout, 'and the program works');
  }
  rmSync(join(copy, 'core.js.cache'));
  t.same(boots().stdout, good.stdout, 'as it does without one');
});
