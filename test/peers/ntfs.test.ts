/** NTFS by mkntfs over its options, filled through FUSE (ntfs-3g), against the tree, ntfs-3g's reader and GRUB's. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walk } from '../../lib/fs/walk';
import { digest } from '../fsdrivers/compare';
import { boot, must, NODEGRUB, noLoop, released, scratch, sha256 } from './support';
import { differences, openImage, plantTree, sameIdentity } from './trees';

const skip = noLoop();
const dir = scratch(t);
const image = join(dir, 'image');
const tree = join(dir, 'tree');
const mnt = join(dir, 'mnt');
mkdirSync(mnt);
plantTree(tree, { files: 300, bytes: false });
for (const [name, text] of [
  ['Case', 'upper'],
  ['case', 'lower'],
  ['a:b*c?', 'special'],
] as const)
  writeFileSync(join(tree, 'names', name), text);
writeFileSync(
  join(tree, 'boot/grub/grub.cfg'),
  'menuentry x {\nlinux /BOOT/vmlinuz quiet\ninitrd /boot/initrd.img\n}\n',
);

/** A new filesystem, `fill` run in it, and `body` while it is mounted. */
function make(sector: number, options: string, size: string, mount: string, fill: string, body: () => void) {
  must('bash', '-euc', 'rm -f "$1"; truncate -s "$2" "$1"', 'bash', image, size);
  const loop = must('losetup', '-b', `${sector}`, '-f', '--show', image).trim();
  try {
    must(
      'bash',
      '-euc',
      `export LC_ALL=C.UTF-8; mkntfs -q -Q -F -p 0 -H 0 -S 0 $2 "$1"; ntfs-3g -o "$3" "$1" "$4"`,
      'bash',
      loop,
      options,
      mount,
      mnt,
    );
    try {
      must('bash', '-euc', `export LC_ALL=C.UTF-8; cd "$1"; ${fill}`, 'bash', mnt, tree);
      must('sync', '-f', mnt);
      body();
    } finally {
      must('umount', mnt);
    }
  } finally {
    must('losetup', '-d', loop);
    released(image);
  }
}

/** Compressed, sparse, appended; many hard links: attribute lists. */
const PACKED = `
  mkdir packed; setfattr -n system.ntfs_attrib_be -v 0x00000800 packed; cp boot/vmlinuz boot/initrd.img size* packed
  { head -c 100000 boot/vmlinuz; head -c 150000 boot/initrd.img; head -c 333333 boot/vmlinuz; } >packed/mixed
  printf begin >packed/holes
  for at in 3000000 3001000 9000000; do printf piece | dd of=packed/holes bs=1 seek=$at conv=notrunc status=none; done
  for i in {1..20}; do head -c 7777 boot/vmlinuz; head -c 3333 boot/initrd.img; done >packed/grown`;
const LINKS = 'mkdir links2; for i in {1..40}; do ln size3500 links2/$(printf "n%.0s" {1..150})$i; done';
/** A thousand runs. */
const SCATTERED = `python3 -c "
f = open('scattered', 'wb')
for i in range(500): f.seek(i * 131072); f.write(b'piece %d' % i)"`;

for (const [sector, options, mount, fill] of [
  [512, '-L Größe', 'compression', [PACKED, LINKS, SCATTERED]],
  [512, '-c 512 -I', 'compression,special_files=wsl', [PACKED]],
  [4096, '-c 4096 -C', 'compression', []],
  [1024, '-c 65536 -L label', 'norecover', [LINKS]],
] as const)
  t.test(`mkntfs ${options}, sectors of ${sector} bytes, -o ${mount}`, { skip }, async (t) => {
    make(sector, options, '160M', mount, ['cp -a "$2/." .', ...fill].join('\n'), () => {
      const opened = openImage(image);
      t.same(differences(opened, mnt), []);
      t.same(opened.ctx.warnings, []);
      sameIdentity(t, opened.fs, image);
    });
    const opened = openImage(image);
    t.same(
      differences(opened, tree, { except: ['packed', 'links2', 'scattered'] }),
      [],
      'the tree that was copied',
    );
    // GRUB's own readers take disks of 512-byte sectors only.
    if (sector !== 512) return;
    must('grub-fstest', image, 'cmp', '(loop0)/boot/initrd.img', join(tree, 'boot/initrd.img'));
    if (options.startsWith('-L')) {
      const node = walk(opened.fs, '/packed/mixed');
      const grub = must('bash', '-c', 'grub-fstest "$1" cat "(loop0)/packed/mixed"', 'bash', image);
      t.equal(digest(opened.fs, node, opened.ctx), sha256(Buffer.from(grub, 'latin1')), 'GRUB, compressed');
    }
    const r = boot(NODEGRUB, dir, [image]);
    t.equal(r.kernel && sha256(r.kernel), sha256(Buffer.alloc(3_000_000, 'kernel ')), r.stderr);
  });

t.test(
  'a full volume, its free clusters one by one: $MFT itself has an attribute list',
  { skip },
  async (t) => {
    const fill = `mkdir many keep; python3 - <<'P'
import os
def until_full(act):
    try:
        for i in range(2500): act(i)
    except OSError: pass
def put(path, data):
    with open(path, 'wb', 0) as f: f.write(data)
until_full(lambda i: put(f'keep/{i}', b'x' * 900))
with open('keep/rest', 'wb', 0) as f: until_full(lambda i: f.write(b'z' * 4096))
with open('keep/rest', 'ab', 0) as f: until_full(lambda i: f.write(b'z' * 512))
for i in range(0, 2500, 2):
    if os.path.exists(f'keep/{i}'): os.unlink(f'keep/{i}')
until_full(lambda i: put(f'many/name of file number {i}', b'%d' % i))
P`;
    make(512, '-c 512', '12M', 'compression', fill, () => {
      const opened = openImage(image);
      t.same(differences(opened, mnt), []);
      t.ok([...opened.fs.readdir(walk(opened.fs, '/many'))].length > 1000);
    });
    t.match(must('ntfsinfo', '-i', '0', image), /\$ATTRIBUTE_LIST/);
  },
);

t.test('a directory of 3,000 names', { skip }, async (t) => {
  const fill =
    'mkdir many; for i in {1..3000}; do : >"many/a name that is not short, of file number $i"; done';
  make(512, '', '60M', 'compression', fill, () => t.same(differences(openImage(image), mnt), []));
});
