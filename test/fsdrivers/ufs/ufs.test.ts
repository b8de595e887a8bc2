import t from 'tap';
import { driver } from '../../../fsdrivers/ufs/driver';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('ufs', /^ufs(1|1_be|2)$/, 4);

const open = (name: string) => openFixture(`ufs-${name}`, context());
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);

t.test('names of the drivers as GRUB has them', async (t) => {
  t.same(
    ['1', '1-be', '2', '2-be'].map((name) => open(name).grubName),
    ['ufs1', 'ufs1_be', 'ufs2', 'ufs2'],
  );
});

t.test('holes are passed over, whole trees of them at once', async (t) => {
  const bytes = image('ufs-2.img');
  const { pointers, size } = walk(open('2'), '/sparse') as unknown as { pointers: Buffer; size: number };
  const at = bytes.indexOf(pointers);
  // makefs writes zeros. Now the second block is a hole, and all behind the first 12, in a file of 256 GiB.
  bytes.writeBigUInt64LE(0n, at + 8);
  bytes.fill(0, at + 96, at + 120);
  bytes.writeBigUInt64LE(2n ** 38n, at - 96);
  t.equal(size, 5_000_000);
  const ctx = context(5000);
  const fs = driver.open([new CacheSource(new MemorySource(bytes))], ctx);
  t.same(shape(fs.extents(walk(fs, '/sparse'))), [
    ['data', 0, 4096],
    ['data', 8192, 40960],
  ]);
});

t.test('the same file has the same id, and its time', async (t) => {
  for (const name of ['1-be', '2']) {
    const fs = open(name);
    t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
    t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
  }
});

t.test('entries whose names have lengths of 16 bits (4.2BSD, Solaris)', async (t) => {
  // The type's byte takes the length, and the length's byte is its upper half.
  const bytes = image('ufs-1.img');
  const { root } = open('1');
  const at = (root as unknown as { pointers: Buffer }).pointers.readUInt32LE(0) * 512;
  for (let p = at; p < at + 1024; p += bytes.readUInt16LE(p + 4)) {
    bytes[p + 6] = bytes[p + 7]!;
    bytes[p + 7] = 0;
    if (bytes.readUInt16LE(p + 4) === 0) break;
  }
  const fs = driver.open([new CacheSource(new MemorySource(bytes))], context());
  t.ok([...fs.readdir(fs.root)].some((e) => e.name === 'vmlinuz' && e.kind === undefined));
  t.equal(walk(fs, '/hardlink').kind, 'file');
});

t.test('no superblock, and one that is another’s copy', async (t) => {
  t.equal(driver.probe(new MemorySource(Buffer.alloc(300_000)), context()), undefined);
  const moved = Buffer.concat([Buffer.alloc(57344), image('ufs-2.img')]);
  t.equal(driver.probe(new MemorySource(moved.subarray(0, 200_000)), context()), undefined);
  t.throws(() => driver.open([new MemorySource(Buffer.alloc(1000))], context()), { code: 'corrupt' });
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('2');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
