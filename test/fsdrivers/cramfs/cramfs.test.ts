import t from 'tap';
import { driver } from '../../../fsdrivers/cramfs/driver';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { digest } from '../compare';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('cramfs', /^cramfs$/, 6);

const open = (name: string) => openFixture(`cramfs-${name}`, context());
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);

t.test('blocks that were packed, stored, left out', async (t) => {
  const fs = open('pointers');
  t.same(shape(fs.extents(walk(fs, '/sparse'))), [
    ['packed', 0, 4096],
    // The fifth block stands for itself.
    ['data', 16384, 4096],
    ['data', 49152, 848],
  ]);
  t.same(shape(fs.extents(walk(fs, '/boot/noise'))), [
    ['packed', 0, 4096],
    ['packed', 4096, 4096],
    ['data', 8192, 808],
  ]);
  t.same(shape(fs.extents(walk(fs, '/boot/vmlinuz'))).slice(0, 4), [
    ['packed', 0, 4096],
    ['packed', 4096, 4096],
    // Two that are pointed to, and the one behind them.
    ['data', 8192, 12288],
    ['packed', 20480, 4096],
  ]);
});

t.test('a file of one block does not decide how large blocks are', async (t) => {
  const ctx = context();
  const fs = openFixture('cramfs-blocks', ctx);
  const first = openFixture('cramfs-blocks', context());
  // Fits blocks of every size; then one that does not fit any but the right one.
  for (const path of ['/boot/one', '/boot/size4096', '/boot/size8192', '/boot/vmlinuz'])
    t.equal(digest(fs, walk(fs, path), ctx), digest(first, walk(first, path), ctx), path);
  t.equal(shape(fs.extents(walk(fs, '/boot/vmlinuz'))).length, 4);
});

t.test('hard links share their blocks, and so their id', async (t) => {
  const fs = open('2');
  t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
  t.not(walk(fs, '/boot/none').id, walk(fs, '/fifo').id);
});

t.test('the checksum of an image that mkfs.cramfs could not have made is not waited for', async (t) => {
  const bytes = image('cramfs-2.img');
  bytes.writeUInt32LE(0xfffff000, 4);
  /** Four gigabytes, of which only the first are there. */
  let read = 0;
  const source = {
    label: 'large',
    size: 2 ** 33,
    sectorSize: 512,
    read(at: number, into: Uint8Array) {
      read += into.length;
      into.fill(0);
      into.set(bytes.subarray(at, at + into.length));
    },
  };
  const ctx = context();
  const fs = driver.open([source], ctx);
  t.equal(walk(fs, '/boot/vmlinuz').size, 60000);
  t.same(ctx.warnings, ['cramfs: an image of 4294963200 bytes: its checksum is not verified']);
  t.ok(read < 10_000, `${read}`);
});

t.test('no superblock, and one where none is looked for', async (t) => {
  t.equal(driver.probe(new MemorySource(Buffer.alloc(10_000)), context()), undefined);
  t.equal(driver.probe(new MemorySource(Buffer.alloc(20)), context()), undefined);
  const moved = Buffer.concat([Buffer.alloc(1024), image('cramfs-2.img')]);
  t.equal(driver.probe(new MemorySource(moved), context()), undefined);
  t.throws(() => driver.open([new MemorySource(moved)], context()), { code: 'corrupt' });
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('be');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
