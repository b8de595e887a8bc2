/**
 * The FAT driver against Linux' vfat (in a kernel that has it, see uml.sh): trees written by it and read by both, over
 * FAT sizes, sector sizes and cluster sizes; against mtools and GRUB where they can.
 */
import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../fsdrivers';
import { toUnicode } from '../../lib/bytes/text';
import { fileExtents } from '../../lib/fs/file';
import type { FileSystem, FsNode } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { CacheSource } from '../../lib/source/cache';
import { openDisk } from '../../lib/source/file';
import { context, ROOT, sample } from '../support';
import { must, run, scratch } from './support';
import { inLinux } from './uml';

interface Disk {
  readonly bits: 12 | 16 | 32;
  readonly sector: number;
  /** Sectors. */
  readonly cluster: number;
  /** MiB, sparse. */
  readonly size: number;
  readonly names?: number;
  readonly more?: string[];
}

// FAT16 needs 4,085 clusters, FAT32 by the specification 65,525 (mkfs.fat makes smaller ones when told).
const DISKS: Disk[] = sample(
  [
    { bits: 12, sector: 512, cluster: 1, size: 1, more: ['-r', '512'] },
    { bits: 12, sector: 512, cluster: 8, size: 8 },
    { bits: 12, sector: 1024, cluster: 4, size: 12, more: ['-f', '1'] },
    { bits: 12, sector: 4096, cluster: 16, size: 200 },
    { bits: 16, sector: 512, cluster: 1, size: 4, names: 1000 },
    { bits: 16, sector: 512, cluster: 128, size: 300 },
    { bits: 16, sector: 2048, cluster: 2, size: 64, more: ['-f', '3', '-R', '7'] },
    { bits: 16, sector: 4096, cluster: 64, size: 1200 },
    { bits: 32, sector: 512, cluster: 1, size: 40, names: 1000 },
    { bits: 32, sector: 512, cluster: 8, size: 300 },
    { bits: 32, sector: 512, cluster: 64, size: 2200 },
    { bits: 32, sector: 1024, cluster: 2, size: 150, more: ['-a', '-R', '33'] },
    { bits: 32, sector: 4096, cluster: 1, size: 290, names: 1000 },
  ],
  2,
);

function* tree(fs: FileSystem, dir: FsNode, path: string): Generator<[string, FsNode]> {
  for (const entry of fs.readdir(dir)) {
    const node = entry.node();
    yield [path + toUnicode(entry.name), node];
    if (node.kind === 'directory') yield* tree(fs, node, `${path}${toUnicode(entry.name)}/`);
  }
}

function sum(fs: FileSystem, node: FsNode): string {
  const hash = createHash('sha256');
  for (const e of fileExtents(fs, node, context())) {
    if (e.kind !== 'data') throw new Error('FAT has data only');
    const bytes = Buffer.alloc(e.length);
    e.source.read(e.at, bytes);
    hash.update(bytes);
  }
  return hash.digest('hex');
}

