/**
 * Directories of 1,000, 4,000 and 16,000 names and files of 500, 2,000 and 8,000 pieces, as real tools and Linux write them: what each driver
 * counts (steps of the budget, bytes and calls to the disk) and the blocks of code that it runs grow by at most n log n.
 * Counting is the same on every machine. Archives, and directories that a test can write itself: test/hostile/growth.test.ts.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openFileSystem } from '../../fsdrivers';
import { fileExtents } from '../../lib/fs/file';
import type { FileSystem } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { openDisk } from '../../lib/source/file';
import { blocks, Count, countedDisk, counting, growthOf, MOST_COUNTED } from '../hostile/growth';
import { ROOT, sample, THOROUGH } from '../support';
import { CLEAN_ENV, must, noLoop, released, scratch } from './support';
import { mounted } from './trees';
import { inLinux } from './uml';

/** Some are made by a kernel in an emulated machine, which takes its time: THOROUGH=1 is four times as large. */
const SIZE = THOROUGH ? 4 : 1;
const NAMES = [250, 1000, 4000].map((n) => n * SIZE);
const PIECES = [125, 500, 2000].map((n) => n * SIZE);
const dir = scratch(t);
const tree = join(dir, 'tree');
const mnt = join(dir, 'mnt');
mkdirSync(mnt);
const name = (i: number) => `name of file ${i}`;
const skip = noLoop();

/** Python: every second block of a file, of which there are `n`. */
const SPARSE = `
import os, sys
for n in (${PIECES.join(', ')}):
    fd = os.open(f'{sys.argv[1]}/pieces{n}', os.O_RDWR | os.O_CREAT)
    for i in range(n): os.pwrite(fd, b'piece %d' % i, i * 8192)
    os.close(fd)
`;
const sparse = join(dir, 'sparse.py');
writeFileSync(sparse, SPARSE);
for (const n of NAMES) {
  mkdirSync(join(tree, `d${n}`), { recursive: true });
  for (let i = 0; i < n; i++) writeFileSync(join(tree, `d${n}`, name(i)), '');
}
/** What Linux copies to where nothing else can: a name's creation alone costs it a millisecond. */
const COPY = `for n in ${NAMES.join(' ')}; do mkdir $1/d$n; (cd $1/d$n; seq -f 'name of file %g' 0 $((n - 1)) | tr '\\n' '\\0' | xargs -0 touch); done; python3 ${sparse} $1`;

const image = (of: string) => join(dir, `${of}.img`);
function blank(of: string, mib: number): string {
  rmSync(image(of), { force: true });
  writeFileSync(image(of), '');
  truncateSync(image(of), mib * 2 ** 20);
  return image(of);
}
const fill = () => must('bash', '-euc', COPY, 'bash', mnt);

/** How each is made; the driver's name may be followed by a kind. `false`: without files in pieces. */
const MADE: Record<string, { pieces: boolean; make: (path: string) => void }> = {
  'ext-hashed': {
    pieces: true,
    make(path) {
      must('mke2fs', '-q', '-F', '-t', 'ext4', '-N', '30000', path);
      mounted(path, mnt, '', fill);
    },
  },
  'ext-indirect': {
    pieces: true,
    make(path) {
      must('mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024', '-N', '30000', path);
      mounted(path, mnt, '', fill);
    },
  },
  xfs: {
    pieces: true,
    make(path) {
      must('mkfs.xfs', '-q', '-f', path);
      mounted(path, mnt, '', fill);
    },
  },
  btrfs: {
    pieces: true,
    make(path) {
      must('mkfs.btrfs', '-q', '-f', path);
      mounted(path, mnt, '', fill);
    },
  },
  ufs: {
    pieces: false,
    make: (path) => void must('makefs', '-t', 'ffs', '-o', 'version=2', '-s', '300m', path, tree),
  },
  squashfs: {
    pieces: false,
    make(path) {
      rmSync(path);
      must('mksquashfs', tree, path, '-quiet', '-no-progress');
    },
  },
  erofs: { pieces: false, make: (path) => void must('mkfs.erofs', '--quiet', path, tree) },
  cramfs: { pieces: false, make: (path) => void must('mkfs.cramfs', tree, path) },
  iso9660: {
    pieces: false,
    make: (path) => void must('genisoimage', '-quiet', '-R', '-o', path, tree),
  },
  f2fs: {
    pieces: false,
    make(path) {
      must('mkfs.f2fs', '-q', '-f', path);
      must('sload.f2fs', '-f', tree, path);
    },
  },
  ntfs: {
    pieces: true,
    make(path) {
      must('mkntfs', '-q', '-Q', '-F', path);
      must('ntfs-3g', path, mnt);
      try {
        fill();
      } finally {
        must('umount', mnt);
      }
    },
  },
  exfat: {
    pieces: false,
    make(path) {
      const loop = must('losetup', '-f', '--show', path).trim();
      try {
        must('mkfs.exfat', '-c', '512', loop);
        must('mount.exfat-fuse', '-o', 'noatime', loop, mnt);
        try {
          must('bash', '-euc', COPY.replace(/; python3.*/, ''), 'bash', mnt);
        } finally {
          must('umount', mnt);
        }
      } finally {
        must('losetup', '-d', loop);
        released(path);
      }
    },
  },
  zfs: {
    pieces: false,
    make(path) {
      must('bash', join(ROOT, 'test/peers/openzfs.sh'), join(dir, 'openzfs'));
      must(join(dir, 'openzfs/zfs-make'), 'create', 'p', path, ',', 'fill', 'p', tree);
    },
  },
};

