/** Disk images by qemu-img over its creation switches, written to by qemu-io: every byte as qemu-img itself reads it. */
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checksums } from '../../lib/bytes/checksum';
import type { ImageChoice } from '../../lib/source';
import { openDisk } from '../../lib/source/file';
import type { BlockSource } from '../../lib/source/types';
import { generator } from '../boot/dialect';
import { hashOf, openPath } from '../source/images';
import { boot, EXAMPLE, must, NODEGRUB, run, scratch, sha256 } from './support';

const dir = scratch(t);
const MB = 1024 * 1024;
/** No multiple of any cluster size but of a sector. */
const SIZE = 7 * MB + 1536;

/** Random bytes, text and zeros in stretches of all lengths. */
const raw = join(dir, 'raw.img');
const bytes = Buffer.alloc(SIZE);
const random = generator(7);
for (let at = 0; at < SIZE; ) {
  const length = Math.min(SIZE - at, 512 * (1 + random(random(4) === 0 ? 4000 : 60)));
  const kind = random(3);
  const part = bytes.subarray(at, at + length);
  if (kind === 1)
    for (let i = 0; i + 4 <= length; i += 4)
      part.writeInt32LE((Math.imul(i + at, 2654435761) ^ (i << 7)) | 0, i);
  if (kind === 2) part.fill(`line ${at}\n`);
  at += length;
}
writeFileSync(raw, bytes);

/** What qemu-img makes of an image, as a raw disk. */
function byQemu(image: string, ...options: string[]): string {
  const path = `${image}.raw`;
  must('qemu-img', 'convert', '-O', 'raw', ...options, image, path);
  return path;
}

/** Every byte in large reads, then random ranges, alone and by several buffers at once. */
function same(t: Test, disk: BlockSource, wanted: string, what: string): void {
  const reference = openDisk(wanted);
  t.ok(disk.size >= reference.size, `${what}: ${disk.size} bytes, wanted ${reference.size}`);
  t.equal(hashOf(disk, 0, reference.size), hashOf(reference), `${what}: all of it`);
  let wrong = 0;
  for (let i = 0; i < 40; i++) {
    const at = random(reference.size - 1);
    const length = 1 + random(Math.min(i % 3 === 0 ? 200_000 : 3000, reference.size - at));
    const a = Buffer.alloc(length);
    const b = Buffer.alloc(length);
    reference.read(at, b);
    if (i % 2 === 0) disk.read(at, a);
    else {
      const cut = random(length);
      disk.readMany?.(at, [a.subarray(0, cut), a.subarray(cut)]);
      if (!disk.readMany) disk.read(at, a);
    }
    if (!a.equals(b)) wrong++;
  }
  t.equal(wrong, 0, `${what}: random ranges`);
  reference.close();
}

type Case = readonly [format: string, options: string, compressed?: boolean, size?: number];
const cases: Case[] = [
  ...['512', '4k', '64k', '2M'].flatMap((c): Case[] => [
    ['qcow2', `cluster_size=${c},compat=1.1`],
    ['qcow2', `cluster_size=${c},compat=0.10`],
    ['qcow2', `cluster_size=${c}`, true],
    ['qcow2', `cluster_size=${c},compression_type=zstd`, true],
  ]),
  ...['16k', '64k', '2M'].flatMap((c): Case[] => [
    ['qcow2', `cluster_size=${c},extended_l2=on`],
    ['qcow2', `cluster_size=${c},extended_l2=on,compression_type=zstd`, true],
  ]),
  ['qcow2', 'lazy_refcounts=on'],
  ['qcow2', 'refcount_bits=1'],
  ['qcow2', 'refcount_bits=64'],
  ...['metadata', 'falloc', 'full'].map((p): Case => ['qcow2', `preallocation=${p}`]),
  ['qcow2', 'preallocation=metadata,extended_l2=on'],
  ['qcow', ''],
  ['qcow', '', true, 7 * MB],
  ['qed', ''],
  ['qed', 'cluster_size=4096,table_size=2'],
  ['qed', 'cluster_size=1M,table_size=16'],
  ['vdi', ''],
  ['vdi', 'static=on'],
  ['vpc', 'subformat=dynamic'],
  ['vpc', 'subformat=fixed'],
  ['vpc', 'subformat=dynamic,force_size=on'],
  ['vpc', 'subformat=fixed,force_size=on'],
  ['vhdx', ''],
  ['vhdx', 'subformat=fixed'],
  ['vhdx', 'block_size=1M,log_size=2M'],
  ['vhdx', 'block_size=256M,block_state_zero=off'],
  ['vmdk', 'subformat=monolithicSparse'],
  ['vmdk', 'subformat=monolithicSparse,zeroed_grain=on'],
  ['vmdk', 'subformat=monolithicSparse,compat6=on'],
  ['vmdk', 'subformat=monolithicSparse,hwversion=9'],
  ...['ide', 'buslogic', 'lsilogic', 'legacyESX'].map((a): Case => ['vmdk', `adapter_type=${a}`]),
  ['vmdk', 'subformat=streamOptimized'],
  ['vmdk', 'subformat=monolithicFlat'],
  ['vmdk', 'subformat=twoGbMaxExtentFlat'],
  ['vmdk', 'subformat=twoGbMaxExtentSparse'],
  ['parallels', ''],
  ['parallels', 'cluster_size=64k'],
];

