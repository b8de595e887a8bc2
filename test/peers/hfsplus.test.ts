/** HFS+ made by our writer and written by the Linux kernel, and xorriso's hybrid, against the tree and GRUB's reader. */
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { walk } from '../../lib/fs/walk';
import { digest } from '../fsdrivers/compare';
import { ROOT } from '../support';
import { must, scratch, sha256 } from './support';
import { differences, noise, type Opened, openImage, plantTree } from './trees';
import { inLinux } from './uml';

const dir = scratch(t);
const tree = join(dir, 'tree');
plantTree(tree, { files: 400, bytes: false, sparse: false });
symlinkSync('/boot/initrd.img', join(tree, 'links/initrd'));
writeFileSync(join(tree, 'names/a:b*c?'), 'special');
const both = join(dir, 'both');
cpSync(tree, both, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
writeFileSync(join(both, 'names/Case'), 'upper');
writeFileSync(join(both, 'names/case'), 'lower');
const image = (name: string) => join(dir, `${name}.img`);
/** As the disk has them. */
const shown = (name: string) =>
  Buffer.from(Buffer.from(name, 'latin1').toString('utf8').normalize('NFD')).toString('latin1');

/** Type, label and UUID as GRUB prints them; blkid has a digest in place of the UUID. */
function sameAsGrub(t: Test, { fs, ctx }: Opened, name: string): void {
  t.match(
    must('grub-fstest', image(name), 'ls', '--', '-l', '(loop0)'),
    `Filesystem type ${fs.grubName} - Label \`${fs.label}'`,
  );
  t.match(
    must('grub-fstest', image(name), 'ls', '--', '-l', '(loop0)'),
    `UUID ${fs.uuid ?? '0'.repeat(16)} `,
  );
  t.equal(must('blkid', '-p', '-s', 'LABEL', '-o', 'value', image(name)).trim(), fs.label);
  // Not hard links, which GRUB does not follow.
  for (const path of ['boot/initrd.img', 'links/initrd', 'names/日本語', 'size700', 'many/name of file 77'])
    t.equal(
      sha256(Buffer.from(must('grub-fstest', image(name), 'cat', `(loop0)/${path}`), 'latin1')),
      digest(fs, walk(fs, Buffer.from(path).toString('latin1')), ctx),
      `GRUB: ${path}`,
    );
}

/** MiB, block size and options of the writer. */
const images: Record<string, readonly [number, number, ...string[]]> = {
  plus: [48, 4096],
  blocks512: [48, 512],
  hfsx: [48, 2048, 'hfsx'],
  wrapped: [48, 1024, 'wrapped'],
};

t.test('our writer, and files by the kernel', async (t) => {
  const writer = join(ROOT, 'fixtures/recipes/hfsplus-writer.py');
  for (const [name, [size, block, ...options]] of Object.entries(images))
    must('python3', writer, image(name), `${size}`, `${block}`, name, ...options);
  inLinux(
    dir,
    `set -e; mkdir ${dir}/mnt
for i in ${Object.keys(images).join(' ')}; do
  mount -t hfsplus -o loop ${dir}/$i.img ${dir}/mnt
  if [ $i = hfsx ]; then cp -a ${both}/. ${dir}/mnt; else cp -a ${tree}/. ${dir}/mnt; fi
  if [ $i = plus ]; then rm -r ${dir}/mnt/many; cp -a ${tree}/many ${dir}/mnt; fi
  umount ${dir}/mnt
done`,
    ['fs/hfsplus/hfsplus'],
  );
  for (const name of Object.keys(images)) {
    const opened = openImage(image(name));
    t.same(differences(opened, name === 'hfsx' ? both : tree, { shown }), [], name);
    t.same(opened.ctx.warnings, []);
    sameAsGrub(t, opened, name);
    rmSync(image(name));
  }
});

t.test('xorriso: the disc is an ISO 9660, its partition of Apple’s table HFS+', async (t) => {
  const iso = join(dir, 'hybrid.iso');
  const large = join(dir, 'large');
  plantTree(large, { files: 6000, bytes: false, sparse: false, links: false });
  mkdirSync(join(large, 'links'));
  symlinkSync('/boot/initrd.img', join(large, 'links/initrd'));
  must(
    'sh',
    '-c',
    'LC_ALL=C.UTF-8 exec xorriso -as mkisofs -quiet -hfsplus -V HYBRID -o "$1" "$2"',
    'sh',
    iso,
    large,
  );
  const whole = openImage(iso);
  t.equal(whole.fs.type, 'iso9660');
  t.equal(digest(whole.fs, walk(whole.fs, '/links/initrd'), whole.ctx), sha256(noise(2_000_003, 1)));
  const report = must('xorriso', '-indev', iso, '-report_system_area', 'plain');
  const number = /APM partition name : +(\d+) +HFSPLUS/.exec(report)![1];
  const [, start, count] = new RegExp(`APM start and size : +${number} +(\\d+) +(\\d+)`).exec(report)!;
  must('dd', `if=${iso}`, `of=${image('apple')}`, 'bs=512', `skip=${start}`, `count=${count}`, 'status=none');
  const opened = openImage(image('apple'));
  t.same(differences(opened, large, { shown }), []);
  t.same(opened.ctx.warnings, []);
  sameAsGrub(t, opened, 'apple');
});
