/** UFS1 and UFS2 by makefs over its options, against the tree, the Linux kernel's reader and GRUB's. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walk } from '../../lib/fs/walk';
import { must, scratch } from './support';
import { differences, MANY, openImage, plantTree, sameIdentity } from './trees';

const dir = scratch(t);
const image = join(dir, 'image');
const tree = join(dir, 'tree');
plantTree(tree, { files: 600, fifo: true });

for (const version of [1, 2])
  for (const order of ['le', 'be'])
    for (const o of ['', ',bsize=4096,fsize=512', ',bsize=8192,fsize=8192', ',bsize=65536,fsize=8192'])
      t.test(`makefs -t ffs -B ${order} -o version=${version}${o}`, async (t) => {
        rmSync(image, { force: true });
        must('makefs', '-t', 'ffs', '-B', order, '-o', `version=${version}${o}`, '-s', '200m', image, tree);
        const opened = openImage(image);
        t.same(differences(opened, tree), []);
        t.same(opened.ctx.warnings, []);
        sameIdentity(t, opened.fs, image);
        if (version === 2 && order === 'be') return; // GRUB reads no such
        const list = must('grub-fstest', image, 'ls', '(loop0)/spread/7/').split(/\s+/).filter(Boolean);
        t.same(
          list.sort(),
          [...opened.fs.readdir(walk(opened.fs, '/spread/7'))].map((e) => e.name).sort(),
          'GRUB',
        );
      });

t.test('many files', async (t) => {
  const large = join(dir, 'large');
  plantTree(large, { files: MANY, fifo: true });
  rmSync(image, { force: true });
  must('makefs', '-t', 'ffs', '-o', 'version=2', '-s', '500m', image, large);
  t.same(differences(openImage(image), large), []);
});
