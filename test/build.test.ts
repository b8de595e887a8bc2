/** The built program: size, and that classes exist once across its files. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './support';

const dist = join(ROOT, 'dist');

t.test('the core is small and executable', async (t) => {
  const { size, mode } = statSync(join(dist, 'nodegrub.js'));
  t.ok(size <= 100_000, `${size} bytes`);
  t.ok(mode & 0o100);
  t.ok(readFileSync(join(dist, 'nodegrub.js'), 'utf8').startsWith('#!/usr/bin/env node\n'));
});

t.test('an error that a chunk throws is caught by its class in the core', async (t) => {
  const script = `
    const { modules } = require('./nodegrub.js');
    const { GuestError } = modules['lib/bytes/errors'];
    const { driver } = require('./fsdrivers-ext.js');
    const source = { label: 'x', size: 4096, sectorSize: 512, read(at, into) { into.fill(0); if (at <= 1080 && at + into.length > 1081) { into[1080 - at] = 0x53; into[1081 - at] = 0xef; } } };
    const ctx = { budget: { step() {}, read() {}, allocate() {} }, warn() {} };
    try { driver.open([source], ctx); console.log('opened'); }
    catch (error) { console.log(error instanceof GuestError, error.name); }`;
  t.equal(execFileSync('node', ['-e', script], { cwd: dist, encoding: 'utf8' }), 'true GuestError\n');
});

t.test('no chunk holds what the core has', async (t) => {
  for (const name of readdirSync(dist)) {
    if (name === 'nodegrub.js') continue;
    const text = readFileSync(join(dist, name), 'utf8');
    t.match(text, /require\("\.\/nodegrub\.js"\)/, `${name} asks the core`);
    t.notMatch(text, /"GuestError"/, `${name} has no GuestError of its own`);
  }
});

t.test('only what is needed is loaded', async (t) => {
  const script = `require('./nodegrub.js');
    console.log(Object.keys(require.cache).length,
      process.moduleLoadList.filter((m) => /NativeModule (zlib|crypto|child_process|readline)$/.test(m)).join());`;
  // Without tap's hook in NODE_OPTIONS, which loads them itself.
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', '-e', script], {
    cwd: dist,
    encoding: 'utf8',
  });
  t.equal(r.stdout, '1 \n', r.stderr);
});