let images = 0;
const NAMES: Record<string, string> = { vpc: 'vhd' };

for (const [format, options, compressed, size] of cases)
  t.test(`${format} ${options}${compressed ? ' compressed' : ''}`, async (t) => {
    const image = join(dir, `i${images++}.${NAMES[format] ?? format}`);
    let from = raw;
    if (size !== undefined) {
      from = join(dir, 'even.img');
      writeFileSync(from, Buffer.alloc(size, Array.from({ length: 5000 }, (_, i) => `line ${i}\n`).join('')));
    }
    const flags = [...(options ? ['-o', options] : []), ...(compressed ? ['-c'] : [])];
    const made = run('qemu-img', ['convert', '-f', 'raw', '-O', format, ...flags, from, image]);
    // Of a sound compressed qcow qemu-img 7.2 says nothing, and ends with 1.
    t.equal(made.status, format === 'qcow' && compressed ? 1 : 0, made.stderr);
    const split = /Flat|twoGb/.test(options);
    const choice: ImageChoice = split ? { format: 'vmdk' } : {};
    const { disk, ctx } = openPath(image, choice, split);
    same(t, disk, from, 'converted');
    t.same(ctx.warnings, []);
    if (/streamOptimized/.test(options)) return;
    // Fragments, zeros, discards.
    const writes: string[] = [];
    const end = size ?? SIZE;
    for (let i = 0; i < 60; i++) {
      const at = 512 * random(end / 512 - 2);
      const length = 512 * (1 + random(Math.min(i % 4 === 0 ? 900 : 20, (end - at) / 512 - 1)));
      writes.push(
        '-c',
        `${i % 7 === 5 ? 'write -z' : i % 7 === 6 ? 'discard' : `write -P ${1 + random(255)}`} ${at} ${length}`,
      );
    }
    const io = run('qemu-io', ['-f', format, '-d', 'unmap', ...writes, image]);
    t.equal(io.status, 0, io.stderr);
    const changed = openPath(image, choice, split);
    same(t, changed.disk, byQemu(image, '-f', format), 'written to');
    t.same(changed.ctx.warnings, []);
  });

t.test('extents of two gigabytes', async (t) => {
  const big = join(dir, 'big.raw');
  copyFileSync(raw, big);
  truncateSync(big, 4200 * MB);
  const fd = openSync(big, 'r+');
  for (const at of [2047 * MB, 2048 * MB - 100, 4096 * MB - 100, 4199 * MB])
    writeSync(fd, bytes, 0, 3 * 65536, at);
  closeSync(fd);
  for (const form of ['twoGbMaxExtentSparse', 'twoGbMaxExtentFlat']) {
    const image = join(dir, `${form}.vmdk`);
    must('qemu-img', 'convert', '-f', 'raw', '-O', 'vmdk', '-o', `subformat=${form}`, big, image);
    const { disk } = openPath(image, { format: 'vmdk' }, true);
    t.equal(disk.size, 4200 * MB);
    const reference = openDisk(big);
    for (const [from, to] of [
      [0, SIZE + MB],
      [2046 * MB, 2050 * MB],
      [4094 * MB, 4200 * MB],
    ] as const)
      t.equal(hashOf(disk, from, to), hashOf(reference, from, to), `${form} ${from}`);
    reference.close();
  }
});

