import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { fletcher2, fletcher4 } from '../../../fsdrivers/zfs/checksum';
import { decompress } from '../../../fsdrivers/zfs/compression';
import { driver } from '../../../fsdrivers/zfs/driver';
import { nvlist } from '../../../fsdrivers/zfs/nvlist';
import { choices, Field, raidzLayout, reconstruct } from '../../../fsdrivers/zfs/raidz';
import { readWhole } from '../../../lib/fs/file';
import type { FileSystem } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image, type TestContext } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('zfs', /^zfs$/, 3);

const names = (fs: FileSystem, path: string) => [...fs.readdir(walk(fs, path))].map((e) => e.name).sort();
const text = (fs: FileSystem, path: string, ctx: TestContext) =>
  readWhole(fs, walk(fs, path), 1 << 20, ctx).toString('latin1');
const openBytes = (bytes: Buffer, ctx = context(), bootfs?: string) => {
  const fs = openFileSystem(new CacheSource(new MemorySource(bytes)), ctx, () => [], bootfs);
  if (!fs) throw new Error('not known');
  return fs;
};

t.test('paths as GRUB has them, beside those of the dataset that is booted', async (t) => {
  const ctx = context();
  const fs = openFixture('zfs-open', ctx);
  const kernel = text(fs, '/boot/vmlinuz', ctx);
  for (const path of [
    '/ROOT/new/@/boot/vmlinuz',
    '/ROOT/new@/boot/vmlinuz',
    '/ROOT/new@now/boot/vmlinuz',
    '/ROOT/new/@now/boot/vmlinuz',
    '/ROOT/new@/absolute',
    '/ROOT/new@now/absolute',
    '/absolute',
  ])
    t.equal(text(fs, path, ctx), kernel, path);
  t.equal(text(fs, '/other@/link', ctx), 'other\n', 'an absolute link stays in its dataset');
  t.equal(fs.readlink(walk(fs, '/other/@/link', false)), '/other@/only-here');
  t.throws(() => walk(fs, '/ROOT/new@never/boot'), { code: 'not-found' });
  t.throws(() => walk(fs, '/nothing@/boot'), { code: 'not-found' });
  t.throws(() => walk(fs, '/volume/@/'), { code: 'unsupported' });
  t.throws(() => walk(fs, '/ROOT/new/boot'), { code: 'not-found' }, 'datasets hold no files without @');
  t.same(names(fs, '/ROOT'), ['@', 'new']);
  t.same(names(fs, '/ROOT/new'), ['@', '@now']);
  t.ok(names(fs, '/').includes('boot'), 'the booted dataset');
  t.same(
    [...fs.readdir(walk(fs, '/ROOT/new'))].map((e) => e.node().kind),
    ['directory', 'directory'],
  );
});

t.test('attributes in a fixed structure (ZPL 4), names without regard to case', async (t) => {
  const ctx = context();
  const fs = openFixture('zfs-open', ctx);
  t.same(names(fs, '/old@/'), ['a', 'link56', 'link57', 'link900']);
  for (const length of [56, 57, 900])
    t.equal(fs.readlink(walk(fs, `/old@/link${length}`, false)), 'l'.repeat(length));
  t.equal(text(fs, '/old@/a/b/c/deep', ctx), 'deep');
  t.equal(walk(fs, '/old@/a/b/c/deep').mtime, 1700000000);
  t.equal(text(fs, '/folded@/ONLY-here', ctx), 'other\n');
  t.equal(fs.ignoresCase, undefined);
  t.equal(openBytes(image('zfs-open.img'), context(), 'tank/folded').ignoresCase, true);
});

t.test('the dataset that the admin names', async (t) => {
  const bytes = image('zfs-open.img');
  const top = (bootfs: string) => {
    const ctx = context();
    return [names(openBytes(bytes, ctx, bootfs), '/').length > 3, ctx.warnings.length] as const;
  };
  for (const name of ['tank/ROOT/new', 'ROOT/new', 'tank/ROOT/new@now']) t.same(top(name), [true, 0], name);
  t.same(names(openBytes(bytes, context(), 'tank/other'), '/'), ['link', 'only-here', 'platform']);
  t.equal(
    openBytes(bytes, context(), 'tank/other').readlink(
      walk(openBytes(bytes, context(), 'tank/other'), '/link', false),
    ),
    '/only-here',
  );
  t.throws(() => top('tank/ROOT/old'), { code: 'not-found' });
  t.throws(() => top('tank/volume'), { code: 'unsupported' });
  t.same(top('else/where'), [true, 1], 'of another pool: a warning');
  const object = String(walk(openBytes(bytes, context(), 'other'), '/only-here').id).split('/')[0];
  t.same(
    names(openBytes(bytes, context(), `tank/${object}`), '/'),
    ['link', 'only-here', 'platform'],
    'by its number',
  );
});

