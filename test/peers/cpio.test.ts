/** cpio archives by GNU cpio and bsdcpio in all their formats, against the tree, what they unpack to, and GRUB's readers. */
import { copyFileSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { walk } from '../../lib/fs/walk';
import { digest } from '../fsdrivers/compare';
import { must, scratch, sha256 } from './support';
import { differences, MANY, type Opened, openImage, plantTree } from './trees';

const dir = scratch(t);
const tree = join(dir, 'tree');
plantTree(tree, { files: 600, fifo: true, sparse: false });
must('mknod', join(tree, 'null'), 'c', '1', '3');
linkSync(join(tree, 'size700'), join(tree, 'links/third'));
linkSync(join(tree, 'size700'), join(tree, 'another'));

const pack = (how: string, folder: string, to: string, find = 'find . -mindepth 1') =>
  must(
    'bash',
    '-c',
    `cd "$1" && ${find} -print0 | ${how} --quiet -o -0 >"$2" 2>/dev/null`,
    'bash',
    folder,
    to,
  );

/** What GRUB lists and reads; its hard links of newc are empty but for the last, so another file is read. */
function sameForGrub(t: Test, { fs, ctx }: Opened, image: string): void {
  const grub = (...args: string[]) => must('grub-fstest', image, ...args);
  const list = grub('ls', '(loop0)/spread/7/').split(/\s+/).filter(Boolean);
  const names = [...fs.readdir(walk(fs, '/spread/7'))].map((e) => e.name);
  t.same(list.sort(), names.sort(), 'GRUB lists the same');
  const copy = join(dir, 'copy');
  grub('cp', '(loop0)/boot/initrd.img', copy);
  t.equal(sha256(readFileSync(copy)), digest(fs, walk(fs, '/boot/initrd.img'), ctx), 'GRUB reads the same');
}

/** The 16-bit numbers of the headers in the other byte order, names and data as they are. */
function swapped(bytes: Buffer): Buffer {
  for (let at = 0; bytes.readUInt16LE(at) === 0o070707; ) {
    const name = bytes.readUInt16LE(at + 20);
    const size = bytes.readUInt16LE(at + 22) * 65536 + bytes.readUInt16LE(at + 24);
    bytes.subarray(at, at + 26).swap16();
    at += 26 + name + (name % 2) + size + (size % 2);
  }
  return bytes;
}

const FORMATS = [
  ['cpio -H newc', 'newc'],
  ['cpio -H crc', 'newc'],
  ['cpio -H odc', 'odc'],
  ['cpio -H bin', 'cpiofs'],
  ['bsdcpio -H newc', 'newc'],
  ['bsdcpio -H odc', 'odc'],
] as const;
for (const [how, grubName] of FORMATS)
  t.test(how, async (t) => {
    const image = join(dir, 'image');
    pack(how, tree, image);
    const opened = openImage(image);
    t.same(differences(opened, tree), []);
    t.same(opened.ctx.warnings, []);
    t.equal(opened.fs.grubName, grubName);
    if (grubName === 'newc')
      t.equal(walk(opened.fs, '/hardlink').id, walk(opened.fs, '/boot/vmlinuz').id, 'hard links');
    sameForGrub(t, opened, image);
    if (how !== 'cpio -H bin') return;
    writeFileSync(image, swapped(readFileSync(image)));
    must('sh', '-c', 'cpio -t <"$1" | grep -qx boot/vmlinuz', 'sh', image);
    const other = openImage(image);
    t.same(differences(other, tree), []);
    t.equal(other.fs.grubName, 'cpiofs_be');
    sameForGrub(t, other, image);
  });

t.test('archives one after the other are what they unpack to one after the other', async (t) => {
  const parts = ['one', 'two', 'three'].map((name) => join(dir, name));
  const [one, two, three] = parts as [string, string, string];
  const write = (part: string, path: string, text: string) => {
    mkdirSync(join(part, path, '..'), { recursive: true });
    writeFileSync(join(part, path), text);
  };
  write(one, 'kernel/x86/microcode/GenuineIntel.bin', 'microcode');
  write(one, 'usr/lib/modules/a.ko', 'a of the first');
  symlinkSync('usr/lib', join(one, 'lib'));
  write(one, 'etc/replaced', 'old');
  write(one, 'etc/kept', 'kept');
  symlinkSync('etc/kept', join(one, 'becomes-file'));
  write(one, 'becomes-link', 'file');
  write(two, 'lib/modules/b.ko', 'through the link of the first');
  write(two, 'lib/modules/a.ko', 'a of the second');
  write(two, 'etc/replaced', 'new');
  writeFileSync(join(two, 'becomes-file'), 'a file');
  symlinkSync('etc/replaced', join(two, 'becomes-link'));
  write(three, 'etc/last', 'last');
  linkSync(join(three, 'etc/last'), join(three, 'etc/same'));
  const unpacked = join(dir, 'unpacked');
  mkdirSync(unpacked);
  const images: Buffer[] = [];
  for (const [i, part] of parts.entries()) {
    const image = join(dir, `part${i}`);
    pack(['cpio -H newc', 'cpio -H crc', 'bsdcpio -H odc'][i]!, part, image, 'find . -mindepth 1 ! -type d');
    must('bash', '-c', 'cd "$1" && cpio -idu --quiet <"$2"', 'bash', unpacked, image);
    images.push(readFileSync(image), Buffer.alloc(i * 1024));
  }
  const image = join(dir, 'image');
  writeFileSync(image, Buffer.concat(images));
  const opened = openImage(image);
  t.same(differences(opened, unpacked), []);
  t.same(opened.ctx.warnings, []);
});

t.test('many files', async (t) => {
  const large = join(dir, 'large');
  plantTree(large, { files: MANY, fifo: true });
  const image = join(dir, 'large.img');
  pack('cpio -H newc', large, image);
  t.same(differences(openImage(image), large), []);
});

t.test('an archive before a compressed one, as initrds with microcode are', async (t) => {
  const early = join(dir, 'early');
  mkdirSync(join(early, 'kernel/x86'), { recursive: true });
  copyFileSync(join(tree, 'size700'), join(early, 'kernel/x86/microcode.bin'));
  const image = join(dir, 'image');
  pack('cpio -H newc', early, image, 'find kernel');
  must('bash', '-c', 'gzip -c <"$1" >"$1.gz" && cat "$1.gz" >>"$1"', 'bash', image);
  const opened = openImage(image);
  t.same(differences(opened, early), []);
  t.same(opened.ctx.warnings.length, 1);
  t.match(opened.ctx.warnings[0], /what follows at \d+ is compressed/);
});
