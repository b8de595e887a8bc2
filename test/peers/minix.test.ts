/** MINIX 1 to 3 by mkfs.minix and Linux, and what minix.py writes: against the tree, Linux' reader and GRUB's. */
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { must, scratch } from './support';
import { differences, openImage, plantTree, sameIdentity } from './trees';
import { inLinux } from './uml';

const dir = scratch(t);
const at = (name: string) => join(dir, name);
for (const longest of [14, 30, 60]) plantTree(at(`tree${longest}`), { files: 600, longest, fifo: true });

const made = [
  { name: 'v1-14', options: ['-1', '-n', '14'], names: 14 },
  { name: 'v2-14', options: ['-2', '-n', '14'], names: 14 },
  { name: 'v2-30', options: ['-2', '-n', '30'], names: 30 },
  { name: 'v3', options: ['-3'], names: 60 },
];
const written = [
  { name: 'v1-be', options: 'version=1 order=big names=14', names: 14 },
  { name: 'v2-be', options: 'version=2 order=big', names: 30 },
  { name: 'v3-be-2k', options: 'order=big block=2048', names: 60 },
  { name: 'v3-4k', options: 'block=4096', names: 60 },
  { name: 'v3-32k', options: 'block=32768', names: 60 },
  // Nobody else reads these.
  { name: 'v2-zones', options: 'version=2 names=14 log=1', names: 14 },
  { name: 'v3-2k-zones', options: 'block=2048 log=3', names: 60 },
];

t.before(() => {
  for (const { name, options } of made) {
    writeFileSync(at(name), '');
    truncateSync(at(name), 48 << 20);
    must('mkfs.minix', ...options, '-i', '4096', at(name));
  }
  for (const { name, options, names } of written)
    must(
      'python3',
      join(ROOT, 'fixtures/recipes/minix.py'),
      at(`tree${names}`),
      at(name),
      'mib=48',
      ...options.split(' '),
    );
  // What is deleted leaves free entries and free zones, which the second copy takes.
  const fill = made.map(
    ({ name, names }) =>
      `mount -o loop ${at(name)} $m; cp -a --sparse=always ${at(`tree${names}`)}/. $m/; rm -r $m/names $m/size* $m/many; ` +
      `cp -a --sparse=always ${at(`tree${names}`)}/. $m/; umount $m`,
  );
  inLinux(
    dir,
    `set -e; m=${at('mnt')}; mkdir $m\n${fill.join('\n')}\nmount -o loop,ro ${at('v3-4k')} $m; diff -r -x fifo --no-dereference $m ${at('tree60')}; umount $m`,
    ['fs/minix/minix'],
  );
});

for (const { name, names } of [...made, ...written])
  t.test(name, async (t) => {
    const opened = openImage(at(name));
    t.same(differences(opened, at(`tree${names}`)), []);
    t.same(opened.ctx.warnings, []);
    if (name.includes('zones')) return;
    // blkid 2.38 does not know a big-endian version 3, and reckons with maps in blocks of 1 KiB.
    if (!/^v3-(be|4k)/.test(name)) sameIdentity(t, opened.fs, at(name));
    for (const path of ['boot/vmlinuz', 'boot/initrd.img', 'size1048577']) {
      must('grub-fstest', at(name), 'cp', `(loop0)/${path}`, at('out'));
      must('cmp', at('out'), at(`tree${names}/${path}`));
    }
    rmSync(at(name));
  });
