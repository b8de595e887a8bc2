/** Each image of fixtures/images in each format, read whole: the bytes that qemu-img and gzip gave (fixtures/recipes/formats.sh). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formats, type ImageChoice, openImage } from '../../lib/source';
import { CacheSource } from '../../lib/source/cache';
import { type BlockSource, MemorySource } from '../../lib/source/types';
import { generator } from '../boot/dialect';
import { context, image, ROOT } from '../support';
import { hashOf, openBytes, patches } from './images';

const expected: Record<string, { size: number; sha256: string }> = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/images/formats.expected.json'), 'utf8'),
);
const raw = image('example.img');
const RAW_HASH = hashOf(new MemorySource(raw));
const formatOf = (name: string) => name.replace(/-.*/, '');

/** A child is given its parent as --image-references=directory gives it. */
function open(name: string, choice: ImageChoice = {}) {
  const of = formatOf(name);
  if (!name.endsWith('-child')) return openBytes(image(`${name}.img`), `${name}.${of}`, choice);
  const parent = { file: new MemorySource(image(`${of}-parent.img`), 'parent'), members: new Map() };
  const reference = of === 'vhd' ? './vhd-parent.vhd' : './vhdx-parent.vhdx';
  const members = new Map([[reference, parent]]);
  return openBytes(image(`${name}.img`), `${name}.${of}`, { ...choice, format: of, members });
}

t.test('every format has its fixtures, its samples, and a README', async (t) => {
  const names = formats.map((f) => f.name);
  t.same([...new Set(Object.keys(expected).map(formatOf))].sort(), [...names].sort());
  const folders = readdirSync(join(ROOT, 'lib/source'), { withFileTypes: true });
  t.same(
    folders
      .filter((f) => f.isDirectory() && names.includes(f.name))
      .map((f) => f.name)
      .sort(),
    [...names].sort(),
    'a folder each',
  );
  for (const name of names) {
    t.ok(existsSync(join(ROOT, 'lib/source', name, 'layout.ts')), `${name}/layout.ts`);
    const readme = join(ROOT, 'lib/source', name, 'README.md');
    t.ok(existsSync(readme) && readFileSync(readme, 'utf8').length > 300, `${name}/README.md`);
    t.ok(Object.keys(patches(name)).length > 0, `fixtures/malformed/${name}-patches.json`);
  }
});

for (const [name, { size, sha256 }] of Object.entries(expected))
  t.test(name, async (t) => {
    const format = formatOf(name);
    const { disk, ctx } = open(name);
    if (format === 'gzip') t.ok(disk.size >= size);
    else t.equal(disk.size, size);
    t.equal(hashOf(disk, 0, size), sha256, 'in large pieces');
    t.equal(hashOf(disk, 0, size, 3000), sha256, 'in small pieces');
    t.same(ctx.warnings, []);
    t.equal(hashOf(open(name, { format }).disk, 0, size), sha256, 'by its name');
    // Forwards and backwards, alone and into several buffers.
    const whole = Buffer.alloc(size);
    disk.read(0, whole);
    const random = generator(3);
    let wrong = 0;
    for (let i = 0; i < 200; i++) {
      const at = random(size - 1);
      const got = Buffer.alloc(1 + random(Math.min(size - at, i % 5 === 0 ? 300_000 : 9000)));
      const cut = random(got.length);
      if (i % 2 === 0 && disk.readMany) disk.readMany(at, [got.subarray(0, cut), got.subarray(cut)]);
      else disk.read(at, got);
      if (!got.equals(whole.subarray(at, at + got.length))) wrong++;
    }
    t.equal(wrong, 0, 'random ranges');
    for (const at of [disk.size, disk.size - 1, -1])
      t.throws(() => disk.read(at, Buffer.alloc(2)), { code: 'corrupt' }, `a read at ${at}`);
  });

t.test('beyond the end of a packed disk are zeros', async (t) => {
  const { disk } = open('gzip-plain');
  const end = Buffer.alloc(4096, 1);
  disk.read(raw.length - 100, end);
  t.same(end.subarray(100), Buffer.alloc(3996));
  t.same(end.subarray(0, 100), raw.subarray(-100));
});

t.test('snapshots', async (t) => {
  t.equal(hashOf(open('qcow2-snapshot', { snapshot: 'before' }).disk), RAW_HASH, 'by name');
  t.equal(hashOf(open('qcow2-snapshot', { snapshot: '1' }).disk), RAW_HASH, 'by id');
  t.throws(() => open('qcow2-snapshot', { snapshot: 'after' }), {
    code: 'not-found',
    message: /no snapshot 'after'; there are before/,
  });
  t.throws(() => open('qcow2-plain', { snapshot: 'before' }), { code: 'not-found', message: /none/ });
  t.throws(() => open('vmdk-sparse', { snapshot: 'before' }), { code: 'unsupported' });
  t.throws(() => openBytes(raw, 'example.img', { snapshot: 'before' }), { code: 'not-found' });
});

