import t from 'tap';
import { driver } from '../../../fsdrivers/jfs/driver';
import { compare, spellings, toUtf8, upper } from '../../../fsdrivers/jfs/names';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('jfs', 'jfs', 3);

const open = (name: string) => openFixture(`jfs-${name}`, context());
const memory = (bytes: Buffer, ctx = context()) =>
  driver.open([new CacheSource(new MemorySource(bytes))], ctx);
const runs = (extents: Iterable<Extent>) =>
  [...extents].map((e) => (e.kind === 'data' ? [e.offset, e.length, e.at] : [e.kind]));
const xtree = (path: string): Buffer => (walk(open('plain'), path) as unknown as { root: Buffer }).root;

t.test('a log that is left as it is shows the disk as it stands', async (t) => {
  const bytes = image('jfs-dirty.img');
  t.ok(open('dirty').lookup(open('dirty').root, 'last'));
  // As if it had been unmounted.
  bytes.writeUInt32LE(0, 0x8000 + 40);
  const fs = memory(bytes);
  t.equal(fs.lookup(fs.root, 'last'), undefined);
  t.ok(fs.lookup(fs.root, 'a'), 'renamed in the log');
});

t.test('extents that were never written read as zeros', async (t) => {
  const bytes = image('jfs-plain.img');
  const root = xtree('/boot/vmlinuz');
  const before = runs(open('plain').extents(walk(open('plain'), '/boot/vmlinuz')));
  t.equal(before.length, 2);
  bytes[bytes.indexOf(root) + 32] = 8;
  const fs = memory(bytes);
  t.same(runs(fs.extents(walk(fs, '/boot/vmlinuz'))), before.slice(1));
});

t.test('the same file has the same id, and its time', async (t) => {
  const fs = open('plain');
  t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
  t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
  t.equal(fs.ignoresCase, false);
});

t.test('OS/2: names match without regard to case', async (t) => {
  const fs = open('os2');
  t.equal(fs.ignoresCase, true);
  t.equal(walk(fs, '/BOOT/VmLinuz').id, walk(fs, '/boot/vmlinuz').id);
  const umlaut = (name: string) => fs.lookup(fs.root, Buffer.from(name).toString('latin1'))?.id;
  t.ok(umlaut('Größe'));
  t.equal(umlaut('GRÖßE'), umlaut('Größe'));
  t.equal(umlaut('GROSSE'), undefined);
});

t.test('names', async (t) => {
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  t.equal(toUtf8([0x47, 0xf6, 0x20ac, 0xd83d, 0xde00]), bytes('Gö€😀'));
  t.equal(toUtf8([0xd83d, 0x41]), '\xed\xa0\xbdA', 'half a pair');
  t.same(spellings('abc'), [[0x61, 0x62, 0x63]]);
  t.same(spellings(bytes('ö€😀')).at(0), [0xf6, 0x20ac, 0xd83d, 0xde00]);
  t.same(spellings('\xc3\xb6').at(1), [0xc3, 0xb6], 'Linux without iocharset=utf8');
  for (const bad of ['\xff', '\xc3', '\xc3\x28', '\xc0\x80', '\xf8\x80\x80\x80'])
    t.equal(spellings(bad).length, 1, `${bad} is not UTF-8`);
  t.same([0x61, 0x7b, 0xe4, 0xdf, 0x3b1].map(upper), [0x41, 0x7b, 0xc4, 0xdf, 0x391]);
  t.ok(compare([1, 2], [1, 2, 3]) < 0 && compare([2], [1, 9]) > 0 && compare([], []) === 0);
});

t.test('a name whose bytes are characters each', async (t) => {
  const bytes = image('jfs-plain.img');
  // `Gröe`, of five bytes, as Linux without iocharset writes it, in place of `Größe`, of five characters.
  const at = bytes.indexOf(Buffer.from('Größe', 'utf16le'));
  t.ok(at > 0);
  for (let p = at; p > 0; p = bytes.indexOf(Buffer.from('Größe', 'utf16le'), p + 1))
    Buffer.from('Gr\xc3\xb6e', 'utf16le').copy(bytes, p);
  const fs = memory(bytes);
  t.ok(fs.lookup(fs.root, 'Gr\xc3\xb6e'), 'as the bytes that they are');
  t.ok(fs.lookup(fs.root, Buffer.from('Gr\xc3\xb6e', 'utf8').toString('latin1')), 'as GRUB has it');
});

t.test('no superblock', async (t) => {
  t.equal(driver.probe(new MemorySource(Buffer.alloc(300_000)), context()), undefined);
  t.throws(() => driver.open([new MemorySource(Buffer.alloc(1000))], context()), { code: 'corrupt' });
});

t.test('a volume that was cut off', async (t) => {
  const ctx = context();
  const fs = memory(image('jfs-plain.img').subarray(0, 10_000_000), ctx);
  t.match(ctx.warnings[0], /what lies beyond cannot be read/);
  t.equal(walk(fs, '/boot/one').size, 1);
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
