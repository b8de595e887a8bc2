/** Archives and ROM filesystems as guests use them with GRUB: by `loopback`, in an image by grub-mkstandalone, as a disk. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { driver } from '../../fsdrivers/tar/driver';
import { MemorySource } from '../../lib/source/types';
import { context } from '../support';
import { boot, makeDisk, must, NODEGRUB, scratch } from './support';
import { noise } from './trees';

const dir = scratch(t);
const kernel = noise(300_001, 7);
const initrd = noise(100_003, 8);
const tree = join(dir, 'tree');
const menu = 'menuentry inner {\n linux /vmlinuz of=inner\n initrd /images/initrd.img\n}\n';
mkdirSync(join(tree, 'images'), { recursive: true });
mkdirSync(join(tree, 'boot/grub'), { recursive: true });
writeFileSync(join(tree, 'vmlinuz'), kernel);
writeFileSync(join(tree, 'images/initrd.img'), initrd);
writeFileSync(join(tree, 'boot/grub/grub.cfg'), menu);

const MAKERS: Record<string, (to: string) => void> = {
  tar: (to) => must('tar', '-cf', to, '-C', tree, '.'),
  pax: (to) => must('tar', '--format=posix', '-cf', to, '-C', tree, '.'),
  newc: (to) => must('bash', '-c', 'cd "$1" && find . | cpio -o -H newc --quiet >"$2"', 'bash', tree, to),
  odc: (to) => must('bash', '-c', 'cd "$1" && find . | cpio -o -H odc --quiet >"$2"', 'bash', tree, to),
  romfs: (to) => must('genromfs', '-d', tree, '-f', to),
  cramfs: (to) => must('mkfs.cramfs', tree, to),
};
for (const [name, make] of Object.entries(MAKERS)) make(join(dir, name));

for (const name of Object.keys(MAKERS))
  t.test(`${name} by loopback, and as a disk`, async (t) => {
    const disk = join(dir, 'disk');
    const cfg = `loopback l /boot/x.${name}
menuentry outer {
 linux (l)/vmlinuz of=outer
 initrd (l)/images/initrd.img
}
menuentry further {
 set root=l
 configfile /boot/grub/grub.cfg
}
`;
    makeDisk(disk, 'gpt', [
      { fs: 'ext4', tree: { 'boot/grub/grub.cfg': cfg, [`boot/x.${name}`]: readFileSync(join(dir, name)) } },
    ]);
    for (const [image, args, more] of [
      [disk, 'of=outer', []],
      [disk, 'of=inner', ['--entry=further']],
      [join(dir, name), 'of=inner', []],
    ] as const) {
      const booted = boot(NODEGRUB, dir, [...more, image]);
      t.equal(booted.status, 0, booted.stderr);
      t.ok(booted.kernel?.equals(kernel), 'kernel');
      t.ok(booted.ramdisk?.equals(initrd), 'initrd');
      t.equal(booted.args, args);
    }
  });

t.test('the archive in an image by grub-mkstandalone, as memdisk', async (t) => {
  const image = join(dir, 'standalone');
  must(
    'grub-mkstandalone',
    ...['-O', 'x86_64-xen', '-o', image, '--install-modules=normal', '--fonts=', '--themes=', '--locales='],
    `boot/grub/grub.cfg=${join(tree, 'boot/grub/grub.cfg')}`,
    `vmlinuz=${join(tree, 'vmlinuz')}`,
    `images/initrd.img=${join(tree, 'images/initrd.img')}`,
  );
  const bytes = readFileSync(image);
  let at = bytes.indexOf('ustar');
  while (at >= 0 && !driver.probe(new MemorySource(bytes.subarray(at - 257)), context()))
    at = bytes.indexOf('ustar', at + 1);
  t.ok(at > 0, 'an archive is in it');
  const disk = join(dir, 'disk');
  makeDisk(disk, 'mbr', [
    {
      fs: 'ext4',
      tree: {
        'boot/grub/grub.cfg': `loopback memdisk (hd0,1)/x.tar
set root=memdisk
set prefix=(memdisk)/boot/grub
configfile $prefix/grub.cfg
`,
        'x.tar': bytes.subarray(at - 257),
      },
    },
  ]);
  const booted = boot(NODEGRUB, dir, [disk]);
  t.equal(booted.status, 0, booted.stderr);
  t.ok(booted.kernel?.equals(kernel), 'kernel');
  t.ok(booted.ramdisk?.equals(initrd), 'initrd');
});

t.test('an archive begins where a disk has its partition table: the table counts', async (t) => {
  const disk = join(dir, 'disk');
  makeDisk(disk, 'mbr', [
    { fs: 'ext4', tree: { 'boot/grub/grub.cfg': 'menuentry x {\n linux /k on=disk\n}\n', k: kernel } },
  ]);
  const bytes = readFileSync(disk);
  const head = readFileSync(join(dir, 'newc')).subarray(0, 440);
  head.copy(bytes);
  const both = join(dir, 'both');
  copyFileSync(disk, both);
  writeFileSync(both, bytes);
  const booted = boot(NODEGRUB, dir, [both]);
  t.equal(booted.status, 0, booted.stderr);
  t.equal(booted.args, 'on=disk');
});
