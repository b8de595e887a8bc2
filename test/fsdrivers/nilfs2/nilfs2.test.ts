import t from 'tap';
import { driver } from '../../../fsdrivers/nilfs2/driver';
import { readWhole } from '../../../lib/fs/file';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('nilfs2', 'nilfs2', 4);

const open = (name: string) => openFixture(`nilfs2-${name}`, context());

t.test('holes are holes, and what follows each other is one extent', async (t) => {
  const fs = open('4k');
  t.same(
    [...fs.extents(walk(fs, '/sparse'))].map((e) => [e.kind, e.offset, e.length]),
    [
      ['data', 0, 4096],
      ['data', 57344, 4096],
      ['data', 1998848, 4096],
      ['data', 4997120, 2875],
    ],
  );
  // A log is written in order, and parts of it have summaries between.
  t.ok([...fs.extents(walk(fs, '/boot/vmlinuz'))].length < 15);
});

t.test('the same file has the same id, and its time', async (t) => {
  const fs = open('1k');
  t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
  t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
});

t.test(
  'logs are followed beyond what the superblock knows, and data beyond the last checkpoint',
  async (t) => {
    const bytes = image('nilfs2-dirty.img');
    const files = (change: (bytes: Buffer) => void) => {
      const copy = Buffer.from(bytes);
      change(copy);
      const fs = driver.open([new CacheSource(new MemorySource(copy))], context());
      const large = walk(fs, '/large');
      const whole = readWhole(fs, large, 1 << 20, context()).toString('latin1');
      return [
        [...fs.readdir(fs.root)].filter((e) => e.name.startsWith('after')).length,
        whole.includes('newnew'),
        whole.includes('again'),
        whole.includes('never'),
      ];
    };
    t.same(
      files(() => {}),
      [8, true, true, false],
      'as Linux recovered it',
    );
    /** The logs that have the flag, in the order in which they were written. */
    const logs = (flag: number) => {
      const found: number[] = [];
      for (let at = 0; at < bytes.length; at += 1024)
        if (bytes.readUInt32LE(at + 8) === 0x1eaffa11 && bytes[at + 14]! & flag) found.push(at);
      return found;
    };
    const data = logs(8);
    t.ok(data.length >= 4, `${data.length} logs of data`);
    t.same(
      files((b) => b.writeUInt8(b[data[0]! + 1100]! ^ 1, data[0]! + 1100)),
      [8, false, false, false],
      'the first is damaged',
    );
    const roots = logs(4);
    t.same(
      files((b) => b.writeUInt8(b[roots.at(-1)! + 1100]! ^ 1, roots.at(-1)! + 1100)),
      [7, false, false, false],
      'the last checkpoint is damaged: the one before it, and nothing of what came later',
    );
  },
);

t.test('the superblock with the later checkpoint is the one', async (t) => {
  const bytes = image('nilfs2-1k.img');
  const second = (bytes.length / 4096 - 1) * 4096;
  t.equal(bytes.readUInt16LE(second + 6), 0x3434);
  // Without a second one, and with one that lies where files are.
  const only = Buffer.from(bytes);
  only.fill(0, second, second + 1024);
  t.match(driver.probe(new MemorySource(only), context()), { type: 'nilfs2', label: 'one KiB' });
  t.equal(driver.probe(new MemorySource(Buffer.alloc(100_000)), context()), undefined);
  const stale = Buffer.alloc(1 << 20);
  bytes.copy(stale, (1 << 20) - 4096, second, second + 1024);
  t.equal(driver.probe(new MemorySource(stale), context()), undefined, 'behind fewer segments than it has');
  t.throws(() => driver.open([new MemorySource(stale)], context()), { code: 'corrupt' });
});

t.test('a volume that ends too early', async (t) => {
  const ctx = context();
  const bytes = image('nilfs2-1k.img').subarray(0, 6_000_000);
  driver.open([new CacheSource(new MemorySource(bytes))], ctx);
  t.match(ctx.warnings, [/filesystem of \d+ bytes on a volume of 6000000/]);
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('4k');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
