import t from 'tap';
import { driver } from '../../../fsdrivers/minix/driver';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('minix', /^minix[23]?(_be)?$/, 7);

const open = (name: string) => openFixture(`minix-${name}`, context());
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);

t.test('names of the drivers as GRUB has them', async (t) => {
  t.same(
    ['1', '2', '3', '1-be', '2-be', '3-be', 'zones'].map((name) => open(name).grubName),
    ['minix', 'minix2', 'minix3', 'minix_be', 'minix2_be', 'minix3_be', 'minix3'],
  );
});

t.test('holes are passed over, whole trees of them at once', async (t) => {
  // 5,000,005 bytes; the second piece is in an indirect block, the third behind a double one.
  t.same(shape(open('1').extents(walk(open('1'), '/sparse'))), [
    ['data', 0, 1024],
    ['data', 59392, 1024],
    ['data', 4999168, 837],
  ]);
  // 70,000,005 bytes, in steps that do not grow with the holes.
  const ctx = context(3000);
  const fs = openFixture('minix-3', ctx);
  t.same(shape(fs.extents(walk(fs, '/sparse'))).at(-1), ['data', 69999616, 389]);
});

t.test('the same file has the same id, and its time', async (t) => {
  for (const name of ['1', '2-be', '3']) {
    const fs = open(name);
    t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
    t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
  }
});

t.test('what has the magic number by chance is not taken', async (t) => {
  const sound = image('minix-2.img');
  const probe = (...changes: [at: number, value: number][]) => {
    const bytes = Buffer.from(sound);
    for (const [at, value] of changes) bytes.writeUInt16LE(value, at);
    return driver.probe(new MemorySource(bytes), context());
  };
  t.same(probe(), { type: 'minix' });
  t.equal(probe([1024, 0]), undefined, 'no inodes');
  t.equal(probe([1024, 8192]), undefined, 'a map of 8,192 bits for 8,192 inodes');
  t.equal(probe([1028, 0]), undefined, 'no map of the inodes');
  t.equal(probe([1030, 0]), undefined, 'no map of the zones');
  t.equal(probe([1032, 2000]), undefined, 'data begin behind the last zone');
  t.equal(probe([1044, 9000]), undefined, 'more zones than their map has bits');
  t.equal(driver.probe(new MemorySource(Buffer.alloc(1050)), context()), undefined);
  t.throws(() => driver.open([new MemorySource(Buffer.alloc(2000))], context()), { code: 'corrupt' });
});

t.test('a volume that ends too early', async (t) => {
  const ctx = context();
  const bytes = image('minix-1.img').subarray(0, 50_000);
  const fs = driver.open([new CacheSource(new MemorySource(bytes))], ctx);
  t.match(ctx.warnings, [/filesystem of 1048576 bytes on a volume of 50000/]);
  t.throws(() => shape(fs.extents(walk(fs, '/boot/vmlinuz'))), { code: 'corrupt' });
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('3');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
