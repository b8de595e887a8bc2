/**
 * JFS and ReiserFS, written by Debian's kernel over the switches of their mkfs (debian-linux.sh, one boot for all images),
 * against the tree that was written and GRUB's readers; dirty logs against the tree as it was when the machine's disk was
 * copied, and against the kernel's own replay.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../fsdrivers';
import { GuestError } from '../../lib/bytes/errors';
import { fromHost } from '../../lib/bytes/text';
import { walk } from '../../lib/fs/walk';
import { CacheSource } from '../../lib/source/cache';
import { openDisk } from '../../lib/source/file';
import { context, ROOT, sample, THOROUGH } from '../support';
import { CLEAN_ENV, must, scratch } from './support';
import { type Differing, differences, openImage, plantTree, sameIdentity } from './trees';

const dir = scratch(t);
const tree = join(dir, 'tree');
plantTree(tree, { files: 160, fifo: true });
must('tar', 'cSf', join(dir, 'tree.tar'), '-C', tree, '.');

interface Made {
  readonly name: string;
  readonly mkfs: string;
  readonly options?: string;
  readonly size?: string;
  readonly differing?: Differing;
  /** Left out of the tree by tar. */
  readonly exclude?: readonly string[];
  /** A name that tar cannot make. */
  readonly refuses?: boolean;
}

const isUtf8 = (name: string) => Buffer.from(name, 'latin1').toString('utf8').includes('\ufffd') === false;
/** With `iocharset=utf8` a name that is not UTF-8 cannot be made. */
const utf8: Differing = { shown: (name) => (isUtf8(name) ? name : undefined) };
/** Without it each byte of a name becomes a character. */
const characters: Differing = { shown: fromHost };
/** A link has to fit into a block. */
const long = ['500', '900', '1020'].map((n) => `link${n}`);
const short: Differing = { shown: (name) => (long.includes(name) ? undefined : name) };
const shorter = { differing: short, exclude: long.map((name) => `./links/${name}`) };
const REISER = 'mkreiserfs -q -ff';
const images: readonly Made[] = sample(
  [
    { name: 'jfs', mkfs: 'mkfs.jfs -q -L label', options: 'iocharset=utf8', differing: utf8, refuses: true },
    { name: 'jfs-bytes', mkfs: 'mkfs.jfs -q', differing: characters },
    {
      name: 'jfs-os2',
      mkfs: 'mkfs.jfs -q -O',
      options: 'iocharset=utf8',
      exclude: ['./names/[cC]ase'],
      refuses: true,
      differing: { shown: (name) => (isUtf8(name) && !/^[cC]ase$/.test(name) ? name : undefined) },
    },
    { name: 'reiserfs', mkfs: `${REISER} -l label` },
    { name: 'reiserfs-rupasov', mkfs: `${REISER} -h rupasov -b 1024 -s 1024`, options: 'notail', ...shorter },
    { name: 'reiserfs-512', mkfs: `${REISER} -h tea -b 512 -s 2048`, options: 'conv', ...shorter },
  ],
  2,
);

/** Names come, go and move, directories grow and shrink, files are fragmented: of the second part all is in the log. */
const CHANGES = `
use strict; use Fcntl; use IO::Handle;
chdir $ARGV[0] or die; srand 7;
sub w { my ($p, $n) = @_; open my $f, '>', $p or die "$p: $!"; print $f chr(97 + $n % 26) x $n; close $f }
mkdir "d\${_}x" for 0 .. 19;
for my $k (0 .. 19) { w("d\${k}x/f$_", (0, 10, 5000, 70000)[rand 4]) for 0 .. rand 25 }
sysopen my $f, 'fragments', O_CREAT | O_RDWR or die;
for (0 .. 199) { sysseek $f, $_ * 9000, 0; syswrite $f, "p$_" }
w('cut', 300000); system 'sync';
mkdir 'big'; for (0 .. 599) { sysopen my $g, "big/file-$_", O_CREAT | O_WRONLY or die }
for (my $i = 0; $i < 600; $i += 3) { unlink "big/file-$i" }
for my $k (0 .. 19) { symlink 'x' x (5, 100, 250)[rand 3], "d\${k}x/l"; mkdir "d\${k}x/e" }
for (my $k = 0; $k < 20; $k += 4) { unlink glob "d\${k}x/[fl]*"; rmdir "d\${k}x/e"; rmdir "d\${k}x" }
rename 'names', 'moved'; rename 'boot/vmlinuz', 'boot/vmlinuz.old'; truncate 'cut', 5000;
for my $k (0 .. 9) { w("last-$k", $k * 1000); open my $g, '+<', "last-$k"; $g->sync }
`;
writeFileSync(join(dir, 'changes.pl'), CHANGES);
const COUNT = 800;
const NAMES = `
chdir $ARGV[0] or die; mkdir 'd'; use Fcntl;
sysopen my $f, 'fragments', O_CREAT | O_RDWR or die;
for (0 .. ${COUNT - 1}) {
  sysopen my $g, "d/file-$_", O_CREAT | O_WRONLY or die; close $g;
  if ($_ % 5 == 0) { sysseek $f, $_ * 2000, 0; syswrite $f, "piece $_"; open my $h, '>', "between-$_"; print $h 'y' x 5000; close $h; $f->sync if $_ % 500 == 0 }
}
`;
writeFileSync(join(dir, 'names.pl'), `use IO::Handle;${NAMES}`);

