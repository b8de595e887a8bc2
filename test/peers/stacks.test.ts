/**
 * Encryption under and over volume groups and arrays: LVM and md on LUKS, LUKS on LVM. The groups and arrays are lvm2's and mdadm's
 * (fixtures/images), the headers and keys cryptsetup's, sectors are encrypted by OpenSSL's modes.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fixtureSets, membersOf } from '../volume/sets';
import { boot, must, NODEGRUB, run, scratch, sha256 } from './support';

const dir = scratch(t);
const at = (name: string) => join(dir, name);
writeFileSync(at('pass'), 'a passphrase');
const QUICK = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  luks1: ['--type', 'luks1'],
  luks2: [
    '--type',
    'luks2',
    '--sector-size',
    '512',
    '--luks2-metadata-size',
    '16k',
    '--luks2-keyslots-size',
    '1m',
  ],
};

/** A container that holds `clear`. @returns its bytes */
function encrypted(clear: Buffer, version: string, name = 'container'): Buffer {
  const path = at(name);
  rmSync(path, { force: true });
  writeFileSync(path, '');
  truncateSync(path, clear.length + 32 * 1024 * 1024);
  must('cryptsetup', '-q', 'luksFormat', '--key-file', at('pass'), ...VERSIONS[version]!, ...QUICK, path);
  const dump = must('cryptsetup', 'luksDump', path);
  const offset =
    version === 'luks1'
      ? Number(/^Payload offset:\s*(\d+)/m.exec(dump)![1]) * 512
      : Number(/offset: (\d+) \[bytes\]/.exec(dump)![1]);
  rmSync(at('vk'), { force: true });
  const keys = ['--dump-volume-key', '--key-file', at('pass'), '--volume-key-file', at('vk')];
  must('cryptsetup', '-q', 'luksDump', ...keys, path);
  const key = readFileSync(at('vk'));
  t.equal(key.length, 64, 'aes-xts-plain64, the default');
  const whole = Buffer.concat([readFileSync(path).subarray(0, offset), Buffer.alloc(clear.length)]);
  const iv = Buffer.alloc(16);
  for (let place = 0; place < clear.length; place += 512) {
    iv.writeBigUInt64LE(BigInt(place / 512));
    const cipher = createCipheriv('aes-256-xts', key, iv).setAutoPadding(false);
    cipher.update(clear.subarray(place, place + 512)).copy(whole, offset + place);
  }
  rmSync(path);
  return whole;
}

const setNamed = (name: string) =>
  [...fixtureSets('md').sets, ...fixtureSets('lvm').sets].find((set) => set.name === name)!;
const { files } = fixtureSets('lvm');

function disksOf(name: string, contents: readonly Buffer[]): string[] {
  return contents.map((bytes, i) => {
    writeFileSync(at(`${name}-${i}.img`), bytes);
    return at(`${name}-${i}.img`);
  });
}

const out = at('out');
mkdirSync(out);
const KEY = `--key-file=${at('pass')}`;

for (const version of Object.keys(VERSIONS))
  for (const name of ['lvm-linear', 'lvm-span', 'lvm-raid1', 'md-12-raid1', 'md-090-raid1', 'lvm-on-md'])
    t.test(`${name} on ${version}`, async (t) => {
      const members = membersOf(setNamed(name)).map((bytes, i) =>
        encrypted(Buffer.from(bytes), version, `c${i}`),
      );
      const disks = disksOf(`${version}-${name}`, members);
      for (const order of [disks, [...disks].reverse()]) {
        const r = boot(NODEGRUB, out, ['-q', KEY, ...order]);
        t.equal(r.status, 0, r.stderr);
        if (!r.kernel || !r.ramdisk) continue;
        t.equal(sha256(r.kernel), files['/boot/vmlinuz-6.1']);
        t.equal(sha256(r.ramdisk), files['/boot/initrd.img-6.1']);
      }
      const none = run(NODEGRUB, ['-q', '-n', ...disks]);
      t.equal(none.status, 1);
      t.match(none.stderr, new RegExp(`RuntimeError: .*${version}: encrypted \\(.*no key was given`));
      for (const path of disks) rmSync(path);
    });

t.test('LUKS on a logical volume', async (t) => {
  const tree = at('tree');
  mkdirSync(join(tree, 'boot/grub'), { recursive: true });
  writeFileSync(join(tree, 'boot/k'), Buffer.alloc(100_000, 'kernel'));
  writeFileSync(join(tree, 'boot/i'), Buffer.alloc(200_000, 'initrd'));
  writeFileSync(
    join(tree, 'boot/grub/grub.cfg'),
    'menuentry X {\n  linux /boot/k root=/dev/mapper/x\n  initrd /boot/i\n}\n',
  );
  must('mke2fs', '-q', '-t', 'ext4', '-d', tree, at('fs.img'), '2M');
  const container = encrypted(readFileSync(at('fs.img')), 'luks2');
  const set = setNamed('lvm-linear');
  const group = Buffer.from(membersOf(set)[0]!);
  const { size, sha256: sum } = set.volumes!.root!;
  // Where lvm2 put the volume, by what the kernel read from it.
  let place = 0;
  const sumAt = (from: number) =>
    createHash('sha256')
      .update(group.subarray(from, from + size))
      .digest('hex');
  while (place + size <= group.length && sumAt(place) !== sum) place += 64 * 1024;
  t.ok(place + size <= group.length && container.length <= size, `at ${place}`);
  group.fill(0, place, place + size);
  container.copy(group, place);
  const [disk] = disksOf('luks-on-lvm', [group]);
  const r = boot(NODEGRUB, out, ['-q', KEY, disk!]);
  t.equal(r.status, 0, r.stderr);
  t.equal(r.kernel && sha256(r.kernel), sha256(Buffer.alloc(100_000, 'kernel')));
  t.equal(r.ramdisk && sha256(r.ramdisk), sha256(Buffer.alloc(200_000, 'initrd')));
  t.equal(r.args, 'root=/dev/mapper/x');
});
