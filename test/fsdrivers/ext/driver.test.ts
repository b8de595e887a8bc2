/** The fixtures, against what the kernel's mount or debugfs said of them. */
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { driver } from '../../../fsdrivers/ext/driver';
import { GuestError } from '../../../lib/bytes/errors';
import { readWhole } from '../../../lib/fs/file';
import { tryWalk, walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { type BlockSource, MemorySource, SliceSource } from '../../../lib/source/types';
import { context, image, source } from '../../support';
import { listing, sameAs } from '../compare';

for (const name of [
  'ext-ext2',
  'ext-ext4',
  'ext-inline',
  'ext-casefold',
  'ext-metabg',
  'ext-bigalloc',
  'ext-gdtcsum',
  'ext-64k',
])
  t.test(name, async (t) => {
    const ctx = context();
    const fs = openFileSystem(source(`${name}.img`), ctx, () => [])!;
    t.equal(fs.grubName, 'ext2');
    sameAs(t, fs, listing(name), ctx);
    t.same(ctx.warnings, [], 'every checksum is right');
    t.equal(fs.lookup(fs.root, 'no such name'), undefined);
    t.equal(fs.lookup(fs.root, 'n'.repeat(256)), undefined, 'names have 255 bytes at most');
  });

/** Counts what goes to the disk. */
function counted(image: Buffer): { source: BlockSource; reads(): number; bytes(): number } {
  const memory = new MemorySource(image);
  let reads = 0;
  let bytes = 0;
  const source: BlockSource = {
    label: 'counted',
    size: memory.size,
    sectorSize: 512,
    read(at, into) {
      reads++;
      bytes += into.length;
      memory.read(at, into);
    },
  };
  return { source, reads: () => reads, bytes: () => bytes };
}

t.test('few reads', async (t) => {
  const c = counted(image('ext-ext4.img'));
  const fs = driver.open([c.source], context());
  const dir = walk(fs, '/half_md4');
  const before = c.reads();
  t.ok(fs.lookup(dir, 'name4321'), 'a name among 6,000');
  // The root, an inner node, the leaf, each with its place in the extent tree; then the inode with its descriptor.
  t.ok(c.reads() - before <= 8, `${c.reads() - before} reads`);
  const none = c.reads();
  t.equal(fs.lookup(dir, 'name6001'), undefined);
  t.ok(c.reads() - none <= 6, `${c.reads() - none} reads to know that a name is not there`);

  const pages = counted(image('ext-ext4.img'));
  const cached = driver.open([new CacheSource(pages.source)], context());
  t.equal([...cached.extents(walk(cached, '/pieces'))].length, 700);
  t.ok(pages.reads() <= 12, `${pages.reads()} page reads for 700 extents`);
});

t.test('runs that touch are one extent', async (t) => {
  const fs = driver.open([source('ext-ext2.img')], context());
  const extents = [...fs.extents(walk(fs, '/boot/direct'))];
  t.equal(extents.length, 1);
  t.match(extents[0], { kind: 'data', offset: 0, length: 12288 });
});

t.test('unwritten extents are not data', async (t) => {
  const fs = driver.open([source('ext-ext4.img')], context());
  const file = walk(fs, '/unwritten');
  t.equal(file.size, 100000);
  t.same(
    [...fs.extents(file)].map((e) => [e.kind, e.offset, e.length]),
    [['data', 39 * 1024, 1024]],
  );
});

t.test('encrypted things need a key, the rest reads', async (t) => {
  const ctx = context();
  const fs = driver.open([source('ext-encrypt.img')], ctx);
  t.equal(readWhole(fs, walk(fs, '/plain/file'), 100, ctx).toString(), 'readable\n');
  const secret = walk(fs, '/secret');
  t.equal(secret.kind, 'directory');
  const key = { code: 'unsupported', message: /encrypted.*feature encrypt/ };
  t.throws(() => fs.lookup(secret, 'file'), key);
  t.throws(() => [...fs.readdir(secret)], key);
  t.same([...fs.readdir(fs.root)].map((e) => e.name).sort(), ['lost+found', 'plain', 'secret']);
});

t.test('case', async (t) => {
  const fs = driver.open([source('ext-casefold.img')], context());
  const utf8 = (s: string) => Buffer.from(s).toString('latin1');
  for (const [asked, there] of [
    ['/fold/readme', '/fold/ReadMe'],
    ['/fold/STRASSE', '/fold/Straße'],
    ['/fold/STRAẞE', '/fold/Straße'],
    ['/fold/u\u0308NI\u0308CODE', '/fold/Ünïcode'],
    ['/many/file number 77', '/many/File Number 77'],
    ['/many/σίσυφος', '/many/ΣΊΣΥΦΟΣ'],
  ] as const)
    t.equal(tryWalk(fs, utf8(asked))?.id, walk(fs, utf8(there)).id, `${asked} is ${there}`);
  t.ok(tryWalk(fs, '/fold/bad\xff'), 'what is not UTF-8 matches itself');
  t.notOk(tryWalk(fs, '/fold/BAD\xff'), 'and nothing else');
  t.notOk(tryWalk(fs, '/plain/readme'), 'only in directories with the flag');
  t.notOk(tryWalk(fs, '/fold/readm'));
  t.notOk(tryWalk(fs, '/fold/readme2'));
});

t.test('probe', async (t) => {
  t.same(driver.probe(source('ext-ext4.img'), context()), {
    type: 'ext4',
    uuid: '0e5c1f3a-77aa-4d55-9f00-0123456789ab',
    label: 'root',
  });
  t.equal(driver.probe(new MemorySource(Buffer.alloc(4096)), context()), undefined, 'zeros');
  t.equal(driver.probe(new MemorySource(Buffer.alloc(1500)), context()), undefined, 'too small');
  t.equal(
    driver.probe(source('ext-external-journal.img'), context()),
    undefined,
    'a journal is no filesystem',
  );
  t.equal(
    openFileSystem(source('ext-external-journal.img'), context(), () => []),
    undefined,
  );
});

t.test('a volume that was cut short', async (t) => {
  const whole = source('ext-ext4.img');
  const ctx = context();
  const fs = driver.open([new SliceSource(whole, 0, 1024 * 1024, 'cut')], ctx);
  t.match(ctx.warnings, [/4194304 bytes on a volume of 1048576/]);
  t.same(tryWalk(fs, '/boot')?.kind, 'directory');
  t.throws(() => readWhole(fs, walk(fs, '/pieces'), 1 << 24, ctx), { code: 'corrupt' });
});

t.test('a damaged hash tree is read as a plain directory', async (t) => {
  const bytes = image('ext-ext4.img');
  const fs = driver.open([new MemorySource(bytes)], context());
  const id = walk(fs, '/tea/n250').id;
  // The root of the tree is the block with the entries of . and .. and the info of version 2 behind them.
  const info = Buffer.from([0, 0, 0, 0, 2, 8, 0, 0]);
  let at = bytes.indexOf(info);
  while (at >= 0 && at % 1024 !== 24) at = bytes.indexOf(info, at + 1);
  t.ok(at > 0);
  bytes[at + 6] = 9;
  const ctx = context();
  const damaged = driver.open([new MemorySource(bytes)], ctx);
  t.equal(walk(damaged, '/tea/n250').id, id);
  t.equal(tryWalk(damaged, '/tea/n999'), undefined);
  t.match(ctx.warnings, [/hash tree: 9 levels, maximum 1; reading the whole directory/]);
});

t.test('wrong checksums warn once for each kind of structure', async (t) => {
  const bytes = image('ext-ext4.img');
  // A bit that no reader looks at: the superblock's mount count, each inode's group number, and so on.
  bytes[1024 + 0x34]! ^= 1;
  const ctx = context();
  const fs = driver.open([new MemorySource(bytes)], ctx);
  walk(fs, '/boot/grub/grub.cfg');
  t.same(ctx.warnings, ['superblock: wrong checksum']);

  const seeds = image('ext-ext4.img');
  // Another UUID: every seed is wrong, and the values are still good.
  seeds[1024 + 0x68]! ^= 1;
  const all = context();
  const other = driver.open([new MemorySource(seeds)], all);
  for (const path of ['/half_md4/name78', '/tea/n5', '/boot/vmlinuz']) walk(other, path);
  t.equal([...other.extents(walk(other, '/pieces'))].length, 700);
  t.same(
    all.warnings.map((w) => w.replace(/\d+/g, 'N')),
    [
      'superblock: wrong checksum',
      'group descriptor N: wrong checksum, used as it stands',
      'inode N: wrong checksum, used as it stands',
      'inode N: directory block with a wrong checksum, used as it stands',
      'inode N: extent block with a wrong checksum, used as it stands',
      'inode N: hash tree block with a wrong checksum, used as it stands',
    ],
  );
});

t.test('what is wrong is said with its place', async (t) => {
  const fs = driver.open([source('ext-ext2.img')], context());
  try {
    walk(fs, '/boot/nothing');
    t.fail('found');
  } catch (error) {
    t.ok(error instanceof GuestError && error.code === 'not-found');
  }
});