t.test('what a Solaris kernel is told', async (t) => {
  t.equal(openFixture('zfs-open', context()).bootString, undefined, 'no Solaris');
  const fs = openBytes(image('zfs-open.img'), context(), 'tank/other');
  const object = String(walk(fs, '/only-here').id).split('/')[0];
  t.equal(fs.bootString, `zfs-bootfs=tank/${object}`);
});

t.test('labels: two at the front and two at the end, right checksums first', async (t) => {
  const sound = image('zfs-open.img');
  const end = sound.length;
  const LABEL = 262144;
  const without = (...labels: number[]) => {
    const bytes = Buffer.from(sound);
    for (const at of labels) bytes.fill(0, at, at + LABEL);
    return bytes;
  };
  for (const bytes of [
    without(0),
    without(0, LABEL),
    without(0, LABEL, end - LABEL),
    without(LABEL, end - 2 * LABEL),
  ]) {
    const ctx = context();
    t.equal(walk(openBytes(bytes, ctx), '/boot/vmlinuz').size, 300000);
    t.same(ctx.warnings, []);
  }
  const none = without(0, LABEL, end - LABEL, end - 2 * LABEL);
  t.equal(
    openFileSystem(new MemorySource(none), context(), () => []),
    undefined,
  );
  t.throws(() => driver.open([new MemorySource(none)], context()), { code: 'corrupt' });
  t.equal(driver.probe(new MemorySource(Buffer.alloc(100)), context()), undefined);
});

t.test('an older state where the newest cannot be read', async (t) => {
  const bytes = image('zfs-open.img');
  // The newest uberblock's root block: its place is in the slot.
  let newest = { txg: 0n, at: 0 };
  for (let at = 131072; at < 262144; at += 1024)
    if (bytes.readBigUInt64LE(at) === 0xbab10cn && bytes.readBigUInt64LE(at + 16) > newest.txg)
      newest = { txg: bytes.readBigUInt64LE(at + 16), at };
  const place = Number(bytes.readBigUInt64LE(newest.at + 48) * 512n) + 4194304;
  bytes.fill(0x55, place, place + 512);
  const ctx = context();
  t.equal(walk(openBytes(bytes, ctx), '/boot/vmlinuz').size, 300000);
  t.match(ctx.warnings, [/^the pool is read as it was at txg \d+: txg \d+ › MOS › block 0:\d+: no copy/]);
});

t.test('checksums: fletcher as OpenZFS computes it', async (t) => {
  const slow4 = (data: Buffer, big: boolean) => {
    let [a, b, c, d] = [0n, 0n, 0n, 0n];
    const mask = (1n << 64n) - 1n;
    for (let at = 0; at < data.length; at += 4) {
      a = (a + BigInt(big ? data.readUInt32BE(at) : data.readUInt32LE(at))) & mask;
      b = (b + a) & mask;
      c = (c + b) & mask;
      d = (d + c) & mask;
    }
    return [a, b, c, d];
  };
  const slow2 = (data: Buffer, big: boolean) => {
    const sums = [0n, 0n, 0n, 0n];
    for (let at = 0; at < data.length; at += 16)
      for (const i of [0, 1]) {
        const word = big ? data.readBigUInt64BE(at + 8 * i) : data.readBigUInt64LE(at + 8 * i);
        sums[i] = BigInt.asUintN(64, sums[i]! + word);
        sums[i + 2] = BigInt.asUintN(64, sums[i + 2]! + sums[i]!);
      }
    return sums;
  };
  const halves = (words: bigint[]) => words.flatMap((w) => [Number(w >> 32n), Number(w & 0xffffffffn)]);
  for (const size of [16, 512, 1040, 131072])
    for (const fill of [0xff, 0x80, undefined])
      for (const big of [false, true]) {
        const data = Buffer.alloc(size + 4, fill).subarray(4);
        if (fill === undefined) for (let i = 0; i < size; i++) data[i] = (i * 197 + (i >> 7) * 31) & 0xff;
        t.same([...fletcher4(data, big)], halves(slow4(data, big)), `fletcher4 ${size} ${fill} ${big}`);
        t.same([...fletcher2(data, big)], halves(slow2(data, big)), `fletcher2 ${size} ${fill} ${big}`);
      }
});

