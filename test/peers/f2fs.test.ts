/** f2fs by f2fs-tools and by Linux (in User Mode Linux) over their options, against the tree and Linux' own recovery. */
import { closeSync, openSync, readFileSync, readSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { FileSystem } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { THOROUGH } from '../support';
import { must, scratch } from './support';
import { differences, openImage, plantTree, sameIdentity } from './trees';
import { inLinux } from './uml';

const dir = scratch(t);
const path = (name: string) => join(dir, name);
function make(name: string, mib: number, ...options: string[]): string {
  writeFileSync(path(name), '');
  truncateSync(path(name), mib * 2 ** 20);
  must('mkfs.f2fs', '-q', '-f', ...options, path(name));
  return path(name);
}

/** `ckpt_flags` of the newer checkpoint. */
function checkpointFlags(image: string): number {
  const fd = openSync(image, 'r');
  const bytes = Buffer.alloc(8 * 2 ** 20);
  readSync(fd, bytes, 0, bytes.length, 0);
  closeSync(fd);
  const packs = [0, 512].map((more) => (bytes.readUInt32LE(1024 + 76) + more) * 4096);
  const [at] = packs.sort((a, b) => bytes.readUInt32LE(b) - bytes.readUInt32LE(a));
  return bytes.readUInt32LE(at! + 132);
}

// sload.f2fs takes no FIFOs, and with inode_checksum and flexible_inline_xattr its own fsck repairs what it wrote.
plantTree(path('tree'), { files: 300 });
for (const options of [
  ['-l', 'root 1', '-i', '-O', 'extra_attr,sb_checksum,inode_crtime'],
  ['-O', 'extra_attr,project_quota,quota,lost_found,encrypt,verity', '-s', '2'],
  ['-O', 'extra_attr,compression,casefold', '-C', 'utf8', '-a', '1'],
  ['-O', 'extra_attr,ro', '-w', '4096'],
])
  t.test(`mkfs.f2fs ${options.join(' ')}; sload.f2fs`, async (t) => {
    const image = make('loaded', 160, ...options);
    must('sload.f2fs', '-f', path('tree'), image);
    const opened = openImage(image);
    t.same(differences(opened, path('tree'), { except: ['lost+found'] }), []);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, image);
  });

t.test('written by Linux', async (t) => {
  plantTree(path('large'), { files: THOROUGH ? 800 : 200, fifo: true });
  const images = {
    plain: { mkfs: [], mount: 'noinline_data,noinline_dentry,noinline_xattr' },
    new: {
      mkfs: ['-i', '-O', 'extra_attr,inode_checksum,sb_checksum,flexible_inline_xattr,inode_crtime'],
      mount: 'inline_xattr,inline_xattr_size=80,mode=lfs',
    },
  };
  for (const [name, { mkfs }] of Object.entries(images)) make(name, 110, ...mkfs);
  const script = Object.entries(images).map(
    ([name, { mount }]) => `
      mount -t f2fs -o loop,${mount} ${path(name)} mnt; cp -a large/. mnt/
      for n in 1 2 3; do head -c 100000 /dev/urandom >mnt/d1/old$n; done
      head -c 9000000 /dev/urandom >mnt/d1/shrinks; echo short >mnt/d1/grows; head -c 20000 /dev/urandom >mnt/d1/packs
      umount mnt
      mount -t f2fs -o loop ${path(name)} mnt
      put() { dd of=mnt/d1/$1 bs=4096 seek=\${2:-0} conv=fsync\${2:+,notrunc} status=none; }
      head -c 5000 /dev/urandom | put old1 12; echo new | put new1; head -c 300000 /dev/urandom | put new2
      echo end | put old3 3500; echo end | put far 3000000; echo end | put far 300000
      truncate -s 5000 mnt/d1/shrinks; echo x | put shrinks 0; echo y | put packs; head -c 200000 /dev/urandom | put grows 0
      rm mnt/d1/old2; echo lost >mnt/d1/lost
      cp ${path(name)} ${name}.crashed; umount mnt
      cp ${name}.crashed ${name}.recovered
      mount -t f2fs -o loop ${name}.recovered mnt
      stat -c %s mnt/d1/far >${name}.far; for at in 300000 3000000; do dd if=mnt/d1/far bs=4096 skip=$at count=1 status=none; done >>${name}.far
      rm mnt/d1/far; cp -a mnt/d1 ${name}.d1; umount mnt`,
  );
  // Logs so full that their summaries are not written in the compact form, at a sync and when unmounted; larger hash tables.
  make('full', 60);
  script.push(`
    mount -t f2fs -o loop full mnt; echo 3 >/sys/fs/f2fs/loop0/dir_level; mkdir mnt/many full.tree
    for f in a.db b.mp4 c; do head -c 1900000 /dev/urandom >mnt/$f; done
    for i in $(seq 400); do ln mnt/c mnt/many/name-of-file-$i; done
    sync; echo x >mnt/many/after; sync; cp full full.synced; cp -a mnt/. full.tree/; umount mnt`);
  inLinux(dir, `set -e; cd ${dir}; mkdir mnt${script.join('')}`, ['crypto/crc32_generic', 'fs/f2fs/f2fs']);
  for (const [name, flags] of [
    ['full', 0xc1],
    ['full.synced', 0xc0],
  ] as const) {
    const opened = openImage(path(name));
    t.same(differences(opened, path('full.tree')), [], name);
    t.same(opened.ctx.warnings, []);
    t.equal(checkpointFlags(path(name)), flags, 'neither of them compact');
  }
  for (const name of Object.keys(images)) {
    const opened = openImage(path(name));
    t.same(differences(opened, path('large'), { except: ['d1'] }), [], name);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, path(name));
    if (name === 'plain') {
      // GRUB 2.06 does not know extra_attr.
      const list = must('grub-fstest', path(name), 'ls', '(loop0)/spread/7/').split(/\s+/).filter(Boolean);
      t.same(
        list.sort(),
        [...opened.fs.readdir(walk(opened.fs, '/spread/7'))].map((e) => e.name).sort(),
        'GRUB',
      );
    }

    const crashed = openImage(path(`${name}.crashed`));
    const { fs } = crashed;
    const part: FileSystem = {
      type: fs.type,
      grubName: fs.grubName,
      root: walk(fs, '/d1'),
      lookup: (node, name) => fs.lookup(node, name),
      readdir: (node) => fs.readdir(node),
      readlink: (node) => fs.readlink(node),
      extents: (node) => fs.extents(node),
    };
    t.same(
      differences({ ...crashed, fs: part }, path(`${name}.d1`), { except: ['far'] }),
      [],
      `${name}: as Linux recovers it`,
    );
    t.same(crashed.ctx.warnings, []);
    // 12 GiB of holes, through three levels of nodes.
    const far = walk(fs, '/d1/far');
    const found = [...fs.extents(far)].map((e) => {
      const bytes = Buffer.alloc(e.length);
      if (e.kind === 'data') e.source.read(e.at, bytes);
      return bytes;
    });
    t.same(
      [...fs.extents(far)].map((e) => [e.offset / 4096, e.length]),
      [
        [300000, 4096],
        [3000000, 4],
      ],
    );
    t.ok(Buffer.concat([Buffer.from(`${far.size}\n`), ...found]).equals(readFileSync(path(`${name}.far`))));
  }
});
