import t from 'tap';
import { driver } from '../../../fsdrivers/erofs/driver';
import { readWhole } from '../../../lib/fs/file';
import type { Extent, FileSystem, FsNode } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('erofs', /^erofs$/, 12);

const open = (name: string) => openFixture(`erofs-${name}`, context());
const opened = (bytes: Buffer, ctx = context()) =>
  driver.open([new CacheSource(new MemorySource(bytes))], ctx);
const shape = (fs: FileSystem, path: string) =>
  [...fs.extents(walk(fs, path))].map((e: Extent) => [e.kind, e.offset, e.length]);

t.test('what is together on the disk is one extent', async (t) => {
  // Blocks, and the end behind the inode.
  t.same(shape(open('plain'), '/boot/vmlinuz'), [
    ['data', 0, 118_784],
    ['data', 118_784, 1216],
  ]);
  t.same(shape(open('chunks'), '/boot/size20001'), [['data', 0, 20_001]]);
});

t.test('holes between chunks are passed over', async (t) => {
  const bytes = image('erofs-chunks.img');
  const { behind } = walk(open('chunks'), '/boot/size20001') as FsNode & { behind: number };
  bytes.writeUInt32LE(0xffffffff, behind + 4);
  t.same(shape(opened(bytes), '/boot/size20001'), [
    ['data', 0, 4096],
    ['data', 8192, 11_809],
  ]);
});

t.test('the block of a plain file that is no block: zeros', async (t) => {
  const bytes = image('erofs-chunks.img');
  const fs = open('chunks');
  const node = walk(fs, '/boot/size4097') as FsNode & { behind: number };
  const at = bytes.lastIndexOf(Buffer.from([1, 16, 0, 0]), node.behind) - 8;
  t.equal(bytes.readUInt16LE(at), 4 << 1);
  bytes.writeUInt16LE(0, at);
  bytes.writeUInt32LE(0xffffffff, at + 16);
  const ctx = context();
  const zeros = opened(bytes, ctx);
  t.same(shape(zeros, '/boot/size4097'), []);
  t.same(readWhole(zeros, walk(zeros, '/boot/size4097'), 5000, ctx), Buffer.alloc(4097));
});

t.test('the same file has the same id, and its time', async (t) => {
  for (const name of ['plain', 'legacy']) {
    const fs = open(name);
    t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
    t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
  }
  t.equal(walk(open('zstd'), '/boot/vmlinuz').mtime, 1700000000);
});

t.test('a cluster that would be larger than any', async (t) => {
  // A head, and 3,100 logical clusters of 4 KiB that belong to it, behind an inode at the end of the image.
  const sound = image('erofs-legacy.img');
  const number = sound.length / 32;
  const inode = Buffer.alloc(64);
  const kernel = walk(open('legacy'), '/boot/vmlinuz');
  sound.copy(inode, 0, Number(kernel.id) * 32, Number(kernel.id) * 32 + 64);
  inode.writeUInt16LE(0, 2);
  inode.writeBigUInt64LE(BigInt(3101 * 4096), 8);
  const indexes = Buffer.alloc(8 + 8 + 3101 * 8);
  indexes.writeUInt16LE(1, 16);
  for (let i = 1; i < 3101; i++) {
    indexes.writeUInt16LE(2, 16 + 8 * i);
    indexes.writeUInt16LE(Math.min(i, 0x7ff), 16 + 8 * i + 4);
  }
  const name = Buffer.alloc(8);
  name.writeBigUInt64LE(BigInt(kernel.id));
  for (let at = sound.indexOf(name); at >= 0; at = sound.indexOf(name, at + 1))
    if (sound[at + 10] === 1) sound.writeBigUInt64LE(BigInt(number), at);
  const fs = opened(Buffer.concat([sound, inode, indexes]));
  const moved = walk(fs, '/boot/vmlinuz');
  t.equal(moved.size, 3101 * 4096);
  t.throws(() => [...fs.extents(moved)], { code: 'corrupt', message: /more than 12582912 bytes/ });
});

t.test('a lookup goes by halves, over blocks and in them', async (t) => {
  const ctx = context(1000);
  const fs = openFixture('erofs-plain', ctx);
  t.equal(walk(fs, '/many/name-of-file-number-9').size, 0);
  t.equal(fs.lookup(walk(fs, '/many'), 'name-of-file-number-9x'), undefined);
  t.equal(fs.lookup(walk(fs, '/many'), ''), undefined);
  t.equal(fs.lookup(walk(fs, '/many'), 'n'.repeat(256)), undefined);
});

t.test('a label, and no UUID', async (t) => {
  const bytes = image('erofs-plain.img');
  bytes.fill(0, 1072, 1088);
  bytes.write('boot', 1088);
  const ctx = context();
  const { uuid, label } = driver.probe(new MemorySource(bytes), ctx)!;
  t.same({ uuid, label }, { uuid: undefined, label: 'boot' });
});

t.test('an image that ends early is told, and read as far as it goes', async (t) => {
  const ctx = context();
  opened(image('erofs-plain.img').subarray(0, 500_000), ctx);
  t.same(ctx.warnings, ['erofs of 585728 bytes on 500000: the end is missing']);
});

t.test('no superblock', async (t) => {
  t.equal(driver.probe(new MemorySource(Buffer.alloc(100_000)), context()), undefined);
  t.equal(driver.probe(new MemorySource(Buffer.alloc(100)), context()), undefined);
  t.throws(() => opened(Buffer.alloc(100_000)), { code: 'corrupt' });
  t.throws(() => driver.open([], context()), { code: 'corrupt' });
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('plain');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
