/** Files through the library, as the kernel or the filesystem's own tools listed them when the fixtures were made. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { toUnicode } from '../../lib/bytes/text';
import { type Expected, type Listing, listing } from '../fsdrivers/compare';
import { fixtureNames } from '../fsdrivers/suite';
import { image } from '../support';
import { type FileSystem, imageFile, library } from './library';

const { openDisk, GuestError } = library;
const sha256 = () => createHash('sha256');

/** The listings' paths are bytes, a character each. */
function check(t: Test, fs: FileSystem, name: string, expected: Expected): void {
  const path = Buffer.from(name, 'latin1');
  if ('names' in expected) {
    t.equal(fs.readdir(path).length, expected.names, name);
    return;
  }
  const stats = fs.lstat(path);
  t.equal(stats.kind, expected.kind, name);
  if (expected.kind === 'symlink') t.equal(fs.readlink(path), toUnicode(expected.target), name);
  if (expected.kind !== 'file') return;
  t.equal(stats.size, expected.size, name);
  const hash = sha256();
  for (const chunk of fs.chunks(path)) hash.update(chunk);
  t.equal(hash.digest('hex'), expected.sha256, name);
  t.equal(
    sha256()
      .update(fs.readFile(path, 1 << 28))
      .digest('hex'),
    expected.sha256,
    name,
  );
  let at = 0;
  for (const extent of fs.extents(path)) {
    t.equal(extent.offset, at, `${name}: without gaps`);
    at += extent.length;
  }
  t.equal(at, expected.size, name);
}

/** One with every way in which a file lies on a disk: extents, holes, inline, packed, several members, a journal to be replayed. */
const NAMES = [
  'ext-ext4',
  'ext-dirty-v3',
  'btrfs-packed',
  'btrfs-raid1',
  'squashfs',
  'erofs-lz4',
  'xfs',
  'iso9660',
];

t.test('fixtures', async (t) => {
  let count = 0;
  for (const wanted of NAMES) {
    const name = [wanted, ...fixtureNames(wanted)].find((one) => exists(one));
    if (!name) continue;
    count++;
    const expected: Listing = listing(name);
    const disk = openDisk([name, ...(expected.members ?? [])].map((one) => imageFile(`${one}.img`)));
    const [volume] = disk.volumes;
    t.equal(volume!.type, expected.type, name);
    t.equal(volume!.uuid ?? '', expected.uuid, name);
    t.equal(volume!.label ?? '', expected.label, name);
    const fs = volume!.filesystem()!;
    for (const [path, entry] of Object.entries(expected.entries)) check(t, fs, path, entry);
    disk.close();
  }
  t.ok(count >= 7, `${count} of them`);
});

function exists(name: string): boolean {
  try {
    image(`${name}.img`);
    // Some fixtures' makers wrote another form.
    const { type, entries } = listing(name) as Partial<Listing>;
    return type !== undefined && entries !== undefined;
  } catch {
    return false;
  }
}

t.test('directories, paths and errors', async (t) => {
  const expected = listing('ext-ext4');
  const disk = openDisk(imageFile('ext-ext4.img'));
  const fs = disk.volumes[0]!.filesystem()!;
  const names = fs.readdir('/').map(({ name }) => `/${name}`);
  for (const path of Object.keys(expected.entries)) {
    const [, first] = path.split('/');
    t.ok(names.includes(`/${first}`), path);
  }
  for (const entry of fs.readdir('/boot')) {
    t.same(entry.stat(), fs.lstat(`/boot/${entry.name}`), entry.name);
    t.equal(entry.kind, entry.stat().kind);
    // Bytes of a name lead to the file as well.
    t.same(fs.lstat(Buffer.concat([Buffer.from('/boot/'), entry.bytes])), entry.stat());
  }
  const file = '/boot/vmlinuz';
  t.ok(fs.exists(file));
  t.notOk(fs.exists('/boot/none'));
  t.throws(() => fs.stat('/boot/none'), { code: 'not-found' });
  t.throws(() => fs.readdir(file), { code: 'unsupported', message: /not a directory/ });
  t.throws(() => fs.readFile('/boot'), { code: 'unsupported', message: /not a regular file/ });
  t.throws(() => fs.readlink(file), { code: 'unsupported', message: /not a symbolic link/ });
  t.throws(() => fs.readFile(file, 100), { code: 'limit', message: /at most 100 were asked for/ });
  t.throws(() => fs.stat('x'.repeat(5000)), { code: 'limit' });
  try {
    fs.stat('/no\x1bne');
    t.fail('nothing is there');
  } catch (error) {
    t.ok(error instanceof GuestError);
    t.match((error as InstanceType<typeof GuestError>).describe(), /^hd0: \/no\\x1bne: not found$/);
  }
  const parts: Buffer[] = [];
  for await (const part of Readable.from(fs.chunks(file))) parts.push(part);
  t.same(Buffer.concat(parts), Buffer.from(fs.readFile(file)), 'as a stream');
  for (const { kind, offset, length, at } of fs.extents(file))
    if (kind === 'data' && at !== null)
      t.same(
        disk.volumes[0]!.read(at, length),
        fs.readFile(file).subarray(offset, offset + length),
        'an extent says where bytes lie',
      );
});