/** Those that this machine's kernel has not: User Mode Linux fills them, in one run. */
const IN_LINUX: Record<string, { mib: number; mkfs: (path: string) => void; mount: string }> = {
  nilfs2: { mib: 400, mkfs: (path) => void must('mkfs.nilfs2', '-q', path), mount: '-i -t nilfs2' },
  udf: { mib: 300, mkfs: (path) => void must('mkudffs', '-m', 'hd', '-b', '2048', path), mount: '-t udf' },
  hfsplus: {
    mib: 300,
    mkfs: (path) =>
      void must('python3', join(ROOT, 'fixtures/recipes/hfsplus-writer.py'), path, '300', '4096', 'plus'),
    mount: '-t hfsplus',
  },
  minix: { mib: 250, mkfs: (path) => void must('mkfs.minix', '-3', '-i', '30000', path), mount: '-t minix' },
  'f2fs-linux': { mib: 400, mkfs: (path) => void must('mkfs.f2fs', '-q', '-f', path), mount: '-t f2fs' },
};
const EMULATED = sample(Object.entries(IN_LINUX), 2);
const MODULES = ['lib/crc-itu-t', 'fs/udf/udf', 'fs/nilfs2/nilfs2', 'fs/nls/nls_utf8', 'fs/hfsplus/hfsplus'];
MODULES.push('fs/minix/minix', 'crypto/crc32_generic', 'lib/crypto/libcrc32', 'fs/f2fs/f2fs');

type Work = Readonly<Record<string, number>>;

/** What `act` costs on a filesystem that was just opened; opening it is not counted. */
function workOf(path: string, act: (fs: FileSystem, ctx: ReturnType<typeof counting>) => void): Work {
  const count = new Count();
  const ctx = counting(count);
  // Without the program's cache: what does not fit in it would be a step.
  const disk = countedDisk(openDisk(path), count);
  const fs = openFileSystem(disk, ctx, () => []);
  if (!fs) throw new Error(`${path} is not known`);
  const before = count.all;
  blocks();
  act(fs, ctx);
  const after: Work = { ...count.all, blocks: blocks() };
  return Object.fromEntries(Object.entries(after).map(([key, value]) => [key, value - (before[key] ?? 0)]));
}

function grows(t: Test, what: string, sizes: readonly number[], works: readonly Work[]): void {
  const { exponent, what: worst } = growthOf(sizes, works);
  t.ok(exponent < MOST_COUNTED, `${what}: n^${exponent.toFixed(2)} (${worst})`);
}

