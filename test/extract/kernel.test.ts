/** `--decompress`, `--check-kernel` and `-n`: what is written, said and refused. Expected: fixtures/kernels/expected.json. */
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { BootTarget } from '../../lib/boot/model';
import { GuestError } from '../../lib/bytes/errors';
import { finishKernel, judgeOnDisk, type KernelTasks } from '../../lib/extract/kernel';
import { walk } from '../../lib/fs/walk';
import { MemoryFs } from '../boot/memfs';
import { expectedKernels, kernelBytes } from '../kernel/kernels';
import { makePe } from '../kernel/make-pe';
import { context } from '../support';

const work = mkdtempSync(join(tmpdir(), 'nodegrub-kernel-'));
t.teardown(() => rmSync(work, { recursive: true }));

/** What becomes of a copied kernel. */
async function finished(bytes: Buffer, tasks: KernelTasks) {
  const path = join(work, 'kernel');
  writeFileSync(path, bytes);
  const said: string[] = [];
  const ctx = context();
  let error: GuestError | undefined;
  try {
    await finishKernel({ fd: openSync(path, 'r+'), path }, tasks, ctx, (line) => said.push(line));
  } catch (e) {
    if (!(e instanceof GuestError)) throw e;
    error = e;
  }
  return { bytes: readFileSync(path), said, error };
}

t.test('every kernel is replaced by what is in it, in place', async (t) => {
  const inner: Record<string, Buffer> = {};
  for (const name of ['vmlinux', 'vmlinux-i386', 'Image-arm64', 'Image-riscv', 'Image-loongarch'])
    inner[expectedKernels[name]!.inner] = kernelBytes(name);
  for (const [name, expected] of Object.entries(expectedKernels)) {
    if (name === 'uImage') continue;
    const { bytes, said, error } = await finished(kernelBytes(name), { decompress: true });
    t.equal(error, undefined, name);
    t.equal(bytes.length, expected.size, name);
    if (inner[expected.inner]) t.ok(bytes.equals(inner[expected.inner]!), name);
    const packed = !/^(vmlinux|Image-)/.test(name);
    t.same(
      said.map((line) => line.replace(/\(.*/, '')),
      packed ? [] : ['note: --decompress: the kernel is not packed '],
      name,
    );
  }
});

t.test(
  'one that is larger than a chunk, shorter after than before, and not packed in a unified image',
  async (t) => {
    // A section far behind the beginning, whose copy overlaps itself.
    const image = Buffer.concat([kernelBytes('Image-arm64'), Buffer.alloc(5_000_000)]);
    for (let i = 8000; i < image.length; i += 4) image.writeUInt32LE(i, i);
    const uki = makePe([
      { name: '.osrel', data: 'x'.repeat(3000) },
      { name: '.linux', data: image },
    ]);
    const { bytes, error } = await finished(uki, { decompress: true });
    t.equal(error, undefined);
    t.ok(bytes.equals(image));
  },
);

t.test('what cannot be unpacked is an error', async (t) => {
  for (const [name, bytes, said] of [
    ['a text', Buffer.from('not a kernel'), /no kernel that is known/],
    ['U-Boot', kernelBytes('uImage'), /nothing is known to be packed in a uImage file/],
    ['cut off', kernelBytes('bzImage-xz').subarray(0, -200), /payload .* does not lie in the file/],
  ] as const) {
    const { error, bytes: left } = await finished(bytes, { decompress: true });
    t.match(error?.describe(), said, name);
    t.match(error?.describe(), /^--decompress/);
    t.ok(left.equals(bytes), 'nothing was written');
  }
});

t.test('--check-kernel', async (t) => {
  const refused = await finished(kernelBytes('bzImage-pvh'), { check: 'pv' });
  t.match(refused.error?.message, /^this kernel has no PV entry point .*\(--check-kernel=pv\)$/);
  t.equal(refused.error?.code, 'unsupported');
  const warned = await finished(kernelBytes('bzImage-pvh'), { check: 'pvh' });
  t.equal(warned.error, undefined);
  t.match(warned.said, [/^warning: this kernel has no PV entry point/]);
  t.same((await finished(kernelBytes('bzImage-xz'), { check: 'any' })).said, []);
  // Both: what is done about is no warning.
  t.match((await finished(kernelBytes('bzImage-zstd'), { check: 'any' })).said, [/--decompress/]);
  const both = await finished(kernelBytes('bzImage-zstd'), { check: 'any', decompress: true });
  t.same(both.said, []);
  t.ok(both.bytes.equals(kernelBytes('vmlinux')));
  const zboot = await finished(kernelBytes('zboot-gzip'), { check: 'pvh', decompress: true });
  t.same([zboot.error, zboot.said], [undefined, []]);
  t.match((await finished(kernelBytes('zboot-gzip'), { check: 'pvh' })).error?.message, /EFI zboot image/);
});

t.test('-n looks at headers, and unpacks where it is told to check', async (t) => {
  const on = (name: string, tasks: KernelTasks) => {
    const fs = new MemoryFs({ vmlinuz: kernelBytes(name) });
    const said: string[] = [];
    const found = { fs, node: walk(fs, '/vmlinuz') };
    const target = { kernel: { path: '/vmlinuz', volume: undefined, found } } as unknown as BootTarget;
    judgeOnDisk(target, tasks, context(), (line) => said.push(line));
    return said;
  };
  t.same(on('bzImage-none', {}), []);
  t.same(on('bzImage-zstd', {}), []);
  t.match(on('vmlinux-xen_guest', {}), [/no PVH entry point/]);
  t.match(on('zboot-xz', {}), [/zboot/]);
  t.throws(() => on('bzImage-none', { check: 'any' }), /\(--check-kernel=any\)/);
  t.match(on('bzImage-pv', { check: 'pv' }), [/no PVH entry point/]);
});
