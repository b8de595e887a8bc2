/** Disk images as the program opens them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '../../lib/bytes/limits';
import { type ImageChoice, openImage } from '../../lib/source';
import { CacheSource } from '../../lib/source/cache';
import { FileSource, openDisk } from '../../lib/source/file';
import { openReferences } from '../../lib/source/references';
import { type BlockSource, MemorySource } from '../../lib/source/types';
import { context, image, ROOT, type TestContext } from '../support';

export interface Opened {
  readonly disk: BlockSource;
  readonly ctx: TestContext;
}

/** An image on the host; with `references`, what it names in its directory too. */
export function openPath(path: string, choice: ImageChoice = {}, references = false): Opened {
  const ctx = context();
  const file = openDisk(path);
  const members = references ? openReferences(path, file, choice.format!, FileSource, LIMITS) : undefined;
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

/** A sample as what it changes of a sound image: the recipes' `patches`. */
interface Patch {
  /** Of fixtures/images. */
  readonly image: string;
  /** Bytes that are left of it; absent: all. */
  readonly size?: number;
  readonly changes: readonly (readonly [at: number, hex: string])[];
}

/** fixtures/malformed/FORMAT-patches.json: name without the format → the damaged file. */
export function patches(format: string): Record<string, () => Buffer> {
  const path = join(ROOT, 'fixtures/malformed', `${format}-patches.json`);
  const all: Record<string, Patch> = JSON.parse(readFileSync(path, 'utf8'));
  return Object.fromEntries(
    Object.entries(all).map(([name, { image: base, size, changes }]) => [
      name,
      () => {
        const bytes = image(`${base}.img`);
        for (const [at, hex] of changes) bytes.write(hex, at, 'hex');
        return bytes.subarray(0, size);
      },
    ]),
  );
}
