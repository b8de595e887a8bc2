/**
 * EROFS by mkfs.erofs over its layouts, and by fixtures/recipes/erofs-writer.py what that cannot make, against the tree and
 * the Linux kernel's reader.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { walk } from '../../lib/fs/walk';
import { ROOT } from '../support';
import { must, scratch } from './support';
import { differences, MANY, openImage, plantTree, sameIdentity } from './trees';
import { inLinux } from './uml';

const dir = scratch(t);
const tree = join(dir, 'tree');
// mkfs.erofs 1.5 cuts names of 255 bytes.
plantTree(tree, { files: 500, longest: 254, sparse: false });
// Attributes that many share, attributes of one; data of which parts do not pack; data that is there twice.
must(
  'python3',
  '-c',
  `import os, sys
os.chdir(sys.argv[1])
for i, (at, _, names) in enumerate(os.walk('.')):
    for n in names[:9]:
        if not os.path.islink(f'{at}/{n}'):
            os.setxattr(f'{at}/{n}', 'user.shared', b'shared' * 9)
            os.setxattr(f'{at}/{n}', f'user.own{i}', os.fsencode(n) * (i % 5))
program = open(sys.executable, 'rb').read()[:1500000]
noise = open('boot/initrd.img', 'rb').read()[:70000]
open('program', 'wb').write(program)
open('twice', 'wb').write(program[:70001] + noise + program[70001:400000] + noise[:9999])
open('zeros', 'wb').write(bytes(500000))`,
  tree,
);

/** Images that the kernel of User Mode Linux is shown too. */
const images: string[] = [];

function same(name: string, make: (image: string) => unknown, kernel: boolean): void {
  t.test(name, async (t) => {
    const image = join(dir, name.replace(/\W/g, '_'));
    make(image);
    const opened = openImage(image);
    t.same(differences(opened, tree), []);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, image);
    if (kernel) images.push(image);
    else rmSync(image);
  });
}

for (const options of [
  '',
  '-Eforce-inode-extended,noinline_data,nosbcrc -x-1',
  '--chunksize=4096',
  '--chunksize=65536 -Eforce-chunk-indexes',
  '-zlz4 -Eforce-inode-compact',
  '-zlz4 -Elegacy-compress',
  '-zlz4 -C131072 -Eztailpacking',
  '-zlz4hc,1 -C16384 --max-extent-bytes=50000',
])
  same(
    `mkfs.erofs ${options}`,
    (image) => must('mkfs.erofs', '-T1700000000', ...options.split(' ').filter(Boolean), image, tree),
    /legacy|ztail/.test(options),
  );

const write = (image: string, options: string): string =>
  must('python3', join(ROOT, 'fixtures/recipes/erofs-writer.py'), tree, image, ...options.split(' '));
for (const options of [
  'lz4 full fragments dedupe interlaced',
  'deflate,lzma 8 metabox interlaced',
  'deflate 16 10 fragments dedupe',
])
  same(`erofs-writer.py ${options}`, (image) => write(image, options), options.startsWith('lz4 '));

t.test('the kernel sees the same', async (t) => {
  const folder = join(dir, 'mnt');
  const seen = inLinux(
    dir,
    `mkdir ${folder}
for image in ${images.join(' ')}; do
  mount -o loop,ro $image ${folder} && diff -r --no-dereference ${tree} ${folder} && echo $image
  umount ${folder}
done`,
    ['lib/lz4/lz4_decompress', 'fs/erofs/erofs'],
  );
  t.same(seen.trim().split('\n'), images);
});

t.test('an extra device is named', async (t) => {
  const image = join(dir, 'image');
  must('mkfs.erofs', '--chunksize=4096', `--blobdev=${join(dir, 'blob')}`, image, tree);
  const { fs } = openImage(image);
  try {
    t.fail(`${[...fs.extents(walk(fs, '/boot/vmlinuz'))].length} extents`);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    t.equal(error.code, 'unsupported');
    t.match(error.describe(), /data on extra device 1/);
  }
});

t.test('many files', async (t) => {
  const large = join(dir, 'large');
  const image = join(dir, 'image');
  plantTree(large, { files: MANY, longest: 254, sparse: false });
  must('mkfs.erofs', '-zlz4', '-T1700000000', image, large);
  t.same(differences(openImage(image), large), []);
});
