import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { driver } from '../../../fsdrivers/hfsplus/driver';
import { binaryCompare, caseFolding, fromDisk, toDisk } from '../../../fsdrivers/hfsplus/names';
import type { Extent } from '../../../lib/fs/types';
import { tryWalk, walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('hfsplus', 'hfsplus', 5);

const open = (name: string) => openFixture(`hfsplus-${name}`, context());
const bytes = (text: string) => Buffer.from(text).toString('latin1');
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);

t.test('names: composed or not, with or without regard to case', async (t) => {
  const plus = open('plus');
  const x = open('x');
  t.ok(plus.ignoresCase);
  t.notOk(x.ignoresCase);
  for (const name of ['Ägypten', 'A\u0308gypten', 'ägypten', 'ÄGYPTEN'])
    t.equal(walk(plus, bytes(`/${name}`)).size, 1, name);
  t.equal(walk(plus, '/BOOT/VmLinuz').size, 150_000);
  t.equal(walk(plus, bytes('/Größe')).size, 2);
  t.equal(walk(x, bytes('/Ägypten')).size, 1);
  t.equal(tryWalk(x, bytes('/ägypten')), undefined);
  t.same(
    ['/Case', '/case', '/CASE'].map((path) => tryWalk(x, path)?.kind),
    ['file', 'file', undefined],
  );
  t.not(walk(x, '/Case').id, walk(x, '/case').id);
  t.equal(walk(plus, '/colon:name').size, 1, 'a slash on the disk');
  t.equal(tryWalk(plus, `/${'n'.repeat(256)}`), undefined);
  t.equal(tryWalk(plus, '/\xff\xfe'), undefined);
});

t.test('hard links: the same id; what they point into is not shown', async (t) => {
  for (const name of ['plus', 'x', 'wrapped']) {
    const fs = open(name);
    t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
    t.equal(walk(fs, '/boot/vmlinuz').mtime, 1_700_000_000);
    t.notOk([...fs.readdir(fs.root)].some((e) => /HFS/.test(e.name)));
  }
});

t.test('extents: merged, and those of the overflow file', async (t) => {
  const fs = open('plus');
  t.equal(shape(fs.extents(walk(fs, '/boot/vmlinuz'))).length, 1);
  const first = shape(fs.extents(walk(fs, '/first')));
  t.ok(first.length > 8, `${first.length} extents`);
  t.equal(
    first.reduce((sum, [, , length]) => sum + (length as number), 0),
    720_000,
  );
});

t.test('with an ISO 9660 over the same bytes it is not asked; a HFS alone is none', async (t) => {
  const hybrid = image('hfsplus-plus.img');
  hybrid.write('CD001', 32769, 'latin1');
  t.equal(
    openFileSystem(new CacheSource(new MemorySource(hybrid)), context(), () => []),
    undefined,
  );
  const plain = image('hfsplus-wrapped.img');
  plain.fill(0, 1024 + 124, 1024 + 130);
  t.equal(
    openFileSystem(new CacheSource(new MemorySource(plain)), context(), () => []),
    undefined,
  );
  t.equal(driver.probe(new MemorySource(plain), context()), undefined);
  t.equal(driver.probe(new MemorySource(Buffer.alloc(1500)), context()), undefined);
  t.throws(() => driver.open([new MemorySource(plain)], context()), { code: 'corrupt' });
});

t.test('the order of names', async (t) => {
  const fold = caseFolding();
  const order = (a: string, b: string, compare = fold) => {
    const [left, right] = [a, b].map((s) => Buffer.from(s, 'utf16le').swap16()) as [Buffer, Buffer];
    return Math.sign(compare(left, 0, left.length / 2, right));
  };
  t.equal(order('abc', 'ABC'), 0);
  t.equal(order('ab', 'abc'), -1);
  t.equal(order('abd', 'ABC'), 1);
  t.equal(order('\0', 'z'), 1, 'zeros are last');
  t.equal(order('a\u200cb\ufeff', 'AB'), 0, 'ignored characters');
  t.equal(order('ΣΑ\u0416\u0531\u2160Ａ\u01c4', 'σα\u0436\u0561\u2170ａ\u01c6'), 0);
  t.equal(order('\u0419', '\u0439'), -1, 'not in the table');
  t.equal(order('é', 'É'), 1, 'neither: it is compared decomposed');
  t.equal(order('a', 'B', binaryCompare), 1);
  t.equal(order('ab', 'a', binaryCompare), 1);
  t.equal(fromDisk(Buffer.from('a/b', 'utf16le').swap16()), 'a:b');
  t.equal(toDisk('plain').length, 1);
  t.equal(toDisk(bytes('ä')).length, 2);
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('plus');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