/** Which have their journal on another device, too. */
const FAR = THOROUGH ? ['jfs', 'reiserfs'] : [];
const script = join(dir, 'in-debian.sh');
writeFileSync(
  script,
  `
set -e
dir=${dir}; cd /dev/shm; mkdir mnt
make() { truncate -s $2 $1.img; $3 $1.img >/dev/null 2>&1; }
${images
  .map(
    (i) => `make ${i.name} 40M '${i.mkfs}'
mount -o loop,${i.options ?? 'rw'} ${i.name}.img mnt
tar xSf $dir/tree.tar ${(i.exclude ?? []).map((e) => `--exclude '${e}'`).join(' ')} -C mnt${i.refuses ? ' 2>/dev/null || :' : ''}; umount mnt`,
  )
  .join('\n')}
make many-jfs 40M 'mkfs.jfs -q'
make many-reiserfs 40M '${REISER} -s 1024'
for fs in jfs reiserfs; do mount -o loop many-$fs.img mnt; perl $dir/names.pl mnt; umount mnt; done
# A journal on another device.
truncate -s 8M log-jfs.img log-reiserfs.img; truncate -s 40M far-jfs.img far-reiserfs.img
for fs in ${FAR.join(' ')}; do losetup /dev/loop6 log-$fs.img; losetup /dev/loop7 far-$fs.img
  if [ $fs = jfs ]; then mkfs.jfs -q -J journal_dev /dev/loop6; mkfs.jfs -q -j /dev/loop6 /dev/loop7
  else ${REISER} -j /dev/loop6 -s 1024 /dev/loop7; fi >/dev/null 2>&1
  mount -t $fs -o noatime$([ $fs = jfs ] || echo ,jdev=/dev/loop6) /dev/loop7 mnt
  tar xSf $dir/tree.tar -C mnt ./boot ./names; perl $dir/changes.pl mnt
  for f in far log; do until cp $f-$fs.img $f-$fs.dirty && cmp $f-$fs.img $f-$fs.dirty; do sleep 0.2; done; done
  tar cSf $dir/far-$fs.tar -C mnt .; umount mnt; losetup -d /dev/loop6; losetup -d /dev/loop7
  mv far-$fs.dirty far-$fs.img; mv log-$fs.dirty log-$fs.img
done
make dirty-jfs 40M 'mkfs.jfs -q'
make dirty-reiserfs 40M '${REISER} -s 1024'
for n in dirty-jfs dirty-reiserfs; do mount -o loop,noatime $n.img mnt
  tar xSf $dir/tree.tar -C mnt ./boot ./names; perl $dir/changes.pl mnt
  until cp $n.img $n.dirty && cmp $n.img $n.dirty; do sleep 0.2; done
  tar cSf $dir/$n.tar -C mnt .; umount mnt; mv $n.dirty $n.img
  if [ $n != dirty-jfs ]; then cp $n.img copy; mount -o loop copy mnt; tar cSf $dir/$n-replayed.tar -C mnt .; umount mnt; fi
done
cp --sparse=always *.img $dir/
`,
);

t.test('Debian’s kernel writes the images', async (t) => {
  const r = spawnSync('bash', [join(ROOT, 'test/peers/debian-linux.sh'), script], {
    encoding: 'latin1',
    env: { ...CLEAN_ENV, NODE_OPTIONS: '', DEBIAN_MODULES: 'fs/jfs/jfs fs/reiserfs/reiserfs' },
    maxBuffer: 1 << 26,
  });
  if (r.status !== 0) t.bailout(`debian-linux.sh: status ${r.status}\n${r.stdout}${r.stderr}`.slice(-3000));
  t.equal(r.stderr, '');
});

