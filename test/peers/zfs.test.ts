/**
 * ZFS by OpenZFS' own library (openzfs.sh) and by zfs-fuse over versions, features, kinds of vdevs and missing members, against
 * the tree, GRUB's reader and blkid.
 */
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { walk } from '../../lib/fs/walk';
import { MOST, ran } from '../hostile/growth';
import { ROOT } from '../support';
import { boot, must, NODEGRUB, run, scratch } from './support';
import { differences, type Opened, openImage, plantTree } from './trees';

const dir = scratch(t);
const tree = join(dir, 'tree');
plantTree(tree, { files: 150, fifo: true });
/** Without holes of megabytes: for what is looked at several times. */
const small = join(dir, 'small');
plantTree(small, { files: 80, fifo: true, sparse: false });
must('bash', join(ROOT, 'test/peers/openzfs.sh'), join(dir, 'openzfs'));

/** Empty disks, sparse. */
function blanks(count: number, mib = 80): string[] {
  return Array.from({ length: count }, (_, i) => {
    const path = join(dir, `disk${i}`);
    rmSync(path, { force: true });
    writeFileSync(path, '');
    truncateSync(path, mib * 1024 * 1024);
    return path;
  });
}

/** zfs-make with `@N` for disks, `TREE` and `SMALL` for the trees. */
function make(disks: readonly string[], commands: string): void {
  const words = commands.split(/\s+/).filter(Boolean);
  must(
    join(dir, 'openzfs/zfs-make'),
    ...words.map((w) =>
      w === 'TREE' ? tree : w === 'SMALL' ? small : /^@\d$/.test(w) ? disks[Number(w[1])]! : w,
    ),
  );
}

const openAll = ([first, ...others]: readonly string[]): Opened => openImage(first!, ...others);

function sameIdentity(t: Test, { fs }: Opened, image: string): void {
  const tag = (name: string) => must('blkid', '-p', '-s', name, '-o', 'value', image).trim();
  t.same(
    [fs.type, fs.uuid, fs.label],
    [tag('TYPE'), BigInt(tag('UUID')).toString(16).padStart(16, '0'), tag('LABEL')],
    'as blkid says, but in hexadecimal, as GRUB does',
  );
}

/** GRUB reads the same. */
function asGrub(t: Test, disks: readonly string[], path: string, file: string): void {
  const r = run('grub-fstest', ['-c', String(disks.length), ...disks, 'cmp', `(loop0)${path}`, file]);
  t.equal(r.status, 0, `grub-fstest ${path}: ${r.stdout}${r.stderr}`);
}

interface Variant {
  readonly disks: number;
  readonly commands: string;
  /** Disks that are taken away, of which the rest must be enough. */
  readonly missing?: readonly (readonly number[])[];
  readonly mib?: number;
  readonly warnings?: RegExp;
  /** GRUB 2.06 knows all that is in it. */
  readonly grub?: true;
}

const variants: readonly Variant[] = [
  { disks: 1, commands: 'create p @0 , set p compression=15 , fill p TREE' },
  { disks: 1, commands: 'create p version=28 @0 , set p compression=3 copies=2 , fill p TREE', grub: true },
  {
    disks: 1,
    commands:
      'create p ashift=12 @0 , set p compression=16 checksum=8 dnodesize=4096 recordsize=4194304 , fill p SMALL',
  },
  {
    disks: 1,
    commands:
      'create p ashift=13 @0 , set p compression=9 checksum=11 dnodesize=1 recordsize=8192 , fill p SMALL',
  },
  {
    disks: 1,
    commands: 'create p @0 , set p compression=14 checksum=12 recordsize=32768 , gang 1000 , fill p TREE',
    warnings: /skein is not computed/,
  },
  {
    disks: 4,
    commands: 'create p mirror @0 @1 special @2 log @3 , set p compression=15 checksum=6 , fill p SMALL',
    missing: [[0, 3]],
    warnings: /disk\d, [0-9a-f]+ is missing/,
  },
  {
    disks: 4,
    commands: 'create p ashift=12 raidz1 @0 @1 @2 @3 , set p compression=2 , fill p SMALL',
    missing: [[2]],
    warnings: /disk\d, [0-9a-f]+ is missing/,
  },
  {
    disks: 5,
    commands: 'create p raidz2 @0 @1 @2 @3 @4 , set p compression=15 , fill p SMALL',
    missing: [
      [0, 1],
      [2, 4],
    ],
    warnings: /disk\d, [0-9a-f]+ is missing/,
  },
  {
    disks: 6,
    commands: 'create p raidz3 @0 @1 @2 @3 @4 @5 , set p compression=2 , fill p SMALL',
    missing: [
      [0, 1, 5],
      [2, 3, 4],
    ],
    warnings: /disk\d, [0-9a-f]+ is missing/,
  },
  // What was on two vdevs that are gone.
  {
    disks: 3,
    mib: 700,
    commands: 'create p @0 @1 @2 , set p compression=2 , fill p SMALL , remove @0 , remove @1',
    missing: [[0, 1]],
  },
];