t.test('snapshots of qcow2', async (t) => {
  for (const options of ['compat=0.10', 'compat=1.1,extended_l2=on', 'cluster_size=4k']) {
    const image = join(dir, `s${images++}.qcow2`);
    must('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-o', options, raw, image);
    const io = (...commands: string[]) =>
      must('qemu-io', '-f', 'qcow2', ...commands.flatMap((c) => ['-c', c]), image);
    must('qemu-img', 'snapshot', '-c', 'first', image);
    io('write -P 17 0 1M', 'write -z 3M 70000', 'write -P 3 5000k 1536');
    must('qemu-img', 'snapshot', '-c', 'the second one', image);
    io('write -P 18 512 2M');
    same(t, openPath(image).disk, byQemu(image, '-f', 'qcow2'), 'now');
    for (const name of ['first', 'the second one', '1', '2']) {
      const wanted = byQemu(image, '-f', 'qcow2', '-l', name);
      same(t, openPath(image, { snapshot: name }).disk, wanted, `snapshot ${name}`);
    }
    t.throws(() => openPath(image, { snapshot: 'third' }), {
      code: 'not-found',
      message: /no snapshot 'third'; there are first, the second one/,
    });
  }
});

t.test('chains', async (t) => {
  const made: [string, string[]][] = [
    ['qcow2', ['-o', 'cluster_size=4k']],
    ['qcow2', ['-o', 'extended_l2=on']],
    ['qcow2', ['-o', 'compat=0.10']],
    ['qed', []],
    ['qcow', []],
    ['vmdk', []],
  ];
  for (const [format, options] of made) {
    const here = join(dir, `chain${images++}`);
    mkdirSync(here);
    const path = (name: string) => join(here, name);
    const base = format === 'vmdk' ? 'vmdk' : 'qcow2';
    must('qemu-img', 'convert', '-f', 'raw', '-O', base, raw, path('base'));
    // Longer than what it stands on, and by name alone.
    const child = (name: string, backing: string, fmt: string) =>
      run(
        'qemu-img',
        [
          'create',
          '-q',
          '-f',
          format,
          ...options,
          '-b',
          backing,
          '-F',
          fmt,
          name,
          ...(format === 'vmdk' ? [] : ['14M']),
        ],
        { cwd: here },
      );
    const first = child('middle', 'base', base);
    t.equal(first.status, 0, first.stderr);
    must(
      'qemu-io',
      '-f',
      format,
      '-c',
      'write -P 9 100k 300k',
      '-c',
      'write -P 8 4000k 512',
      '-c',
      'write -z 6M 1M',
      path('middle'),
    );
    // An absolute path into the same directory.
    const second = child('top', path('middle'), format);
    t.equal(second.status, 0, second.stderr);
    must('qemu-io', '-f', format, '-c', 'write -P 7 0 5000', '-c', 'write -P 6 390k 100k', path('top'));
    const what = `${format} ${options.join(' ')}`;
    // Neither qcow nor QED (but for raw) says what its backing file is: then no further step is made.
    if (format === 'qcow2' || format === 'vmdk')
      same(t, openPath(path('top'), { format }, true).disk, byQemu(path('top'), '-f', format), what);
    else {
      same(t, openPath(path('middle'), { format }, true).disk, byQemu(path('middle'), '-f', format), what);
      t.throws(() => openPath(path('top'), { format }, true), {
        code: 'unsupported',
        message: /not named in the one/,
      });
    }
    for (const refused of [() => openPath(path('top')), () => openPath(path('top'), { format })])
      t.throws(refused, {
        code: 'unsupported',
        message: /'(middle|[^']*\/middle)' is not read: this needs --image-format/,
      });
  }
  // A raw file below.
  const here = join(dir, 'on-raw');
  mkdirSync(here);
  copyFileSync(raw, join(here, 'base.raw'));
  for (const format of ['qcow2', 'qed']) {
    run('qemu-img', ['create', '-q', '-f', format, '-b', 'base.raw', '-F', 'raw', `top.${format}`], {
      cwd: here,
    });
    const top = join(here, `top.${format}`);
    must('qemu-io', '-f', format, '-c', 'write -P 7 70000 5000', top);
    same(t, openPath(top, { format }, true).disk, byQemu(top, '-f', format), `${format} on raw`);
  }
});

