/** What is asked of a guest: the program's own answers, and what the fixtures' makers wrote down. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { image, ROOT } from '../support';
import { archive, type DiskSource, EXAMPLE, imageFile, library, plain, program, work } from './library';

const { openDisk, GuestError } = library;
const expected = JSON.parse(readFileSync(EXAMPLE.replace('.img', '.expected.json'), 'utf8'));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** What `body` throws, or rejects with. */
async function thrown(body: () => unknown): Promise<unknown> {
  try {
    await body();
  } catch (error) {
    return error;
  }
  return undefined;
}

t.test('volumes', async (t) => {
  const disk = openDisk(EXAMPLE);
  t.equal(disk.volumes.length, 1);
  const [volume] = disk.volumes;
  t.match(volume, { ...expected.filesystem, name: 'hd0,gpt1', disk: 'hd0' });
  t.equal(volume!.partition?.scheme, expected.image.table);
  t.equal(volume!.partition?.uuid, expected.image.partition.toLowerCase());
  for (const name of ['hd0,gpt1', '(hd0,gpt1)', 'hd0,1', '/dev/xvda1'])
    t.equal(disk.volume(name), volume, name);
  t.equal(disk.volume('hd0,gpt2'), undefined);
  const whole = disk.volume('hd0')!;
  t.equal(whole.size, expected.image.size);
  t.equal(whole.partition, null);
  t.equal(sha256(whole.read(0, whole.size)), expected.image.sha256);
  t.equal(volume!.filesystem(), volume!.filesystem(), 'the same object');
  disk.close();
});

t.test('list() and inspect() are the documents of the program', async (t) => {
  const names = [
    'lvm.img',
    'zfs-plain.img',
    'bls.img',
    'fat-32.img',
    'cpio-newc.img',
    'luks-disk.img',
    'btrfs-plain.img',
  ].filter((name) => readdirSync(join(ROOT, 'fixtures/images')).includes(`${name}.gz`));
  t.ok(names.length >= 5, `${names}`);
  for (const path of [EXAMPLE, ...names.map((name) => imageFile(name))]) {
    const disk = openDisk(path);
    // In this order and a second time: one answer does not change another.
    for (const _ of [1, 2]) {
      t.same(plain(disk.inspect()), program('--inspect', '--output-format=json', path).json(), path);
      t.same(plain(disk.list()), program('-l', '--output-format=json', path).json(), path);
    }
    disk.close();
  }
  const disk = openDisk(EXAMPLE);
  t.same(
    disk.list().entries.map(({ title }) => title),
    expected.titles,
  );
  t.same(
    plain(disk.inspect({ entry: 2, args: 'more=1' })),
    program('--inspect', '--output-format=json', '--entry=2', '--args=more=1', EXAMPLE).json(),
  );
});

t.test('decide()', async (t) => {
  const disk = openDisk(EXAMPLE);
  const { boot, reasons, warnings } = disk.decide();
  t.match(boot, {
    title: expected.titles[0],
    kernel: expected.kernel.path,
    initrd: [expected.ramdisk.path],
    args: expected.args,
  });
  t.same([reasons, warnings], [[], []]);
  t.equal(disk.decide({ entry: expected.titles[2] }).boot!.title, expected.titles[2]);
  t.equal(disk.decide({ entry: 2 }).boot!.title, expected.titles[2]);
  t.equal(disk.decide({ args: 'x=1' }).boot!.args, `${expected.args} x=1`);
  const { kernel, ramdisk } = expected;
  t.match(disk.decide({ kernel: kernel.path, ramdisk: ramdisk.path, args: 'x' }).boot, {
    title: null,
    kernel: kernel.path,
    initrd: [ramdisk.path],
    args: 'x',
  });
  const none = disk.decide({ kernel: '/no/such' });
  t.equal(none.boot, null);
  t.same(none.reasons, ['gpt1 ext4: /no/such: not found']);

  const said: string[] = [];
  const told = openDisk(EXAMPLE, { onWarning: (line) => said.push(line) });
  t.equal(told.decide({ entry: 'nobody' }).boot!.title, expected.titles[0]);
  t.same(said, ["warning: --entry=nobody names no entry, the guest's default is taken"]);
});

