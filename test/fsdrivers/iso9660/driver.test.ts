/** The fixtures, made by xorriso, genisoimage and a writer of their own, against what Linux read in them. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { fromHost, toUnicode } from '../../../lib/bytes/text';
import { fileExtents, readWhole } from '../../../lib/fs/file';
import type { FileSystem, FsNode } from '../../../lib/fs/types';
import { tryWalk, walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { blocks } from '../../hostile/growth';
import { counting } from '../../sources';
import { context, image, ROOT, source } from '../../support';

interface Tree {
  directories: string[];
  /** Path → target. */
  links: Record<string, string>;
  others: string[];
  files: Record<string, { size: number; mtime: number; sha256: string }>;
}
interface Expected extends Tree {
  uuid: string;
  label: string | null;
  /** Another image's expectation holds this tree, too. */
  tree?: string;
}

const IMAGES = join(ROOT, 'fixtures/images');
const NAMES = readdirSync(IMAGES)
  .filter((f) => f.startsWith('iso9660-') && f.endsWith('.img.gz'))
  .map((f) => f.slice(0, -'.img.gz'.length));

function expectedOf(name: string): Expected {
  const e: Expected = JSON.parse(readFileSync(join(IMAGES, `${name}.expected.json`), 'utf8'));
  return e.tree ? { ...expectedOf(e.tree), ...e } : e;
}

function open(name: string): FileSystem {
  const ctx = context();
  const fs = openFileSystem(source(`${name}.img`), ctx, () => []);
  if (!fs) throw new Error(`${name} is not known`);
  t.same(ctx.warnings, [], `${name}: not a word`);
  return fs;
}

