/** The fixtures, made by Linux' vfat, against what Linux read in them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { fromHost, toUnicode } from '../../../lib/bytes/text';
import { fileExtents, readWhole } from '../../../lib/fs/file';
import type { FileSystem, FsNode } from '../../../lib/fs/types';
import { tryWalk, walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { counting } from '../../sources';
import { context, image, ROOT, source } from '../../support';

interface Expected {
  uuid: string;
  label: string | null;
  version: string;
  directories: string[];
  files: Record<string, { size: number; mtime: number; sha256: string }>;
}

const NAMES = ['fat-12', 'fat-16', 'fat-32', 'fat-32-4096'];
const expectedOf = (name: string): Expected =>
  JSON.parse(readFileSync(join(ROOT, 'fixtures/images', `${name}.expected.json`), 'utf8'));

function open(name: string): FileSystem {
  const fs = openFileSystem(source(`${name}.img`), context(), () => []);
  if (!fs) throw new Error(`${name} is not known`);
  return fs;
}

function* tree(fs: FileSystem, dir: FsNode, path: string): Generator<[string, FsNode]> {
  for (const entry of fs.readdir(dir)) {
    const node = entry.node();
    yield [path + toUnicode(entry.name), node];
    if (node.kind === 'directory') yield* tree(fs, node, `${path}${toUnicode(entry.name)}/`);
  }
}

/** Letter by letter: FAT knows no `SS` for `ß`. */
const upper = (text: string) => text.replace(/[^ß]/gu, (c) => c.toUpperCase());
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

for (const name of NAMES) {
  t.test(name, (t) => {
    const expected = expectedOf(name);
    const fs = open(name);
    const ctx = context();
    t.equal(fs.type, 'vfat');
    t.equal(fs.grubName, 'fat');
    t.equal(fs.ignoresCase, true);
    t.equal(fs.uuid, expected.uuid);
    t.equal(fs.label ?? null, expected.label);

    const directories: string[] = [];
    const files: Expected['files'] = {};
    for (const [path, node] of tree(fs, fs.root, '')) {
      if (node.kind === 'directory') directories.push(path);
      else
        files[path] = {
          size: node.size,
          mtime: node.mtime ?? 0,
          sha256: sha256(readWhole(fs, node, 1 << 20, ctx)),
        };
    }
    t.same(directories.sort(), expected.directories.sort());
    t.same(files, expected.files);
    for (const path of Object.keys(expected.files))
      t.equal(walk(fs, fromHost(path)).id, walk(fs, fromHost(upper(path))).id, path);
    t.equal(tryWalk(fs, '/efi/boot/nothing'), undefined);
    t.end();
  });
}

t.test('names match without regard to case, long or short', (t) => {
  const fs = open('fat-16');
  const same = (a: string, b: string) =>
    t.equal(walk(fs, fromHost(a)).id, walk(fs, fromHost(b)).id, `${a} = ${b}`);
  same('EFI/BOOT/BOOTX64.EFI', '/efi/Boot/bootx64.efi');
  same('Größe Ä.cfg', 'GRÖßE ä.CFG');
  same('a rather long name with spaces and.several.dots.conf', 'ARATHE~1.CON');
  same('deep/a/../a/b', 'DEEP/A/B');
  t.throws(() => walk(fs, 'readme.txt/x'), { code: 'not-found' });
  t.equal(tryWalk(fs, 'readme.tx'), undefined);
  t.end();
});

t.test('a file in pieces is several extents, one in one piece is one', (t) => {
  const fs = open('fat-16');
  const ctx = context();
  const extents = (path: string) => [...fileExtents(fs, walk(fs, path), ctx)];
  t.ok(extents('piece.one').length > 5);
  t.equal(extents('EFI/BOOT/BOOTX64.EFI').length, 1);
  t.same(extents('empty'), []);
  t.end();
});

t.test('few reads', (t) => {
  const disk = counting(source('fat-32.img'));
  const fs = openFileSystem(new CacheSource(disk), context(), () => [])!;
  readWhole(fs, walk(fs, 'many/entry number 7 of 40.conf'), 1000, context());
  t.ok(disk.reads <= 6, `${disk.reads} reads`);
  t.end();
});

t.test('the FAT that the boot sector calls active is used', (t) => {
  const bytes = image('fat-32.img');
  const fatBytes = bytes.readUInt32LE(36) * 512;
  const first = bytes.readUInt16LE(14) * 512;
  bytes.fill(0, first, first + fatBytes);
  bytes[first] = 0xf8;
  const read = (flags: number) => {
    bytes.writeUInt16LE(flags, 40);
    const fs = openFileSystem(new MemorySource(bytes), context(), () => [])!;
    return sha256(readWhole(fs, walk(fs, 'piece.two'), 1 << 20, context()));
  };
  t.equal(read(0x81), expectedOf('fat-32').files['piece.two']!.sha256);
  t.throws(() => read(0), { code: 'corrupt' });
  t.throws(() => read(0x85), TypeError, 'no such FAT: not a FAT filesystem');
  t.end();
});

t.test('the label of the boot sector counts where the root has none', (t) => {
  const bytes = image('fat-12.img');
  const at = bytes.indexOf('NODEGRUB12 \x08', 512, 'latin1');
  t.ok(at > 0);
  bytes[at] = 0xe5;
  t.equal(openFileSystem(new MemorySource(bytes), context(), () => [])!.label, 'NODEGRUB12');
  bytes.write('NO NAME    ', 43, 'latin1');
  t.equal(openFileSystem(new MemorySource(bytes), context(), () => [])!.label, undefined);
  t.end();
});

t.test('a long name with a wrong sum, or in disorder, gives way to the short one', (t) => {
  const long = 'a rather long name with spaces and.several.dots.conf';
  for (const change of [
    (b: Buffer, at: number) => (b[at + 13]! ^= 1),
    (b: Buffer, at: number) => (b[at] = 3),
  ]) {
    const bytes = image('fat-16.img');
    const at = bytes.indexOf('ARATHE~1CON', 0, 'latin1');
    change(bytes, at - 32);
    const fs = openFileSystem(new MemorySource(bytes), context(), () => [])!;
    t.equal(tryWalk(fs, long), undefined);
    t.equal(readWhole(fs, walk(fs, 'arathe~1.con'), 100, context()).toString(), 'long\n');
  }
  t.end();
});
