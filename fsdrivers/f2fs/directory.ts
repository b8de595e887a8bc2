/** Directories: a hash table of levels that grow, or one small table in the inode. */
import { corrupt } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes, toBytes } from '../../lib/bytes/text';
import type { NodeKind } from '../../lib/fs/types';
import { foldingMatcher, foldName } from '../ext/casefold';
import { ADDRESS, BLOCK, DEPTH_HALF, ENTRIES_PER_BLOCK, ENTRY, SLOT } from './layout';
import type { F2fsInode, F2fsVolume } from './volume';

export interface RawEntry {
  readonly name: ByteString;
  readonly inode: number;
  readonly kind?: NodeKind;
}

/** `F2FS_FT_…` */
const KINDS: readonly (NodeKind | undefined)[] = [
  undefined,
  'file',
  'directory',
  'other',
  'other',
  'other',
  'other',
  'symlink',
];

const isName = (name: ByteString): boolean => name !== '.' && name !== '..' && !/^$|[/\0]/.test(name);

/** Entries, bitmap and names of a block or an inode. */
interface Table {
  readonly bytes: Buffer;
  readonly count: number;
  readonly entriesAt: number;
  readonly namesAt: number;
}

function blockTable(bytes: Buffer): Table {
  const namesAt = BLOCK - ENTRIES_PER_BLOCK * SLOT;
  return { bytes, count: ENTRIES_PER_BLOCK, entriesAt: namesAt - ENTRIES_PER_BLOCK * ENTRY, namesAt };
}

/** As many entries as fit, each with a slot for its name and a bit. */
function inlineTable(bytes: Buffer): Table {
  const count = Math.floor((bytes.length * 8) / ((ENTRY + SLOT) * 8 + 1));
  const namesAt = bytes.length - count * SLOT;
  return { bytes, count, entriesAt: namesAt - count * ENTRY, namesAt };
}

/** @param hash only entries with this one */
function* entriesOf(volume: F2fsVolume, dir: F2fsInode, table: Table, hash?: number): Generator<RawEntry> {
  const { bytes, count, entriesAt, namesAt } = table;
  for (let i = 0; i < count; ) {
    volume.ctx.budget.step();
    if (((bytes[i >>> 3]! >>> (i & 7)) & 1) === 0) {
      i++;
      continue;
    }
    const at = entriesAt + i * ENTRY;
    const length = bytes.readUInt16LE(at + 8);
    const slots = Math.ceil(length / SLOT);
    // The kernel passes over an entry without a name.
    if (length === 0) {
      i++;
      continue;
    }
    if (length > LIMITS.nameBytes || i + slots > count)
      throw corrupt(`name of ${length} bytes in entry ${i} of ${count}`, `inode ${dir.id}`);
    if (hash === undefined || bytes.readUInt32LE(at) === hash) {
      const name = fromBytes(bytes.subarray(namesAt + i * SLOT, namesAt + i * SLOT + length));
      const kind = KINDS[bytes[at + 10]!];
      if (isName(name)) yield { name, inode: bytes.readUInt32LE(at + 4), ...(kind ? { kind } : {}) };
    }
    i += slots;
  }
}

/** @throws GuestError `corrupt` */
export function* listEntries(volume: F2fsVolume, dir: F2fsInode): Generator<RawEntry> {
  const newer = volume.recovery?.names.get(dir.id);
  if (!newer) {
    yield* writtenEntries(volume, dir);
    return;
  }
  volume.ctx.budget.step(newer.size);
  // A name that fsync made new takes the place of the one that was there.
  const taken = dir.casefold ? new Set([...newer.keys()].map(folded)) : newer;
  for (const entry of writtenEntries(volume, dir))
    if (!taken.has(dir.casefold ? folded(entry.name) : entry.name)) yield entry;
  for (const [name, inode] of newer) if (isName(name)) yield { name, inode };
}

const folded = (name: ByteString): ByteString => foldName(name)?.toString('latin1') ?? name;

