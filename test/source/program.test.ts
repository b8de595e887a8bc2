/** The built program over images: what comes out is what comes out of the raw disk; and the raw disk's way is what it was. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { image, ROOT } from '../support';

const dir = t.testdir({});
const EXAMPLE = join(ROOT, 'fixtures/images/example.img');
let runs = 0;

/** Through env(1): tap would put hooks of its own into a child of Node's. */
function boot(...args: string[]) {
  const out = join(dir, `out${runs++}`);
  mkdirSync(out);
  const program = [
    join(ROOT, 'dist/nodegrub.js'),
    '-q',
    '--output-format=simple0',
    `--output-directory=${out}`,
  ];
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', ...program, ...args], {
    encoding: 'latin1',
  });
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(out, name)))
      .digest('hex');
  // Names end with random letters.
  const files = readdirSync(out).sort();
  const result = r.stdout.replaceAll(/(kernel|ramdisk) \S+?(?=\0)/g, '$1');
  return { status: r.status, said: r.stderr, result, files: files.map(hash) };
}

const put = (name: string, bytes: Uint8Array): string => {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return path;
};
const wanted = boot(EXAMPLE);

t.test('the raw disk boots', async (t) => {
  t.equal(wanted.status, 0, wanted.said);
  t.equal(wanted.files.length, 2);
  t.match(wanted.result, /args root=/);
});

for (const [fixture, name] of [
  ['qcow2-plain', 'a.qcow2'],
  ['qcow2-v2', 'disk'],
  ['qcow2-zlib', 'b.qcow2'],
  ['qcow2-zstd', 'c.qcow2'],
  ['qcow2-extended', 'd.qcow2'],
  ['qcow-plain', 'a.qcow'],
  ['qed-plain', 'a.qed'],
  ['vhd-dynamic', 'a.vhd'],
  ['vhd-fixed', 'b.vhd'],
  ['vhdx-plain', 'a.vhdx'],
  ['vmdk-sparse', 'a.vmdk'],
  ['vmdk-stream', 'b.vmdk'],
  ['vmdk-footer', 'c.vmdk'],
  ['vdi-plain', 'a.vdi'],
  ['parallels-plain', 'a.hdd'],
  ['gzip-plain', 'a.raw.gz'],
] as const)
  t.test(`${fixture} boots as the raw disk does`, async (t) => {
    t.same(boot(put(name, image(`${fixture}.img`))), { ...wanted, said: wanted.said });
  });

t.test('switches', async (t) => {
  const snapshot = put('snapshot.qcow2', image('qcow2-snapshot.img'));
  t.same(boot('--image-snapshot=before', snapshot), wanted);
  const now = boot('--no-guess', snapshot);
  t.not(now.status, 0, 'its first megabyte was overwritten after the snapshot');
  t.match(boot('--image-snapshot=other', snapshot), {
    status: 1,
    said: /RuntimeError: .*no snapshot 'other'/,
  });
  const qcow2 = put('named.img', image('qcow2-plain.img'));
  t.same(boot('--image-format=qcow2', qcow2), wanted);
  t.same(boot('--image-format=auto', qcow2), wanted);
  t.match(boot('--image-format=raw', '--no-guess', qcow2), { status: 1, files: [] });
  t.match(boot('--image-format=vhdx', qcow2), { status: 1, said: /RuntimeError: .*not a VHDX image/ });
  t.match(boot('--image-format=zip', qcow2), {
    status: 1,
    said: /RuntimeError: .*unknown image format 'zip'/,
  });
  t.match(boot('--image-references=all', '--image-format=qcow2', qcow2), {
    status: 1,
    said: /RuntimeError: .*none or directory/,
  });
  t.match(boot('--image-references=directory', qcow2), { status: 1, said: /needs --image-format/ });
  t.same(boot('--image-format=raw', EXAMPLE), wanted);
});

t.test('extents in files of their own', async (t) => {
  mkdirSync(join(dir, 'flat'));
  copyFileSync(EXAMPLE, join(dir, 'flat/disk-flat.vmdk'));
  const sectors = image('example.img').length / 512;
  const text = `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\nRW ${sectors} FLAT "disk-flat.vmdk" 0\n`;
  const path = put('flat/disk.vmdk', Buffer.from(text));
  t.same(boot('--image-format=vmdk', '--image-references=directory', path), wanted);
  t.match(boot(path), {
    status: 1,
    files: [],
    said: /RuntimeError: .*'disk-flat.vmdk' is not read: this needs --image-format=vmdk and --image-references=directory/,
  });
});

/** Boots in a Node of its own that tells which of our files were loaded, and how often the disk was read. */
function watched(disk: string) {
  const script = put(
    'watch.js',
    Buffer.from(`
      const { load, loaded } = require(${JSON.stringify(join(ROOT, 'dist/nodegrub.js'))});
      const { modules } = load('core.js');
      const { Bootloader } = modules.bootloader;
      const fs = require('fs');
      const fd = fs.openSync(process.argv[2]);
      const size = fs.fstatSync(fd).size;
      let reads = [];
      const disk = { label: 'x.img', size, sectorSize: 512, read(at, into) {
        reads.push([at, into.length]);
        for (let n = 0; n < into.length; ) n += fs.readSync(fd, into, n, into.length - n, at + n);
      } };
      const loader = new Bootloader({ disks: [disk], quiet: true, guess: true, say() {} });
      loader.decide(undefined);
      console.log(JSON.stringify({ loaded: [...loaded.keys()], reads }));`),
  );
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, 'node', script, disk], { encoding: 'utf8' });
  t.equal(r.status, 0, r.stderr);
  return JSON.parse(r.stdout) as { loaded: string[]; reads: [number, number][] };
}

t.test('nothing is added to the raw disk', async (t) => {
  const raw = watched(EXAMPLE);
  // As it was before there were image formats; compared on a Debian disk, too.
  t.same(raw.loaded, ['core.js', 'fsdrivers-ext.js']);
  const pages = [0, 16384, 32768, 65536, 49152];
  t.same(
    raw.reads,
    pages.map((at) => [at, 16384]),
    'its first page tells a raw disk, and is read once',
  );
  const qcow2 = watched(put('watched.qcow2', image('qcow2-plain.img')));
  t.ok(
    qcow2.loaded.some((name) => /qcow2/.test(name)),
    `loaded: ${qcow2.loaded}`,
  );
  t.notOk(
    qcow2.loaded.some((name) => /vmdk|vhd|gzip/.test(name)),
    'one format alone',
  );
});