const path = (name: string) => join(dir, `${name}.img`);
/** A tree that the machine packed. */
const unpacked = (name: string): string => {
  const to = join(dir, name);
  mkdirSync(to);
  must('tar', 'xSf', join(dir, `${name}.tar`), '-C', to);
  return to;
};

for (const made of images)
  t.test(`${made.mkfs}, ${made.options ?? ''}`, async (t) => {
    const opened = openImage(path(made.name));
    t.same(differences(opened, tree, made.differing), []);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, path(made.name));
    const grub = (...args: string[]) => must('grub-fstest', path(made.name), ...args);
    const [name] = /^[a-z]+/.exec(made.name)!;
    const list = grub('ls', '(loop0)/spread/7/').split(/\s+/).filter(Boolean);
    t.same(
      list.sort(),
      [...opened.fs.readdir(walk(opened.fs, '/spread/7'))].map((e) => e.name).sort(),
      `GRUB's ${name}`,
    );
    grub('cmp', '(loop0)/boot/vmlinuz', join(tree, 'boot/vmlinuz'));
  });

for (const mkfs of ['-h r5', '-h tea -b 1024 -s 513', '-h rupasov -b 2048 -s 513'])
  t.test(`ReiserFS 3.5, which kernels of today cannot fill: --format 3.5 ${mkfs}`, async (t) => {
    const image = path('old');
    rmSync(image, { force: true });
    must('truncate', '-s', mkfs.includes('1024') ? '8M' : mkfs.includes('2048') ? '30M' : '40M', image);
    must('mkreiserfs', '-q', '-ff', '--format', '3.5', ...mkfs.split(' '), image);
    const part = join(dir, `old${mkfs.length}`);
    mkdirSync(part);
    const small = mkfs.includes('1024');
    must(
      'tar',
      'xSf',
      join(dir, 'tree.tar'),
      '-C',
      part,
      ...(small ? ['./names', './links', './spread', './many'] : ['.']),
    );
    if (small) for (const name of long) rmSync(join(part, 'links', name));
    must('python3', join(ROOT, 'fixtures/recipes/reiserfs-writer.py'), image, part);
    const opened = openImage(image);
    t.same(differences(opened, part), []);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, image);
    must('grub-fstest', image, 'cmp', '(loop0)/spread/7/file-44.conf', join(part, 'spread/7/file-44.conf'));
  });

for (const fs of ['jfs', 'reiserfs'])
  t.test(`${fs}: ${COUNT} names, files in pieces`, async (t) => {
    const open = (steps: number) =>
      openFileSystem(new CacheSource(openDisk(path(`many-${fs}`))), context(steps), () => [])!;
    const all = open(200_000);
    t.equal(new Set([...all.readdir(walk(all, '/d'))].map((e) => e.name)).size, COUNT);
    t.ok([...all.extents(walk(all, '/fragments'))].length > 100);
    // Some thousand names that are found cost what a tree costs, or more than the steps there are.
    const few = open(200 * COUNT);
    const d = walk(few, '/d');
    for (let i = 0; i < COUNT; i++) if (!few.lookup(d, `file-${i}`)) t.fail(`${i}`);
    t.equal(few.lookup(d, 'file'), undefined);
  });

for (const name of ['dirty-jfs', 'dirty-reiserfs'])
  t.test(name, async (t) => {
    const opened = openImage(path(name));
    t.same(
      differences(opened, unpacked(name), name === 'dirty-jfs' ? characters : {}),
      [],
      'as it was when the disk was copied',
    );
    if (existsSync(join(dir, `${name}-replayed.tar`)))
      t.same(differences(opened, unpacked(`${name}-replayed`)), [], 'as the kernel replays it');
    t.same(opened.ctx.warnings, []);
  });

const emulated = FAR.length === 0 && 'half a minute of emulation, for THOROUGH=1';
for (const fs of ['jfs', 'reiserfs'])
  t.test(`${fs}: a dirty journal on another device`, { skip: emulated }, async (t) => {
    const opened = openImage(path(`far-${fs}`), path('dirty-jfs'), path(`log-${fs}`));
    const live = unpacked(`far-${fs}`);
    const shown = fs === 'jfs' ? characters : {};
    t.same(differences(opened, live, shown), []);
    t.same(opened.ctx.warnings, []);
    const alone = openImage(path(`far-${fs}`));
    t.match(alone.ctx.warnings[0], /journal: its device .* is not among the volumes/);
    const alike = () => {
      try {
        return differences(alone, live, shown).length === 0;
      } catch (error) {
        // What the log alone holds may be missed by inodes that are on the disk already.
        if (!(error instanceof GuestError)) throw error;
        return false;
      }
    };
    t.equal(alike(), false, 'the journal changes something');
  });
