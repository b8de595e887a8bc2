/** The built program: size, and that classes exist once across its files. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
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
const EXAMPLE = join(ROOT, 'fixtures', 'images', 'example.img');
const work = mkdtempSync(join(tmpdir(), 'nodegrub-build-'));
t.teardown(() => rmSync(work, { recursive: true }));

/** Runs a script over dist/ in a Node of its own, without `-e` and tap's hook, which load modules themselves. */
function script(text: string, folder = dist, before = '') {
  const file = join(work, 'script.js');
  writeFileSync(
    file,
    `${before}\nconst nodegrub = require(${JSON.stringify(join(folder, 'nodegrub.js'))});\n${text}`,
  );
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
    const { GuestError } = nodegrub.load('core.js').modules['bytes/errors'];
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

/** What V8 and Node are told for speed, and what only the command line can forbid. */
const HARD = ['--disallow-code-generation-from-strings', '--disable-proto=throw', '--no-addons'];

t.test('the script that an xl.cfg names', async (t) => {
  const copy = join(work, 'started');
  cpSync(dist, copy, { recursive: true });
  const stamp = join(copy, 'node.stamp');
  const link = join(work, 'link');
  symlinkSync(join(copy, 'nodegrub'), link);
  // What a Node is started with, and what it may then do.
  writeFileSync(
    join(copy, 'nodegrub.js'),
    `const may = (what) => { try { what(); return true; } catch { return false; } };
    const codeOf = (what) => { try { what(); } catch (error) { return error.code; } };
    const { readFileSync } = require('fs');
    console.log(JSON.stringify({
      flags: process.execArgv, words: process.argv.slice(2), umask: process.umask(), ring: process.env.UV_USE_IO_URING,
      evaluates: may(() => Function('return 1')()), proto: may(() => ({}).__proto__),
      addons: codeOf(() => process.dlopen({ exports: {} }, '/no/such.node')) !== 'ERR_DLOPEN_DISABLED',
      status: readFileSync('/proc/self/status', 'utf8'), limits: readFileSync('/proc/self/limits', 'utf8') }));`,
  );
  const run = (program: string, cwd = '/', environment: object = {}) => {
    const variables = Object.entries({ PATH: process.env.PATH, ...environment }).map((v) => v.join('='));
    const r = spawnSync('env', ['-i', ...variables, program, 'a b', '-q', "it's"], { encoding: 'utf8', cwd });
    t.equal(r.stderr, '');
    return JSON.parse(r.stdout);
  };
  const limit = (of: { limits: string }, name: string) =>
    new RegExp(`^Max ${name} +(\\S+) +(\\S+)`, 'm').exec(of.limits)?.slice(1);
  const text = readFileSync(join(copy, 'nodegrub'), 'utf8');
  const changed = (what: RegExp, by: string) => {
    t.match(text, what);
    writeFileSync(join(copy, 'nodegrub'), text.replace(what, by));
  };
  spawnSync('touch', ['-r', process.execPath, stamp]);
  for (const [program, cwd] of [
    [join(copy, 'nodegrub'), '/'],
    [link, '/'],
    ['./nodegrub', copy],
  ] as const) {
    const seen = run(program, cwd);
    t.match(seen, {
      words: ['a b', '-q', "it's"],
      evaluates: false,
      proto: false,
      addons: false,
      umask: 0o77,
      ring: '0',
    });
    t.ok(
      seen.flags.some((flag: string) => /^--[a-z-]+=\d+$/.test(flag)),
      `for speed: ${seen.flags}`,
    );
    t.same(
      HARD.filter((flag) => !seen.flags.includes(flag)),
      [],
      'all that forbid something',
    );
    t.same(limit(seen, 'core file size'), ['0', '0']);
    const most = spawnSync('sh', ['-c', 'ulimit -f'], { encoding: 'utf8' }).stdout;
    if (most === 'unlimited\n') t.same(limit(seen, 'file size'), ['2147483648', '2147483648']);
    if (existsSync('/usr/bin/setpriv')) t.match(seen.status, /^NoNewPrivs:\t1$/m);
  }
  for (const name of ['NODEGRUB_MAX_PAYLOAD_BYTES', 'PYGRUB_MAX_FILE_SIZE_MB'])
    t.not(
      limit(run(link, '/', { [name]: '5' }), 'file size')![0],
      '2147483648',
      `${name}: the program counts`,
    );
  const lower = join(work, 'lower');
  writeFileSync(lower, `#!/bin/sh\nulimit -f 4096\nexec '${link}' "$@"\n`, { mode: 0o755 });
  t.same(limit(run(lower), 'file size'), ['2097152', '2097152'], 'a lower limit stays');
  for (const [name, value] of Object.entries({
    NODE_OPTIONS: '--no-such-option',
    NODE_EXTRA_CA_CERTS: '/no/such/file',
    NODE_DEBUG: 'fs,module',
    NODE_V8_COVERAGE: work,
    UV_USE_IO_URING: '1',
  }))
    t.match(run(link, '/', { [name]: value }), { ring: '0', evaluates: false }, `${name}=${value}`);
  changed(/^p=.*$/m, "p='/no/such/setpriv --no-new-privs'");
  t.match(run(link), { evaluates: false }, 'no setpriv any more');
  writeFileSync(join(copy, 'nodegrub'), text);
  spawnSync('touch', [stamp]);
  const other = run(link);
  t.same(
    HARD.filter((flag) => !other.flags.includes(flag)),
    [],
    'another Node than the one that was asked knows these, too',
  );
  t.notOk(
    other.flags.some((flag: string) => /=\d+$/.test(flag)),
    'and is not given the others',
  );
  changed(/^f=.*$/m, "f='--no-such-flag'");
  t.same(run(link).flags, [], 'one that does not know them is started without');
  changed(/^n=.*$/m, "n='/no/such/node'");
  t.match(run(link), { words: ['a b', '-q', "it's"], evaluates: false }, 'none there: the one on PATH');
});

t.test('what the script forbids Node', async (t) => {
  const flags = /^f='(.*)'$/m.exec(readFileSync(join(dist, 'nodegrub'), 'utf8'))![1]!.split(' ');
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
  const text = readFileSync(join(copy, 'nodegrub'), 'utf8');
  const fast = /exec \$p "\$n" (.*) \$f /.exec(text)?.[1] ?? '';
  const hard = /^f='(.*)'$/m.exec(text)?.[1] ?? '';
  t.match(hard, /^--/);
  for (const flags of [[], `${fast} ${hard}`.trim().split(/ +/)]) {
    const file = join(work, 'boot.js');
    writeFileSync(
      file,
      `const { load, loaded } = require(${JSON.stringify(join(copy, 'nodegrub.js'))});
      load('core.js').main(['-qn', '--output=/dev/null', ${JSON.stringify(EXAMPLE)}], 'nodegrub').then((status) =>
        console.log(status, [...loaded].map(([name, { script }]) => name + ' ' + script.cachedDataRejected).join()));`,
    );
    const boot = spawnSync('env', ['-i', process.execPath, ...flags, file], { encoding: 'utf8' });
    t.match(boot.stdout, /^0 core\.js false(,\S+ false){2,}\n$/, `${flags}: every script is taken from it`);
  }
  const rejected = () =>
    script(
      `nodegrub.load('core.js'); console.log(nodegrub.loaded.get('core.js').script.cachedDataRejected);`,
      copy,
    );
  t.equal(rejected().stdout, 'false\n', 'is taken by the Node that built');
  // A folder copied to a machine of another architecture: V8 there would take what was made here, and crash.
  const other = `Object.defineProperty(process, 'arch', { value: 'other' });`;
  t.equal(
    script(
      `nodegrub.load('core.js'); console.log(nodegrub.loaded.get('core.js').script.cachedDataRejected);`,
      copy,
      other,
    ).stdout,
    'undefined\n',
    'is not looked at by another architecture',
  );
  const mine = `core.js.${process.arch}.cache`;
  const boots = () =>
    spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', join(copy, 'nodegrub.js'), '-qn', EXAMPLE]);
  const good = boots();
  t.equal(good.status, 0);
  for (const [what, bytes] of [
    ['empty', Buffer.alloc(0)],
    ['of another Node', Buffer.alloc(5000, 7)],
  ] as const) {
    writeFileSync(join(copy, mine), bytes);
    t.equal(rejected().stdout, 'true\n', `one that is ${what} is not taken`);
    t.same(boots().stdout, good.stdout, 'and the program works');
  }
  rmSync(join(copy, mine));
  t.same(boots().stdout, good.stdout, 'as it does without one');
});
