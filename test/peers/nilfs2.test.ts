/** NILFS2 by mkfs.nilfs2 and Linux over block sizes, several checkpoints and a lost power: against the tree, Linux, GRUB. */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walk } from '../../lib/fs/walk';
import { must, scratch } from './support';
import { differences, openImage, plantTree, sameIdentity } from './trees';
import { inLinux } from './uml';

const dir = scratch(t);
const at = (name: string) => join(dir, name);
plantTree(at('small'), { files: 600, fifo: true });
plantTree(at('large'), { files: 3000, fifo: true });

const images = [
  { name: 'k1', tree: 'small', options: ['-b', '1024', '-B', '64', '-L', 'one'] },
  { name: 'k2', tree: 'small', options: ['-b', '2048', '-B', '128'] },
  { name: 'k4', tree: 'large', options: ['-b', '4096', '-L', 'four'] },
];
/** Files that grow, are overwritten, go; saved with fsync, fdatasync and not at all, and the disk copied while in use. */
const lost = `
import os
def new(name, *pieces):
    fd = os.open(name, os.O_RDWR | os.O_CREAT)
    for at, data in pieces: os.pwrite(fd, data, at)
    return fd
files = [new(f'file{i}', (0, bytes([65 + i]) * (100 << 2 * i))) for i in range(8)]
os.sync()
for i in range(40):
    fd = files[i % 8]; os.pwrite(fd, f'round {i} '.encode() * (i + 1), i * 37)
    if i % 5 == 0: os.unlink(f'file{i % 8}'); files[i % 8] = new(f'file{i % 8}', (0, b'again' * 400)); os.fsync(files[i % 8])
    elif i % 3: os.fdatasync(fd)
os.sync()
for i in (7, 6, 7, 5, 7): os.pwrite(files[i], f'last {i} '.encode() * 20, 1 << i); os.fdatasync(files[i])
os.pwrite(files[7], b'lost', 50000)
`;

t.before(() => {
  for (const { name, options } of images) {
    writeFileSync(at(name), '');
    truncateSync(at(name), name === 'k4' ? 160 << 20 : 64 << 20);
    must('mkfs.nilfs2', '-q', ...options, at(name));
  }
  writeFileSync(at('k4lost'), '');
  truncateSync(at('k4lost'), 16 << 20);
  must('mkfs.nilfs2', '-q', '-B', '32', at('k4lost'));
  writeFileSync(at('lost.py'), lost);
  const fill = images.map(
    ({ name, tree }) =>
      `mount -i -t nilfs2 -o loop ${name} mnt; cp -a --sparse=always ${tree}/. mnt/; sync; rm -r mnt/names mnt/size* mnt/links; sync; ` +
      `cp -a --sparse=always ${tree}/. mnt/; umount -i mnt`,
  );
  const said = inLinux(
    dir,
    `set -e; cd ${dir}; mkdir mnt seen\n${fill.join('\n')}
mount -i -t nilfs2 -o loop k4lost mnt; (cd mnt; python3 ../lost.py); cp k4lost left; umount -i mnt
cp left recovered; mount -i -t nilfs2 -o loop recovered mnt; cp -a mnt/. seen/; umount -i mnt; dmesg | grep NILFS`,
    ['fs/nilfs2/nilfs2'],
  );
  t.match(said, /salvaged \d+ blocks/, 'fdatasync wrote logs of data');
});

for (const { name, tree } of images)
  t.test(name, async (t) => {
    const opened = openImage(at(name));
    t.same(differences(opened, at(tree), { except: ['.nilfs'] }), []);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, at(name));
    // GRUB reads no holes.
    for (const path of ['boot/vmlinuz', 'boot/initrd.img', 'size1048577']) {
      must('grub-fstest', at(name), 'cp', `(loop0)/${path}`, at('out'));
      must('cmp', at('out'), join(at(tree), path));
    }
    t.same(
      must('grub-fstest', at(name), 'ls', '(loop0)/spread/7/').split(/\s+/).filter(Boolean).sort(),
      [...opened.fs.readdir(walk(opened.fs, '/spread/7'))].map((e) => e.name).sort(),
      'GRUB',
    );
  });

t.test('power is lost', async (t) => {
  const opened = openImage(at('left'));
  t.same(differences(opened, at('seen')), [], 'as Linux recovers it');
  t.same(opened.ctx.warnings, []);
});