for (const { disks: count, commands, missing = [], mib, warnings, grub } of variants)
  t.test(commands, async (t) => {
    const disks = blanks(count, mib);
    const source = commands.includes('SMALL') ? small : tree;
    make(disks, commands);
    const opened = openAll(disks);
    t.same(differences(opened, source), []);
    if (missing.length > 0 || !warnings) t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened, disks[0]!);
    if (grub) asGrub(t, disks, '/@/boot/vmlinuz', join(source, 'boot/vmlinuz'));
    for (const gone of missing) {
      const degraded = openAll(disks.filter((_, i) => !gone.includes(i)));
      t.same(differences(degraded, source), [], `without ${gone}`);
      if (warnings) for (const warning of degraded.ctx.warnings) t.match(warning, warnings);
    }
  });

t.test('a mirror and a RAID-Z with silent damage', async (t) => {
  for (const commands of [
    'create p mirror @0 @1 , fill p SMALL',
    'create p raidz2 @0 @1 @2 @3 , fill p SMALL',
  ]) {
    const disks = blanks(commands.includes('mirror') ? 2 : 4);
    make(disks, commands);
    // All data of one member, and none of its labels.
    const fd = openSync(disks[0]!, 'r+');
    const size = 80 * 1024 * 1024;
    writeSync(fd, Buffer.alloc(size - 5 * 1024 * 1024, 0x5a), 0, undefined, 4 * 1024 * 1024);
    closeSync(fd);
    const opened = openAll(disks);
    t.same(differences(opened, small), [], commands);
    t.ok(opened.ctx.warnings.length > 0 && opened.ctx.warnings.length < 10, opened.ctx.warnings.join(' | '));
    for (const warning of opened.ctx.warnings) t.match(warning, /checksum of .* wrong, another is read/);
  }
});

t.test('datasets: encrypted, a volume, snapshots, without regard to case', async (t) => {
  const disks = blanks(1);
  make(
    disks,
    `create p @0 , fs p/ROOT , fs p/ROOT/x compression=15 , fill p/ROOT/x SMALL , snapshot p/ROOT/x s , clone p/clone p/ROOT/x@s ,
    fs p/secret key=1 , fill p/secret ${join(tree, 'links')} , volume p/volume , fs p/folded case=1 norm=0x60 , fill p/folded ${join(tree, 'links')} ,
    fs p/znode zpl=4 compression=3 , fill p/znode SMALL , bootfs p/ROOT/x`,
  );
  const { fs, ctx } = openAll(disks);
  for (const path of ['/', '/ROOT/x@s', '/znode@']) {
    const root = walk(fs, path);
    const view = {
      ...fs,
      root,
      lookup: fs.lookup.bind(fs),
      readdir: fs.readdir.bind(fs),
      extents: fs.extents.bind(fs),
    };
    // Absolute links stay in their dataset: told with its name before them.
    const name = path === '/' ? '' : path.replace(/\/@$/, '@');
    const readlink = (link: Parameters<typeof fs.readlink>[0]) => {
      const target = fs.readlink(link);
      return target.startsWith(`${name}/`) ? target.slice(name.length) : target;
    };
    t.same(differences({ fs: { ...view, readlink }, ctx }, small), [], path);
  }
  t.same(ctx.warnings, []);
  t.throws(() => walk(fs, '/secret@/boot'), { code: 'unsupported', message: /encrypted/ });
  t.throws(() => walk(fs, '/volume@/boot'), { code: 'unsupported', message: /zvol/ });
  t.equal(fs.readlink(walk(fs, '/folded@/UMLAUT', false)), Buffer.from('Größe').toString('latin1'));
  // A pool of which only the booted dataset is encrypted.
  make(blanks(1), 'create p @0 , fs p/x key=1 , fs p/y , fill p/y SMALL');
  const other = openAll(disks);
  t.same(differences(other, small), [], 'the readable one is taken');
});

t.test('10,000 names', async (t) => {
  const many = join(dir, 'many');
  mkdirSync(join(many, 'd'), { recursive: true });
  writeFileSync(join(many, 'file'), 'one');
  const count = 10_000;
  for (let i = 0; i < count; i++)
    linkSync(join(many, 'file'), join(many, 'd', `name of a link, which is long enough for a fat ZAP ${i}`));
  const disks = blanks(1);
  make(disks, `create p @0 , fill p ${many}`);
  const { fs } = openAll(disks);
  const d = walk(fs, '/d');
  t.equal(new Set([...fs.readdir(d)].map((e) => e.name)).size, count);
  // Names spread over the directory.
  const found = ran(300, (names) => () => {
    for (let i = 0; i < names; i++)
      if (!fs.lookup(d, `name of a link, which is long enough for a fat ZAP ${(i * 7919) % count}`))
        t.fail(`${i}`);
  });
  t.ok(found < MOST, `n^${found.toFixed(2)}`);
  rmSync(many, { recursive: true });
});

