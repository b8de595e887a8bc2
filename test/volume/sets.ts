/** The arrays and volume groups of fixtures/images/md-*, lvm-*: their members as disks, and what Debian's kernel read. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileSystem } from '../../fsdrivers';
import { assemble } from '../../lib/boot/assemble';
import { Guest } from '../../lib/boot/guest';
import type { FileSystem } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { type BlockSource, MemorySource } from '../../lib/source/types';
import { readTable } from '../../lib/volume';
import { digest } from '../fsdrivers/compare';
import { context, image, ROOT, type TestContext } from '../support';

export interface Volume {
  readonly size: number;
  readonly sha256: string;
}

export interface FixtureSet {
  readonly name: string;
  /** Bytes of each. */
  readonly members: readonly number[];
  // md
  readonly metadata?: string;
  readonly level?: string;
  readonly number?: number;
  readonly size?: number;
  readonly sha256?: string;
  // lvm
  readonly volumes?: Readonly<Record<string, Volume>>;
  readonly ids?: Readonly<Record<string, string>>;
}

export function fixtureSets(kind: 'md' | 'lvm'): {
  files: Readonly<Record<string, string>>;
  sets: readonly FixtureSet[];
} {
  return JSON.parse(readFileSync(join(ROOT, 'fixtures', 'images', `${kind}.json`), 'utf8'));
}

const unpacked = new Map<string, Buffer>();

/** The members' bytes, which are everybody's: who changes them makes a copy. */
export function membersOf(set: FixtureSet): Buffer[] {
  const whole = unpacked.get(set.name) ?? image(`${set.name}.img`);
  unpacked.set(set.name, whole);
  return parts(whole, set.members);
}

/** A buffer cut into pieces of these sizes. */
export function parts(whole: Buffer, sizes: readonly number[]): Buffer[] {
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return whole.subarray(at - size, at);
  });
}

/** A guest with these disks, in this order. */
export function guestOf(disks: readonly (Buffer | BlockSource)[], ctx: TestContext): Guest {
  const guest = new Guest(ctx, { readTable, openFileSystem, assemble: (of) => assemble(of, ctx) });
  for (const [i, disk] of disks.entries())
    guest.addDisk(`hd${i}`, Buffer.isBuffer(disk) ? new MemorySource(disk, `disk${i}`) : disk);
  return guest;
}

export function sha256Of(source: BlockSource, piece = 1 << 20): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(piece);
  for (let at = 0; at < source.size; at += piece) {
    const part = buffer.subarray(0, Math.min(piece, source.size - at));
    source.read(at, part);
    hash.update(part);
  }
  return hash.digest('hex');
}

/** sha256 of the files that the recipe wrote. */
export function filesOn(
  fs: FileSystem,
  paths: readonly string[],
  ctx: TestContext = context(),
): Record<string, string> {
  return Object.fromEntries(paths.map((path) => [path, digest(fs, walk(fs, path), ctx)]));
}

/** All orders of 0 … n-1, at most `most` of them. */
export function orders(n: number, most = 24): number[][] {
  if (n === 0) return [[]];
  const found: number[][] = [];
  for (const order of orders(n - 1, most))
    for (let i = 0; i < n && found.length < most; i++)
      found.push([...order.slice(0, i), n - 1, ...order.slice(i)]);
  return found;
}
