/** btrfs as mkfs.btrfs makes it over its switches and the kernel fills it, against the kernel's own mount. */
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { walk } from '../../lib/fs/walk';
import { digest } from '../fsdrivers/compare';
import { MOST, ran } from '../hostile/growth';
import { sample } from '../support';
import { boot, must, NODEGRUB, noLoop, released, scratch, sha256 } from './support';
import { differences, MANY, noise, type Opened, openImage, plantTree, sameIdentity } from './trees';

const skip = noLoop();
const dir = scratch(t);
const tree = join(dir, 'tree');
const mnt = join(dir, 'mnt');
mkdirSync(mnt);
plantTree(tree, { files: 250, fifo: true });

/** Empty images of so many MB. */
function blanks(count: number, size: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const path = join(dir, `disk${i}`);
    rmSync(path, { force: true });
    writeFileSync(path, '');
    truncateSync(path, size * 1024 * 1024);
    return path;
  });
}

/** All members mounted for the time of `body`. */
function inMount<T>(images: readonly string[], options: string, body: (mnt: string) => T): T {
  const loops: string[] = [];
  try {
    for (const image of images) loops.push(must('losetup', '-f', '--show', image).trim());
    const members = loops.map((loop) => `device=${loop}`).join(',');
    must('mount', '-t', 'btrfs', '-o', options ? `${members},${options}` : members, loops[0]!, mnt);
    try {
      return body(mnt);
    } finally {
      must('umount', mnt);
    }
  } finally {
    for (const loop of loops) must('losetup', '-d', loop);
    released(...images);
  }
}

const sh = (script: string, ...args: string[]) => must('bash', '-euc', script, 'bash', ...args);

/** The tree, and what only a mounted btrfs can be given. */
function fill(root: string): void {
  sh('cp -a "$1/." "$2"', tree, root);
  sh(
    `cd "$1"
    fallocate -l 3000000 prealloc; printf begin | dd of=prealloc conv=notrunc status=none; printf middle | dd of=prealloc bs=1 seek=1500000 conv=notrunc status=none
    cp boot/vmlinuz holes; fallocate -p -o 500000 -l 1000000 holes
    touch nocow; chattr +C nocow; dd if=boot/initrd.img of=nocow bs=300k status=none
    cp --reflink boot/initrd.img shared; printf changed | dd of=shared bs=1 seek=1000003 conv=notrunc status=none
    yes 'many times the same' | head -c 1000000 >packed; sync packed
    for i in 3 9 27 81 200; do printf "piece $i" | dd of=packed bs=1 seek=$((i * 4000)) conv=notrunc status=none; done; sync packed
    for i in $(seq 0 60); do head -c 9000 boot/initrd.img | dd of=parts bs=9000 seek=$(( (i * 7) % 61 )) conv=notrunc status=none; [ $((i % 9)) = 0 ] && sync parts; done
    head -c 1900 boot/vmlinuz >inline; head -c 2000 boot/initrd.img >inline2
    mkdir extref; for i in $(seq 300); do ln inline extref/$(printf 'n%.0s' {1..200})$i 2>/dev/null || break; done
    btrfs -q subvolume create sub 2>/dev/null || btrfs subvolume create sub >/dev/null; cp boot/initrd.img sub/in; mkdir sub/deep; echo deep >sub/deep/file
    btrfs subvolume snapshot -r sub snap >/dev/null; echo changed >sub/deep/file`,
    root,
  );
}

/** As the kernel reads it. */
function same(t: Test, images: readonly string[], opened: Opened): void {
  inMount(images, 'ro', (root) => t.same(differences(opened, root), []));
}

interface Variant {
  readonly mkfs: string;
  readonly devices?: number;
  /** MB a device. */
  readonly size?: number;
  readonly mount?: string;
  /** Members that can be missing. */
  readonly spare?: number;
}

