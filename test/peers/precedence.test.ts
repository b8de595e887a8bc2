/**
 * Which of several configurations wins: the same as with real pygrub, wherever pygrub boots. And grub-menulst2cfg's
 * reading of a menu.lst, GRUB's own, against ours of the same file.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { boot, makeDisk, must, NODEGRUB, PYGRUB, scratch, type Tree } from './support';

const dir = scratch(t);

/** A configuration for each place that pygrub knows, whose arguments say which one was read. */
const grub2 = (path: string) =>
  `menuentry 'a title' {\n  linux /vmlinuz from=${path}\n  initrd /initrd.img\n}\n`;
const syslinux = (path: string) =>
  `default one\nlabel one\n  kernel /vmlinuz\n  append from=${path}\n  initrd /initrd.img\n`;
const legacy = (path: string) =>
  `default 0\ntitle One\nroot (hd0,0)\nkernel /vmlinuz from=${path}\ninitrd /initrd.img\n`;
const PLACES: readonly (readonly [path: string, make: (path: string) => string])[] = [
  ['/boot/grub/grub.cfg', grub2],
  ['/grub/grub.cfg', grub2],
  ['/boot/grub2/grub.cfg', grub2],
  ['/grub2/grub.cfg', grub2],
  ['/boot/isolinux/isolinux.cfg', syslinux],
  ['/boot/extlinux/extlinux.conf', syslinux],
  ['/boot/extlinux.conf', syslinux],
  ['/extlinux/extlinux.conf', syslinux],
  ['/extlinux.conf', syslinux],
  ['/boot/grub/menu.lst', legacy],
  ['/boot/grub/grub.conf', legacy],
  ['/grub/menu.lst', legacy],
  ['/grub/grub.conf', legacy],
];
const files: Tree = { vmlinuz: 'a kernel', 'initrd.img': 'a ramdisk' };
const tree = (places: typeof PLACES): Tree =>
  Object.fromEntries([
    ...Object.entries(files),
    ...places.map(([path, make]) => [path.slice(1), make(path)] as const),
  ]);

/** Arguments as a set: pygrub's syslinux reader and the real one add to them in different places. */
const from = (args: string | undefined) => /from=(\S+)/.exec(args ?? '')?.[1];

t.test('on one volume: each place, then each with all that come after it', async (t) => {
  const disk = join(dir, 'one.img');
  for (const [i, [path]] of PLACES.entries()) {
    for (const places of [PLACES.slice(i, i + 1), PLACES.slice(i)]) {
      makeDisk(disk, 'mbr', [{ fs: 'ext4', tree: tree(places) }]);
      const theirs = boot(PYGRUB, dir, [disk]);
      const ours = boot(NODEGRUB, dir, [disk]);
      t.equal(theirs.status, 0, theirs.stderr);
      t.equal(ours.status, 0, ours.stderr);
      t.equal(from(theirs.args), path, 'pygrub');
      t.equal(from(ours.args), path, 'nodegrub');
    }
  }
});

t.test('over two volumes: the first that has any of them', async (t) => {
  const disk = join(dir, 'two.img');
  for (const [first, second] of [
    [12, 0],
    [8, 0],
    [0, 12],
    [9, 4],
    [4, 9],
  ]) {
    const part = (i: number) => ({ fs: 'ext4' as const, tree: tree([PLACES[i]!]) });
    makeDisk(disk, 'mbr', [part(first!), part(second!)]);
    const theirs = boot(PYGRUB, dir, [disk]);
    const ours = boot(NODEGRUB, dir, [disk]);
    t.equal(from(theirs.args), PLACES[first!]![0]);
    t.equal(from(ours.args), PLACES[first!]![0], ours.stderr);
  }
});

/** `grub-menulst2cfg`: GRUB 2's reading of a legacy configuration. */
const MENUS: readonly string[] = [
  'default 1\ntimeout 5\ntitle A\nroot (hd0,0)\nkernel /vmlinuz a root=/dev/xvda1 ro quiet\ninitrd /initrd.img\ntitle B\nkernel (hd0,0)/vmlinuz b  two   blanks\ninitrd (hd0,0)/initrd.img\n',
  '# comment\ndefault=0\nfallback=1\ntitle A\nkernel /gone a\ntitle B\nroot\t(hd0,0)\nkernel\t--no-mem-option /vmlinuz b\nquiet\ninitrd\t/initrd.img\n',
  'color cyan/blue white/blue\ntitle Debian GNU/Linux, kernel 6.1\nroot (hd0,0)\nkernel --type=linux /vmlinuz root=LABEL=x ro console=hvc0,115200\nsavedefault\nboot\n',
  'default saved\ntitle A\nroot (hd0,0)\nkernel /vmlinuz init=/bin/sh\ninitrd /initrd.img\n',
];

t.test('menu.lst: ours, and GRUB’s translation of it', async (t) => {
  for (const [i, menu] of MENUS.entries()) {
    const source = join(dir, `menu${i}.lst`);
    writeFileSync(source, menu);
    const translated = must('grub-menulst2cfg', source);
    const [a, b] = (
      [
        ['boot/grub/menu.lst', menu],
        ['boot/grub/grub.cfg', translated],
      ] as const
    ).map(([place, text]) => {
      const disk = join(dir, 'menu.img');
      makeDisk(disk, 'mbr', [{ fs: 'ext4', tree: { ...files, [place]: text } }]);
      const { kernel, ramdisk, args, status, stderr } = boot(NODEGRUB, dir, [disk]);
      t.equal(status, 0, stderr);
      return { kernel, ramdisk, args: args?.replace(/\s+/g, ' ') };
    });
    t.same(a, b, menu);
  }
});
