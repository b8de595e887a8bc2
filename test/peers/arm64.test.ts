/**
 * The built program on arm64: the Node of packaging/tarball/node.json, run by QEMU's user mode, says of disks what this machine's says.
 * What depends on the machine (EFI programs and unified images, which are for one) is left out. The sandbox's filter is not loaded:
 * QEMU's user mode has none (seccomp.test.ts looks at it).
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { ROOT, sample, THOROUGH } from '../support';
import { EXAMPLE, must, NODEGRUB, run, scratch, sha256 } from './support';

const dir = scratch(t);
const { version, packages } = JSON.parse(
  readFileSync(join(ROOT, 'packaging', 'tarball', 'node.json'), 'utf8'),
);
const { name, integrity } = packages.arm64;

const packed = run('npm', ['pack', '--silent', '--pack-destination', dir, `${name}@${version}`], {
  env: { ...process.env, NODE_OPTIONS: '' },
});
if (packed.status !== 0) throw new Error(packed.stderr);
const archive = join(dir, `${name}-${version}.tgz`);
const hash = createHash('sha512').update(readFileSync(archive)).digest('base64');
must('tar', '-C', dir, '-xzf', archive, 'package/bin/node');

const arm64 = [
  'qemu-aarch64-static',
  '-L',
  '/usr/aarch64-linux-gnu',
  join(dir, 'package', 'bin', 'node'),
] as const;
/** Said by this machine's Node and by that of arm64. */
const both = (...args: string[]) =>
  [[process.execPath], arm64].map(([program, ...words]) => run(program!, [...words, NODEGRUB, ...args]));

t.test('the Node of the tarball', async (t) => {
  t.equal(`sha512-${hash}`, integrity);
  t.equal(must(...arm64, '-p', 'process.arch + process.version'), `arm64v${version}\n`);
});

t.test('a boot', async (t) => {
  const expected = JSON.parse(readFileSync(EXAMPLE.replace(/img$/, 'expected.json'), 'utf8'));
  const out = join(dir, 'out');
  mkdirSync(out);
  const r = run(arm64[0], [
    ...arm64.slice(1),
    NODEGRUB,
    '-q',
    '--output-format=simple',
    `--output-directory=${out}`,
    EXAMPLE,
  ]);
  t.equal(r.stderr, '');
  const file = (what: string) => new RegExp(`^${what} (.*)$`, 'm').exec(r.stdout)![1]!;
  for (const what of ['kernel', 'ramdisk'])
    t.equal(sha256(readFileSync(file(what))), expected[what].sha256, what);
  t.equal(file('args'), expected.args);
});

t.test('what is on the disks', async (t) => {
  const seen = new Set<string>();
  const images = readdirSync(join(ROOT, 'fixtures', 'images')).filter((image) => {
    if (!image.endsWith('.img.gz') || /^(sdboot|uki)/.test(image)) return false;
    const kind = image.split(/[-.]/)[0]!;
    const first = !seen.has(kind);
    seen.add(kind);
    return THOROUGH || first;
  });
  t.ok(images.length > 20, `${images.length} images`);
  for (const image of sample(images, 4)) {
    const path = join(dir, image.replace(/\.gz$/, ''));
    writeFileSync(path, gunzipSync(readFileSync(join(ROOT, 'fixtures', 'images', image))));
    const [here, there] = both('-l', '--output-format=json', path);
    t.same(there, here, image);
    t.not(here!.stdout + here!.stderr, '', 'something is said');
  }
});
