/**
 * The image formats, in the order in which they are asked, and how a disk is opened as one. A chunk: the core looks at a
 * disk's first two bytes (`mayBeImage` in bootloader.ts) and loads this when one of these could begin so.
 */
import type { Context } from '../bytes/budget';
import { GuestError, notFound, unsupported } from '../bytes/errors';
import { type ByteString, printable } from '../bytes/text';
import type { CacheSource } from './cache';
import type { FileSource } from './file';
import type { ImageFormat, OpenOptions, Reference } from './format';
import { type BlockSource, SliceSource } from './types';

const startsWith =
  (...magics: string[]) =>
  (head: Buffer): boolean =>
    magics.some((magic) => head.toString('latin1', 0, magic.length) === magic);

export const formats: readonly ImageFormat[] = [
  {
    name: 'qcow2',
    looksLike: startsWith('QFI\xfb\0\0\0\x02', 'QFI\xfb\0\0\0\x03'),
    load: () => (require('./qcow2/reader') as typeof import('./qcow2/reader')).reader,
  },
  {
    name: 'qcow',
    looksLike: startsWith('QFI\xfb\0\0\0\x01'),
    load: () => (require('./qcow/reader') as typeof import('./qcow/reader')).reader,
  },
  {
    name: 'qed',
    looksLike: startsWith('QED\0'),
    load: () => (require('./qed/reader') as typeof import('./qed/reader')).reader,
  },
  {
    // A fixed disk has its only footer at the end: by its name or when it is named.
    name: 'vhd',
    looksLike: startsWith('conectix'),
    load: () => (require('./vhd/reader') as typeof import('./vhd/reader')).reader,
  },
  {
    name: 'vhdx',
    looksLike: startsWith('vhdxfile'),
    load: () => (require('./vhdx/reader') as typeof import('./vhdx/reader')).reader,
  },
  {
    name: 'vmdk',
    looksLike: startsWith('KDMV', 'COWD', '\xbe\xba\xfe\xca\0\0\0\0', '# Disk DescriptorFile'),
    load: () => (require('./vmdk/reader') as typeof import('./vmdk/reader')).reader,
  },
  {
    name: 'vdi',
    // What stands before is a text of its maker's; all begin with `<<<`.
    looksLike: (head) => head.length >= 68 && head.readUInt32LE(64) === 0xbeda107f,
    load: () => (require('./vdi/reader') as typeof import('./vdi/reader')).reader,
  },
  {
    name: 'parallels',
    looksLike: startsWith('WithoutFreeSpace', 'WithouFreSpacExt'),
    load: () => (require('./parallels/reader') as typeof import('./parallels/reader')).reader,
  },
  {
    name: 'gzip',
    looksLike: startsWith('\x1f\x8b\x08'),
    load: () => (require('./gzip/reader') as typeof import('./gzip/reader')).reader,
  },
];

/** A file that an image names, opened before privileges were given up, with those that it names itself. */
export interface Member {
  readonly file: BlockSource;
  readonly members: ReadonlyMap<ByteString, Member>;
}

/** What the caller says of an image. */
export interface ImageChoice {
  /** `raw` or the name of a format; absent: what the first bytes say. */
  readonly format?: string | undefined;
  readonly snapshot?: ByteString | undefined;
  /** Absent: references are not followed. */
  readonly members?: ReadonlyMap<ByteString, Member> | undefined;
}

/** What flatDisk is told of a run (bootloader.ts). */
export interface DiskRequest {
  readonly images?: readonly ImageChoice[] | undefined;
  readonly offset?: number | undefined;
  /** The disk is a configuration file. */
  readonly openAs?: unknown;
}

/**
 * One disk of a run as flat bytes: out of its image, and from `--offset` on.
 * @param i number of the disk
 */
export function flatDisk(
  cached: CacheSource,
  i: number,
  { images, offset, openAs }: DiskRequest,
  ctx: Context,
): BlockSource {
  if (openAs) return cached;
  const disk = openImage(cached, images?.[i] ?? {}, ctx);
  if (i > 0 || offset === undefined) return disk;
  if (offset >= disk.size)
    throw new GuestError('io', `--offset=${offset} is beyond the end of the disk (${disk.size} bytes)`);
  return new SliceSource(disk, offset, disk.size - offset, disk.label);
}

