import t from 'tap';
import { driver } from '../../../fsdrivers/f2fs/driver';
import { BLOCK } from '../../../fsdrivers/f2fs/layout';
import type { F2fsInode } from '../../../fsdrivers/f2fs/volume';
import type { Extent, FileSystem } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image, type TestContext } from '../../support';
import { read, soundFixtures } from '../suite';

soundFixtures('f2fs', /^f2fs$/, 3);

const plain = image('f2fs-plain.img');
const linux = image('f2fs-linux.img');
const packed = image('f2fs-packed.img');
const open = (bytes: Buffer, ctx: TestContext = context()): FileSystem =>
  driver.open([new CacheSource(new MemorySource(bytes))], ctx);
const names = (fs: FileSystem, path = '/') => [...fs.readdir(walk(fs, path))].map((e) => e.name);
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);
/** Does something to a copy of a file's inode, wherever it lies. */
function changed(bytes: Buffer, path: string, change: (block: Buffer) => void): Buffer {
  const { bytes: block } = walk(open(bytes), path, false) as F2fsInode;
  const copy = Buffer.from(bytes);
  const at = copy.indexOf(block);
  change(copy.subarray(at, at + BLOCK));
  return copy;
}
/** The newer checkpoint's pack. */
function newest(bytes: Buffer): number {
  const [a, b] = [0, 512].map((more) => (bytes.readUInt32LE(1024 + 76) + more) * BLOCK) as [number, number];
  return bytes.readBigUInt64LE(a) > bytes.readBigUInt64LE(b) ? a : b;
}

t.test('the same file has the same id, and its time', async (t) => {
  const fs = open(plain);
  t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
  t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
});

t.test('a pack whose end is missing: the older checkpoint, and what was there then', async (t) => {
  const bytes = Buffer.from(linux);
  const at = newest(bytes);
  t.ok(names(open(bytes), '/d').includes('later'));
  bytes[at + (bytes.readUInt32LE(at + 136) - 1) * BLOCK]! ^= 1;
  const ctx = context();
  const fs = open(bytes, ctx);
  t.notOk(names(fs, '/d').includes('later'));
  t.equal(read('/d/short')(fs, ctx), 'hello');
  t.same(ctx.warnings, []);
});

t.test('files that were synced after the checkpoint', async (t) => {
  const ctx = context();
  const fs = open(linux, ctx);
  t.equal(read('/d/short')(fs, ctx), 'longer text');
  t.equal(read('/d/packs')(fs, ctx), 'now it is short');
  t.equal(read('/d/new1')(fs, ctx), 'new and short');
  t.same(shape(fs.extents(walk(fs, '/d/sparse'))), [['data', 5000 * BLOCK, 8]]);
  const listed = names(fs, '/d');
  t.equal(listed.filter((name) => name === 'new3').length, 1);
  t.notOk(listed.includes('lost'));
  // Their footers say the checkpoint's version: with another one they are old.
  const bytes = Buffer.from(linux);
  const { bytes: block } = walk(fs, '/d/old1') as F2fsInode;
  bytes[bytes.indexOf(block) + BLOCK - 12]! ^= 1;
  const before = open(bytes);
  t.equal(read('/d/short')(before, ctx), 'hello');
  t.notOk(names(before, '/d').includes('new1'));
  t.equal(before.lookup(walk(before, '/d'), 'new1'), undefined);
});

t.test('a new name in the place of another file’s', async (t) => {
  // `new1` says that it is called `old3`.
  const bytes = Buffer.from(linux);
  const { bytes: block, id } = walk(open(bytes), '/d/new1') as F2fsInode;
  bytes.write('old3', bytes.indexOf(block) + 92, 'latin1');
  const fs = open(bytes);
  t.equal(walk(fs, '/d/old3').id, id);
  t.same(
    [...fs.readdir(walk(fs, '/d'))].filter((e) => e.name === 'old3').map((e) => e.node().id),
    [id],
  );
});

t.test('holes are passed over, whole trees of them at once', async (t) => {
  const fs = open(plain);
  const pieces = [0, 40960, 4997120, 8998912, 19996672].map((offset, i) => [
    'data',
    offset,
    [4096, 4096, 4096, 4096, 3333][i],
  ]);
  t.same(shape(fs.extents(walk(fs, '/sparse'))), pieces);
  // 4 TiB, and no node for most of it.
  const large = open(
    changed(plain, '/sparse', (b) => b.writeBigUInt64LE(2n ** 42n - 2n ** 38n, 16)),
    context(20_000),
  );
  t.equal(shape(large.extents(walk(large, '/sparse'))).length, 5);
});

t.test('clusters, and those that were not worth it', async (t) => {
  const fs = open(packed);
  const kinds = shape(fs.extents(walk(fs, '/lz4-2/vmlinuz')));
  t.same(kinds[0], ['packed', 0, 16384]);
  t.ok(kinds.every(([kind]) => kind === 'packed' || kind === 'data'));
  t.same(shape(fs.extents(walk(fs, '/zstd-4/vmlinuz')))[1], ['packed', 65536, 65536]);
  t.equal(shape(fs.extents(walk(fs, '/lz4-2/size4097')))[0]![0], 'data');
});

t.test('names without regard to case, by hash and without it', async (t) => {
  const fs = open(packed);
  const id = (path: string, of = fs) => walk(of, Buffer.from(path).toString('latin1')).id;
  for (const [other, name] of [
    ['readme', 'README'],
    ['GRÖSSE', 'Größe'],
    ['ångström', 'ÅNGSTRÖM'],
    ['STRASSE', 'Straße'],
    ['ω', 'Ω'],
  ] as const)
    t.equal(id(`/Fold/${other}`), id(`/Fold/${name}`), name);
  t.equal(id('/Many/NAME-OF-FILE-77'), id('/Many/0'));
  t.throws(() => id('/fold'), { code: 'not-found' });
  t.throws(() => id('/Many/name-of-file-301'), { code: 'not-found' });
  // By another version of Unicode the hash would be another: all entries of that block.
  const bytes = Buffer.from(packed);
  const name = bytes.indexOf('Name-Of-File-77');
  const block = name - (name % BLOCK);
  for (let at = block + 30; at + 11 <= block + BLOCK - 214 * 8; at += 11)
    if (bytes.readUInt32LE(at) !== 0) bytes.writeUInt32LE((bytes.readUInt32LE(at) + 1) >>> 0, at);
  t.equal(id('/Many/NAME-OF-FILE-77', open(bytes)), id('/Many/0'));
});

t.test('a label beyond ASCII', async (t) => {
  const bytes = Buffer.from(plain);
  bytes.write('Größe 1 ', 1024 + 124, 'utf16le');
  t.equal(open(bytes).label, Buffer.from('Größe 1').toString('latin1'));
});

t.test('no superblock', async (t) => {
  t.equal(driver.probe(new MemorySource(Buffer.alloc(300_000)), context()), undefined);
  t.throws(() => driver.open([new MemorySource(Buffer.alloc(1000))], context()), { code: 'corrupt' });
});

t.test('asked for what a node is not', async (t) => {
  const fs = open(plain);
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