function* tree(fs: FileSystem, dir: FsNode, path: string): Generator<[string, FsNode]> {
  for (const entry of fs.readdir(dir)) {
    const node = entry.node();
    t.equal(entry.kind, node.kind);
    yield [path + toUnicode(entry.name), node];
    if (node.kind === 'directory') yield* tree(fs, node, `${path}${toUnicode(entry.name)}/`);
  }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const sorted = (names: Iterable<string>) => [...names].sort();

t.test('there are fixtures', async (t) => {
  t.ok(NAMES.length >= 11);
});

for (const name of NAMES)
  t.test(name, async (t) => {
    const expected = expectedOf(name);
    const fs = open(name);
    const ctx = context();
    // An enhanced tree keeps the case that Linux, which reads the primary one, does not show.
    const shown = (path: string) => (name === 'iso9660-enhanced' ? path.toLowerCase() : path);
    t.equal(fs.type, 'iso9660');
    t.equal(fs.grubName, 'iso9660');
    t.equal(fs.uuid, expected.uuid);
    t.equal(fs.label ?? null, expected.label);
    const found: Tree = { directories: [], links: {}, others: [], files: {} };
    for (const [listed, node] of tree(fs, fs.root, '')) {
      const path = shown(listed);
      t.ok(['number', 'string'].includes(typeof node.id));
      switch (node.kind) {
        case 'directory':
          found.directories.push(path);
          break;
        case 'symlink':
          found.links[path] = toUnicode(fs.readlink(node));
          t.equal(node.size, fs.readlink(node).length);
          break;
        case 'other':
          found.others.push(path);
          break;
        default: {
          const bytes = readWhole(fs, node, 1 << 20, ctx);
          found.files[path] = { size: node.size, mtime: node.mtime ?? 0, sha256: sha256(bytes) };
        }
      }
      t.equal(walk(fs, fromHost(listed), false).id, node.id, listed);
    }
    t.same(sorted(found.directories), sorted(expected.directories));
    t.same(found.links, expected.links);
    t.same(found.others, expected.others);
    t.same(found.files, expected.files);
    t.equal(tryWalk(fs, '/boot/nothing'), undefined);
  });

t.test('names with Rock Ridge count as they are, without it case does not', async (t) => {
  const rock = open('iso9660-rockridge');
  t.equal(rock.ignoresCase, false);
  t.equal(tryWalk(rock, 'BOOT/vmlinuz'), undefined);
  t.not(walk(rock, 'UPPER.TXT').id, walk(rock, 'upper.txt').id);
  for (const name of ['iso9660-plain', 'iso9660-joliet', 'iso9660-enhanced']) {
    const fs = open(name);
    t.equal(fs.ignoresCase, true);
    for (const path of ['/boot/vmlinuz', '/BOOT/VMLINUZ', 'Boot/VmLinuz', '/boot/vmlinuz.'])
      t.equal(walk(fs, path).id, walk(fs, 'boot/vmlinuz').id, `${name}: ${path}`);
    t.equal(tryWalk(fs, '/boot/vmlinuz;1'), undefined);
  }
  // The identifier is all there is of this one: Linux and GRUB show it in lower case, GRUB finds it in any.
  const made = open('iso9660-xa');
  t.equal(walk(made, 'NoName').id, walk(made, 'noname').id);
});

t.test('links are followed as they would be in Linux', async (t) => {
  const fs = open('iso9660-rockridge');
  const kernel = walk(fs, '/boot/vmlinuz').id;
  for (const path of [
    'links/relative',
    'links/absolute',
    'links/here/up/boot/vmlinuz',
    'links/top/boot/vmlinuz',
  ])
    t.equal(walk(fs, path).id, kernel, path);
  t.equal(walk(fs, 'links/dots/grub.cfg').id, walk(fs, 'boot/grub/grub.cfg').id);
  t.equal(walk(fs, 'links/hardlink').id, kernel, 'the same extent');
  t.throws(() => walk(fs, 'links/dangling'), { code: 'not-found' });
});

t.test('files without bytes and links are each of their own', async (t) => {
  const fs = open('iso9660-rockridge');
  t.not(walk(fs, 'empty').id, walk(fs, 'empty2').id);
  t.not(walk(fs, 'links/up', false).id, walk(fs, 'links/top', false).id);
  t.same([...fileExtents(fs, walk(fs, 'empty'), context())], []);
});

t.test(
  'a file is one extent on the disk; blocks of zisofs are packed, blocks of zeros are holes',
  async (t) => {
    const kinds = (name: string, path: string) => {
      const fs = open(name);
      return [...fileExtents(fs, walk(fs, path), context())].map((e) => e.kind);
    };
    t.same(kinds('iso9660-rockridge', 'boot/initrd.img'), ['data']);
    t.same(kinds('iso9660-zisofs', 'boot/initrd.img'), ['packed', 'packed']);
    t.same(kinds('iso9660-zisofs', 'zeros.bin'), ['hole', 'hole', 'hole', 'packed', 'hole']);
    t.same(kinds('iso9660-zisofs2', 'boot/initrd.img'), ['packed', 'packed', 'packed']);
    // Sections that touch are one; the writer put these beside each other.
    t.same(kinds('iso9660-block-512', 'parts.bin'), ['data']);
  },
);

t.test('few reads', async (t) => {
  const disk = counting(source('iso9660-genisoimage.img'));
  const fs = openFileSystem(new CacheSource(disk), context(), () => [])!;
  readWhole(fs, walk(fs, 'many/Entry number 7 of 8.conf'), 1000, context());
  t.ok(disk.reads <= 11, `${disk.reads} reads`);
});

t.test('a directory grows linearly, and a name is found without reading on', async (t) => {
  const bytes = image('iso9660-plain.img');
  const root = bytes.readUInt32LE(32768 + 158) * 2048;
  const steps = (count: number) => {
    // A directory of its own at the end, in place of the root.
    const at = Math.ceil(bytes.length / 2048) * 2048;
    const per = 50;
    const size = Math.ceil(count / per) * 2048;
    const disk = Buffer.alloc(at + size);
    bytes.copy(disk);
    for (let i = 0; i < count; i++) {
      const p = at + Math.floor(i / per) * 2048 + (i % per) * 40;
      if (i === 0) {
        bytes.copy(disk, p, root, root + 34);
        disk[p] = 40;
        continue;
      }
      disk[p] = 40;
      disk[p + 32] = 7;
      disk.write(`F${String(i).padStart(6, '0')}`, p + 33, 'latin1');
    }
    for (const [place, value] of [
      [158, at / 2048],
      [166, size],
    ] as const) {
      disk.writeUInt32LE(value, 32768 + place);
      disk.writeUInt32BE(value, 32768 + place + 4);
    }
    const ctx = context();
    const counted = counting(new MemorySource(disk));
    const fs = openFileSystem(counted, ctx, () => [])!;
    t.equal([...fs.readdir(fs.root)].length, count - 1);
    t.ok(counted.bytesRead < size + 64 * 1024, 'every byte once');
    const before = counted.bytesRead;
    t.ok(fs.lookup(fs.root, 'f000001'));
    t.ok(counted.bytesRead - before <= 16 * 1024);
    blocks();
    t.equal(fs.lookup(fs.root, 'nothing'), undefined);
    return blocks();
  };
  const small = steps(10_000);
  const large = steps(100_000);
  t.ok(large > 5 * small && large < 12 * small, `${large} blocks for ten times what ran ${small}`);
});

t.test('what blkid and GRUB take for the UUID', async (t) => {
  const uuid = (modified: string, created: string) => {
    const bytes = image('iso9660-plain.img');
    bytes.write(modified, 32768 + 830, 'latin1');
    bytes.write(created, 32768 + 813, 'latin1');
    return openFileSystem(new MemorySource(bytes), context(), () => [])!.uuid;
  };
  const none = '0'.repeat(16);
  t.equal(uuid('2020010203040506', '2019010203040506'), '2020-01-02-03-04-05-06');
  t.equal(uuid(none, '2019010203040506'), '2019-01-02-03-04-05-06');
  t.equal(uuid('\0'.repeat(16), '2019010203040506'), '2019-01-02-03-04-05-06');
  t.equal(uuid(none, none), undefined);
});

t.test('other levels of Joliet', async (t) => {
  for (const level of ['@', 'C', 'E']) {
    const bytes = image('iso9660-joliet.img');
    const at = bytes.indexOf('%/E', 32768, 'latin1');
    bytes.write(`%/${level}`, at, 'latin1');
    t.equal(openFileSystem(new MemorySource(bytes), context(), () => [])!.label, 'Joliet Label', level);
  }
  const bytes = image('iso9660-joliet.img');
  bytes.write('%/x', bytes.indexOf('%/E', 32768, 'latin1'), 'latin1');
  const fs = openFileSystem(new MemorySource(bytes), context(), () => [])!;
  t.ok(tryWalk(open('iso9660-joliet'), '2k-and-1'));
  t.equal(tryWalk(fs, '2k-and-1'), undefined, 'an unknown level: the plain names count');
  t.ok(tryWalk(fs, '2k_and_1'));
});