t.test('the dirty bit says nothing, the corrupt bit warns, and both images are read', async (t) => {
  for (const [bits, warnings] of [
    [1, []],
    [2, [/marked as corrupt/]],
    [3, [/marked as corrupt/]],
  ] as const) {
    const bytes = image('qcow2-plain.img');
    bytes[79] = bits;
    const { disk, ctx } = openBytes(bytes, 'x.qcow2');
    t.equal(hashOf(disk), RAW_HASH);
    t.match(ctx.warnings, warnings);
    t.equal(ctx.warnings.length, warnings.length);
  }
});

t.test('the log of a VHDX', async (t) => {
  const { disk } = open('vhdx-log');
  const sector = (n: number) => {
    const b = Buffer.alloc(4096);
    disk.read(n * 4096, b);
    return b;
  };
  t.equal(
    sector(1).toString('latin1', 0, 6),
    'first ',
    'entry 1; the torn entry that follows does not count',
  );
  t.equal(sector(2).toString('latin1', 0, 7), 'second ', 'and not an older run');
  t.same(sector(3), Buffer.alloc(4096), 'zeros over data');
  t.match(sector(4).toString('latin1'), /^and this is last /, 'data over zeros');
  t.same(sector(10), Buffer.alloc(4096));
  // The file itself is not changed.
  const file = image('vhdx-log.img');
  const before = Buffer.from(file);
  hashOf(openBytes(file, 'x.vhdx').disk);
  t.ok(file.equals(before));
});

/** Detection, and what a guest can do with it. */
t.test('what names a format', async (t) => {
  const unreferenced = (name: string) => !name.endsWith('-child');
  for (const name of Object.keys(expected).filter(unreferenced)) {
    const opened = openBytes(image(`${name}.img`), 'any-name');
    if (name === 'vhd-fixed') t.equal(opened.disk.size, image('vhd-fixed.img').length, 'raw by its content');
    else
      t.equal(
        hashOf(opened.disk, 0, expected[name]!.size),
        expected[name]!.sha256,
        `${name}: by its content`,
      );
    const asRaw = openBytes(image(`${name}.img`), 'any-name', { format: 'raw' });
    t.ok(asRaw.disk.size === image(`${name}.img`).length, `${name}: raw when that is said`);
  }
  // The first sector of a fixed VHD is the guest's: only a name that says so lets the last sector count.
  for (const [label, flat] of [
    ['a.vhd', true],
    ['a.VHD', true],
    ['a.img', false],
  ] as const)
    t.equal(openBytes(image('vhd-fixed.img'), label).disk.size, flat ? raw.length : raw.length + 512, label);
  t.equal(openBytes(raw, 'a.vhd').disk.size, raw.length, 'a raw disk of that name');
  t.throws(() => openBytes(raw, 'a.img', { format: 'qcow2' }), {
    code: 'corrupt',
    message: /not a qcow2 image/,
  });
});

t.test('a raw disk whose first bytes look like an image', async (t) => {
  const magics = [
    'QFI\xfb\0\0\0\x02',
    'QFI\xfb\0\0\0\x03',
    'QFI\xfb\0\0\0\x01',
    'QED\0',
    'conectix',
    'vhdxfile',
  ];
  magics.push(
    'KDMV',
    'COWD',
    '# Disk DescriptorFile',
    'WithoutFreeSpace',
    'WithouFreSpacExt',
    '\x1f\x8b\x08',
  );
  for (const magic of magics) {
    const bytes = Buffer.from(raw);
    bytes.write(magic, 0, 'latin1');
    // A boot sector behind it, as in a guest's own disk, or zeros.
    for (const filled of [0xe5, 0]) {
      bytes.fill(filled, magic.length, 440);
      let opened: ReturnType<typeof openBytes>;
      try {
        opened = openBytes(bytes, 'guest.img');
      } catch (error) {
        t.equal((error as { code?: string }).code, 'unsupported', `${magic}: ${error}`);
        continue;
      }
      const { disk, ctx } = opened;
      t.ok(
        disk.size !== bytes.length || ctx.warnings.length > 0 || magic.startsWith('\x1f'),
        `${magic}: ${ctx.warnings}`,
      );
      if (disk.size === bytes.length) {
        t.equal(hashOf(disk), hashOf(new MemorySource(bytes)), `${magic}: read as it is`);
        t.match(ctx.warnings.at(-1), /begins like .*, but is not sound as that, and is read as a raw disk/);
      }
    }
    t.equal(openBytes(bytes, 'guest.img', { format: 'raw' }).disk.size, bytes.length);
  }
});

t.test('block devices are raw unless the caller says otherwise', async (t) => {
  const file = Object.assign(new MemorySource(image('qcow2-plain.img'), 'xvda'), { isBlockDevice: true });
  const cached = (source: BlockSource) => new CacheSource(source);
  t.equal(openImage(cached(file), {}, context()).size, file.size);
  t.equal(openImage(cached(file), { format: 'qcow2' }, context()).size, raw.length);
});
