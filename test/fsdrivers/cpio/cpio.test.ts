import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { driver } from '../../../fsdrivers/cpio/driver';
import { walk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('cpio', /^(newc|odc|cpiofs|cpiofs_be)$/, 6);

const open = (name: string) => openFixture(`cpio-${name}`, context());

t.test('names of the drivers as GRUB has them', async (t) => {
  t.same(
    ['newc', 'crc', 'odc', 'binary', 'binary-be'].map((name) => open(name).grubName),
    ['newc', 'newc', 'odc', 'cpiofs', 'cpiofs_be'],
  );
});

t.test('hard links are one file, the bytes of which the last one has', async (t) => {
  for (const name of ['newc', 'crc']) {
    const fs = open(name);
    const { id, size, mtime } = walk(fs, '/boot/vmlinuz');
    t.same([size, mtime], [60000, 1700000000]);
    for (const path of ['/hardlink', '/a/third']) t.equal(walk(fs, path).id, id, path);
    t.equal(walk(fs, '/none').size, 0);
  }
});

t.test('of what comes twice the later one counts, also through links', async (t) => {
  const ctx = context();
  const fs = openFixture('cpio-several', ctx);
  t.equal(walk(fs, '/usr/lib/modules/new').id, walk(fs, '/lib/modules/new').id);
  t.equal(walk(fs, '/etc/link', false).kind, 'file');
  t.equal(walk(fs, '/etc/replaced').size, 3);
  t.same(ctx.warnings, []);
});

t.test('sixteen bits are not enough to be one', async (t) => {
  const archive = image('cpio-binary.img');
  const probe = (bytes: Uint8Array) => driver.probe(new MemorySource(bytes), context());
  t.ok(probe(archive));
  const wrong = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(archive);
    change(bytes);
    return probe(bytes);
  };
  t.equal(
    wrong((b) => b.writeUInt16LE(0, 6)),
    undefined,
    'no kind of file',
  );
  t.equal(
    wrong((b) => b.writeUInt16LE(0, 20)),
    undefined,
    'no name',
  );
  t.equal(
    wrong((b) => b.writeUInt16LE(60000, 20)),
    undefined,
    'a name that is too long',
  );
  t.equal(
    wrong((b) => b.writeUInt16LE(900, 24)),
    undefined,
    'no header behind it',
  );
  t.equal(probe(archive.subarray(0, 20)), undefined, 'cut off');
  t.equal(probe(Buffer.from('\xc7\x71 and then anything'.repeat(100), 'latin1')), undefined);
  t.equal(probe(Buffer.from('070701 and then anything'.repeat(100), 'latin1')), undefined);
  t.throws(() => driver.open([new MemorySource(Buffer.alloc(1000))], context()), { code: 'corrupt' });
});

t.test('only the first header is read until somebody asks for a file', async (t) => {
  const bytes = image('cpio-newc.img');
  const ctx = context();
  const fs = openFileSystem(new MemorySource(bytes.subarray(0, 8192)), ctx, () => []);
  t.same(ctx.warnings, []);
  t.equal(fs?.lookup(fs.root, 'nothing'), undefined);
  t.equal(ctx.warnings.length, 1);
  t.match(ctx.warnings[0], /reach beyond the end \(8192 bytes\), and the archive ends there/);
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('odc');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
