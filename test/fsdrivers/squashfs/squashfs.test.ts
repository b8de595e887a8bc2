import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import type { Extent, FsNode } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('squashfs', 'squash4', 9);

const open = (name: string) => {
  const ctx = context();
  return { ctx, fs: openFixture(`squashfs-${name}`, ctx) };
};
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);

t.test('blocks that are stored as they are and touch are one extent', async (t) => {
  const { fs } = open('stored');
  t.same(shape(fs.extents(walk(fs, '/boot/vmlinuz'))), [['data', 0, 300000]]);
  t.same(shape(fs.extents(walk(fs, '/boot/none'))), []);
  t.same(shape(fs.extents(walk(fs, '/zeros'))), [], 'holes are gaps');
});

t.test('compressed blocks one by one, holes left out, the fragment last', async (t) => {
  const { fs } = open('lz4');
  t.same(shape(fs.extents(walk(fs, '/sparse'))), [
    ['packed', 0, 65536],
    ['packed', 458752, 65536],
    ['packed', 1441792, 65536],
    ['packed', 2949120, 50880],
  ]);
  const { fs: small } = open('lzo-4k');
  t.same(shape(small.extents(walk(small, '/boot/size4097'))), [
    ['packed', 0, 4096],
    // One byte does not pack.
    ['data', 4096, 1],
  ]);
});

t.test('packed bytes can be had again', async (t) => {
  const { fs } = open('gzip');
  const [extent] = [...fs.extents(walk(fs, '/boot/one'))];
  if (extent?.kind !== 'packed') throw new Error('not packed');
  const first = Buffer.from(extent.unpack());
  t.equal(first.toString(), 'x');
  t.ok(first.equals(extent.unpack()));
});

t.test('the same file has the same id', async (t) => {
  const { fs } = open('gzip');
  t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
  t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
});

t.test('a large directory is entered by its index', async (t) => {
  // Names are looked up from the end: without the index all before them would be read.
  const steps = (name: string) => {
    const ctx = context();
    const fs = openFixture('squashfs-gzip', ctx);
    const many = walk(fs, '/many');
    let spent = 0;
    const { step } = ctx.budget;
    ctx.budget.step = (count = 1) => {
      spent += count;
      step.call(ctx.budget, count);
    };
    t.ok(fs.lookup(many, name), name);
    return spent;
  };
  const first = steps('name-of-file-number-1');
  const last = steps('name-of-file-number-99');
  t.ok(last < 3000 && last < first + 1500, `${first} steps for the first, ${last} for the last`);
  const { fs } = open('gzip');
  const many = walk(fs, '/many');
  for (let i = 1; i <= 700; i++) t.ok(fs.lookup(many, `name-of-file-number-${i}`), `${i}`);
  for (const name of ['a', 'name', 'name-of-file-number-', 'name-of-file-number-9999', 'z', '\xff'])
    t.equal(fs.lookup(many, name), undefined, name);
});

t.test('padding behind, and none', async (t) => {
  const bytes = image('squashfs-gzip.img');
  const used = Number(bytes.readBigUInt64LE(40));
  for (const disk of [bytes.subarray(0, used), Buffer.concat([bytes, Buffer.alloc(100_000, 0xff)])]) {
    const ctx = context();
    const fs = openFileSystem(new CacheSource(new MemorySource(disk)), ctx, () => []);
    if (!fs) throw new Error('not known');
    t.equal([...fs.readdir(fs.root)].length, 15);
    t.same(ctx.warnings, []);
  }
});

t.test('asked for what a node is not', async (t) => {
  const { fs } = open('gzip');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root as FsNode)]);
});
