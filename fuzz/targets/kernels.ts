/** Readers of one file: ELF notes, PE images and their sections, what loads a kernel, and dialects whose "configuration" is a binary. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { furtherDialects } from '../../lib/boot';
import { allChoices } from '../../lib/boot/choose';
import type { BootContext } from '../../lib/boot/model';
import type { Context } from '../../lib/bytes/budget';
import type { FileSystem, FsNode } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { advice } from '../../lib/kernel/advice';
import { readXenNotes } from '../../lib/kernel/elf';
import { guestKernel } from '../../lib/kernel/file';
import { HEAD_BYTES, kernelKind, readRange } from '../../lib/kernel/head';
import { inspectKernel } from '../../lib/kernel/inspect';
import { loaderKind } from '../../lib/kernel/loader-kind';
import { readPe } from '../../lib/kernel/pe';
import { allSections, Profiles, profileCount } from '../../lib/kernel/uki';
import { vmlinux } from '../../lib/kernel/vmlinux';
import type { BlockSource } from '../../lib/source/types';
import { bzImage } from '../../test/boot/images';
import { extentFile, MemoryFs, memoryGuest } from '../../test/boot/memfs';
import { elf, FREEBSD } from '../../test/kernel/elf';
import { makePe } from '../../test/kernel/make-pe';
import { imageOf } from '../disk';
import { guarded, ImageTarget, type Parser, type Sample } from './images';

/** The disk as the file `/file` of a filesystem in memory. */
function asFile(disk: BlockSource): { fs: FileSystem; node: FsNode } {
  const file = extentFile(disk.size, () =>
    disk.size === 0 ? [] : [{ kind: 'data', offset: 0, length: disk.size, source: disk, at: 0 }],
  );
  const fs = new MemoryFs({ file });
  return { fs, node: walk(fs, '/file') };
}

const reader = (read: (fs: FileSystem, node: FsNode, ctx: Context) => unknown): Parser<true> => ({
  open(disk, ctx) {
    const { fs, node } = asFile(disk);
    return read(fs, node, ctx) === undefined ? undefined : true;
  },
  use() {},
  paths: () => [],
});

const pe = reader((fs, node, ctx) => {
  const image = readPe(fs, node, 'file', ctx);
  if (!image) return undefined;
  for (const section of image.sections.slice(0, 20))
    guarded(() => {
      image.range(section);
      image.read(section, 1 << 16, ctx);
    });
  guarded(() => {
    allSections(image).first('.cmdline');
    const profiles = new Profiles(image);
    for (let i = 0; i < Math.min(4, profileCount(image)); i++)
      guarded(() => void profiles.sections(i).first('.linux'));
  });
  return image;
});

const kinds = reader((fs, node, ctx) => {
  const kind = kernelKind(readRange(fs, node, 0, HEAD_BYTES, ctx));
  guarded(() => void loaderKind(fs, node, ctx));
  return kind;
});

const whole = reader((fs, node, ctx) => {
  const kernel = inspectKernel(guestKernel(fs, node, 'file', ctx), ctx);
  advice(kernel);
  guarded(() => {
    for (const piece of vmlinux(guestKernel(fs, node, 'file', ctx), ctx).pieces()) void piece.length;
  });
  return kernel.format === 'unknown' ? undefined : kernel;
});

/** A dialect that reads the file as its configuration. */
const binary = (name: string, path: string, config = path): Parser<true> => ({
  open(disk, ctx) {
    const dialect = furtherDialects().find((d) => d.name === name)!;
    const file = extentFile(disk.size, () =>
      disk.size === 0 ? [] : [{ kind: 'data', offset: 0, length: disk.size, source: disk, at: 0 }],
    );
    const parts = path.split('/').slice(1);
    let tree: Record<string, unknown> = { [parts[parts.length - 1]!]: file };
    for (const part of parts.slice(0, -1).reverse()) tree = { [part]: tree };
    const fs = new MemoryFs(tree as never);
    const guest = memoryGuest(ctx, [fs]);
    const boot: BootContext = { ...ctx, guest, quiet: true };
    const volume = guest.device('hd0')!;
    const menu = dialect.evaluate({ volume, path: config, fs, node: walk(fs, config) }, boot);
    let n = 0;
    for (const { entry } of allChoices(menu)) {
      if (++n > 8) break;
      entry.resolve();
    }
    return n > 0 ? true : undefined;
  },
  use() {},
  paths: () => [],
});

