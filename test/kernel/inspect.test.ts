/** What kernels are and can do, compared with the linker, file(1) and Xen's own domain builder (fixtures/recipes/kernels.sh). */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { bzip2 } from '../../lib/bytes/decompress/bzip2';
import { GuestError } from '../../lib/bytes/errors';
import { advice, certain, refusal } from '../../lib/kernel/advice';
import { kernelInMemory } from '../../lib/kernel/file';
import { inspectKernel } from '../../lib/kernel/inspect';
import { vmlinux } from '../../lib/kernel/vmlinux';
import { context, cpuMs, ROOT } from '../support';
import { elf, FREEBSD } from './elf';
import { all, expectedKernels, kernelBytes, kernelNamed } from './kernels';
import { makePe } from './make-pe';

const VERSION = /^6\.1\.0-fixture \(nobody@nowhere\)/;

t.test('each kernel: how it starts, what it is packed with, what comes out', async (t) => {
  t.ok(Object.keys(expectedKernels).length >= 35);
  for (const [name, expected] of Object.entries(expectedKernels)) {
    if (name === 'uImage') continue;
    const ctx = context();
    const k = inspectKernel(kernelNamed(name), ctx);
    t.match(k.version, VERSION, name);
    t.same(k.problems, [], name);
    const image = expected.inner.startsWith('Image');
    if (image) {
      t.equal(k.architecture, expected.inner.slice('Image-'.length), name);
      t.equal(k.examined, false, name);
      t.equal(k.imageSize, 0x9000, name);
      t.equal(k.textOffset, expected.inner === 'Image-loongarch' ? 0x200000 : 0x80000, name);
    } else {
      t.equal(k.examined, true, name);
      t.equal(k.pv !== undefined, /both|pv$|old/.test(expected.inner), name);
      t.equal(k.pvh !== undefined, /both|pvh/.test(expected.inner), name);
      if (k.pv && expected.inner !== 'old32') {
        t.equal(k.pv.entry, expected.pvEntry, name);
        t.same(k.pv.features, ['!writable_page_tables', 'pae_pgdir_above_4gb']);
        t.same(k.pv.supportedFeatures, ['writable_page_tables', 'dom0', 'linux_rsdp_unrestricted']);
        t.equal(k.guestOs, 'linux');
      }
      if (k.pvh) t.equal(k.pvh.entry, expected.pvhEntry, name);
      t.equal(k.architecture === 'i386', /32/.test(expected.inner) || name === 'zImage', name);
      // Xen takes what we say it takes, but where its builder lacks a decompressor or wants a newer protocol: that is said.
      const told = advice(k).some((line) => /Debian's 4\.17 does not|wants 2\.08/.test(line));
      for (const start of ['pv', 'pvh'] as const)
        t.equal(expected.xen[start], k[start] !== undefined && !told, `${name} as ${start}`);
    }
    const { pieces, from } = vmlinux(kernelNamed(name), context());
    const out = all(pieces());
    t.equal(out.length, expected.size, name);
    t.equal(createHash('sha256').update(out).digest('hex'), expected.sha256, name);
    const compression = /bzImage-(bzip2|lzma|xz|lzo|lz4|zstd)/.exec(name)?.[1];
    if (compression) t.same(from, ['bzImage', compression]);
    t.same(k.layers.slice(0, from.length), from, name);
    t.equal(k.unpackedSize === undefined || k.unpackedSize === expected.size, true, name);
    t.same(ctx.warnings, [], name);
  }
});

t.test('the header of a bzImage, as file(1) and the recipe have it', async (t) => {
  const k = inspectKernel(kernelNamed('bzImage-xz'), context());
  t.match(k, {
    format: 'bzImage',
    protocol: '2.15',
    relocatable: true,
    initSize: 0x123000,
    commandLineSize: 2047,
  });
  t.match(expectedKernels['bzImage-xz']!.file, `version ${k.version}`);
  t.same(k.loadFlags, [
    ...['KERNEL_64', 'CAN_BE_LOADED_ABOVE_4G', 'EFI_HANDOVER_32', 'EFI_HANDOVER_64', 'EFI_KEXEC'],
    ...['5LEVEL', '5LEVEL_ENABLED'],
  ]);
  t.equal(inspectKernel(kernelNamed('zImage'), context()).format, 'zImage');
  t.match(inspectKernel(kernelNamed('uImage'), context()), {
    format: 'uImage',
    architecture: 'arm64',
    compression: 'gzip',
    version: 'Linux-6.1',
  });
});

t.test('headers alone cost some kilobytes', async (t) => {
  for (const name of Object.keys(expectedKernels)) {
    const file = kernelNamed(name);
    let read = 0;
    const counted = { ...context(), budget: context().budget };
    const original = file.source.read.bind(file.source);
    file.source.read = (at, into) => {
      read += into.length;
      original(at, into);
    };
    const k = inspectKernel(file, counted, 'headers');
    t.ok(read <= 24 * 1024, `${name}: ${read} bytes`);
    // Of an ELF file, headers tell all.
    t.equal(k.examined, name.startsWith('vmlinux'), name);
  }
});

t.test('a kernel in a unified image; FreeBSD; what is none', async (t) => {
  const uki = makePe([
    { name: '.osrel', data: 'ID=x\n' },
    { name: '.linux', data: kernelBytes('bzImage-zstd') },
  ]);
  const k = inspectKernel(kernelInMemory(uki, 'uki'), context());
  t.same(k.layers, ['UKI', 'bzImage', 'zstd', 'ELF']);
  t.equal(k.format, 'bzImage');
  t.ok(k.pv && k.pvh && k.efiStub);
  const out = vmlinux(kernelInMemory(uki, 'uki'), context());
  t.same(out.from, ['UKI', 'bzImage', 'zstd']);
  t.ok(all(out.pieces()).equals(kernelBytes('vmlinux')));

  const bsd = inspectKernel(kernelInMemory(FREEBSD, 'kernel'), context());
  t.match(bsd, { guestOs: 'FreeBSD', pv: undefined, pvh: { entry: '0x200000' }, version: undefined });
  t.match(advice(bsd), [/no PV entry point/]);

  for (const [what, bytes, said] of [
    ['a text', Buffer.from('menuentry'), /no kernel that is known/],
    ['nothing', Buffer.alloc(0), /no kernel that is known/],
    ['an EFI program', makePe([{ name: '.text', data: 'x' }]), /EFI program and holds no kernel/],
    ['U-Boot', kernelBytes('uImage'), /uImage/],
    ['Xen', Buffer.concat([elf({}), Buffer.from('Xen version %d.%d%s (%s@%s)')]), /the Xen hypervisor/],
    ['ELF without notes', elf({}), /no PVH entry point .* no PV entry point .* type="hvm"/],
  ] as const) {
    const file = () => kernelInMemory(bytes, what);
    const none = inspectKernel(file(), context());
    t.match(advice(none)[0], said, what);
    t.match(refusal(none, 'any'), what === 'ELF without notes' ? /PVH/ : said, what);
    if (!/ELF|Xen/.test(what)) t.throws(() => vmlinux(file(), context()), GuestError, what);
  }
});

t.test('what is said, and what is refused', async (t) => {
  const of = (name: string) => inspectKernel(kernelNamed(name), context());
  t.same(advice(of('bzImage-xz')), []);
  t.match(advice(of('bzImage-zstd')), [
    /packed by zstd, which Xen before 4\.15 does not unpack: .*--decompress/,
  ]);
  t.same(certain(of('bzImage-zstd')), []);
  t.match(advice(of('bzImage-pv')), [/no PVH entry point .* type="pvh" will not start it$/]);
  t.match(advice(of('bzImage-pvh')), [/no PV entry point .* type="pv" will not start it$/]);
  t.match(advice(of('bzImage-none')), [/type="pvh" will not start it; .* needs type="hvm"$/]);
  t.match(advice(of('bzImage-2.06')), [/boot protocol 2\.06/]);
  t.match(advice(of('zboot-xz')), [/zboot .*--decompress/]);
  for (const [name, pv, pvh, any] of [
    ['bzImage-xz', true, true, true],
    ['bzImage-pv', true, false, true],
    ['bzImage-pvh', false, true, true],
    ['bzImage-none', false, false, false],
    ['vmlinux-xen_guest', true, false, true],
    ['Image-arm64', false, true, true],
    ['zboot-gzip', false, false, false],
  ] as const)
    for (const [start, good] of [
      ['pv', pv],
      ['pvh', pvh],
      ['any', any],
    ] as const)
      t.equal(refusal(of(name), start) === undefined, good, `${name} as ${start}`);
});

const BAD = join(ROOT, 'fixtures', 'malformed');
const samples = readdirSync(BAD).filter((name) => name.startsWith('kernel-'));

t.test('malformed ones', async (t) => {
  t.ok(samples.length >= 46);
  for (const name of samples) {
    const bytes = gunzipSync(readFileSync(join(BAD, name)));
    const [, wanted] = /^kernel-([a-z]+)-/.exec(name)!;
    const ctx = context(undefined, { memory: 224 * 1024 ** 2 });
    const before = cpuMs();
    let got = '';
    try {
      all(vmlinux(kernelInMemory(bytes, name), ctx).pieces());
      got = ctx.warnings.some((line) => /its image promises 20000/.test(line)) ? 'warned' : 'nothing';
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      got = error.code;
    }
    if (/elf-notes|image-size/.test(name)) continue;
    t.equal(got, wanted, name);
    t.ok(cpuMs() - before < 1000, name);
  }
  // Inspection says it as a problem, with what could be found; a header that is broken is an error.
  for (const name of samples) {
    const file = kernelInMemory(gunzipSync(readFileSync(join(BAD, name))), name);
    const ctx = context(undefined, { memory: 224 * 1024 ** 2 });
    if (/header-cut|setup-beyond/.test(name)) {
      t.throws(() => inspectKernel(file, ctx), { code: 'corrupt' }, name);
      continue;
    }
    let k: ReturnType<typeof inspectKernel>;
    try {
      k = inspectKernel(file, ctx);
    } catch (error) {
      t.match(name, /image-size|lz4-frame/);
      t.ok(error instanceof GuestError);
      continue;
    }
    if (k.problems.length === 0)
      t.match(ctx.warnings[0] ?? name, /promises|no-kernel-inside|lz4-frame/, name);
  }
});

t.test('what a payload promises is bounded by limits, what it takes by memory', async (t) => {
  const fails = (name: string, limits: object, said: RegExp) =>
    t.throws(
      () => all(vmlinux(kernelNamed(name), context(undefined, limits)).pieces()),
      { code: 'limit', message: said },
      name,
    );
  for (const name of [
    'bzImage-gzip',
    'bzImage-bzip2',
    'bzImage-lzo',
    'bzImage-lz4',
    'bzImage-xz',
    'Image.gz',
    'Image.xz',
    'Image.zst',
  ])
    fails(name, { payloadBytes: 5000 }, /at most 5000 \(NODEGRUB_MAX_PAYLOAD_BYTES\)/);
  // 1 GiB promised, by a few bytes of xz: not a byte of it is held.
  const d = kernelBytes('bzImage-xz');
  d.writeUInt32LE(2 ** 30, (d[0x1f1]! + 1) * 512 + d.readUInt32LE(0x248) + d.readUInt32LE(0x24c) - 4);
  const ctx = context(undefined, { memory: 224 * 1024 ** 2 });
  t.throws(() => vmlinux(kernelInMemory(d, 'k'), ctx), { code: 'limit', message: /NODEGRUB_MAX_MEMORY/ });
});

t.test('a gzip stream that unpacks to very much is unpacked as far as it is looked at', async (t) => {
  // 1 GiB of zeros behind an ELF header whose notes are at its beginning.
  const bomb = gzipSync(Buffer.concat([FREEBSD, Buffer.alloc(200_000_000)]), { level: 9 });
  const before = cpuMs();
  const k = inspectKernel(
    kernelInMemory(bomb, 'bomb'),
    context(undefined, { payloadBytes: 300_000_000 }),
    'headers',
  );
  t.equal(k.examined, false);
  t.ok(cpuMs() - before < 200);
});

t.test('bzip2: several streams, runs of every length, every level', async (t) => {
  const folder = join(ROOT, 'fixtures', 'packed');
  const sample = gunzipSync(readFileSync(join(folder, 'sample.gz')));
  for (const name of ['level1.bz2', 'level9.bz2', 'streams.bz2', 'runs.bz2', 'empty.bz2'])
    t.ok(
      all(bzip2(readFileSync(join(folder, name)), () => {})).equals(
        name === 'empty.bz2'
          ? Buffer.alloc(0)
          : name === 'runs.bz2'
            ? Buffer.concat(Array.from({ length: 300 }, (_, i) => Buffer.alloc(i, i & 1 ? 97 : i)))
            : name === 'streams.bz2'
              ? Buffer.concat([sample, sample])
              : sample,
      ),
      name,
    );
  const sound = readFileSync(join(folder, 'level1.bz2'));
  for (let at = 0; at < sound.length; at += 7)
    for (const change of [1, 0x80, 0xff]) {
      const bad = Buffer.from(sound);
      bad[at]! ^= change;
      try {
        // Behind the last stream nothing is looked at; all else has a check.
        t.ok(all(bzip2(bad, () => {})).equals(sample), `byte ${at}`);
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
      }
    }
});
