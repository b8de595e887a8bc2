/** exFAT by mkfs.exfat over its options, filled through FUSE, against the tree and GRUB's reader. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walk } from '../../lib/fs/walk';
import { THOROUGH } from '../support';
import { boot, must, NODEGRUB, noLoop, scratch } from './support';
import { differences, openImage, plantTree, sameIdentity } from './trees';

const skip = noLoop();
const dir = scratch(t);
const image = join(dir, 'image');
const tree = join(dir, 'tree');
const mnt = join(dir, 'mnt');
mkdirSync(mnt);
plantTree(tree, { files: 400, links: false, hardLinks: false, bytes: false });

/** A new filesystem with a tree on it; files between the pieces of which others stand go first. */
function make(from: string, sector: number, options: string, size: string): void {
  must(
    'bash',
    '-euc',
    `export LC_ALL=C.UTF-8
    rm -f "$1"; truncate -s "$5" "$1"; loop=$(losetup -b "$3" -f --show "$1")
    trap 'umount "$6" || true; losetup -d "$loop"; while [ -n "$(losetup -j "$1")" ]; do sleep 0.05; done' EXIT
    mkfs.exfat $4 "$loop"; mount.exfat-fuse -o noatime "$loop" "$6"
    for i in {1..150}; do head -c 40000 /dev/zero >"$6/filler$i"; done
    for i in {1..150..2}; do rm "$6/filler$i"; done
    cp -r "$2/." "$6"; rm "$6"/filler*`,
    'bash',
    image,
    from,
    `${sector}`,
    options,
    size,
    mnt,
  );
}

for (const [sector, options, size] of [
  [512, '', '80M'],
  [512, '-c 512 -b 4K -L Größe', '80M'],
  [4096, '-c 4K --pack-bitmap -L label', '80M'],
  [2048, '-c 32K -b 4M', '120M'],
  [512, '-c 1M', '800M'],
] as const)
  t.test(`mkfs.exfat ${options}, sectors of ${sector} bytes`, { skip }, async (t) => {
    make(tree, sector, options, size);
    const opened = openImage(image);
    t.same(differences(opened, tree), []);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, image);
    // What it says may be more than anybody reads.
    must('bash', '-c', 'set -o pipefail; fsck.exfat -n "$1" 2>&1 | tail -n 9', 'bash', image);
    // GRUB's own readers take disks of 512-byte sectors only.
    if (sector !== 512) return;
    must('grub-fstest', image, 'cmp', '(loop0)/boot/initrd.img', join(tree, 'boot/initrd.img'));
    const list = must('grub-fstest', image, 'ls', '(loop0)/spread/7/').split(/\s+/).filter(Boolean);
    t.same(
      list.sort(),
      [...opened.fs.readdir(walk(opened.fs, '/spread/7'))].map((e) => e.name).sort(),
      'GRUB',
    );
  });

/** By FUSE, each takes a hundredth of a second. */
const NAMES = THOROUGH ? 3000 : 500;

t.test('booted, and a large directory', { skip }, async (t) => {
  const large = join(dir, 'large');
  mkdirSync(join(large, 'boot/grub'), { recursive: true });
  writeFileSync(
    join(large, 'boot/grub/grub.cfg'),
    'menuentry x {\nlinux /boot/VMLINUZ quiet\ninitrd /boot/initrd\n}\n',
  );
  const kernel = Buffer.alloc(3_000_001, 'kernel');
  const initrd = Buffer.alloc(500_000, 'initrd');
  writeFileSync(join(large, 'boot/vmlinuz'), kernel);
  writeFileSync(join(large, 'boot/initrd'), initrd);
  mkdirSync(join(large, 'many'));
  for (let i = 0; i < NAMES; i++) writeFileSync(join(large, 'many', `name of file ${i}`), `${i}`);
  make(large, 512, '-c 512', '40M');
  t.same(differences(openImage(image), large), []);
  const r = boot(NODEGRUB, dir, [image]);
  t.ok(r.kernel?.equals(kernel), r.stderr);
  t.ok(r.ramdisk?.equals(initrd));
  rmSync(image);
});