t.test('data files of qcow2', async (t) => {
  for (const options of ['', ',data_file_raw=on', ',extended_l2=on', ',preallocation=metadata']) {
    const here = join(dir, `data${images++}`);
    mkdirSync(here);
    const image = join(here, 'image.qcow2');
    must(
      'qemu-img',
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `data_file=${join(here, 'data')}${options}`,
      image,
      '9M',
    );
    must(
      'qemu-io',
      '-f',
      'qcow2',
      '-c',
      'write -P 5 0 70000',
      '-c',
      'write -P 6 3M 5k',
      '-c',
      'write -z 64k 64k',
      image,
    );
    same(
      t,
      openPath(image, { format: 'qcow2' }, true).disk,
      byQemu(image, '-f', 'qcow2'),
      `data file${options}`,
    );
    t.throws(() => openPath(image), { code: 'unsupported', message: /its data file '.*' is not read/ });
  }
});

t.test('encryption is named', async (t) => {
  // LUKS is left out: qemu-img measures the processor first, and gives up on a busy one.
  for (const format of ['qcow2', 'qcow']) {
    const image = join(dir, `e${images++}`);
    const options = 'encrypt.format=aes,encrypt.key-secret=s';
    must(
      'qemu-img',
      'create',
      '-q',
      '-f',
      format,
      '--object',
      'secret,id=s,data=x',
      '-o',
      options,
      image,
      '1M',
    );
    t.throws(() => openPath(image), { code: 'unsupported', message: /is encrypted \(AES\)/ });
  }
});

t.test('marks of qcow2', async (t) => {
  const image = join(dir, 'marked.qcow2');
  must('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-o', 'lazy_refcounts=on', raw, image);
  const fd = openSync(image, 'r+');
  for (const [bits, warnings] of [
    [1, 0],
    [2, 1],
  ] as const) {
    writeSync(fd, Buffer.of(bits), 0, 1, 79);
    const { disk, ctx } = openPath(image);
    same(t, disk, raw, `bits ${bits}`);
    t.equal(ctx.warnings.length, warnings);
  }
  closeSync(fd);
  const noted = join(dir, 'bitmap.qcow2');
  must('qemu-img', 'convert', '-O', 'qcow2', raw, noted);
  must('qemu-img', 'bitmap', '--add', '-f', 'qcow2', noted, 'b');
  same(t, openPath(noted).disk, raw, 'with a bitmap');
});

t.test('a VHDX with something in its log', async (t) => {
  const image = join(dir, 'dirty.vhdx');
  const big = join(dir, 'bigger.raw');
  copyFileSync(raw, big);
  truncateSync(big, 40 * MB);
  must('qemu-img', 'convert', '-f', 'raw', '-O', 'vhdx', '-o', 'block_size=1M', big, image);
  const before = readFileSync(image);
  // New blocks: each changes the table through the log. QEMU empties the log at once, by a header that names none.
  const writes = [15, 20, 21, 30, 33, 39].flatMap((at) => ['-c', `write -P ${at} ${at}M 700k`]);
  const killed = run('sh', [
    '-c',
    `qemu-io -f vhdx ${writes.map((w) => `'${w}'`).join(' ')} -c 'sigraise 9' ${image}`,
  ]);
  t.not(killed.status, 0);
  const after = readFileSync(image);
  // As if it had died before that: the headers name the last entry's log, and the table is the old one.
  const log = { at: MB, length: MB };
  let last = -1;
  for (let at = log.at; at < log.at + log.length; at += 4096)
    if (
      after.toString('latin1', at, at + 4) === 'loge' &&
      // Others are left from the conversion.
      after.compare(before, at, at + 4096, at, at + 4096) !== 0
    )
      last = at;
  t.ok(last > 0, 'an entry');
  const { crc32c } = checksums();
  for (const at of [64 * 1024, 128 * 1024]) {
    after.copy(after, at + 48, last + 32, last + 48);
    after.writeUInt32LE(0, at + 4);
    after.writeUInt32LE(~crc32c(0xffffffff, after.subarray(at, at + 4096)) >>> 0, at + 4);
  }
  const table = tableOf(after);
  for (const old of [false, true]) {
    const what = old ? 'the table as it was before' : 'the table as it is';
    if (old) before.copy(after, table.at, table.at, table.at + table.length);
    const path = join(dir, 'as-left.vhdx');
    writeFileSync(path, after);
    const repaired = join(dir, 'repaired.vhdx');
    writeFileSync(repaired, after);
    t.equal(run('qemu-img', ['check', '-r', 'all', '-f', 'vhdx', repaired]).status, 0, what);
    t.notOk(after.equals(readFileSync(repaired)), `${what}: QEMU replayed the log`);
    const { disk, ctx } = openPath(path);
    t.same(ctx.warnings, [], what);
    same(t, disk, byQemu(repaired, '-f', 'vhdx'), what);
    const block = Buffer.alloc(16);
    disk.read(39 * MB, block);
    t.same(block, Buffer.alloc(16, 39), `${what}: the last write is there`);
  }
});

