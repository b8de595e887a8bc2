/** Disk images as the program opens them. */
import { createHash } from 'node:crypto';
import { type ImageChoice, openImage } from '../../lib/source';
import { CacheSource } from '../../lib/source/cache';
import { FileSource, openDisk } from '../../lib/source/file';
import { openReferences } from '../../lib/source/references';
import { type BlockSource, MemorySource } from '../../lib/source/types';
import { context, type TestContext } from '../support';

export interface Opened {
  readonly disk: BlockSource;
  readonly ctx: TestContext;
}

/** An image on the host; with `references`, what it names in its directory too. */
export function openPath(path: string, choice: ImageChoice = {}, references = false): Opened {
  const ctx = context();
  const file = openDisk(path);
  const members = references ? openReferences(path, file, choice.format!, FileSource) : undefined;
  return { disk: openImage(new CacheSource(file), { ...choice, members }, ctx), ctx };
}

export function openBytes(
  bytes: Uint8Array,
  name: string,
  choice: ImageChoice = {},
  ctx: TestContext = context(),
): Opened {
  return { disk: openImage(new CacheSource(new MemorySource(bytes, name)), choice, ctx), ctx };
}

/** The hash of [from, to) of a disk, read in pieces of `piece` bytes. */
export function hashOf(disk: BlockSource, from = 0, to = disk.size, piece = 1 << 20): string {
  const hash = createHash('sha256');
  for (let at = from; at < to; at += piece) {
    const bytes = Buffer.allocUnsafe(Math.min(piece, to - at));
    disk.read(at, bytes);
    hash.update(bytes);
  }
  return hash.digest('hex');
}
