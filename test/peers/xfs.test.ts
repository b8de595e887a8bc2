/** XFS over mkfs.xfs' switches against the kernel's mount; dirty logs against the kernel's own recovery of a copy. */
import { copyFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walk } from '../../lib/fs/walk';
import { MOST, ran } from '../hostile/growth';
import { must, scratch } from './support';
import { differences, MANY, mounted, openImage, plantTree, sameIdentity } from './trees';

const dir = scratch(t);
const image = join(dir, 'image');
const copy = join(dir, 'copy');
const mnt = join(dir, 'mnt');
const tree = join(dir, 'tree');
plantTree(tree, { files: 1600, fifo: true });

/** mkfs.xfs makes nothing below 300 MB without being told that it is tested. */
function mkfs(size: number, switches: string): void {
  rmSync(image, { force: true });
  writeFileSync(image, '');
  truncateSync(image, size);
  must(
    'env',
    'TEST_DIR=1',
    'TEST_DEV=1',
    'QA_CHECK_FS=1',
    'mkfs.xfs',
    '-q',
    '-f',
    ...switches.split(' ').filter(Boolean),
    image,
  );
}
const clean = 'ro,norecovery';

for (const s of [
  '',
  '-L label -m uuid=0e5c1f3a-77aa-4d55-9f00-0123456789ab',
  '-b size=1024',
  '-b size=1024 -n size=65536',
  '-n size=8192',
  '-n size=16384 -i size=1024',
  '-i size=2048',
  '-m reflink=0,rmapbt=0',
  '-m rmapbt=1',
  '-m bigtime=0,inobtcount=0',
  '-m finobt=0,reflink=0',
  '-i sparse=0',
  '-i nrext64=1',
  '-s size=4096',
  '-l size=16m,su=32k',
  '-d agcount=7',
])
  t.test(`mkfs.xfs ${s}`, async (t) => {
    mkfs(160 * 2 ** 20, s);
    mounted(image, mnt, '', () => must('cp', '-a', `${tree}/.`, mnt));
    const opened = openImage(image);
    mounted(image, mnt, clean, () => t.same(differences(opened, mnt), []));
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, image);
  });

t.test('blocks of 8 and 64 KiB, where the kernel mounts them', async (t) => {
  for (const size of [8192, 65536]) {
    mkfs(400 * 2 ** 20, `-b size=${size}`);
    const simple = join(dir, `simple${size}`);
    mkdirSync(join(simple, 'boot'), { recursive: true });
    writeFileSync(join(simple, 'boot/kernel'), 'k'.repeat(200_000));
    for (let i = 0; i < 300; i++) writeFileSync(join(simple, `file-${i}`), `${i}`);
    // By a prototype file: kernels before 6.12 mount no block larger than a page.
    const names = Array.from({ length: 300 }, (_, i) => `file-${i} ---644 0 0 ${simple}/file-${i}\n`).join(
      '',
    );
    writeFileSync(
      join(dir, 'proto'),
      `/\n0 0\nd--755 0 0\nboot d--755 0 0\nkernel ---644 0 0 ${simple}/boot/kernel\n$\n${names}$\n`,
    );
    mkfs(400 * 2 ** 20, `-b size=${size} -p ${join(dir, 'proto')}`);
    t.same(differences(openImage(image), simple), [], `${size}`);
  }
});

t.test('version 4, by prototype files', async (t) => {
  const simple = join(dir, 'four');
  mkdirSync(join(simple, 'd'), { recursive: true });
  const lines = [];
  for (let i = 0; i < 3000; i++) {
    writeFileSync(join(simple, 'd', `some-file-${i}`), `${i}`.repeat(i % 700));
    lines.push(`some-file-${i} ---644 0 0 ${simple}/d/some-file-${i}\n`);
  }
  must('ln', '-s', 'x'.repeat(1000), join(simple, 'long'));
  must('ln', '-s', 'd/some-file-7', join(simple, 'short'));
  writeFileSync(
    join(dir, 'proto'),
    `/\n0 0\nd--755 0 0\nlong l--777 0 0 ${'x'.repeat(1000)}\nshort l--777 0 0 d/some-file-7\nd d--755 0 0\n${lines.join('')}$\n$\n`,
  );
  for (const s of [
    '',
    '-n ftype=1',
    '-n ftype=0',
    '-b size=512',
    '-b size=1024 -n size=4096',
    '-i size=512,attr=2 -l version=1',
    '-s size=4096',
  ])
    await t.test(`-m crc=0 ${s}`, async (t) => {
      mkfs(64 * 2 ** 20, `-m crc=0 ${s} -p ${join(dir, 'proto')}`);
      const opened = openImage(image);
      t.same(differences(opened, simple), []);
      t.same(opened.ctx.warnings, []);
      sameIdentity(t, opened.fs, image);
    });
});