const variants: readonly Variant[] = [
  { mkfs: '' },
  { mkfs: '--csum xxhash -L label', mount: 'compress=lzo' },
  { mkfs: '--csum sha256 -n 4096 -U 12345678-90ab-cdef-1234-567890abcdef', mount: 'compress-force=zlib' },
  { mkfs: '--csum blake2 -n 32768', mount: 'compress-force=zstd:15' },
  { mkfs: '-n 65536 -d single -m single', mount: 'compress-force=lzo' },
  { mkfs: '--mixed', size: 64, mount: 'max_inline=2048' },
  { mkfs: '--mixed -n 4096 -O ^no-holes -R ^free-space-tree', size: 64, mount: 'compress-force=zstd' },
  { mkfs: '-O ^no-holes,^skinny-metadata,^extref', mount: 'nodatasum' },
  { mkfs: '-R quota', mount: 'nodatacow' },
  { mkfs: '-m dup -d dup', size: 400 },
  { mkfs: '-m raid0 -d raid0', devices: 3 },
  { mkfs: '-m raid1 -d raid1', devices: 2, spare: 1, mount: 'compress=zstd' },
  { mkfs: '-m raid1c3 -d raid1c3', devices: 3, spare: 2 },
  { mkfs: '-m raid1c4 -d raid1c4', devices: 4, spare: 3 },
  { mkfs: '-m raid10 -d raid10', devices: 4, spare: 1 },
  { mkfs: '-m raid5 -d raid5', devices: 4, spare: 1, mount: 'compress=lzo' },
  { mkfs: '-m raid6 -d raid6 --csum xxhash', devices: 5, spare: 2 },
];

for (const { mkfs, devices = 1, size = 200, mount = '', spare = 0 } of sample(variants))
  t.test(`mkfs.btrfs ${mkfs} (${devices}), ${mount}`, { skip }, async (t) => {
    const images = blanks(devices, size);
    must('mkfs.btrfs', '-q', '-f', ...mkfs.split(' ').filter(Boolean), ...images);
    inMount(images, mount, fill);
    const opened = openImage(images[0]!, ...images.slice(1));
    same(t, images, opened);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, images[0]!);
    // Which two places are empty makes no difference to the code beyond the parities' turns, which two cover.
    for (let first = 0; spare > 0 && first < 2; first++) {
      const left = images.filter((_, i) => (i - first + devices) % devices >= spare);
      const degraded = openImage(left[0]!, ...left.slice(1));
      same(t, images, degraded);
      t.ok(degraded.ctx.warnings.length <= spare, degraded.ctx.warnings.join(' | '));
      for (const warning of degraded.ctx.warnings) t.match(warning, /device \d+ \(.*\) of \d is missing/);
    }
  });

/** What is written after the last commit, and only by fsync; `after` runs in the mount. */
const synced: readonly [string, string][] = [
  [
    'a new kernel',
    'cp boot/vmlinuz boot/vmlinuz-2; cp boot/initrd.img boot/initrd-2; sync boot/vmlinuz-2 boot/initrd-2',
  ],
  [
    'files replaced by rename',
    'echo new >boot/grub/grub.cfg.new; sync boot/grub/grub.cfg.new; mv boot/grub/grub.cfg.new boot/grub/grub.cfg; sync boot/grub/grub.cfg; sync boot/grub',
  ],
  [
    'names dropped',
    'rm names/a names/Case d1/d2/d3/d4/d5/d6/d7/d8/d9/d10/deep; echo x >names/new; sync names/new names; sync d1/d2/d3/d4/d5/d6/d7/d8/d9/d10',
  ],
  [
    'renames in a directory',
    'mv names/a names/b; sync names/b; mv names/case names/cased; sync names/cased; mv names/Case names/case; sync names',
  ],
  [
    'growing, cut, punched',
    'echo more >>boot/vmlinuz; sync boot/vmlinuz; truncate -s 1000 boot/initrd.img; sync boot/initrd.img; fallocate -p -o 8192 -l 40000 size300000; sync size300000; truncate -s 9000000 size70000; sync size70000; echo long >>size1; head -c 9000 boot/vmlinuz >>size1; sync size1',
  ],
  [
    'parts written anew',
    'for i in 0 5 9 14; do echo "part $i" | dd of=boot/vmlinuz bs=1 seek=$((i * 20011)) conv=notrunc status=none; sync boot/vmlinuz; done; fallocate -o 3000000 -l 500000 boot/vmlinuz; sync boot/vmlinuz',
  ],
  [
    'links',
    'ln boot/vmlinuz boot/linked; sync boot/linked; rm hardlink; ln -s elsewhere links/new; sync links boot; ln empty/../names/a empty/a2; sync empty/a2',
  ],
  [
    'directories',
    'mkdir -p new/deep/er; echo x >new/deep/er/file; sync new/deep/er/file; mkdir boot/entries; for i in $(seq 300); do echo $i >boot/entries/$i; done; sync boot/entries; rm -r empty; mv d1 d9; sync d9/d2/d3/d4/d5/d6/d7/d8/d9/d10/deep; sync .',
  ],
  [
    'a name taken over',
    'mv names/a names/z; echo other >names/a; sync names/a; rm -f size60; mv size61 size60; sync size60; sync .',
  ],
  [
    'many files of a directory',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell reads it
    'rm many/file-1* 2>/dev/null || true; for f in many/*; do [ ${#f} -gt 8 ] && mv "$f" "$f.n"; done; sync many; for i in 1 2 3; do echo "more $i" >many/more$i; sync many/more$i; done',
  ],
  ['in a subvolume', 'echo changed >sub/file; sync sub/file; rm sub/second; sync sub'],
];

