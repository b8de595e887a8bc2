/**
 * The ext driver against the kernel's own mount, debugfs and e2fsck: every file of a tree, byte by byte, over mke2fs'
 * features and block sizes; dirty journals against real replays; sizes that fixtures cannot have.
 */
import {
  closeSync,
  copyFileSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { driver } from '../../fsdrivers/ext/driver';
import { fileExtents } from '../../lib/fs/file';
import type { FileSystem, FsNode } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { CacheSource } from '../../lib/source/cache';
import type { BlockSource } from '../../lib/source/types';
import { context, sample } from '../support';
import { must, noLoop, run, scratch, sha256, unmount } from './support';

/** Fixed, so that a seed gives the same operations each time. */
const UUID = '0e5c1f3a-77aa-4d55-9f00-0123456789ab';
const skip = noLoop() ?? false;

interface Opened {
  readonly fs: FileSystem;
  readonly warnings: string[];
  readonly ctx: ReturnType<typeof context>;
  reads(): number;
  bytes(): number;
}

class File implements BlockSource {
  readonly sectorSize = 512;
  readonly size: number;
  readonly fd: number;
  reads = 0;
  bytes = 0;
  constructor(
    t: Test,
    readonly label: string,
  ) {
    this.fd = openSync(label, 'r');
    this.size = fstatSync(this.fd).size;
    t.teardown(() => closeSync(this.fd));
  }
  read(at: number, into: Uint8Array): void {
    this.reads++;
    this.bytes += into.length;
    for (let done = 0; done < into.length; ) {
      const n = readSync(this.fd, into, done, into.length - done, at + done);
      if (n <= 0) throw new Error(`read beyond the end at ${at}`);
      done += n;
    }
  }
}

function open(t: Test, path: string, ...others: string[]): Opened {
  const file = new File(t, path);
  const ctx = context();
  const fs = driver.open([new CacheSource(file)], ctx, { others: () => others.map((o) => new File(t, o)) });
  return { fs, ctx, warnings: ctx.warnings, reads: () => file.reads, bytes: () => file.bytes };
}

function content(fs: FileSystem, node: FsNode, ctx: Opened['ctx']): Buffer {
  const all = Buffer.alloc(node.size);
  for (const e of fileExtents(fs, node, ctx)) {
    const part = all.subarray(e.offset, Math.min(e.offset + e.length, node.size));
    if (e.kind === 'data') e.source.read(e.at, part);
    else if (e.kind === 'inline') part.set(e.bytes.subarray(0, part.length));
  }
  return all;
}

/** Differences between `folder` and the filesystem, by listing and by lookup; [] is what we want. */
function differences({ fs, ctx }: Opened, folder: string): string[] {
  const wrong: string[] = [];
  const compare = (dir: FsNode, path: Buffer): void => {
    const mine = new Map([...fs.readdir(dir)].map((e) => [e.name, e]));
    const theirs = (readdirSync(path, { encoding: 'buffer' }) as unknown as Buffer[]).map((b) =>
      b.toString('latin1'),
    );
    if (mine.size !== theirs.length) wrong.push(`${path}: ${mine.size} names, ${theirs.length} expected`);
    for (const name of theirs) {
      const at = Buffer.concat([path, Buffer.from('/'), Buffer.from(name, 'latin1')]);
      const node = mine.get(name)?.node();
      if (!node) {
        wrong.push(`${at}: missing`);
        continue;
      }
      if (fs.lookup(dir, name)?.id !== node.id) wrong.push(`${at}: lookup and listing differ`);
      const st = lstatSync(at);
      const kind = st.isFile()
        ? 'file'
        : st.isDirectory()
          ? 'directory'
          : st.isSymbolicLink()
            ? 'symlink'
            : 'other';
      if (node.kind !== kind) wrong.push(`${at}: ${node.kind}, ${kind} expected`);
      else if (kind === 'directory') compare(node, at);
      else if (kind === 'symlink') {
        const to = (readlinkSync(at, { encoding: 'buffer' }) as unknown as Buffer).toString('latin1');
        if (fs.readlink(node) !== to) wrong.push(`${at}: link to ${fs.readlink(node)}`);
      } else if (kind === 'file') {
        if (node.size !== st.size) wrong.push(`${at}: size ${node.size}, ${st.size} expected`);
        else if (sha256(content(fs, node, ctx)) !== sha256(readFileSync(at))) wrong.push(`${at}: content`);
      }
    }
  };
  compare(fs.root, Buffer.from(folder));
  return wrong;
}

function mounted(image: string, folder: string, options: string, body: () => void): void {
  mkdirSync(folder, { recursive: true });
  must('mount', '-o', `loop,${options}`, image, folder);
  try {
    body();
  } finally {
    unmount(folder, image);
  }
}

/** A tree with something of everything; the copy of a real one is added where time allows. */
function plant(root: string, real: boolean): void {
  mkdirSync(join(root, 'boot/grub'), { recursive: true });
  writeFileSync(join(root, 'boot/grub/grub.cfg'), 'set timeout=5\n'.repeat(300));
  writeFileSync(join(root, 'boot/vmlinuz'), Buffer.alloc(3_000_000, 'kernel'));
  for (const size of [0, 1, 59, 60, 61, 100, 150, 1023, 1024, 1025, 12 * 1024, 12 * 1024 + 1, 300_000])
    writeFileSync(join(root, `size${size}`), Buffer.alloc(size, `${size} `));
  for (const length of [1, 59, 60, 61, 900]) symlinkSync('l'.repeat(length), join(root, `link${length}`));
  const sparse = openSync(join(root, 'sparse'), 'w');
  for (let i = 0; i < 60; i++) writeSync(sparse, `piece ${i}`, i * 300_000);
  writeSync(sparse, 'the end', 20_000_000);
  closeSync(sparse);
  mkdirSync(join(root, 'many'));
  for (let i = 0; i < 400; i++)
    writeFileSync(join(root, 'many', `name of file ${i} ${i % 5 ? '' : 'ä'}`), `${i}`);
  mkdirSync(join(root, 'few/deeper/and/deeper'), { recursive: true });
  writeFileSync(join(root, 'few/a'), 'a');
  if (!real) return;
  for (const folder of ['/usr/lib/python3', '/usr/share/doc/util-linux', '/usr/share/perl5'])
    run('cp', ['-a', folder, root]);
}

const COMBINATIONS: [string, ...string[]][] = [
  ['ext2', '-b', '1024', '-I', '128'],
  ['ext2', '-b', '4096', '-O', '^dir_index,^sparse_super,^filetype,^resize_inode'],
  ['ext2', '-b', '1024', '-r', '0', '-O', 'none'],
  ['ext3', '-b', '1024'],
  ['ext3', '-b', '2048'],
  ['ext4', '-b', '1024'],
  ['ext4', '-b', '2048', '-I', '512', '-O', 'inline_data'],
  ['ext4', '-b', '4096'],
  ['ext4', '-b', '4096', '-O', '^64bit,^metadata_csum,uninit_bg,^flex_bg'],
  ['ext4', '-b', '4096', '-O', '^extent,^64bit'],
  ['ext4', '-b', '4096', '-I', '256', '-O', 'inline_data,metadata_csum_seed'],
  ['ext4', '-b', '4096', '-I', '1024', '-O', 'inline_data,ea_inode,large_dir'],
  ['ext4', '-b', '4096', '-O', 'bigalloc', '-C', '16384', '-N', '20000'],
  ['ext4', '-b', '1024', '-O', 'bigalloc,sparse_super2', '-C', '16384'],
  ['ext4', '-b', '4096', '-O', 'meta_bg,^resize_inode'],
  ['ext4', '-b', '1024', '-g', '1024', '-O', 'meta_bg,^resize_inode,^flex_bg'],
  ['ext4', '-b', '1024', '-O', 'sparse_super2,mmp,quota,project', '-g', '2048'],
  ['ext4', '-b', '4096', '-O', 'orphan_file,encrypt,verity,stable_inodes,fast_commit'],
  ['ext4', '-b', '4096', '-E', 'packed_meta_blocks=1,num_backup_sb=1'],
];

t.test('features and block sizes against the mount', { skip }, async (t) => {
  const dir = scratch(t);
  for (const real of [true, false]) {
    mkdirSync(join(dir, String(real)));
    plant(join(dir, String(real)), real);
  }
  for (const [n, [type, ...options]] of sample([...COMBINATIONS.entries()])) {
    const image = join(dir, 'image');
    rmSync(image, { force: true });
    const tree = join(dir, String(n % 6 === 0));
    must('mke2fs', '-q', '-F', '-t', type, '-L', `disk ${n}`, ...options, '-d', tree, image, '120M');
    mounted(image, join(dir, 'mnt'), type === 'ext2' ? 'ro' : 'ro,noload', () => {
      const o = open(t, image);
      t.same(differences(o, join(dir, 'mnt')), [], `${type} ${options.join(' ')}`);
      t.same(o.warnings, [], 'no warnings');
      const [kind, uuid, label] = ['TYPE', 'UUID', 'LABEL'].map((tag) =>
        must('blkid', '-p', '-s', tag, '-o', 'value', image).trim(),
      );
      t.same([o.fs.type, o.fs.uuid, o.fs.label], [kind, uuid, label], 'blkid says the same');
    });
  }
});

t.test('large blocks against debugfs', async (t) => {
  const dir = scratch(t);
  const tree = join(dir, 'tree');
  mkdirSync(tree);
  plant(tree, false);
  // mke2fs makes one, and leaves this one alone.
  mkdirSync(join(tree, 'lost+found'));
  for (const size of [8192, 16384, 32768, 65536])
    for (const features of ['inline_data', '^extent,^64bit,^metadata_csum,^dir_index']) {
      const image = join(dir, `b${size}${features.length}`);
      must(
        'mke2fs',
        '-q',
        '-F',
        '-t',
        'ext4',
        '-b',
        String(size),
        '-O',
        `^has_journal,${features}`,
        '-d',
        tree,
        image,
        '200M',
      );
      // Makes hash trees of the directories; status 1 is "changed".
      if (!features.includes('^dir_index')) run('e2fsck', ['-fyD', image]);
      const o = open(t, image);
      t.same(differences(o, tree), [], `${size} ${features}: what mke2fs was given`);
      // debugfs 1.47.0 dumps every inline file with at least 60 bytes.
      if (features !== 'inline_data') {
        const out = join(dir, 'dump');
        mkdirSync(out);
        must('debugfs', '-R', `rdump / ${out}`, image);
        t.same(differences(o, out), [], `${size} ${features}: what debugfs dumps`);
        rmSync(out, { recursive: true });
      }
      t.same(o.warnings, []);
      rmSync(image);
    }
});

t.test('100,000 names', { skip }, async (t) => {
  const dir = scratch(t);
  const mnt = join(dir, 'mnt');
  const image = join(dir, 'image');
  must('mke2fs', '-q', '-F', '-t', 'ext4', '-b', '4096', image, '64M');
  let id = 0;
  mounted(image, mnt, 'rw', () => {
    mkdirSync(join(mnt, 'd'));
    // 50,000 names of each of two files: a file has at most 65,000.
    for (const one of ['one', 'two']) {
      writeFileSync(join(mnt, one), one);
      for (let i = 0; i < 50_000; i++) linkSync(join(mnt, one), join(mnt, 'd', `vmlinuz-${one}-${i}`));
    }
    id = lstatSync(join(mnt, 'two')).ino;
  });
  for (const [features, most] of [
    ['dir_index', 10],
    // 5 MB of directory in 16-KiB pages.
    ['-dir_index', 400],
  ] as const) {
    must('debugfs', '-w', '-R', `feature ${features}`, image);
    const o = open(t, image);
    const d = walk(o.fs, '/d');
    const before = o.reads();
    const start = process.hrtime.bigint();
    t.equal(o.fs.lookup(d, 'vmlinuz-two-12345')?.id, id);
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    t.ok(o.reads() - before <= most, `${features}: ${o.reads() - before} reads, ${ms.toFixed(1)} ms`);
    t.equal(o.fs.lookup(d, 'vmlinuz-two-123456'), undefined);
    t.same(o.warnings, []);
  }
});

t.test('hash of bytes above 0x7f, unsigned and untold', { skip }, async (t) => {
  const dir = scratch(t);
  const image = join(dir, 'image');
  // s_flags: 2 unsigned, 1 signed, 0 neither.
  for (const [made, read] of [
    [2, 2],
    [1, 1],
    [1, 0],
    [2, 0],
  ] as const)
    for (const hash of ['half_md4', 'tea', 'legacy']) {
      rmSync(image, { force: true });
      must('mke2fs', '-q', '-F', '-t', 'ext4', '-b', '1024', '-O', '^metadata_csum', image, '8M');
      must('tune2fs', '-E', `hash_alg=${hash}`, image);
      must('debugfs', '-w', '-R', `set_super_value flags ${made}`, image);
      mounted(image, join(dir, 'mnt'), 'rw', () => {
        for (let i = 0; i < 300; i++) writeFileSync(join(dir, 'mnt', `näme-üñ-${i}`), '');
      });
      must('debugfs', '-w', '-R', `set_super_value flags ${read}`, image);
      const { fs, warnings } = open(t, image);
      const names = [...fs.readdir(fs.root)].map((e) => e.name);
      t.equal(names.length, 301);
      t.ok(
        names.every((name) => fs.lookup(fs.root, name)),
        `${hash}, made with ${made}, read with ${read}`,
      );
      t.same(warnings, []);
    }
});

t.test('a file in 5,000 pieces', { skip }, async (t) => {
  const dir = scratch(t);
  const image = join(dir, 'image');
  for (const type of ['ext4', 'ext3']) {
    rmSync(image, { force: true });
    must('mke2fs', '-q', '-F', '-t', type, '-b', '4096', image, '128M');
    let sum = '';
    mounted(image, join(dir, 'mnt'), 'rw', () => {
      const fd = openSync(join(dir, 'mnt/initrd'), 'w');
      for (let i = 0; i < 5000; i++) writeSync(fd, Buffer.alloc(4096, `block ${i}`), 0, 4096, i * 8192);
      closeSync(fd);
      sum = sha256(readFileSync(join(dir, 'mnt/initrd')));
    });
    const o = open(t, image);
    const file = walk(o.fs, '/initrd');
    const before = o.reads();
    const start = process.hrtime.bigint();
    const count = [...o.fs.extents(file)].length;
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    t.equal(count, 5000);
    t.ok(o.reads() - before <= 20, `${type}: ${o.reads() - before} reads, ${ms.toFixed(1)} ms`);
    t.equal(sha256(content(o.fs, file, o.ctx)), sum);
  }
});

t.test('15 TiB: only what is needed is read', async (t) => {
  const image = join(scratch(t), 'image');
  writeFileSync(image, '');
  truncateSync(image, 15 * 1024 ** 4);
  must(
    'mke2fs',
    '-q',
    '-F',
    '-t',
    'ext4',
    '-E',
    'lazy_itable_init=1,nodiscard',
    '-J',
    'size=4',
    '-N',
    '1000000',
    image,
  );
  must('debugfs', '-w', '-R', `write /etc/hostname far`, image);
  const o = open(t, image);
  t.same(content(o.fs, walk(o.fs, '/far'), o.ctx), readFileSync('/etc/hostname'));
  t.ok(o.reads() <= 8 && o.bytes() <= 8 * 16384, `${o.reads()} reads, ${o.bytes()} bytes`);
});

/** Works on a mounted disk, so that the journal has something to say, and copies the disk as a crash would leave it. */
function crash(
  image: string,
  folder: string,
  options: string,
  copy: string,
  work: (folder: string) => void,
): void {
  mounted(image, folder, options, () => {
    work(folder);
    must('sync', '-f', folder);
    copyFileSync(image, copy);
  });
}

function unrest(folder: string): void {
  const magic = Buffer.concat([Buffer.from('c03b3998', 'hex'), Buffer.alloc(1020, 'm')]);
  for (let round = 0; round < 12; round++) {
    mkdirSync(join(folder, `dir${round}`));
    for (let i = 0; i < 40; i++)
      writeFileSync(join(folder, `dir${round}`, `file ${i}`), `${round} ${i}`.repeat(i * 20));
    writeFileSync(join(folder, 'magic'), Buffer.concat(Array(8).fill(magic)));
    symlinkSync(`${round}`.repeat(90), join(folder, `link${round}`));
    must('sync', '-f', folder);
    if (round > 2) rmSync(join(folder, `dir${round - 2}`), { recursive: true });
    writeFileSync(join(folder, `reuse${round}`), Buffer.alloc(30_000, `reuse ${round}`));
    must('sync', '-f', folder);
  }
}

t.test('dirty journals against e2fsck and the kernel', { skip }, async (t) => {
  const dir = scratch(t);
  const [image, dirty, mnt] = [join(dir, 'image'), join(dir, 'dirty'), join(dir, 'mnt')];
  for (const [options, ...features] of [
    ['rw', '-t', 'ext3', '-b', '1024', '-J', 'size=1'],
    ['data=journal', '-t', 'ext3', '-b', '4096'],
    ['rw', '-t', 'ext4', '-b', '1024', '-J', 'size=1'],
    ['data=journal', '-t', 'ext4', '-b', '4096', '-J', 'size=4'],
    ['journal_checksum', '-t', 'ext4', '-b', '2048', '-O', '^metadata_csum'],
    ['rw', '-t', 'ext4', '-b', '4096', '-O', '^metadata_csum,^64bit'],
    ['journal_async_commit,data=writeback', '-t', 'ext4', '-b', '1024'],
    ['data=journal', '-t', 'ext4', '-b', '4096', '-O', 'inline_data,bigalloc', '-C', '16384'],
  ] as const) {
    rmSync(image, { force: true });
    must('mke2fs', '-q', '-F', ...features, image, '48M');
    crash(image, mnt, options, dirty, unrest);
    t.match(must('dumpe2fs', '-h', dirty), /needs_recovery/);
    for (const oracle of ['e2fsck', 'kernel']) {
      copyFileSync(dirty, image);
      if (oracle === 'e2fsck') t.ok(run('e2fsck', ['-fy', image]).status! <= 1);
      mounted(image, mnt, oracle === 'e2fsck' ? 'ro' : 'rw', () => {
        const o = open(t, dirty);
        t.same(differences(o, mnt), [], `${oracle}: ${options} ${features.join(' ')}`);
        t.same(o.warnings, []);
      });
    }
  }
});

t.test('transactions of debugfs against e2fsck', { skip }, async (t) => {
  const dir = scratch(t);
  const [image, copy, a, b] = ['image', 'copy', 'a', 'b'].map((n) => join(dir, n)) as [
    string,
    string,
    string,
    string,
  ];
  writeFileSync(a, Buffer.alloc(8192, 'journal a'));
  writeFileSync(b, Buffer.concat([Buffer.from('c03b3998', 'hex'), Buffer.alloc(8188, 'magic b')]));
  const tree = join(dir, 'tree');
  mkdirSync(tree);
  for (const name of ['kept', 'gone', 'twice'])
    writeFileSync(join(tree, name), Buffer.alloc(40_000, `disk ${name}`));
  for (const journal of ['jo', 'jo -c -v 2', 'jo -c -v 3'])
    for (const features of ['64bit', '^64bit']) {
      rmSync(image, { force: true });
      must(
        'mke2fs',
        '-q',
        '-F',
        '-t',
        'ext4',
        '-b',
        '4096',
        '-J',
        'size=4',
        '-O',
        features,
        '-d',
        tree,
        image,
        '32M',
      );
      const at = (name: string, block: number) =>
        must('debugfs', '-R', `bmap /${name} ${block}`, image).trim();
      const commands = join(dir, 'commands');
      writeFileSync(
        commands,
        [
          journal,
          `jw -b ${at('kept', 0)},${at('kept', 1)} ${a}`,
          `jw -b ${at('gone', 0)},${at('gone', 1)} ${a}`,
          `jw -b ${at('twice', 0)},${at('twice', 1)} ${a}`,
          `jw -r ${at('gone', 0)},${at('twice', 0)}`,
          `jw -b ${at('twice', 0)},${at('twice', 2)} ${b}`,
          'jc',
          '',
        ].join('\n'),
      );
      must('debugfs', '-w', '-f', commands, image);
      copyFileSync(image, copy);
      t.ok(run('e2fsck', ['-fy', copy]).status! <= 1);
      mounted(copy, join(dir, 'mnt'), 'ro', () => {
        const o = open(t, image);
        t.same(differences(o, join(dir, 'mnt')), [], `${journal}, ${features}`);
        t.same(o.warnings, []);
        t.not(
          content(o.fs, walk(o.fs, '/kept'), o.ctx).toString('latin1', 0, 4),
          'disk',
          'something was replayed',
        );
      });
    }
});

t.test('fast commits against the kernel', { skip }, async (t) => {
  const dir = scratch(t);
  const [image, dirty, mnt] = [join(dir, 'image'), join(dir, 'dirty'), join(dir, 'mnt')];
  // Seeds 1 and 12 use freed inodes again, for files with holes.
  for (const [seed, ...features] of [
    ['1', '-b', '1024'],
    ['12', '-b', '1024'],
    ['3', '-b', '4096'],
    ['4', '-b', '2048', '-O', 'inline_data'],
    ['5', '-b', '1024', '-O', '^metadata_csum,^64bit'],
  ] as const) {
    rmSync(image, { force: true });
    must(
      'mke2fs',
      '-q',
      '-F',
      '-t',
      'ext4',
      '-U',
      UUID,
      '-E',
      `hash_seed=${UUID}`,
      '-O',
      'fast_commit',
      ...features,
      image,
      '64M',
    );
    crash(image, mnt, 'rw', dirty, (folder) => {
      const script = `
import os, random, sys
os.chdir(sys.argv[1]); r = random.Random(int(sys.argv[2]))
os.mkdir('d')
for n in range(20): open(f'd/f{n}', 'wb').write(b'%d ' % n * 9000)
os.sync()
def sync(name):
    fd = os.open(name, os.O_RDWR); os.fsync(fd); os.close(fd)
for n in range(60):
    files = sorted(os.listdir('d')); f = 'd/' + r.choice(files); k = r.randrange(7)
    if k == 0: os.unlink(f); f = None
    elif k == 1: os.rename(f, f'd/r{n}'); f = f'd/r{n}'
    elif k == 2: os.link(f, f'd/l{n}')
    elif k == 3: os.truncate(f, r.randrange(30000))
    elif k == 4:
        with open(f, 'r+b') as o: o.seek(r.randrange(90000)); o.write(b'new %d ' % n * 700)
    elif k == 5: f = f'd/n{n}'; open(f, 'wb').write(b'n' * r.randrange(20000))
    else: os.mkdir(f'm{n}'); f = f'm{n}/x'; open(f, 'wb').write(b'x' * 5000)
    if f: sync(f)
`;
      must('python3', '-c', script, folder, seed);
      // `sync -f` in crash() would make a full commit; the copy is taken here, after the last fsync.
      copyFileSync(image, `${dirty}.fast`);
    });
    copyFileSync(`${dirty}.fast`, image);
    mounted(image, mnt, 'rw', () => {
      const o = open(t, `${dirty}.fast`);
      t.same(differences(o, mnt), [], `seed ${seed}, ${features.join(' ')}`);
      t.same(o.warnings, []);
    });
  }
});
