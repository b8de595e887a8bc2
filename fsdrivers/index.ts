/**
 * The filesystem drivers, in the order in which they are asked. ext first: it is what nearly every guest boots from,
 * and its magic (offset 1080) cannot be mistaken. Then FAT, which every UEFI disk has; then all others (further.ts).
 *
 * Each driver is a chunk of its own in the built program, loaded when `looksLike` matches.
 */
import type { Context } from '../lib/bytes/budget';
import { within } from '../lib/bytes/errors';
import type { ByteString } from '../lib/bytes/text';
import type { FileSystem, FileSystemDriver } from '../lib/fs/types';
import type { BlockSource } from '../lib/source/types';

export interface Registered {
  readonly name: string;
  /** A cheap look at a few bytes that decides whether the chunk is worth loading. Never throws. */
  looksLike(source: BlockSource, ctx: Context): boolean;
  load(): FileSystemDriver;
}

export function bytesAt(source: BlockSource, at: number, length: number): Buffer | undefined {
  if (at + length > source.size) return undefined;
  const into = Buffer.allocUnsafeSlow(length);
  source.read(at, into);
  return into;
}

const first: readonly Registered[] = [
  {
    name: 'ext',
    looksLike: (source) => bytesAt(source, 1080, 2)?.readUInt16LE(0) === 0xef53,
    load: () => require('./ext/driver').driver,
  },
  {
    name: 'fat',
    // Sector size, cluster size, reserved sectors, number of FATs, media: none of them is zero in a FAT.
    looksLike: (source) => {
      const b = bytesAt(source, 0, 22);
      return (
        !!b &&
        b.readUInt16LE(11) >= 512 &&
        b[13] !== 0 &&
        b.readUInt16LE(14) !== 0 &&
        b[16] !== 0 &&
        b[21]! >= 0xf0
      );
    },
    load: () => require('./fat/driver').driver,
  },
];

/** Loads those that nearly every guest needs. */
export const loadFirst = (): void => {
  for (const driver of first) driver.load();
};

const last: readonly Registered[] = [
  {
    // After the disk filesystems: the descriptors of an image that once was on a stick outlive a new filesystem there.
    name: 'iso9660',
    looksLike: (source) => bytesAt(source, 32769, 5)?.toString() === 'CD001',
    load: () => require('./iso9660/driver').driver,
  },
];

/** Lazily: the chunk of the others is loaded when the first ones do not know a volume. */
export function* drivers(): Generator<Registered> {
  yield* first;
  yield* (require('./further') as typeof import('./further')).further;
  yield* last;
}

/**
 * The filesystem on `source`, or `undefined` when no driver knows it.
 * @throws GuestError when a driver knows it and cannot read it
 */
export function openFileSystem(
  source: BlockSource,
  ctx: Context,
  others: () => Iterable<BlockSource>,
  bootfs?: ByteString,
): FileSystem | undefined {
  for (const registered of drivers()) {
    if (!registered.looksLike(source, ctx)) continue;
    const driver = registered.load();
    const member = driver.probe(source, ctx);
    if (!member) continue;
    return within(member.type, () =>
      driver.open([source], ctx, bootfs === undefined ? { others } : { others, bootfs }),
    );
  }
  return undefined;
}
