/** romfs by genromfs over its options, against the tree, the Linux kernel's reader and GRUB's. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walk } from '../../lib/fs/walk';
import { digest } from '../fsdrivers/compare';
import { sample } from '../support';
import { must, scratch, sha256 } from './support';
import { differences, openImage, plantTree, sameIdentity } from './trees';
import { inLinux } from './uml';

const dir = scratch(t);
const tree = join(dir, 'tree');
// Linux shows no names of 128 bytes or more.
plantTree(tree, { files: 600, fifo: true, longest: 127 });
must('mknod', join(tree, 'null'), 'c', '1', '3');
must('mknod', join(tree, 'disk'), 'b', '8', '0');

const made: string[] = [];
for (const options of ['', '-V a-name', `-V ${'long'.repeat(30)}`, '-a 512', '-A 4096,/boot/* -a 64'])
  t.test(`genromfs ${options}`, async (t) => {
    const image = join(dir, `image-${made.length}`);
    made.push(image);
    must('genromfs', ...options.split(' ').filter(Boolean), '-d', tree, '-f', image);
    const opened = openImage(image);
    t.same(differences(opened, tree), []);
    t.same(opened.ctx.warnings, []);
    // It reads 16 bytes of the name; GRUB compares all.
    if (options.length < 20) sameIdentity(t, opened.fs, image);
    t.equal(walk(opened.fs, '/hardlink').id, walk(opened.fs, '/boot/vmlinuz').id);
    const grub = (...args: string[]) => must('grub-fstest', image, ...args);
    const list = grub('ls', '(loop0)/spread/7/').split(/\s+/).filter(Boolean);
    const names = [...opened.fs.readdir(walk(opened.fs, '/spread/7'))].map((e) => e.name);
    t.same(list.filter((name) => !/^\.+\/?$/.test(name)).sort(), names.sort(), 'GRUB lists the same');
    const copy = join(dir, 'copy');
    grub('cp', '(loop0)/boot/initrd.img', copy);
    t.equal(
      sha256(readFileSync(copy)),
      digest(opened.fs, walk(opened.fs, '/boot/initrd.img'), opened.ctx),
      'GRUB reads the same',
    );
  });

t.test('Linux reads the same', async (t) => {
  const list =
    'export LC_ALL=C; find . -printf "%y %P %l\\n" | sort; find . -type f -exec sha256sum {} + | sort';
  must('bash', '-c', `cd ${tree} && { ${list}; } >${dir}/of-tree`);
  const shown = sample(made, 2);
  const printed = inLinux(
    dir,
    `mkdir ${dir}/mnt
for image in ${shown.join(' ')}; do
  mount -o loop,ro -t romfs $image ${dir}/mnt || { echo "$image: not mounted"; continue; }
  (cd ${dir}/mnt && ${list}) >${dir}/of-image
  diff ${dir}/of-tree ${dir}/of-image | head -5 && cmp -s ${dir}/of-tree ${dir}/of-image && echo "$image: same"
  umount ${dir}/mnt
done`,
    ['fs/romfs/romfs'],
  );
  t.same(
    printed.trim().split('\n'),
    shown.map((image) => `${image}: same`),
  );
});

t.test('5,000 files', async (t) => {
  const large = join(dir, 'large');
  plantTree(large, { files: 5000, fifo: true });
  const image = join(dir, 'large.img');
  must('genromfs', '-d', large, '-f', image);
  t.same(differences(openImage(image), large), []);
  rmSync(image);
});
