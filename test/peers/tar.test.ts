/** tar archives by GNU tar and bsdtar in all their formats, against the tree, and against GRUB's reader where it can. */
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { walk } from '../../lib/fs/walk';
import { digest } from '../fsdrivers/compare';
import { must, scratch, sha256 } from './support';
import { differences, type Opened, openImage, plantTree } from './trees';

const dir = scratch(t);
const image = join(dir, 'image');
const tree = join(dir, 'tree');
plantTree(tree, { files: 600, fifo: true, sparse: false });
const long = join(tree, ...['a', 'b', 'c'].map((c) => c.repeat(200)));
mkdirSync(long, { recursive: true });
writeFileSync(join(long, 'd'.repeat(200)), 'a path of 800 bytes');
linkSync(join(long, 'd'.repeat(200)), join(tree, 'hard link to a long path'));
must('mknod', join(tree, 'null'), 'c', '1', '3');
/** What the older formats have room for. */
const short = join(dir, 'short');
plantTree(short, { files: 600, longest: 90, links: false, sparse: false });
mkdirSync(join(short, 'links'));
symlinkSync('../boot/vmlinuz', join(short, 'links/relative'));
symlinkSync('l'.repeat(99), join(short, 'links/99'));
linkSync(join(short, 'size700'), join(short, 'another'));
/** Holes, and the largest map of all: a piece in every second block. */
const sparse = join(dir, 'sparse');
plantTree(sparse, { files: 10 });
const pieces = openSync(join(sparse, 'pieces'), 'w');
for (let i = 0; i < 300; i++) writeSync(pieces, `piece ${i}`, i * 16384);
closeSync(pieces);
must('truncate', '-s', '5000000', join(sparse, 'nothing but a hole'));

function same(t: Test, from: string): Opened {
  const opened = openImage(image);
  t.same(differences(opened, from), []);
  t.same(opened.ctx.warnings, []);
  t.equal(opened.fs.grubName, 'tarfs');
  return opened;
}

function sameForGrub(t: Test, { fs, ctx }: Opened): void {
  const grub = (...args: string[]) => must('grub-fstest', image, ...args);
  const list = grub('ls', '(loop0)/spread/7/').split(/\s+/).filter(Boolean);
  const names = [...fs.readdir(walk(fs, '/spread/7'))].map((e) => e.name);
  t.same(list.sort(), names.sort(), 'GRUB lists the same');
  const copy = join(dir, 'copy');
  grub('cp', '(loop0)/boot/initrd.img', copy);
  t.equal(sha256(readFileSync(copy)), digest(fs, walk(fs, '/boot/initrd.img'), ctx), 'GRUB reads the same');
}

const MAKERS: readonly (readonly [command: string, from: string, byGrub: boolean])[] = [
  ['tar --format=v7', short, false],
  ['tar --format=oldgnu', tree, true],
  ['tar --format=gnu', tree, true],
  ['tar --format=ustar', short, true],
  ['tar --format=posix', tree, false],
  ['tar --format=posix --pax-option=globexthdr.name=g,comment=text,mtime=100', tree, false],
  ['bsdtar --format=ustar', short, true],
  ['bsdtar --format=pax', tree, false],
  ['bsdtar --format=gnutar', tree, true],
  ['bsdtar --format=v7', short, false],
  ['tar --format=gnu -S', sparse, false],
  ['tar --format=oldgnu -S', sparse, false],
  ['tar --format=posix -S --sparse-version=0.0', sparse, false],
  ['tar --format=posix -S --sparse-version=0.1', sparse, false],
  ['tar --format=posix -S --sparse-version=1.0', sparse, false],
  ['bsdtar --format=pax -S', sparse, false],
];
for (const [command, from, byGrub] of MAKERS)
  t.test(command, async (t) => {
    must(...(command.split(' ') as [string]), '-cf', image, '-C', from, '.');
    const opened = same(t, from);
    if (byGrub) sameForGrub(t, opened);
    for (const [a, b] of [
      ['/hardlink', '/boot/vmlinuz'],
      ...(from === tree
        ? [['/hard link to a long path', `/${long.slice(tree.length)}/${'d'.repeat(200)}`]]
        : []),
    ] as [string, string][])
      t.equal(walk(opened.fs, a).id, walk(opened.fs, b).id, 'hard links');
  });

t.test('members added later, and archives appended', async (t) => {
  const folder = join(dir, 'changed');
  plantTree(folder, { files: 10, sparse: false });
  must('tar', '-cf', image, '-C', folder, '.');
  writeFileSync(join(folder, 'boot/grub/grub.cfg'), 'changed\n');
  mkdirSync(join(folder, 'new'));
  writeFileSync(join(folder, 'new/file'), 'new');
  must('tar', '-rf', image, '-C', folder, './boot/grub/grub.cfg', './new/file');
  renameSync(join(folder, 'size700'), join(folder, 'size701'));
  symlinkSync('size701', join(folder, 'size700'));
  must('tar', '-cf', `${image}.more`, '-C', folder, './size700', './size701');
  must('tar', '-Af', image, `${image}.more`);
  same(t, folder);
});

t.test('sizes and times that octal digits do not hold', async (t) => {
  const folder = join(dir, 'large');
  mkdirSync(folder);
  must('truncate', '-s', '9G', join(folder, 'hole'));
  must(
    'dd',
    `of=${join(folder, 'hole')}`,
    'if=/dev/urandom',
    'bs=1',
    'seek=9000000000',
    'count=9',
    'conv=notrunc',
  );
  must('touch', '-d', '@-1000000000', join(folder, 'old'));
  for (const options of ['gnu', 'oldgnu', 'posix']) {
    must('tar', `--format=${options}`, '-Scf', image, '-C', folder, '.');
    const { fs } = openImage(image);
    const hole = walk(fs, '/hole');
    t.equal(hole.size, 9 * 2 ** 30);
    const found = [...fs.extents(hole)].find((e) => e.kind === 'data');
    t.ok(found && found.offset <= 9_000_000_000 && found.offset + found.length >= 9_000_000_009, options);
    t.equal(walk(fs, '/old').mtime, -1_000_000_000);
  }
});

t.test('a volume label, absolute paths, paths that lead out', async (t) => {
  must(
    'tar',
    '--format=gnu',
    '-V',
    'a label',
    '-cPf',
    image,
    join(tree, 'boot'),
    '-C',
    join(tree, 'boot'),
    '../size700',
  );
  const opened = openImage(image);
  t.equal(opened.fs.label, 'a label');
  t.equal(walk(opened.fs, join(tree, 'boot/vmlinuz')).size, 3_000_000);
  t.same(opened.ctx.warnings, ["tar: ../size700 is left out: '..' in its path"]);
});

t.test('5,000 files', async (t) => {
  const large = join(dir, 'many');
  plantTree(large, { files: 5000, fifo: true });
  must('bsdtar', '-cf', image, '-C', large, '.');
  same(t, large);
});