for (const [i, [what, script]] of sample([...synced.entries()]))
  for (const mkfs of [i % 2 ? '' : '-O ^no-holes --csum xxhash'])
    t.test(`log: ${what} ${mkfs}`, { skip }, async (t) => {
      const [image] = blanks(1, 200) as [string];
      const dirty = join(dir, 'dirty');
      must('mkfs.btrfs', '-q', '-f', ...mkfs.split(' ').filter(Boolean), image);
      inMount([image], 'commit=300', (root) => {
        sh(
          'cp -a "$1/." "$2"; cd "$2"; btrfs subvolume create sub >/dev/null; echo one >sub/file; echo two >sub/second; sync -f .',
          tree,
          root,
        );
        sh(`cd "$1"; ${script}`, root);
        sh('cp --sparse=always "$1" "$2"', image, dirty);
      });
      const opened = openImage(dirty);
      const before = join(dir, 'replayed');
      sh('cp --sparse=always "$1" "$2"', dirty, before);
      // Read and replayed by the kernel: the copy, so that the dirty one stays.
      inMount([before], '', (root) => t.same(differences(opened, root), []));
      t.same(opened.ctx.warnings, []);
      const bytes = readFileSync(dirty).subarray(0x10000, 0x11000);
      t.ok(bytes.readBigUInt64LE(96) !== 0n, 'there is a log');
    });

t.test('copies that are damaged', { skip }, async (t) => {
  for (const mkfs of sample(
    ['-m raid1 -d raid1', '-m raid10 -d raid10', '-m raid5 -d raid5', '-m raid6 -d raid6'],
    2,
  )) {
    const images = blanks(4, 150);
    must('mkfs.btrfs', '-q', '-f', ...mkfs.split(' '), ...images.slice(0, mkfs.includes('raid1 ') ? 2 : 4));
    const members = images.slice(0, mkfs.includes('raid1 ') ? 2 : 4);
    inMount(members, '', fill);
    const original = readFileSync(members[1]!);
    inMount(members, 'ro', (root) => {
      // All but the superblocks.
      const bytes = Buffer.from(original);
      noise(4096, 1).copy(bytes, 0);
      for (let at = 1 << 20; at < bytes.length; at += 4096)
        if (at !== 0x400_0000) bytes.fill(0x5a, at, at + 4096);
      writeFileSync(join(dir, 'damaged'), bytes);
      const opened = openImage(members[0]!, join(dir, 'damaged'), ...members.slice(2));
      // Without checksums no copy can be called wrong.
      t.same(differences(opened, root, { except: ['nocow'] }), [], mkfs);
    });
  }
});