t.test('extract()', async (t) => {
  const disk = openDisk(EXAMPLE);
  const directory = join(work, 'out');
  mkdirSync(directory);
  const { kernel, ramdisk, args, boot } = await disk.extract(directory);
  t.equal(sha256(readFileSync(kernel)), expected.kernel.sha256);
  t.equal(sha256(readFileSync(ramdisk!)), expected.ramdisk.sha256);
  t.equal(args, expected.args);
  t.equal(boot.kernel, expected.kernel.path);
  for (const path of [kernel, ramdisk!]) t.equal(statSync(path).mode & 0o777, 0o600);
  const before = readdirSync(directory);
  t.equal(before.length, 2);

  const alone = await disk.extract(directory, { kernel: expected.kernel.path });
  t.equal(alone.ramdisk, null);
  t.same(
    (await disk.extract(directory, { args: 'x'.repeat(1100), entry: 1 })).warnings.length,
    1,
    'more than a PV guest gets',
  );

  const now = readdirSync(directory);
  const missing = await thrown(() => disk.extract(directory, { kernel: '/no/such' }));
  t.match(missing, { code: 'not-found', message: /^does not boot: gpt1 ext4: \/no\/such: not found$/ });
  t.match(await thrown(() => disk.extract(join(directory, 'none'))), { code: 'io', message: /ENOENT/ });
  t.match(await thrown(() => disk.extract(kernel)), { code: 'io', message: /not a directory/ });
  t.same(readdirSync(directory), now, 'failures leave no files');

  const running = disk.extract(directory);
  // Between its writes the process has its turn, and may ask for other things.
  t.equal(disk.list().entries.length, expected.titles.length);
  t.equal(sha256(readFileSync((await running).kernel)), expected.kernel.sha256);
});

t.test('a kernel unpacked, and one that is refused', async (t) => {
  const kernels = join(ROOT, 'fixtures/kernels');
  const file = (name: string) => readFileSync(join(kernels, name)).toString('latin1');
  const path = archive(['zstd', 'pv'].map((name) => [`boot/${name}`, file(`bzImage-${name}`)]));
  const disk = openDisk(path);
  const unpacked = await disk.extract(work, { kernel: '/boot/zstd', decompress: true });
  const theirs = program(
    ...[
      '-q',
      '--kernel=/boot/zstd',
      '--decompress',
      '--output-format=json',
      `--output-directory=${work}`,
      path,
    ],
  );
  const bytes = readFileSync(unpacked.kernel);
  t.same(bytes, readFileSync(theirs.json().kernel), 'as the program unpacks it');
  t.equal(bytes.toString('latin1', 1, 4), 'ELF');
  const now = readdirSync(work);
  const refused = await thrown(() => disk.extract(work, { kernel: '/boot/pv', check: 'pvh' }));
  t.ok(refused instanceof GuestError);
  t.match(refused, { code: 'unsupported', message: /\(--check-kernel=pvh\)$/ });
  t.same(readdirSync(work), now);
  t.match(await thrown(() => openDisk(EXAMPLE).extract(work, { decompress: true })), {
    code: 'corrupt',
    where: [/menuentry/, '--decompress'],
  });
});

t.test('a failing disk leaves no files', async (t) => {
  const bytes = readFileSync(EXAMPLE);
  const at = bytes.indexOf(readKernel().subarray(1024, 1536));
  t.ok(at > 0);
  const failing: DiskSource = {
    name: 'failing.img',
    size: bytes.length,
    read(from, into) {
      if (from <= at && at < from + into.length) throw new Error('a bad\nsector');
      into.set(bytes.subarray(from, from + into.length));
    },
  };
  const disk = openDisk(failing);
  const directory = join(work, 'failing');
  mkdirSync(directory);
  const error = await thrown(() => disk.extract(directory));
  t.match(error, { code: 'io', message: /a bad\\x0asector$/ });
  t.same(readdirSync(directory), []);
});

function readKernel(): Uint8Array {
  const disk = openDisk(EXAMPLE);
  return disk.volume('hd0,1')!.filesystem()!.readFile(expected.kernel.path);
}

