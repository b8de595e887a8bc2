import t from 'tap';
import { driver } from '../../../fsdrivers/ntfs/driver';
import { unpackLznt1 } from '../../../fsdrivers/ntfs/lznt1';
import { decodeRuns } from '../../../fsdrivers/ntfs/runs';
import { readWhole } from '../../../lib/fs/file';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('ntfs', /^ntfs$/, 3);

const open = (name: string) => openFixture(`ntfs-${name}`, context());
const openBytes = (bytes: Buffer, ctx = context()) =>
  driver.open([new CacheSource(new MemorySource(bytes))], ctx);
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);
const utf8 = (text: string) => Buffer.from(text).toString('latin1');

t.test('in few stretches: resident, as they are, compressed unit by unit, what was written', async (t) => {
  const fs = open('plain');
  t.same(shape(fs.extents(walk(fs, '/boot/vmlinuz'))), [['data', 0, 200000]]);
  t.same(shape(fs.extents(walk(fs, '/boot/valid'))), [['data', 0, 7000]]);
  t.same(shape(fs.extents(walk(fs, '/boot/one'))), [['inline', 0, 1]]);
  t.same(shape(fs.extents(walk(fs, '/boot/none'))), []);
  t.same(shape(fs.extents(walk(fs, '/packed/unit'))), [['packed', 0, 65536]]);
  t.same(
    shape(fs.extents(walk(fs, '/packed/mixed'))).map(([kind]) => kind),
    ['packed', 'packed', 'packed'],
  );
  t.same(shape(fs.extents(walk(fs, '/packed/zeros'))), []);
  const sparse = shape(fs.extents(walk(fs, '/sparse')));
  t.ok(sparse.length === 4 && sparse.every(([kind]) => kind === 'data'), `${sparse.length}`);
  const scattered = shape(open('pieces').extents(walk(open('pieces'), '/scattered')));
  t.equal(scattered.length, 250);
});

t.test('names without regard to case, exactly first; short names are none', async (t) => {
  const fs = open('plain');
  t.equal(fs.ignoresCase, true);
  t.equal(readWhole(fs, walk(fs, '/Case'), 10, context()).toString(), 'upper');
  t.equal(readWhole(fs, walk(fs, '/case'), 10, context()).toString(), 'lower');
  t.ok([walk(fs, '/case').id, walk(fs, '/Case').id].includes(walk(fs, '/CASE').id));
  t.equal(walk(fs, '/BOOT/VMLINUZ').id, walk(fs, '/hardlink').id);
  t.equal(walk(fs, utf8('/GRÖßE')).id, walk(fs, utf8('/Größe')).id);
  t.equal(walk(fs, '/MANY/NAME-OF-FILE-NUMBER-149').id, walk(fs, '/many/name-of-file-number-149').id);
  for (const none of ['/boot/ANAMET~1.CON', '/many/name-of-file-number-151', '/many/a', '/\xff'])
    t.throws(() => walk(fs, none), { code: 'not-found' }, none);
  t.equal(fs.lookup(fs.root, 'n'.repeat(256)), undefined);
  t.ok(walk(fs, '/$MFT'), 'not listed, and there');
});

t.test('times, and the same id for the same file', async (t) => {
  const fs = open('plain');
  t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
  t.equal(walk(fs, '/boot/one').id, walk(fs, `/links/${'h'.repeat(120)}7`).id);
});

t.test('NTFS 1.2, as Windows NT 4 has it', async (t) => {
  const bytes = image('ntfs-plain.img');
  const at = bytes.indexOf(Buffer.from('0000000000000000030100000000', 'hex'));
  bytes.set([1, 2], at + 8);
  const ctx = context();
  t.equal(walk(openBytes(bytes, ctx), '/boot/vmlinuz').size, 200000);
  t.same(ctx.warnings, []);
});

t.test('a filesystem larger than its volume', async (t) => {
  const ctx = context();
  const fs = openBytes(image('ntfs-plain.img').subarray(0, 6_200_000), ctx);
  t.match(ctx.warnings, [/filesystem of 6290944 bytes on a volume of 6200000/]);
  t.equal(walk(fs, '/boot').kind, 'directory');
  t.equal(driver.probe(new MemorySource(Buffer.alloc(1000)), context()), undefined);
  t.throws(() => openBytes(Buffer.alloc(1000)), { code: 'corrupt' });
});

t.test('mapping pairs', async (t) => {
  const runs = (hex: string) => [...decodeRuns(Buffer.from(hex, 'hex'), 0, 1000, context())];
  t.same(runs(['21188001', '110820', '1108f8', '0105', '00'].join('')), [
    { vcn: 0, lcn: 0x180, count: 0x18 },
    { vcn: 0x18, lcn: 0x1a0, count: 8 },
    { vcn: 0x20, lcn: 0x198, count: 8 },
    { vcn: 0x28, lcn: undefined, count: 5 },
  ]);
  t.same(runs('1104ff00'), [{ vcn: 0, lcn: undefined, count: 4 }], 'a hole before NTFS 3.0');
  t.same(
    runs(
      ['88', '0400000000000000', '1000000000000000', '88', '0400000000000000', 'f8ffffffffffffff'].join(''),
    ),
    [
      { vcn: 0, lcn: 16, count: 4 },
      { vcn: 4, lcn: 8, count: 4 },
    ],
    'numbers of eight bytes, -8 among them',
  );
  for (const wrong of ['11', '9101', '01ff', '1104fe', '2104e703', '0100', '08ffffffffffffff7f'])
    t.throws(() => runs(wrong), { code: 'corrupt' }, wrong);
});

t.test('LZNT1', async (t) => {
  const unpack = (hex: string, size: number) => {
    const into = Buffer.alloc(size);
    unpackLznt1(Buffer.from(hex, 'hex'), into);
    return into.toString('latin1');
  };
  t.equal(unpack('023061626300', 5), 'abc\0\0', 'stored');
  // Three literals, a match of three bytes three back.
  t.equal(unpack(['05b0', '08', '616263', '0020', '0000'].join(''), 8), 'abcabc\0\0');
  // A match of the longest length over what it makes itself, then a piece that begins anew.
  t.equal(
    unpack(['03b0', '02', '61', 'fc0f', '0130', '6263', '0000'].join(''), 4098),
    `${'a'.repeat(4096)}bc`,
  );
  for (const wrong of ['ffbf00', '0330616263', '02b0026161', '10b0010000'])
    t.throws(() => unpack(wrong, 2), { code: 'corrupt' }, wrong);
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