t.test('seed and sprout', { skip }, async (t) => {
  const [seed, sprout] = blanks(2, 150) as [string, string];
  must('mkfs.btrfs', '-q', '-f', seed);
  inMount([seed], '', (root) => sh('cp -a "$1/." "$2"', tree, root));
  must('btrfstune', '-f', '-S', '1', seed);
  const loop = must('losetup', '-f', '--show', sprout).trim();
  inMount([seed], '', (root) => {
    must('btrfs', 'device', 'add', '-f', loop, root);
    must('mount', '-o', 'remount,rw', root);
    writeFileSync(join(root, 'later'), noise(300_000, 5));
    sh('sync -f "$1"', root);
  });
  must('losetup', '-d', loop);
  released(sprout);
  const both = openImage(sprout, seed);
  t.same(differences(both, tree, { except: ['later'] }), []);
  t.equal(digest(both.fs, walk(both.fs, '/later'), both.ctx), sha256(noise(300_000, 5)));
  t.same(differences(openImage(seed), tree), [], 'the seed alone');
  const alone = openImage(sprout);
  t.throws(() => digest(alone.fs, walk(alone.fs, '/boot/vmlinuz'), alone.ctx), /seed/, 'named when missing');
});

t.test('many files', { skip }, async (t) => {
  const large = join(dir, 'large');
  plantTree(large, { files: MANY, fifo: true });
  const [image] = blanks(1, 400) as [string];
  must('mkfs.btrfs', '-q', '-f', image);
  inMount([image], 'compress=zstd:1', (root) => sh('cp -a "$1/." "$2"', large, root));
  same(t, [image], openImage(image));
  rmSync(large, { recursive: true });
});

t.test('a directory of 100,000 names', { skip }, async (t) => {
  const [image] = blanks(1, 400) as [string];
  const count = 100_000;
  must('mkfs.btrfs', '-q', '-f', image);
  inMount([image], '', (root) => sh('mkdir "$1/d"; cd "$1/d"; seq -f file-%.0f 0 99999 | xargs touch', root));
  const { fs } = openImage(image);
  const d = walk(fs, '/d');
  // Names spread over the directory.
  const found = ran(500, (names) => () => {
    for (let i = 0; i < names; i++) if (!fs.lookup(d, `file-${(i * 7919) % count}`)) t.fail(`${i}`);
  });
  t.ok(found < MOST, `n^${found.toFixed(2)}`);
  t.equal([...fs.readdir(d)].length, count);
});

t.test('the configuration in a subvolume', { skip }, async (t) => {
  const [image] = blanks(1, 200) as [string];
  must('mkfs.btrfs', '-q', '-f', image);
  // SUSE: paths begin in the default subvolume, /boot/grub2/more is one of its own.
  inMount([image], '', (root) =>
    sh(
      `cd "$1"; for s in @ more; do btrfs subvolume create $s >/dev/null; done
      mkdir -p @/boot/grub2/more; echo kernel >@/boot/vmlinuz; echo ramdisk >more/initrd
      printf '%s\\n' 'btrfs-mount-subvol ($root) /boot/grub2/more /more' 'menuentry one {' \
        'linux /boot/vmlinuz root=/dev/xvda1' 'initrd /boot/grub2/more/initrd' '}' >@/boot/grub2/grub.cfg
      btrfs subvolume set-default "$(btrfs inspect-internal rootid @)" .`,
      root,
    ),
  );
  const suse = boot(NODEGRUB, dir, [image]);
  t.equal(suse.status, 0, suse.stderr);
  t.same(
    [suse.kernel, suse.ramdisk, suse.args].map(String),
    ['kernel\n', 'ramdisk\n', 'root=/dev/xvda1'],
    'openSUSE',
  );
  // Debian and Ubuntu: GRUB is told by its prefix, paths begin at the top level.
  const [debian] = blanks(1, 200) as [string];
  must('mkfs.btrfs', '-q', '-f', debian);
  inMount([debian], '', (root) =>
    sh(
      `cd "$1"; btrfs subvolume create @rootfs >/dev/null; mkdir -p @rootfs/boot/grub; echo kernel >@rootfs/boot/vmlinuz
      printf '%s\\n' 'menuentry one {' 'linux /@rootfs/boot/vmlinuz root=/dev/xvda1 rootflags=subvol=@rootfs' '}' >@rootfs/boot/grub/grub.cfg`,
      root,
    ),
  );
  const other = boot(NODEGRUB, dir, [debian]);
  t.equal(other.status, 0, other.stderr);
  t.same(
    [other.kernel, other.args].map(String),
    ['kernel\n', 'root=/dev/xvda1 rootflags=subvol=@rootfs'],
    'Debian',
  );
});