/** Place of the block table in a VHDX: [MS-VHDX] 2.2.3, the region table at 192 KiB. */
function tableOf(image: Buffer): { at: number; length: number } {
  const id = Buffer.from('6677c22d23f600429d64115e9bfd4a08', 'hex');
  const entry = image.indexOf(id, 192 * 1024);
  return { at: Number(image.readBigUInt64LE(entry + 16)), length: image.readUInt32LE(entry + 24) };
}

t.test('raw.gz by gzip, and members one after another', async (t) => {
  for (const [name, command] of [
    ['gzip-1', 'gzip -1c'],
    ['gzip-9', 'gzip -9c'],
    ['members', 'split -b 1000000 --filter="gzip -c"'],
  ] as const) {
    const image = join(dir, `${name}.gz`);
    const made = run('sh', ['-c', `${command} ${raw} >${image}`]);
    t.equal(made.status, 0, made.stderr);
    same(t, openPath(image).disk, raw, name);
  }
});

t.test('the whole program boots the example disk out of every format', async (t) => {
  const wanted = boot(NODEGRUB, dir, [EXAMPLE]);
  t.equal(wanted.status, 0, wanted.stderr);
  const here = join(dir, 'boots');
  mkdirSync(here);
  const forms: [string, string[]][] = [
    ['qcow', []],
    ['qcow2', []],
    ['qcow2', ['-c', '-o', 'compression_type=zstd']],
    ['qcow2', ['-o', 'extended_l2=on']],
    ['qed', []],
    ['vpc', []],
    ['vpc', ['-o', 'subformat=fixed']],
    ['vhdx', []],
    ['vmdk', []],
    ['vmdk', ['-o', 'subformat=streamOptimized']],
    ['vmdk', ['-o', 'subformat=monolithicFlat']],
    ['vdi', []],
    ['parallels', []],
    ['gzip', []],
  ];
  for (const [i, [format, options]] of forms.entries()) {
    const image = join(here, `disk${i}.${NAMES[format] ?? format}`);
    if (format === 'gzip') run('sh', ['-c', `gzip -c ${EXAMPLE} >${image}`]);
    else must('qemu-img', 'convert', '-f', 'raw', '-O', format, ...options, EXAMPLE, image);
    const flat = options.join().includes('Flat');
    const more = flat ? ['--image-format=vmdk', '--image-references=directory'] : [];
    const got = boot(NODEGRUB, dir, [...more, image]);
    const what = `${format} ${options.join(' ')}`;
    t.equal(got.status, 0, `${what}: ${got.stderr}`);
    t.equal(got.args, wanted.args, what);
    t.ok(got.kernel && sha256(got.kernel) === sha256(wanted.kernel!), `${what}: kernel`);
    t.ok(got.ramdisk && sha256(got.ramdisk) === sha256(wanted.ramdisk!), `${what}: ramdisk`);
    if (flat) {
      const refused = boot(NODEGRUB, dir, [image]);
      t.equal(refused.status, 1);
      t.match(
        refused.stderr,
        /RuntimeError: .*its extent '.*-flat.vmdk' is not read: this needs --image-format=vmdk and --image-references=directory/,
      );
    } else {
      const named = boot(NODEGRUB, dir, [`--image-format=${NAMES[format] ?? format}`, image]);
      t.equal(named.args, wanted.args, `${what}, named`);
    }
  }
});