/** VHD's fixed disks, which begin with the guest's own first sector. */
const VHD_NAME = /\.(?:a?vhd|vpc)$/i;

/** The name of the format that the first bytes say; undefined: a raw disk. */
export function detectFormat(file: BlockSource): string | undefined {
  const head = Buffer.alloc(Math.min(512, file.size));
  file.read(0, head);
  return formats.find((f) => f.looksLike(head))?.name ?? (VHD_NAME.test(file.label) ? 'vhd' : undefined);
}

/** Block devices are raw unless the caller says otherwise: what a toolstack attaches is flat already. */
function detect(file: CacheSource): ImageFormat | undefined {
  if ((file.parent as Partial<FileSource>).isBlockDevice) return undefined;
  const head = Buffer.alloc(Math.min(512, file.size));
  file.read(0, head);
  const found = formats.find((f) => f.looksLike(head));
  if (found || !VHD_NAME.test(file.label)) return found;
  const vhd = formats.find((f) => f.name === 'vhd')!;
  const { endsWithFooter } = require('./vhd/reader') as typeof import('./vhd/reader');
  return endsWithFooter(file) ? vhd : undefined;
}

/**
 * The disk that a file holds.
 * @param cached the file; what is read through its cache once is not read again
 * @returns `cached` itself when it is a raw disk
 * @throws GuestError what the format's reader says; not `corrupt` where nobody named the format: then it is a raw disk
 */
export function openImage(cached: CacheSource, choice: ImageChoice, ctx: Context): BlockSource {
  const named = choice.format;
  const format = named === undefined ? detect(cached) : formats.find((f) => f.name === named);
  if (!format) {
    if (choice.snapshot !== undefined) throw notFound('a raw disk has no snapshots', cached.label);
    return cached;
  }
  const reader = format.load();
  if (choice.snapshot !== undefined && !reader.snapshots)
    throw unsupported(`snapshots of ${format.name} images`, cached.label);
  const options: OpenOptions = {
    snapshot: choice.snapshot,
    resolve: (reference) => follow(reference, format.name, choice, cached, ctx),
  };
  try {
    return reader.open(cached, ctx, options);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    if (named === undefined && error.code === 'corrupt') {
      ctx.warn(
        `${cached.label} begins like ${format.name}, but is not sound as that, and is read as a raw disk (${error.message})`,
      );
      return cached;
    }
    // `disk.img › qcow2: …`
    error.where.splice(error.where[0] === cached.label ? 1 : 0, 0, format.name);
    throw error;
  }
}

function follow(
  reference: Reference,
  format: string,
  choice: ImageChoice,
  cached: CacheSource,
  ctx: Context,
): BlockSource {
  const member = choice.format === undefined ? undefined : choice.members?.get(reference.name);
  if (!member)
    throw unsupported(
      `its ${reference.what} '${printable(reference.name, 200)}' is not read: ${
        choice.members
          ? 'the format of this file is not named in the one that names it'
          : `this needs --image-format=${format} and --image-references=directory`
      }`,
      cached.label,
    );
  // A cache of the same class, for which the core then needs not hand the class out.
  const Cache = cached.constructor as typeof CacheSource;
  return openImage(new Cache(member.file), { format: formatOf(reference), members: member.members }, ctx);
}

/** The names that QEMU has for the same formats. */
const ALIASES: Readonly<Record<string, string>> = { vpc: 'vhd', file: 'raw', host_device: 'raw', gz: 'gzip' };

/** @returns undefined when nothing is said: then the first bytes decide, and no further reference is followed */
export function formatOf(reference: Reference): string | undefined {
  const { format } = reference;
  return format === undefined ? undefined : known(format, reference.what);
}

function known(name: string, what: string): string {
  const format = ALIASES[name] ?? name;
  if (format !== 'raw' && !formats.some((f) => f.name === format))
    throw unsupported(`${what} of format '${printable(name, 60)}'`);
  return format;
}

/** @returns undefined when there is no such format */
export function formatNamed(name: string): string | undefined {
  const format = ALIASES[name] ?? name;
  return format === 'raw' || formats.some((f) => f.name === format) ? format : undefined;
}