t.test('booted: GRUB’s paths, and those of the dataset', async (t) => {
  const system = join(dir, 'system');
  mkdirSync(join(system, 'boot/grub'), { recursive: true });
  writeFileSync(join(system, 'boot/vmlinuz'), 'kernel');
  writeFileSync(join(system, 'boot/initrd'), 'ramdisk');
  const disks = blanks(1);
  for (const [path, bootfs] of [
    ['/ROOT/x@/boot', ' , bootfs p/ROOT/x'],
    ['/ROOT/x/@/boot', ''],
    ['/boot', ''],
  ] as const) {
    writeFileSync(
      join(system, 'boot/grub/grub.cfg'),
      `search --no-floppy --label --set=root p\nmenuentry one {\nlinux ${path}/vmlinuz root=ZFS=p/ROOT/x\ninitrd ${path}/initrd\n}\n`,
    );
    make(blanks(1), `create p @0 , fs p/ROOT , fs p/ROOT/x , fill p/ROOT/x ${system}${bootfs}`);
    const booted = boot(NODEGRUB, dir, disks);
    t.equal(booted.status, 0, booted.stderr);
    t.same(
      [booted.kernel, booted.ramdisk, booted.args].map(String),
      ['kernel', 'ramdisk', 'root=ZFS=p/ROOT/x'],
      path,
    );
  }
  // Solaris: the kernel is told of its dataset.
  const solaris = join(dir, 'solaris');
  for (const name of ['i86xpv/kernel/amd64/unix', 'i86pc/amd64/boot_archive']) {
    mkdirSync(join(solaris, 'platform', name, '..'), { recursive: true });
    writeFileSync(join(solaris, 'platform', name), name);
  }
  make(
    blanks(1),
    `create p @0 , fs p/ROOT , fs p/ROOT/s , fill p/ROOT/s ${solaris} , fs p/ROOT/t , fill p/ROOT/t ${system}`,
  );
  const booted = boot(NODEGRUB, dir, ['--args=-B zfs-bootfs=p/ROOT/s', ...disks]);
  t.equal(booted.status, 0, booted.stderr);
  t.match(booted.args, /^\/platform\/i86xpv\/kernel\/amd64\/unix -B zfs-bootfs=p\/\d+$/);
  t.equal(String(booted.ramdisk), 'i86pc/amd64/boot_archive');
});

t.test('zfs-fuse: older versions, filled through the kernel', async (t) => {
  const pid = join(dir, 'zfs-fuse.pid');
  const mount = join(dir, 'mount');
  const pool = `ng${process.pid}`;
  if (run('zpool', ['list']).status !== 0) {
    must('zfs-fuse', '--pidfile', pid);
    for (let i = 0; i < 50 && run('zpool', ['list']).status !== 0; i++) must('sleep', '0.1');
  }
  try {
    const pools: readonly (readonly [disks: number, vdevs: string, options: string, grub: boolean])[] = [
      [1, '@0', '-O compression=gzip-9 -O checksum=sha256', true],
      [3, 'raidz2 @0 @1 @2', '-o version=17 -O compression=lzjb', true],
      [2, '@0 @1', '-o version=1 -O version=1 -O checksum=fletcher2 -O recordsize=4k', true],
    ];
    for (const [count, vdevs, options, grub] of pools) {
      const disks = blanks(count);
      const words = vdevs.split(' ').map((w) => (w.startsWith('@') ? disks[Number(w[1])]! : w));
      must('zpool', 'create', '-m', mount, ...options.split(' '), pool, ...words);
      must('cp', '-a', `${tree}/.`, mount);
      must('sync');
      must(
        'sh',
        '-c',
        'for i in 1 2 3 4 5; do zpool export "$1" && exit; sleep 0.2; done; exit 1',
        'sh',
        pool,
      );
      const opened = openAll(disks);
      t.same(differences(opened, tree), [], options);
      t.same(opened.ctx.warnings, []);
      sameIdentity(t, opened, disks[0]!);
      if (grub)
        for (const file of ['boot/vmlinuz', 'boot/initrd.img'])
          asGrub(t, disks, `/@/${file}`, join(tree, file));
    }
  } finally {
    run('zpool', ['destroy', '-f', pool]);
    if (existsSync(pid)) process.kill(Number(readFileSync(pid, 'latin1')));
  }
});
