import t from 'tap';
import { drivers, openFileSystem } from '../../../fsdrivers';
import { driver } from '../../../fsdrivers/udf/driver';
import { fromCs0, time, toCs0, uuidOf } from '../../../fsdrivers/udf/names';
import { fileExtents } from '../../../lib/fs/file';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { digest } from '../compare';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('udf', 'udf', 9);

const open = (name: string) => openFixture(`udf-${name}`, context());
const openBytes = (bytes: Buffer, ctx = context()) =>
  openFileSystem(new CacheSource(new MemorySource(bytes)), ctx, () => []);
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);

t.test('extents are as long as they can be, holes are none', async (t) => {
  const fs = open('disk');
  t.equal(shape(fs.extents(walk(fs, '/boot/vmlinuz'))).length, 1);
  t.match(shape(fs.extents(walk(fs, '/boot/size336'))), [[String, 0, 336]]);
  const sparse = shape(fileExtents(open('forms'), walk(open('forms'), '/sparse'), context()));
  t.ok(sparse.some(([kind, , length]) => kind === 'hole' && (length as number) >= 40_000));
});

t.test('the same file has the same id, and its time', async (t) => {
  for (const name of ['short', 'vat15', 'metadata']) {
    const fs = open(name);
    t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
    t.equal(walk(fs, '/boot/vmlinuz').mtime, 1_700_000_000);
  }
});

t.test('anchors: without the first the last is used, without all it is none', async (t) => {
  const bytes = image('udf-forms.img');
  bytes.fill(0, 256 * 2048, 257 * 2048);
  t.equal(openBytes(bytes)?.type, 'udf');
  bytes.fill(0, bytes.length - 2048);
  t.equal(openBytes(bytes), undefined);
});

t.test('without the recognition sequence it is none', async (t) => {
  const bytes = image('udf-forms.img');
  bytes.write('NSR01', 34817, 'latin1');
  t.equal(openBytes(bytes), undefined);
  t.equal(driver.probe(new MemorySource(bytes), context()), undefined);
  t.throws(() => driver.open([new MemorySource(bytes)], context()), { code: 'corrupt' });
  const names = [...drivers()].map((d) => d.name);
  t.ok(names.indexOf('udf') < names.indexOf('iso9660'), 'before ISO 9660');
});

t.test('of two sparing tables the newer one counts', async (t) => {
  const bytes = image('udf-sparable.img');
  // The places of the tables in the partition map change places.
  for (const at of [35, 51].map((sector) => sector * 2048 + 440 + 48)) {
    const [first, second] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    bytes.writeUInt32LE(second, at);
    bytes.writeUInt32LE(first, at + 4);
  }
  const ctx = context();
  const swapped = openBytes(bytes, ctx)!;
  const sound = open('sparable');
  for (const path of ['/boot/vmlinuz', '/boot/size8192', '/many/name-of-file-number-99', '/a/b/c/deep'])
    t.equal(digest(swapped, walk(swapped, path), ctx), digest(sound, walk(sound, path), context()), path);
  t.match(ctx.warnings, [/CRC/], 'as the descriptor was changed');
});

t.test('a strategy 4096 entry whose next version is not written yet', async (t) => {
  const bytes = image('udf-strategy4096.img');
  const before = walk(open('strategy4096'), '/boot/vmlinuz');
  const [, block] = String(before.id).split(':').map(Number);
  // The old entry (two blocks before) becomes what is read when the newer one is no entry.
  const at = (288 + block!) * 2048;
  bytes.writeUInt16LE(0, at + 4096);
  t.equal(walk(openBytes(bytes)!, '/boot/vmlinuz').size, 3);
});

t.test('bridges: UDF, with what only the ISO 9660 side has', async (t) => {
  const fs = open('bridge');
  t.same([fs.type, fs.readlink(walk(fs, '/vmlinuz', false))], ['udf', 'boot/vmlinuz']);
  t.equal(walk(fs, '/vmlinuz').size, 150_000, 'through a link that is an empty file in the UDF');
  const bytes = image('udf-bridge.img');
  const udf = driver.open([new MemorySource(bytes)], context());
  t.same([...udf.readdir(walk(udf, '/a/b'))].map((e) => [e.name, e.node().kind]).sort(), [
    ['c', 'directory'],
    ['up', 'symlink'],
  ]);
  // The UDF's file set descriptor is gone.
  const ctx = context();
  const damaged = Buffer.from(bytes);
  const fileSet = [...Array(400).keys()].find((s) => damaged.readUInt16LE(s * 2048) === 256)!;
  damaged.fill(0, fileSet * 2048, fileSet * 2048 + 2048);
  t.equal(openBytes(damaged, ctx)?.type, 'iso9660');
  t.match(ctx.warnings, [/the UDF of the disc cannot be read .*ISO 9660 is used/]);
  // The ISO's block size is.
  const other = Buffer.from(bytes);
  for (const sector of [16, 17]) other.fill(1, sector * 2048 + 128, sector * 2048 + 132);
  const warned = context();
  const alone = openBytes(other, warned)!;
  t.equal(walk(alone, '/vmlinuz').size, 0);
  t.match(warned.warnings, [/the ISO 9660 of the disc cannot be read .*UDF is used/]);
});

t.test('names, identifiers, times', async (t) => {
  t.equal(fromCs0(Buffer.from('\x08Gr\xfc', 'latin1')), Buffer.from('Grü').toString('latin1'));
  t.equal(fromCs0(Buffer.from([16, 0x20, 0xac, 0x00])), Buffer.from('€').toString('latin1'));
  t.equal(fromCs0(Buffer.from([16, 0xd8, 0x3d, 0xde, 0x00])), Buffer.from('😀').toString('latin1'));
  t.equal(fromCs0(Buffer.from([254, 65])), undefined);
  t.equal(toCs0(Buffer.from('€').toString('latin1'))[0], undefined);
  const set = (text: string) => {
    const b = Buffer.alloc(128);
    b.write(`\x08${text}`, 'latin1');
    b[127] = text.length + 1;
    return uuidOf(b);
  };
  // As blkid prints them.
  t.equal(set('0123456789ABCDEFrest'), '0123456789abcdef');
  t.equal(set('01234567-ABCxyz'), '012345672d414243');
  t.equal(set('LinuxUDF volume'), '4c696e7578554446');
  t.equal(set('short'), undefined);
  const stamp = (zone: number, ...rest: number[]) => {
    const b = Buffer.alloc(12);
    b.writeUInt16LE(zone, 0);
    b.writeInt16LE(2023, 2);
    b.set(rest, 4);
    return time(b);
  };
  t.equal(stamp(0x1000 | 60, 11, 14, 23, 13, 20), 1_700_000_000);
  t.equal(stamp(0x1000 | (-60 & 0xfff), 11, 14, 21, 13, 20), 1_700_000_000);
  t.equal(stamp(0x1000 | (-2047 & 0xfff), 11, 14, 22, 13, 20), 1_700_000_000);
  t.equal(stamp(0, 13, 1, 0, 0, 0), undefined);
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('disk');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