t.test('a policy is the host’s', async (t) => {
  const policy = join(work, 'policy.json');
  const say = (rules: object) => writeFileSync(policy, JSON.stringify(rules));
  const disk = openDisk(EXAMPLE, { policy });
  say({ kernel: { sha256: [expected.kernel.sha256] }, arguments: { appended: ['last=1'] } });
  t.equal((await disk.extract(work, { args: 'x=1' })).args, `${expected.args} x=1 last=1`);
  for (const rules of [
    { kernel: { sha256: ['0'.repeat(64)] } },
    { volumes: ['hd0,gpt9'] },
    { dialects: ['bls'], guess: false },
  ]) {
    say(rules);
    const { boot, reasons } = disk.decide();
    t.equal(boot, null);
    const theirs = program('-qn', `--policy=${policy}`, EXAMPLE);
    t.equal(theirs.status, 1);
    t.match(reasons[0], /refused by policy/);
    t.ok(theirs.stderr.endsWith(`does not boot: ${reasons[0]}\n`), `${reasons[0]} / ${theirs.stderr}`);
  }
  say({ nonsense: 1 });
  t.throws(() => disk.decide(), { code: 'syntax', message: /nonsense: there is no such key/ });
});

t.test('two disks at once, and a guest of two', async (t) => {
  const fat = imageFile('fat-32.img');
  const one = openDisk(EXAMPLE);
  const other = openDisk(fat);
  const apart = [plain(one.list()), plain(other.list())];
  const both = openDisk([EXAMPLE, fat]);
  t.ok(both.volumes.some(({ name }) => name === 'hd0,gpt1'));
  t.ok(both.volumes.some(({ name }) => name.startsWith('hd1')));
  t.same([plain(one.list()), plain(other.list())], apart);
  one.close();
  t.same(plain(other.list()), apart[1], 'the other is open still');
  t.equal(both.decide().boot!.title, expected.titles[0]);
  both.close();
  t.throws(() => both.volumes, /this disk is closed/);
});

t.test('close()', async (t) => {
  let closed = 0;
  const bytes = readFileSync(EXAMPLE);
  const source: DiskSource = {
    size: bytes.length,
    read: (at, into) => into.set(bytes.subarray(at, at + into.length)),
    close: () => closed++,
  };
  const disk = openDisk(source);
  t.equal(disk.list().image, 'disk 0');
  const volume = disk.volume('hd0,gpt1')!;
  const fs = volume.filesystem()!;
  const chunks = fs.chunks(expected.kernel.path);
  const [entry] = fs.readdir('/');
  disk.close();
  disk[Symbol.dispose]();
  t.equal(closed, 1);
  for (const use of [
    () => disk.volumes,
    () => disk.volume('hd0'),
    () => disk.list(),
    () => disk.inspect(),
    () => disk.decide(),
    () => volume.filesystem(),
    () => volume.read(0, 1),
    () => fs.stat('/'),
    () => entry!.stat(),
    () => chunks.next(),
  ])
    t.throws(use, { message: 'this disk is closed' });
  t.match(await thrown(() => disk.extract(work)), { message: 'this disk is closed' });
  t.match(await thrown(() => disk.unlock(['x'])), { message: 'this disk is closed' });
});

t.test('a copy whose disk is closed meanwhile ends with an error and without files', async (t) => {
  const directory = join(work, 'closed');
  mkdirSync(directory);
  const disk = openDisk(EXAMPLE);
  const running = disk.extract(directory);
  disk.close();
  const error = await thrown(() => running);
  // All of it is read before the first turn of the process, or it is not.
  if (error) t.match(error, { code: 'io', message: 'the disk was closed' });
  t.equal(readdirSync(directory).length, error ? 0 : 2);
});

t.test('images', async (t) => {
  const qcow2 = readdirSync(join(ROOT, 'fixtures/images')).find((name) => /\.qcow2(\.gz)?$/.test(name));
  if (qcow2) {
    const path = imageFile(qcow2.replace(/\.gz$/, ''));
    t.same(plain(openDisk(path).inspect()), program('--inspect', '--output-format=json', path).json());
  }
  t.throws(() => openDisk(EXAMPLE, { format: 'qcow2' }), { name: 'GuestError', code: 'corrupt' });
  t.throws(() => openDisk(EXAMPLE, { format: 'nonsense' }), { code: 'unsupported' });
  t.throws(() => openDisk(EXAMPLE, { references: 'directory' }), { code: 'unsupported' });
  const gz = join(ROOT, 'fixtures/images/fat-32.img.gz');
  t.match(
    openDisk(gz).volumes.map(({ type }) => type),
    ['vfat'],
    'through gzip',
  );
  t.same(openDisk(gz, { format: 'raw' }).volumes[0]!.type, null, 'as raw bytes');
  const offset = openDisk(EXAMPLE, { offset: 32768 });
  t.same(
    offset.volumes.map(({ name, type }) => [name, type]),
    [['hd0', 'ext4']],
  );
});