export function kernelTargets(root: string): ImageTarget<unknown>[] {
  const of = (name: string, bytes: Buffer): Sample => ({ name, load: () => imageOf(name, bytes) });
  const malformed = (pattern: RegExp): Sample[] =>
    readdirSync(join(root, 'fixtures/malformed'))
      .filter((n) => pattern.test(n))
      .map((n) => {
        const bytes = readFileSync(join(root, 'fixtures/malformed', n));
        return of(n, n.endsWith('.gz') ? gunzipSync(bytes) : bytes);
      });
  const notes = [
    { type: 6, text: 'linux\0' },
    { type: 5, text: 'xen-3.0\0' },
    { type: 1, text: '\0\0\0\x81\xff\xff\xff\xff' },
    { type: 18, text: '\0\0\0\x01' },
  ];
  const elves = [
    of('elf64-segment', elf({ bits: 64, segment: notes })),
    of('elf32-segment', elf({ bits: 32, segment: notes })),
    of('elf64-section', elf({ bits: 64, section: notes })),
    of('elf32-section', elf({ bits: 32, section: notes, guest: 'GUEST_OS=linux,XEN_VER=3.0' })),
    of('freebsd', FREEBSD),
  ];
  const osrel = 'ID=tiny\nVERSION_ID=1\nPRETTY_NAME="Tiny"\n';
  const ukis = [
    of(
      'uki',
      makePe([
        { name: '.osrel', data: osrel },
        { name: '.cmdline', data: 'console=hvc0 root=/dev/xvda1' },
        { name: '.uname', data: '6.1.0' },
        { name: '.linux', data: bzImage('k') },
        { name: '.initrd', data: 'initrd'.repeat(100) },
      ]),
    ),
    of(
      'uki-profiles',
      makePe([
        { name: '.osrel', data: osrel },
        { name: '.linux', data: bzImage('k') },
        ...['a', 'b', 'c'].flatMap((id) => [
          { name: '.profile', data: `ID=${id}\nTITLE=${id}\n` },
          { name: '.cmdline', data: `profile=${id}` },
        ]),
      ]),
    ),
    of('addon', makePe([{ name: '.cmdline', data: 'more' }])),
  ];
  const kernels = [of('bzImage', bzImage('6.1')), elves[0]!, ukis[0]!];
  const folder = join(root, 'fixtures/kernels');
  const packed = readdirSync(folder)
    .filter((n) => !n.endsWith('.json'))
    .map((n) => of(n, readFileSync(join(folder, n))));
  const made: ImageTarget<never>[] = [
    new ImageTarget<never>(
      'kernel-elf',
      reader((fs, node, ctx) => readXenNotes(fs, node, ctx)) as never,
      elves,
      0.9,
    ),
    new ImageTarget<never>(
      'kernel-pe',
      pe as never,
      [...ukis, ...malformed(/^sdboot-.*\.efi\.gz$/).slice(0, 1)],
      0.9,
    ),
    new ImageTarget<never>('kernel-inside', whole as never, packed, 0.9),
    new ImageTarget<never>('kernel-kind', kinds as never, kernels, 0.9),
    new ImageTarget<never>(
      'dialect-bsd',
      binary('bsd', '/netbsd') as never,
      [...elves, ...malformed(/^bsd-.*\.elf$/)],
      0.9,
    ),
    new ImageTarget<never>(
      'dialect-uki',
      binary('bls', '/EFI/Linux/one.efi', '/EFI/Linux/') as never,
      ukis,
      0.9,
    ),
  ];
  return made as unknown as ImageTarget<unknown>[];
}
