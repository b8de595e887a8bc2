import t from 'tap';
import { driver } from '../../../fsdrivers/exfat/driver';
import { fromUtf16, toUtf16 } from '../../../lib/bytes/utf16';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('exfat', /^exfat$/, 4);

const open = (name: string) => openFixture(`exfat-${name}`, context());
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);
const utf8 = (text: string) => Buffer.from(text).toString('latin1');

t.test('in few stretches, those that were written', async (t) => {
  const fs = open('512');
  t.same(shape(fs.extents(walk(fs, '/boot/vmlinuz'))), [['data', 0, 100000]]);
  t.same(shape(fs.extents(walk(fs, '/valid'))), [['data', 0, 7000]]);
  t.same(shape(fs.extents(walk(fs, '/boot/none'))), []);
  const pieces = shape(fs.extents(walk(fs, '/pieces')));
  t.ok(pieces.length > 5 && pieces.length < 30, `${pieces.length} pieces`);
});

t.test('names without regard to case, by the volume’s own table', async (t) => {
  const fs = open('512');
  t.equal(fs.ignoresCase, true);
  const same = (a: string, b: string) => t.equal(walk(fs, utf8(a)).id, walk(fs, utf8(b)).id, a);
  same('/BOOT/VmLinuZ', '/boot/vmlinuz');
  same('/GRÖSSE'.replace('SS', 'ß'), '/Größe');
  t.throws(() => walk(fs, utf8('/GRÖSSE')), { code: 'not-found' });
  t.throws(() => walk(fs, '/boot/vmlinu'), { code: 'not-found' });
  t.equal(fs.lookup(fs.root, 'Gr\xf6\xdfe'), undefined, 'not UTF-8');
  t.equal(fs.lookup(fs.root, 'n'.repeat(256)), undefined);
});

t.test('of two that differ in case alone the exact one', async (t) => {
  // Two names are changed by hand; the sets' sums are then wrong, and that is said.
  const bytes = image('exfat-512.img');
  const unit = (text: string) => Buffer.from(text, 'utf16le');
  for (const [from, to] of [
    ['size511', 'sizeXYZ'],
    ['size512', 'SIZExyz'],
  ] as const)
    bytes.set(unit(to), bytes.indexOf(unit(from)));
  const ctx = context();
  const fs = driver.open([new CacheSource(new MemorySource(bytes))], ctx);
  t.equal(walk(fs, '/boot/sizeXYZ').size, 511);
  t.equal(walk(fs, '/boot/SIZExyz').size, 512);
  t.ok([511, 512].includes(walk(fs, '/boot/sizexyz').size));
  t.match(ctx.warnings, [/entry at \d+ of directory \d+ \(sizeXYZ\): wrong checksum/]);
});

t.test('times', async (t) => {
  const fs = open('4096');
  t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
});

t.test(
  'a backup without its main boot sector counts where the sectors between are still there',
  async (t) => {
    const bytes = image('exfat-backup.img');
    t.equal(driver.probe(new MemorySource(bytes), context())?.uuid, '1234-ABCD');
    const replaced = Buffer.from(bytes);
    replaced.fill(0, 4096, 8192);
    t.equal(driver.probe(new MemorySource(replaced), context()), undefined);
    t.throws(() => driver.open([new MemorySource(replaced)], context()), { code: 'corrupt' });
    // The main region named and damaged.
    const named = image('exfat-512.img');
    named[96] = 0xff;
    const ctx = context();
    t.equal(driver.open([new MemorySource(named)], ctx).root.kind, 'directory');
    t.match(ctx.warnings, [/its backup is used/]);
    t.equal(driver.probe(new MemorySource(Buffer.alloc(100)), context()), undefined);
  },
);

t.test('a filesystem larger than its volume', async (t) => {
  const ctx = context();
  const fs = driver.open([new MemorySource(image('exfat-512.img').subarray(0, 800_000))], ctx);
  t.match(ctx.warnings, [/filesystem of 1048576 bytes on a volume of 800000/]);
  t.equal(walk(fs, '/boot').kind, 'directory');
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('512');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});

t.test('UTF-16 and UTF-8', async (t) => {
  const units = (text: string) => Buffer.from(text, 'utf16le');
  for (const text of [
    '',
    'plain',
    'Größe',
    '日本語',
    '😀x',
    '\ud83d',
    'a\ude00b',
    '\ude00\ud83d',
    '\uffff',
  ]) {
    const name = fromUtf16(units(text), 0, text.length);
    t.same([...toUtf16(name)!].map((u) => String.fromCharCode(u)).join(''), text, JSON.stringify(text));
    if (!/[\ud800-\udfff]/.test(text)) t.equal(name, utf8(text));
  }
  t.equal(fromUtf16(units('\ud83d'), 0, 1), '\xed\xa0\xbd');
  for (const wrong of [
    '\xff',
    '\x80',
    '\xc3',
    '\xc0\x80',
    '\xe0\x80\x80',
    '\xf0\x80\x80\x80',
    '\xf4\x90\x80\x80',
    '\xc3x',
  ])
    t.equal(toUtf16(wrong), undefined);
});