t.test('trees that Linux wrote', async (t) => {
  const dir = scratch(t);
  const paths = DISKS.map((d, i) => {
    const path = join(dir, `${String(i).padStart(2, '0')}-fat${d.bits}-${d.sector}x${d.cluster}.img`);
    writeFileSync(path, '');
    truncateSync(path, d.size * 2 ** 20);
    must(
      'mkfs.fat',
      ...['-F', String(d.bits), '-S', String(d.sector), '-s', String(d.cluster), '-n', `DISK ${i}`],
      ...(d.more ?? []),
      path,
    );
    return path;
  });
  const recipe = join(ROOT, 'fixtures/recipes/fat-tree.sh');
  inLinux(
    dir,
    `set -e
    mkdir -p ${dir}/mnt
    fill() {
      mount -t vfat -o loop,utf8,tz=UTC $1 ${dir}/mnt; bash ${recipe} ${dir}/mnt $2; umount ${dir}/mnt
      mount -t vfat -o loop,ro,utf8,tz=UTC $1 ${dir}/mnt; bash ${recipe} --list ${dir}/mnt >$1.list; umount ${dir}/mnt
    }
    ${paths.map((path, i) => `fill ${path} ${DISKS[i]!.names ?? 30}`).join('\n')}`,
  );

  for (const [i, path] of paths.entries()) {
    const theirs = must('cat', `${path}.list`);
    const fs = openFileSystem(new CacheSource(openDisk(path)), context(), () => []);
    if (!fs) {
      t.fail(`${path}: not known`);
      continue;
    }
    const directories: string[] = [];
    const files: string[] = [];
    for (const [name, node] of tree(fs, fs.root, ''))
      if (node.kind === 'directory') directories.push(`d ${name}`);
      else files.push(`f ${node.size} ${node.mtime} ${sum(fs, node)} ${name}`);
    const ours = [...directories, ...files].sort();
    const expected = Buffer.from(theirs, 'latin1').toString('utf8').trimEnd().split('\n').sort();
    t.ok(expected.length > 50);
    t.same(ours, expected, path.slice(dir.length + 1));
    t.equal(fs.label, `DISK ${i}`);
    t.equal(fs.uuid, must('blkid', '-p', '-o', 'value', '-s', 'UUID', path).trim());
    const pieces = [...fileExtents(fs, walk(fs, 'piece.one'), context())].length;
    if (DISKS[i]!.sector * DISKS[i]!.cluster <= 1024) t.ok(pieces > 3, `${pieces} pieces`);

    // GRUB reads the same bytes.
    for (const name of ['/piece.two', '/efi/boot/bootx64.efi', '/deep/a/b/c/d/e/f/file']) {
      const grub = run('grub-fstest', [path, 'cat', name]);
      if (grub.status !== 0) {
        // It refuses some that Linux mounts (a FAT32 of few clusters, sectors of 4,096 bytes in an image).
        t.comment(`grub-fstest ${path}: ${grub.stderr.trim()}`);
        break;
      }
      t.equal(
        createHash('sha256').update(Buffer.from(grub.stdout, 'latin1')).digest('hex'),
        sum(fs, walk(fs, name)),
        `GRUB: ${name}`,
      );
    }
  }
});

t.test('trees that mtools wrote', async (t) => {
  const dir = scratch(t);
  const path = join(dir, 'disk');
  writeFileSync(path, '');
  truncateSync(path, 3 << 20);
  must(
    'mformat',
    '-i',
    path,
    '-T',
    String(6 * 1024),
    '-h',
    '2',
    '-s',
    '18',
    '-N',
    '12345678',
    '-v',
    'MTOOLS',
    '::',
  );
  must('mmd', '-i', path, '::/Some Directory', '::/lower', '::/UPPER');
  const names = [
    'Some Directory/A long name.txt',
    'lower/file',
    'UPPER/FILE.TXT',
    'lower/x.y.z',
    'lower/Mixed.CFG',
  ];
  for (const [i, name] of names.entries()) {
    writeFileSync(join(dir, 'file'), `${name}\n`.repeat(i * 100));
    must('mcopy', '-i', path, join(dir, 'file'), `::/${name}`);
  }
  const fs = openFileSystem(openDisk(path), context(), () => [])!;
  t.equal(fs.label, 'MTOOLS');
  t.equal(fs.uuid, '1234-5678');
  const listed = must('mdir', '-i', path, '-/', '-b', '::')
    .trim()
    .split('\n')
    .map((line) => line.replace(/^::\//, ''));
  t.same(
    [...tree(fs, fs.root, '')].map(([name, n]) => (n.kind === 'directory' ? `${name}/` : name)).sort(),
    listed.sort(),
  );
  for (const [i, name] of names.entries())
    t.equal(
      sum(fs, walk(fs, name)),
      createHash('sha256')
        .update(`${name}\n`.repeat(i * 100))
        .digest('hex'),
    );
});
