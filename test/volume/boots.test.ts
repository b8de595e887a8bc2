/** The built program on arrays and volume groups; and what they cost a guest that has none: nothing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from '../support';
import { fixtureSets, membersOf } from './sets';

const work = mkdtempSync(join(tmpdir(), 'nodegrub-sets-'));
t.teardown(() => rmSync(work, { recursive: true }));
const sha256 = (path: string) => spawnSync('sha256sum', [path], { encoding: 'utf8' }).stdout.slice(0, 64);

/** Boots; with what was loaded of dist/, and read(2) calls of the disk. */
function boot(args: readonly string[]) {
  const file = join(work, 'boot.js');
  writeFileSync(
    file,
    `const { load, loaded } = require(${JSON.stringify(join(ROOT, 'dist', 'nodegrub.js'))});
    load('core.js').main(${JSON.stringify(['-q', '--sandbox=off', '--output-format=simple', `--output-directory=${work}`, ...args])}, 'nodegrub').then((status) =>
      console.error('LOADED ' + [...loaded.keys()].sort().join()));`,
  );
  const r = spawnSync('env', ['-i', `PATH=${process.env.PATH}`, process.execPath, file], {
    encoding: 'utf8',
  });
  const item = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(r.stdout)?.[1];
  return {
    ...r,
    kernel: item('kernel'),
    ramdisk: item('ramdisk'),
    loaded: /^LOADED (.*)$/m.exec(r.stderr)?.[1]?.split(',') ?? [],
  };
}

function disks(name: string): string[] {
  const set = [...fixtureSets('md').sets, ...fixtureSets('lvm').sets].find((s) => s.name === name)!;
  return membersOf(set).map((bytes, i) => {
    const path = join(work, `${name}-${i}.img`);
    writeFileSync(path, bytes);
    return path;
  });
}

t.test('from arrays and logical volumes', (t) => {
  const { files } = fixtureSets('md');
  const cases: [string, (paths: string[]) => string[]][] = [
    ['md-12-raid1', (p) => p],
    ['md-12-raid1', (p) => p.slice(1)],
    ['md-12-raid6-left-symmetric', (p) => [p[4]!, p[0]!, p[2]!]],
    ['md-12-raid0-original', (p) => p.slice().reverse()],
    ['md-10-raid1', (p) => p.slice(0, 1)],
    ['lvm-linear', (p) => p],
    ['lvm-partition', (p) => p],
    ['lvm-on-md', (p) => p],
    ['lvm-raid5_ls', (p) => p.slice(1)],
    ['lvm-table', (p) => p],
  ];
  for (const [name, some] of cases) {
    const [first, ...more] = some(disks(name));
    const r = boot([...more.map((path) => `--extra-disk=${path}`), first!]);
    t.equal(r.status, 0, `${name}: ${r.stderr}`);
    if (!r.kernel || !r.ramdisk) continue;
    t.equal(sha256(r.kernel), files['/boot/vmlinuz-6.1'], `${name}: kernel`);
    t.equal(sha256(r.ramdisk), files['/boot/initrd.img-6.1'], `${name}: ramdisk`);
  }
  t.end();
});

t.test('what does not boot says why', (t) => {
  const [first] = disks('md-12-raid0');
  const r = boot([first!]);
  t.notOk(r.kernel);
  t.match(r.stderr, /md\/\d+.*member 1 of 3 is missing, raid0 needs all/);
  const [imsm] = disks('md-imsm');
  t.match(boot([imsm!]).stderr, /RAID with IMSM/);
  t.end();
});

t.test('a guest without them loads and reads nothing for them', (t) => {
  const example = join(ROOT, 'fixtures', 'images', 'example.img');
  const plain = boot([example]);
  t.ok(plain.kernel);
  t.notMatch(plain.loaded.join(), /assemble|volume-(md|lvm)/);
  // A physical volume, and after it a plain /boot: the table is put down here, what lies in it is the real tools'.
  const [pv] = membersOf(fixtureSets('lvm').sets.find((f) => f.name === 'lvm-linear')!);
  const filesystem = readFileSync(example).subarray(64 * 512, 2864 * 512);
  const disk = Buffer.concat([Buffer.alloc(2048 * 512), pv!, filesystem]);
  const row = (at: number, type: number, start: number, bytes: number) => {
    disk[at + 4] = type;
    disk.writeUInt32LE(start, at + 8);
    disk.writeUInt32LE(bytes / 512, at + 12);
  };
  row(446, 0x8e, 2048, pv!.length);
  row(462, 0x83, 2048 + pv!.length / 512, filesystem.length);
  disk.writeUInt16LE(0xaa55, 510);
  const path = join(work, 'beside.img');
  writeFileSync(path, disk);
  const beside = boot([path]);
  t.equal(sha256(beside.kernel!), sha256(plain.kernel!), 'the same kernel');
  t.notMatch(beside.loaded.join(), /assemble|volume-(md|lvm)/);
  // Where nothing else boots, it is.
  disk.fill(0, disk.length - filesystem.length);
  writeFileSync(path, disk);
  const last = boot([path]);
  t.equal(sha256(last.kernel!), fixtureSets('lvm').files['/boot/vmlinuz-6.1']);
  t.match(last.loaded.join(), /assemble.*volume-lvm/);
  t.end();
});
