/** The raw disk source on real block devices; partition tables against a Linux kernel's own scan. */
import { spawnSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CacheSource } from '../../lib/source/cache';
import { openDisk } from '../../lib/source/file';
import { readTable } from '../../lib/volume';
import { context } from '../support';
import { layouts } from '../volume/sparse';
import { boot, CLEAN_ENV, must, NODEGRUB, noLoop, run, scratch } from './support';
import { inLinux } from './uml';

const skip = noLoop() ?? false;

function sfdisk(device: string, script: string): void {
  const r = spawnSync('sfdisk', ['-q', '--no-reread', '--no-tell-kernel', device], {
    input: script,
    encoding: 'utf8',
    env: { ...CLEAN_ENV, NODE_OPTIONS: '' },
  });
  if (r.status !== 0) throw new Error(`sfdisk: ${r.stdout}${r.stderr}\n${script}`);
}

/** A loop device, gone when the test is done or when `detach` is called: once, it may be somebody else's then. */
function loop(t: { teardown(fn: () => void): unknown }, file: string, sector: number) {
  const device = must('losetup', '-f', '--show', '-b', String(sector), file).trim();
  let attached = true;
  const detach = () => {
    if (attached) run('losetup', ['-d', device]);
    attached = false;
  };
  t.teardown(detach);
  return { device, detach };
}

t.test('a block device', { skip }, async (t) => {
  const dir = scratch(t);
  for (const sector of [512, 4096]) {
    const file = join(dir, `disk${sector}`);
    const bytes = Buffer.alloc(8 << 20);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, i);
    writeFileSync(file, bytes);
    const { device } = loop(t, file, sector);
    const disk = openDisk(device);
    t.equal(disk.isBlockDevice, true);
    t.equal(disk.size, 8 << 20);
    t.equal(disk.sectorSize, sector);
    // Odd places too: the kernel's page cache is between.
    for (const [at, length] of [
      [0, 512],
      [4097, 100_000],
      [(8 << 20) - 5, 5],
    ] as const) {
      const into = Buffer.alloc(length);
      disk.read(at, into);
      t.ok(into.equals(bytes.subarray(at, at + length)));
    }
    t.throws(() => disk.read(8 << 20, Buffer.alloc(1)), { code: 'corrupt' });
    disk.close();

    // A partition's device: its queue is the disk's.
    sfdisk(device, 'label: gpt\nstart=2MiB, size=3MiB\n');
    const added = run('partx', ['-a', device]);
    if (added.status !== 0) {
      t.comment(`partx: ${added.stderr.trim()}: this kernel has no partitions`);
      continue;
    }
    try {
      const part = openDisk(`${device}p1`);
      t.equal(part.size, 3 << 20);
      t.equal(part.sectorSize, sector);
      part.close();
    } finally {
      run('partx', ['-d', device]);
    }
  }
  const odd = join(dir, 'odd');
  writeFileSync(odd, Buffer.alloc(10_000));
  const disk = openDisk(loop(t, odd, 512).device);
  t.equal(disk.size, 9728, 'a loop device has whole sectors');
  disk.close();
});

