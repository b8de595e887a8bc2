import t from 'tap';
import { driver } from '../../../fsdrivers/reiserfs/driver';
import { hashOf } from '../../../fsdrivers/reiserfs/hash';
import { HASH } from '../../../fsdrivers/reiserfs/layout';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('reiserfs', 'reiserfs', 5);

const open = (name: string) => openFixture(`reiserfs-${name}`, context());
const memory = (bytes: Buffer, ctx = context()) =>
  driver.open([new CacheSource(new MemorySource(bytes))], ctx);
const SUPER = 65536;

t.test('a journal that is left as it is shows the disk as it stands', async (t) => {
  const bytes = image('reiserfs-dirty.img');
  const fs = open('dirty');
  t.ok(fs.lookup(fs.root, 'last'));
  // As if the last transactions had been flushed.
  const header = (bytes.readUInt32LE(SUPER + 12) + bytes.readUInt32LE(SUPER + 20)) * 4096;
  bytes.writeUInt32LE(bytes.readUInt32LE(header) + 1000, header);
  const before = memory(bytes);
  t.equal(before.lookup(before.root, 'last'), undefined);
  // As if nothing had ever been flushed, in the first mount: all of it is looked through.
  bytes.writeUInt32LE(0, header);
  const first = bytes.readUInt32LE(SUPER + 12);
  bytes.fill(0, first * 4096, (first + bytes.readUInt32LE(header + 4)) * 4096);
  const after = memory(bytes);
  t.ok(after.lookup(after.root, 'last'));
});

t.test('a transaction without its end is not replayed, nor what comes after', async (t) => {
  const bytes = image('reiserfs-dirty.img');
  const first = bytes.readUInt32LE(SUPER + 12);
  const size = bytes.readUInt32LE(SUPER + 20);
  const start = bytes.readUInt32LE((first + size) * 4096 + 4);
  const length = bytes.readUInt32LE((first + start) * 4096 + 4);
  const commit = (first + ((start + length + 1) % size)) * 4096;
  t.equal(bytes.readUInt32LE(commit), bytes.readUInt32LE((first + start) * 4096));
  bytes.writeUInt32LE(7, commit);
  const ctx = context();
  const fs = memory(bytes, ctx);
  t.equal(fs.lookup(fs.root, 'last'), undefined);
  t.same(ctx.warnings, []);
});

t.test('a journal on a device that is not there is missed only where it was in use', async (t) => {
  const bytes = image('reiserfs-36.img');
  bytes.writeUInt32LE(0x1234567, SUPER + 28);
  for (const [state, warnings] of [
    [1, 0],
    [2, 1],
  ]) {
    bytes.writeUInt16LE(state!, SUPER + 50);
    const ctx = context();
    t.equal(walk(memory(bytes, ctx), '/boot/one').size, 1);
    t.equal(ctx.warnings.length, warnings);
  }
});

t.test('a superblock where versions before 3.5.12 have it', async (t) => {
  const bytes = image('reiserfs-35.img');
  bytes.write('ReIsErFs\0', SUPER + 52, 'latin1');
  bytes.copyWithin(8192, SUPER, SUPER + 1024);
  bytes.fill(0, SUPER, SUPER + 1024);
  const fs = memory(bytes);
  t.equal(walk(fs, '/boot/one').size, 1);
  // A copy of one behind the start of the journal is one of its blocks.
  const copy = image('reiserfs-35.img');
  copy.write('ReIsErFs\0', SUPER + 52, 'latin1');
  copy.writeUInt32LE(8, SUPER + 12);
  t.equal(driver.probe(new MemorySource(copy), context()), undefined);
});

t.test('names are found where the hash is not known', async (t) => {
  const bytes = image('reiserfs-36.img');
  bytes.writeUInt32LE(0, SUPER + 64);
  const fs = memory(bytes);
  t.equal(walk(fs, '/boot/one').size, 1);
  t.equal(fs.lookup(fs.root, 'nothing'), undefined);
});

t.test('hashes', async (t) => {
  // What the kernel left in the directories: the fixtures' names are found by them. Here their bounds.
  for (const code of Object.values(HASH))
    for (const name of ['', 'a', 'n'.repeat(255), '\xff\xfe', '0'.repeat(40)]) {
      const hash = hashOf(code, name)!;
      t.ok(hash >= 128 && hash <= 0x7fffff80 && hash % 128 === 0, `${code} of ${name.length} bytes`);
    }
  t.equal(hashOf(9, 'a'), undefined);
});

t.test('tails are in the tree, the rest in blocks', async (t) => {
  const fs = open('36');
  const kinds = (path: string) => [...fs.extents(walk(fs, path))].map((e) => e.kind);
  t.same(kinds('/boot/one'), ['inline']);
  t.equal(kinds('/boot/none').length, 0);
  t.equal(kinds('/boot/vmlinuz')[0], 'data');
});

t.test('the same file has the same id, and its time', async (t) => {
  for (const name of ['36', '35']) {
    const fs = open(name);
    t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
    t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
  }
});

t.test('no superblock', async (t) => {
  t.equal(driver.probe(new MemorySource(Buffer.alloc(300_000)), context()), undefined);
  t.throws(() => driver.open([new MemorySource(Buffer.alloc(1000))], context()), { code: 'corrupt' });
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('36');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