t.test('unlock()', async (t) => {
  const bytes = Buffer.from(image('luks-disk.img'));
  image('luks-1.img').copy(bytes, 6144 * 512);
  const path = join(work, 'luks.img');
  writeFileSync(path, bytes);
  const disk = openDisk(path);
  t.equal(disk.decide().boot, null);
  t.same(await disk.unlock(['wrong']), []);
  t.same(await disk.unlock([Buffer.from('wrong'), 'passphrase']), ['crypto0']);
  t.equal(disk.volume('crypto0')?.type, 'ext4');
  const { boot } = disk.decide();
  t.match(boot, { kernel: '/boot/vmlinuz', initrd: ['/boot/initrd'], args: 'root=/dev/mapper/root ro' });
  const key = join(work, 'key');
  writeFileSync(key, 'passphrase');
  const theirs = program('-l', '--output-format=json', `--key-file=${key}`, path).json();
  t.same(plain(disk.list()).entries, theirs.entries);
  t.ok(disk.inspect().disks.some(({ kind }) => kind === 'decrypted'));
  t.same(await disk.unlock(['passphrase']), [], 'there is nothing else to open');
  disk.close();
});

t.test('unlock() with a header elsewhere', async (t) => {
  const bytes = Buffer.from(image('luks-disk.img'));
  image('luks-1.img').copy(bytes, 6144 * 512);
  bytes.fill(0, 6144 * 512, 6144 * 512 + 4096);
  const path = join(work, 'headless.img');
  writeFileSync(path, bytes);
  const header = join(work, 'header');
  writeFileSync(header, image('luks-1.img').subarray(0, 2 * 1024 * 1024));
  const said: string[] = [];
  const disk = openDisk(path, { onWarning: (line) => void said.push(line) });
  t.same(await disk.unlock(['passphrase']), [], 'nothing on it is encrypted for all that can be seen');
  t.same(await disk.unlock(['x'], { header: path }), []);
  t.match(said.join('\n'), /headless\.img holds no LUKS header/);
  t.match(await thrown(() => disk.unlock(['x'], { header: join(work, 'none') })), { code: 'io' });
  t.same(await disk.unlock(['wrong'], { header }), []);
  t.match(
    said.at(-1),
    /^warning: gpt2 luks1: encrypted \(.*\), the given key opens none of its \d+ key slots/,
  );
  t.same(await disk.unlock(['passphrase'], { header }), ['crypto0']);
  t.match(disk.decide().boot, { kernel: '/boot/vmlinuz', args: 'root=/dev/mapper/root ro' });
  disk.close();
});

t.test('what cannot be meant', async (t) => {
  t.throws(() => openDisk(join(work, 'no such')), { code: 'io' });
  t.throws(() => openDisk(work), { code: 'unsupported', message: /a directory/ });
  t.throws(() => openDisk([]), TypeError);
  t.throws(() => openDisk(EXAMPLE, { offset: -1 }), TypeError);
  t.throws(() => openDisk(EXAMPLE, { offset: 1 << 30 }), { code: 'io' });
  for (const limits of [
    { none: 1 },
    { memory: 0 },
    { runSteps: 1.5 },
    { symlinks: 3 },
    { cpuSeconds: Infinity },
  ])
    t.throws(() => openDisk(EXAMPLE, { limits }), TypeError, JSON.stringify(limits));
  const read = () => {};
  t.throws(() => openDisk({ size: -1, read }), TypeError);
  t.throws(() => openDisk({ size: 512, sectorSize: 1, read }), TypeError);
  t.throws(() => openDisk({ size: 512 } as unknown as DiskSource), TypeError);
  t.equal(library.printable('a\x1b[2Jb\u202e'), 'a\\x1b[2Jb\\u{202e}');
  t.equal(library.version, JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version);
});