t.test('tables at random, read by Linux and by us', { skip }, async (t) => {
  const dir = scratch(t);
  let seed = 99;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const disks: { file: string; sector: number; script: string }[] = [];
  for (let i = 0; i < 48; i++) {
    const sector = i % 4 === 3 ? 4096 : 512;
    const gpt = i % 2 === 0;
    const lines = [`label: ${gpt ? 'gpt' : 'dos'}`];
    const mib = (n: number) => (n * 1048576) / sector;
    if (gpt) {
      if (i % 8 === 0) lines.push(`table-length: ${[4, 16, 100, 128, 128, 200][random(6)]}`);
      for (let p = 0, numbers = new Set<number>(); p < 1 + random(4); p++) {
        const number = i % 8 === 0 ? p + 1 : 1 + random(100);
        if (numbers.has(number)) continue;
        numbers.add(number);
        lines.push(
          `${number}: start=${mib(1 + p * 12 + random(5))}, size=${mib(1 + random(7))}, name=p${number}`,
        );
      }
    } else {
      const extended = random(3) === 0 ? 0 : 1 + random(4);
      for (let p = 1; p <= 4; p++) {
        if (p === extended)
          lines.push(`${p}: start=${mib(64)}, size=${mib(60)}, type=${['5', 'f', '85'][random(3)]}`);
        else if (random(3) > 0)
          lines.push(
            `${p}: start=${mib(p * 12)}, size=${mib(1 + random(10))}, type=${['83', '82', 'c', '8e'][random(4)]}${random(4) ? '' : ', bootable'}`,
          );
      }
      if (extended)
        for (let p = 5, at = 65; p < 5 + random(9); p++) {
          const size = 1 + random(4);
          lines.push(`${p}: start=${mib(at)}, size=${mib(size)}, type=83`);
          at += size + 1 + random(3);
        }
      if (lines.length === 1) lines.push(`1: start=${mib(1)}, size=${mib(9)}`);
    }
    const file = join(dir, `disk-${i}-${sector}.img`);
    writeFileSync(file, '');
    truncateSync(file, 128 << 20);
    const script = `${lines.join('\n')}\n`;
    const { device, detach } = loop(t, file, sector);
    sfdisk(device, script);
    detach();
    disks.push({ file, sector, script });
  }

  const printed = inLinux(
    dir,
    `for f in ${dir}/disk-*.img; do
      sector=\${f##*-}; L=$(losetup -f --show -r -P -b \${sector%.img} $f)
      for p in /sys/block/\${L#/dev/}/\${L#/dev/}p*; do
        [ -e $p/partition ] || continue
        read n <$p/partition; read start <$p/start; read size <$p/size; echo "$f $n $start $size"
      done
      losetup -d $L
    done`,
  );
  const linux = new Map<string, [number, number, number][]>();
  for (const line of printed.trim().split('\n')) {
    const [file, ...numbers] = line.split(' ');
    const [n, start, size] = numbers.map(Number) as [number, number, number];
    linux.set(file!, [...(linux.get(file!) ?? []), [n, start * 512, size * 512]]);
  }
  let rows = 0;
  for (const { file, sector, script } of disks) {
    const theirs = (linux.get(file) ?? [])
      // An extended partition has a device too, of two sectors (one of 4,096 bytes).
      .filter(([n]) => !new RegExp(`^${n}:.*type=(5|f|85)$`, 'm').test(script))
      .sort((a, b) => a[0] - b[0]);
    rows += theirs.length;
    const disk = openDisk(file);
    const ours = (source: Parameters<typeof readTable>[0]) =>
      readTable(new CacheSource(source), context())?.partitions.map((p) => [p.number, p.start, p.size]);
    const known = { label: disk.label, size: disk.size, sectorSize: sector, read: disk.read.bind(disk) };
    t.same(ours(known), theirs, `${disk.label}\n${script}`);
    // An empty image whose sector size nobody told can only be guessed for an MBR.
    if (script.startsWith('label: gpt') || sector === 512)
      t.same(ours(disk), theirs, `${disk.label} as a file`);
    disk.close();
  }
  t.ok(rows > 100, `${rows} partitions`);
});

/** What GRUB lists below the disk, and, of rows that are not inside others, where they are. */
function grubRows(file: string): { names: string[]; places: Record<string, [number, number]> } {
  const places: Record<string, [number, number]> = {};
  const text = must('grub-fstest', file, 'ls', '--', '-l');
  for (const m of text.matchAll(
    /Partition loop0,(\w+): .*Partition start at ([\d.]+)KiB - Total size ([\d.]+)KiB/g,
  ))
    places[m[1]!] = [Number(m[2]) * 1024, Number(m[3]) * 1024];
  const names = [...text.matchAll(/Partition loop0,([\w,]+):/g)].map((m) => m[1]!);
  return { names: names.sort(), places };
}

