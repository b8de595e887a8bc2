/** UDF by mkudffs and the Linux kernel, by our own writer, and on bridge discs by genisoimage. */
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walk } from '../../lib/fs/walk';
import { digest } from '../fsdrivers/compare';
import { ROOT } from '../support';
import { must, scratch, sha256 } from './support';
import { differences, openImage, plantTree, sameIdentity } from './trees';
import { inLinux } from './uml';

const dir = scratch(t);
const tree = join(dir, 'tree');
plantTree(tree, { files: 300, longest: 254, bytes: false });
// A component of a link has up to 254 characters; all of it is in one block.
for (const length of [500, 900, 1020]) rmSync(join(tree, `links/link${length}`));
symlinkSync('/', join(tree, 'links/root'));
symlinkSync('../../../boot/./grub', join(tree, 'links/many'));
const image = (name: string) => join(dir, `${name}.img`);
const modules = ['lib/crc-itu-t', 'fs/udf/udf'];

/** Options of mkudffs, MiB, and whether GRUB reads it. */
const images: Record<string, readonly [options: string, size: number, grub: boolean]> = {
  'hd-512': ['-m hd -b 512 -r 2.01', 64, true],
  'hd-4096': ['-m hd -b 4096 -r 1.02 -l Größe_€', 64, true],
  'hd-1024-short': ['-m hd -b 1024 -r 1.50 --ad=short', 64, true],
  'dvdram-long': ['-m dvdram -r 2.01 --ad=long --noefe', 64, true],
  'dvdrw-sparable': ['-m dvdrw -r 2.01 --spartable=2', 100, false],
  'strategy-4096': ['-m hd -b 2048 -r 1.50 --strategy=4096 -l plain --fullvsid=0123456789aBcxyz', 64, true],
};

t.test('mkudffs, and files by the kernel', async (t) => {
  for (const [name, [options, size]] of Object.entries(images)) {
    must('truncate', '-s', `${size}M`, image(name));
    must('mkudffs', '--utf8', ...options.split(' '), image(name));
  }
  inLinux(
    dir,
    `set -e; mkdir -p ${dir}/mnt
for i in ${Object.keys(images).join(' ')}; do
  mount -t udf -o loop ${dir}/$i.img ${dir}/mnt
  cp -a ${tree}/. ${dir}/mnt; rm ${dir}/mnt/names/a; cp ${tree}/names/a ${dir}/mnt/names/; mkfifo ${dir}/mnt/empty/fifo
  umount ${dir}/mnt
done`,
    modules,
  );
  must('mkfifo', join(tree, 'empty/fifo'));
  for (const [name, [, , grub]] of Object.entries(images))
    await t.test(name, async (t) => {
      const opened = openImage(image(name));
      t.same(differences(opened, tree, { except: ['lost+found'] }), []);
      t.same(opened.ctx.warnings, []);
      sameIdentity(t, opened.fs, image(name));
      if (grub)
        // Not links: it looks at what lies behind them.
        for (const path of ['boot/initrd.img', 'names/日本語', 'size700'])
          t.equal(
            sha256(Buffer.from(must('grub-fstest', image(name), 'cat', `(loop0)/${path}`), 'latin1')),
            digest(opened.fs, walk(opened.fs, Buffer.from(path).toString('latin1')), opened.ctx),
            `GRUB: ${path}`,
          );
      rmSync(image(name));
    });
  rmSync(join(tree, 'empty/fifo'));
});

t.test('our writer: what mkudffs and the kernel do not write', async (t) => {
  const kinds = ['vat15', 'vat20', 'sparable', 'metadata', 'strategy4096', 'forms'];
  const writer = join(ROOT, 'fixtures/recipes/udf-writer.py');
  rmSync(join(tree, 'sparse'));
  for (const kind of kinds) must('python3', writer, kind, tree, image(kind));
  const out = inLinux(
    dir,
    `for i in ${kinds.join(' ')}; do
  mount -t udf -o loop,ro,unhide ${dir}/$i.img ${dir}/mnt
  # Linux knows no extended allocation descriptors.
  diff -qr --no-dereference ${tree} ${dir}/mnt 2>&1 | grep -v 'Input/output error' && echo "$i differs"
  umount ${dir}/mnt
done`,
    modules,
  );
  t.equal(out, '', 'the kernel');
  for (const kind of kinds) {
    const opened = openImage(image(kind));
    t.same(differences(opened, tree), [], kind);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, image(kind));
    rmSync(image(kind));
  }
});

t.test('bridges by genisoimage', async (t) => {
  const large = join(dir, 'large');
  plantTree(large, { files: 3000, longest: 100, bytes: false });
  // genisoimage writes long links that nobody can read.
  rmSync(join(large, 'links'), { recursive: true });
  mkdirSync(join(large, 'links'));
  symlinkSync('../boot/vmlinuz', join(large, 'links/relative'));
  for (const options of ['-R', '-R -J -joliet-long', '-U -allow-limited-size']) {
    must(
      'genisoimage',
      '-quiet',
      '-udf',
      '-input-charset',
      'utf-8',
      ...options.split(' '),
      '-V',
      'LIVE',
      '-o',
      image('bridge'),
      large,
    );
    const opened = openImage(image('bridge'));
    const rockRidge = options.startsWith('-R');
    if (rockRidge) t.same(differences(opened, large, { except: ['rr_moved'] }), [], options);
    else
      t.equal(
        digest(opened.fs, walk(opened.fs, '/boot/vmlinuz'), opened.ctx),
        sha256(Buffer.alloc(3_000_000, 'kernel ')),
      );
    t.same(
      [...opened.fs.readdir(walk(opened.fs, '/many'))].map((e) => e.name).sort(),
      readdirSync(join(large, 'many'))
        .map((n) => Buffer.from(n).toString('latin1'))
        .sort(),
    );
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, image('bridge'));
    t.match(
      must('grub-fstest', image('bridge'), 'ls', '--', '-l', '(loop0)'),
      `Filesystem type udf - Label \`LIVE', UUID ${opened.fs.uuid}`,
    );
  }
});