t.test('RAID-Z: any columns from as many of parity', async (t) => {
  const field = new Field();
  // P, Q and R by their definition: the sum of columns times powers of 1, 2 and 4.
  const lengths = [1024, 1024, 512, 512, 512];
  const data = lengths.map((length, i) =>
    Buffer.from(Array.from({ length }, (_, j) => (i * 91 + j * j * 7) & 0xff)),
  );
  const parity = [1, 2, 4].map((generator) => {
    const sum = Buffer.alloc(1024);
    data.forEach((column, i) => {
      const factor = field.power(generator, data.length - 1 - i);
      column.forEach((byte, j) => {
        sum[j]! ^= field.multiply(byte, factor);
      });
    });
    return sum;
  });
  for (let count = 1; count <= 3; count++)
    for (const missing of choices([0, 1, 2, 3, 4], count))
      for (const rows of choices([0, 1, 2], count)) {
        const columns = data.map((column, i) =>
          missing.includes(i) ? Buffer.alloc(column.length, 9) : Buffer.from(column),
        );
        reconstruct(field, columns, missing, new Map(rows.map((row) => [row, parity[row]!])));
        t.same(columns, data, `${missing} from ${rows}`);
      }
  t.same(raidzLayout(0, 512, 9, 3, 1).data.length, 1, 'a sector');
  t.throws(() => raidzLayout(0, 512, 9, 2, 2), { code: 'corrupt' });
});

t.test('compressed blocks that do not give what they must', async (t) => {
  const broken = (kind: number, hex: string, size = 512) =>
    t.throws(() => decompress(kind, Buffer.from(hex, 'hex'), size), { code: 'corrupt' }, `${kind} ${hex}`);
  broken(2, '00');
  broken(3, '0000'); // ends
  broken(3, '01ffff'); // a match before the beginning
  broken(14, '3f00'); // more literals than there are
  broken(14, 'ff'); // fewer bytes than wanted
  broken(15, 'ffffff7f00');
  broken(15, '0000');
  broken(16, 'ffffff7f0000000000');
  broken(16, '0000000400000003deadbeef');
  broken(9, '789c');
  t.throws(() => decompress(40, Buffer.alloc(9), 512), { code: 'unsupported' });
  t.same(
    decompress(14, Buffer.from('4201780000', 'hex'), 5),
    Buffer.from('\0\0\0x\0').fill(0, 0, 3),
    'zeros, then a literal',
  );
});

t.test('name-value lists', async (t) => {
  const list = (hex: string) => nvlist(Buffer.from(hex.replace(/ /g, ''), 'hex'), context());
  const head = '01010000 00000000 00000001';
  t.same(list(`${head} 00000000 00000000`), new Map());
  for (const bad of [
    '0101',
    head,
    `${head} 00000010 00000010`,
    `${head} 00000020 00000020 ffffffff 61000000 00000008 00000001 00000000 00000000`,
    `${head} 00000024 00000020 00000001 61000000 00000014 7fffffff 00000000 00000000 00000000`,
  ])
    t.throws(() => list(bad), { code: 'corrupt' }, bad);
  t.throws(() => list('00010000 00000000 00000001 00000000 00000000'), { code: 'unsupported' });
  // One inside the other, without end.
  let deep = '';
  for (let i = 0; i < 40; i++)
    deep += '00000400 00000400 00000001 61000000 00000013 00000001 00000000 00000001';
  t.throws(() => list(`${head} ${deep}${'00'.repeat(2000)}`), { code: 'corrupt' });
});

t.test('asked for what a node is not', async (t) => {
  const fs = openFixture('zfs-open', context());
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(walk(fs, '/boot'))]);
  code(() => [...fs.extents(fs.root)]);
  code(() => fs.readlink(fs.root));
  t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
});