t.test("Apple's maps at random, read by libblkid, GRUB and us", { skip }, async (t) => {
  const dir = scratch(t);
  let seed = 7;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  for (let i = 0; i < 8; i++) {
    const sector = i % 2 === 0 ? 512 : 2048;
    const file = join(dir, `mac-${i}.img`);
    writeFileSync(file, '');
    truncateSync(file, 64 << 20);
    const { device, detach } = loop(t, file, sector);
    const words = ['mklabel', 'mac'];
    for (let p = 0, at = 1; p < 1 + random(8); p++) {
      const size = 1 + random(6);
      words.push(
        'mkpart',
        `row${p}`,
        ['ext2', 'hfs+', 'linux-swap'][random(3)]!,
        `${at}MiB`,
        `${at + size}MiB`,
      );
      at += size + random(2);
    }
    must('parted', '-s', device, ...words);
    detach();
    const libblkid = must('partx', '-g', '-r', '-o', 'NR,START,SECTORS,NAME', file)
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([n, start, size, label]) => [Number(n), Number(start) * 512, Number(size) * 512, label]);
    const disk = openDisk(file);
    const table = readTable(new CacheSource(disk), context());
    disk.close();
    t.equal(table?.scheme, 'apple');
    t.same(
      table?.partitions.map((p) => [p.number, p.start, p.size, p.label]),
      libblkid,
      words.join(' '),
    );
    t.same(
      Object.fromEntries(table?.partitions.map((p) => [`apple${p.number}`, [p.start, p.size]]) ?? []),
      grubRows(file).places,
    );
  }
});

t.test('guests that boot from a row by its name', { skip }, async (t) => {
  const dir = scratch(t);
  const layouts_ = layouts();
  for (const [layout, device] of [
    ['apple-parted', 'apple3'],
    ['dfly-alone', 'dfly4'],
    ['dfly-slice', 'msdos2,dfly4'],
    ['gpt-dfly', 'gpt2,dfly4'],
    ['gpt-freebsd', 'gpt2,bsd4'],
    ['minix', 'msdos2,msdos2'],
  ] as const) {
    const { size, data, expected } = layouts_.get(layout)!;
    const file = join(dir, `${layout}.img`);
    const table = expected as Exclude<typeof expected, 'corrupt' | null>;
    const rows = new Map(table.partitions.map((p) => [p.nested ?? `${table.scheme}${p.number}`, p]));
    const boots = rows.get(device)!;
    // The configuration is in the first row that has room for it, the kernel in the row that it names.
    const [name, first] = [...rows].find(([n, p]) => n !== device && p.size >= 2 << 20 && p.number !== 3)!;
    const disk = Buffer.alloc(size);
    for (const [at, text] of Object.entries(data)) Buffer.from(text, 'base64').copy(disk, Number(at));
    const put = (at: number, path: string, text: string) => {
      const tree = join(dir, `${layout}-${at}`);
      must('mkdir', '-p', join(tree, 'boot/grub'));
      writeFileSync(join(tree, path), text);
      must('mke2fs', '-q', '-t', 'ext2', '-d', tree, join(dir, 'fs.img'), '2M');
      const fs = readFileSync(join(dir, 'fs.img'));
      // mke2fs leaves the first 1,024 bytes, where the label of the slice may be.
      fs.copy(disk, at + 1024, 1024);
      must('rm', join(dir, 'fs.img'));
    };
    put(
      first.start,
      'boot/grub/grub.cfg',
      `menuentry x {\n set root=(hd0,${device})\n linux /boot/vmlinuz in ${device}\n}\n`,
    );
    put(boots.start, 'boot/vmlinuz', `kernel on ${device}`);
    writeFileSync(file, disk);
    const { names } = grubRows(file);
    t.ok(names.includes(device) && names.includes(name), `GRUB has ${device}`);
    const r = boot(NODEGRUB, dir, [file]);
    t.equal(r.status, 0, r.stderr);
    t.equal(r.kernel?.toString(), `kernel on ${device}`);
  }
});

t.test('without /sys the size is found by reading', { skip }, async (t) => {
  const dir = scratch(t);
  const file = join(dir, 'disk');
  writeFileSync(file, Buffer.alloc(3_000_320));
  const { device } = loop(t, file, 512);
  const size = Number(readFileSync(`/sys/block/${device.slice(5)}/size`, 'latin1')) * 512;
  const program = `
    const { openDisk } = require(${JSON.stringify(join(dir, 'file.js'))});
    const d = openDisk(${JSON.stringify(device)}); console.log(d.size, d.sectorSize);`;
  must(
    join(__dirname, '../../node_modules/.bin/esbuild'),
    join(__dirname, '../../lib/source/file.ts'),
    '--bundle',
    '--platform=node',
    `--outfile=${join(dir, 'file.js')}`,
  );
  const printed = must(
    'unshare',
    '-m',
    'sh',
    '-c',
    'mount -t tmpfs none /sys && exec "$0" -e "$1"',
    process.execPath,
    program,
  );
  t.equal(printed.trim(), `${size} 512`);
});