/** Names come, go and move, directories grow and shrink through their forms, files are fragmented. */
const CHANGES = `
import os, random, sys
random.seed(int(sys.argv[2])); os.chdir(sys.argv[1])
def w(p, n):
    with open(p, 'wb') as f: f.write(b'x' * n)
os.makedirs('big')
for i in range(1500): w(f'big/file-{i}', i % 50 * 10)
for i in range(0, 1500, 3): os.unlink(f'big/file-{i}')
for k in range(40):
    os.makedirs(f'd{k}x/e')
    for i in range(random.randrange(60)): w(f'd{k}x/f{i}', random.choice([0, 10, 5000, 70000]))
    os.symlink('x' * random.choice([5, 300, 900]), f'd{k}x/l')
for k in range(0, 40, 4):
    for f in os.listdir(f'd{k}x'):
        p = f'd{k}x/{f}'
        os.rmdir(p) if f == 'e' else os.unlink(p)
    os.rmdir(f'd{k}x')
os.rename('names', 'moved'); os.rename('boot/vmlinuz', 'boot/vmlinuz.old'); w('boot/vmlinuz', 200000)
fd = os.open('fragments', os.O_CREAT | os.O_RDWR)
for i in range(300): os.pwrite(fd, b'p%d' % i, i * 9000)
os.close(fd)
`;
for (const [seed, s] of [
  '',
  '-b size=1024',
  '-m rmapbt=1 -i nrext64=1',
  '-l su=256k -s size=4096',
  '-n size=16384 -i size=1024',
  '-l size=10m',
  '-m bigtime=0,inobtcount=0 -i sparse=0',
].entries())
  t.test(`a dirty log: mkfs.xfs ${s}`, async (t) => {
    mkfs(160 * 2 ** 20, s);
    mounted(image, mnt, '', () => {
      for (const part of ['boot', 'names', 'links']) must('cp', '-a', join(tree, part), mnt);
      must('sync', '-f', mnt);
      must('python3', '-c', CHANGES, mnt, `${seed}`);
      must('xfs_io', '-x', '-c', 'shutdown -f', mnt);
    });
    copyFileSync(image, copy);
    const opened = openImage(image);
    mounted(image, mnt, clean, () => t.not(differences(opened, mnt).length, 0, 'the log changes something'));
    mounted(copy, mnt, '', () => t.same(differences(opened, mnt), [], 'as after the kernel replayed it'));
    t.same(opened.ctx.warnings, []);
  });

t.test('many files', async (t) => {
  const large = join(dir, 'large');
  plantTree(large, { files: MANY, fifo: true });
  mkfs(400 * 2 ** 20, '');
  mounted(image, mnt, '', () => must('cp', '-a', `${large}/.`, mnt));
  rmSync(large, { recursive: true });
  const opened = openImage(image);
  mounted(image, mnt, clean, () => t.same(differences(opened, mnt), []));
});

t.test('a directory of 100,000 names in fragments', async (t) => {
  const count = 100_000;
  mkfs(600 * 2 ** 20, '-b size=1024');
  mounted(image, mnt, '', () =>
    must(
      'python3',
      '-c',
      `
import os, sys
os.chdir(sys.argv[1]); os.mkdir('d')
fd = os.open('fragments', os.O_CREAT | os.O_RDWR)
for i in range(${count}):
    os.close(os.open(f'd/file-{i}', os.O_CREAT | os.O_WRONLY))
    if i % 25 == 0:
        with open(f'between-{i}', 'wb') as f: f.write(b'y' * 3000)
        os.pwrite(fd, b'piece %d' % i, i * 800)
    if i % 5000 == 0: os.sync()
`,
      mnt,
    ),
  );
  const { fs, ctx } = openImage(image);
  const d = walk(fs, '/d');
  // Names spread over the directory.
  const found = ran(500, (names) => () => {
    for (let i = 0; i < names; i++) if (!fs.lookup(d, `file-${(i * 7919) % count}`)) t.fail(`${i}`);
  });
  t.ok(found < MOST, `n^${found.toFixed(2)}`);
  t.equal([...fs.readdir(d)].length, count);
  t.ok([...fs.extents(walk(fs, '/fragments'))].length > 3000);
  t.same(ctx.warnings, []);
});