/** As the directory itself has them. */
function* writtenEntries(volume: F2fsVolume, dir: F2fsInode): Generator<RawEntry> {
  if (dir.inline) yield* entriesOf(volume, dir, inlineTable(dir.inline));
  else
    for (const { address, count } of volume.addresses(dir, Math.ceil(dir.size / BLOCK)))
      if (address !== ADDRESS.hole && address !== ADDRESS.reserved)
        for (let i = 0; i < count; i++) yield* entriesOf(volume, dir, blockTable(volume.block(address + i)));
}

/** @throws GuestError `corrupt` */
export function findEntry(volume: F2fsVolume, dir: F2fsInode, name: ByteString): RawEntry | undefined {
  const recovered = volume.recovery?.names.get(dir.id);
  const newer = recovered?.get(name);
  if (newer !== undefined) return { name, inode: newer };
  if (!dir.casefold)
    return dir.inline
      ? firstOf(writtenEntries(volume, dir), (entry) => entry.name === name)
      : firstOf(bucketsOf(volume, dir, hashName(toBytes(name))), (entry) => entry.name === name);
  const folding = foldingMatcher(name);
  const matches = (entry: RawEntry) => {
    const bytes = toBytes(entry.name);
    return entry.name === name || folding.matches(bytes, 0, bytes.length);
  };
  // The hash is that of the folded name, and so depends on the version of Unicode: as Linux since 6.14, the whole
  // directory is gone through where that does not lead to it.
  return (
    (dir.inline || recovered
      ? undefined
      : firstOf(bucketsOf(volume, dir, hashName(foldName(name) ?? toBytes(name))), matches)) ??
    firstOf(listEntries(volume, dir), matches)
  );
}

function firstOf(entries: Iterable<RawEntry>, matches: (entry: RawEntry) => boolean): RawEntry | undefined {
  for (const entry of entries) if (matches(entry)) return entry;
  return undefined;
}

/** Entries with a hash, level by level: each has more buckets, and of each one may have it. */
function* bucketsOf(volume: F2fsVolume, dir: F2fsInode, hash: number): Generator<RawEntry> {
  const blocks = Math.ceil(dir.size / BLOCK);
  let start = 0;
  for (let level = 0; level < Math.min(dir.depth, 2 * DEPTH_HALF + 1) && start < blocks; level++) {
    const buckets = 2 ** Math.min(level + dir.dirLevel, DEPTH_HALF - 1);
    const each = level < DEPTH_HALF ? 2 : 4;
    const first = start + (hash % buckets) * each;
    for (let block = first; block < first + each && block < blocks; block++) {
      volume.ctx.budget.step();
      const address = volume.addressOf(dir, block);
      if (address === ADDRESS.hole || address === ADDRESS.reserved) continue;
      yield* entriesOf(volume, dir, blockTable(volume.block(address)), hash);
    }
    start += buckets * each;
  }
}

/** Half of TEA over 16 bytes at a time, as ext's (`f2fs_dentry_hash`). */
export function hashName(name: Buffer): number {
  let a = 0x67452301;
  let b = 0xefcdab89 | 0;
  for (let from = 0; ; from += 16) {
    const left = name.length - from;
    const padding = (left & 0xff) | ((left & 0xff) << 8);
    const pad = padding | (padding << 16);
    const words = [0, 4, 8, 12].map((word) => {
      if (word >= left) return pad;
      let value = pad;
      for (let i = word; i < Math.min(word + 4, left); i++) value = (name[from + i]! + (value << 8)) | 0;
      return value;
    });
    let x = a;
    let y = b;
    let sum = 0;
    for (let round = 0; round < 16; round++) {
      sum = (sum + 0x9e3779b9) | 0;
      x = (x + (((y << 4) + words[0]!) ^ (y + sum) ^ ((y >>> 5) + words[1]!))) | 0;
      y = (y + (((x << 4) + words[2]!) ^ (x + sum) ^ ((x >>> 5) + words[3]!))) | 0;
    }
    a = (a + x) | 0;
    b = (b + y) | 0;
    if (left <= 16) return a >>> 0;
  }
}