function looked(t: Test, path: string, pieces: boolean): void {
  const listing = NAMES.map((n) =>
    workOf(path, (fs) => {
      const names = [...fs.readdir(walk(fs, `/d${n}`))].map((entry) => entry.name);
      const own = names.filter((found) => found.startsWith('name of'));
      if (own.length !== n) throw new Error(`${own.length} names of ${n}`);
    }),
  );
  grows(t, 'names listed', NAMES, listing);
  const looking = NAMES.map((n) =>
    workOf(path, (fs) => {
      const directory = walk(fs, `/d${n}`);
      for (let i = 0; i < 20; i++)
        if (fs.lookup(directory, name(Math.floor((i * (n - 1)) / 19)))?.kind !== 'file')
          throw new Error('a name is not found');
      if (fs.lookup(directory, 'missing')) throw new Error('found what is not there');
    }),
  );
  grows(t, 'names looked up', NAMES, looking);
  if (!pieces) return;
  const extents = PIECES.map((n) =>
    workOf(path, (fs, ctx) => {
      let data = 0;
      for (const extent of fileExtents(fs, walk(fs, `/pieces${n}`), ctx)) if (extent.kind !== 'hole') data++;
      if (data < 1) throw new Error('no extents');
    }),
  );
  grows(t, 'extents', PIECES, extents);
}

for (const [of, { pieces, make }] of Object.entries(MADE))
  t.test(
    of,
    // A directory of ZFS' is another structure from 2,048 names on, so the small sizes are not of one kind.
    { skip: skip ?? (of === 'zfs' && SIZE === 1 && 'needs the sizes of THOROUGH=1') },
    async (t) => {
      make(blank(of, 400));
      looked(t, image(of), pieces);
      rmSync(image(of), { force: true });
    },
  );

t.test('filled by User Mode Linux', { skip: skip ?? false }, async (t) => {
  for (const [of, { mib, mkfs }] of EMULATED) mkfs(blank(of, mib));
  inLinux(
    dir,
    `cd ${dir}; fill() { ${COPY}; }
${EMULATED.map(
  ([of, { mount }]) =>
    `mount ${mount} -o loop ${of}.img mnt && { fill mnt; umount ${/^-i/.test(mount) ? '-i' : ''} mnt; }`,
).join('\n')}
:`,
    MODULES,
  );
  for (const [of] of EMULATED) await t.test(of, async (t) => looked(t, image(of), true));
});

const emulated = !THOROUGH && 'a minute of emulation, for THOROUGH=1';
t.test("filled by Debian's kernel: JFS and ReiserFS", { skip: skip ?? emulated }, async (t) => {
  const both = { jfs: 'mkfs.jfs -q', reiserfs: 'mkreiserfs -q -ff' };
  const perl = join(dir, 'fill.pl');
  writeFileSync(
    perl,
    `use Fcntl; chdir $ARGV[0] or die;
for my $n (${NAMES.join(', ')}) { mkdir "d$n"; for (0 .. $n - 1) { sysopen my $f, "d$n/name of file $_", O_CREAT | O_WRONLY or die } }
for my $n (${PIECES.join(', ')}) { sysopen my $f, "pieces$n", O_CREAT | O_RDWR or die;
  for (0 .. $n - 1) { sysseek $f, $_ * 8192, 0; syswrite $f, "piece $_" } }
`,
  );
  const script = join(dir, 'in-debian.sh');
  writeFileSync(
    script,
    `set -e; cd /dev/shm; mkdir mnt
${Object.entries(both)
  .map(
    ([of, mkfs]) => `truncate -s 200M ${of}.img; ${mkfs} ${of}.img >/dev/null 2>&1
mount -o loop ${of}.img mnt; perl ${perl} mnt; umount mnt; cp --sparse=always ${of}.img ${dir}/; rm ${of}.img`,
  )
  .join('\n')}
`,
  );
  const r = spawnSync('bash', [join(ROOT, 'test/peers/debian-linux.sh'), script], {
    encoding: 'latin1',
    env: { ...CLEAN_ENV, NODE_OPTIONS: '', DEBIAN_MODULES: 'fs/jfs/jfs fs/reiserfs/reiserfs' },
    maxBuffer: 1 << 26,
  });
  if (r.status !== 0) t.bailout(`debian-linux.sh: status ${r.status}\n${r.stdout}${r.stderr}`.slice(-3000));
  for (const of of Object.keys(both)) await t.test(of, async (t) => looked(t, image(of), true));
});
