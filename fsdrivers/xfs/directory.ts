/**
 * Directories in their five forms. Short: in the inode. Block: entries and hashes in one block. Leaf, node, and both
 * with a tree of extents: blocks of entries from 0 on, the hash tree from 32 GiB on.
 */
import { corrupt, GuestError } from '../../lib/bytes/errors';
import { type ByteString, fromBytes, toBytes } from '../../lib/bytes/text';
import type { NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { mappings } from './extents';
import type { XfsInode } from './inode';
import {
  DA,
  DaBlock,
  DIR_BLOCK,
  DIR_DATA,
  DIR_FREE_TAG,
  DIR_LEAF_OFFSET,
  DirBlockTail,
  FORMAT,
} from './layout';
import type { XfsVolume } from './volume';

export interface RawEntry {
  readonly name: ByteString;
  readonly inode: number;
  readonly kind?: NodeKind;
}

/** `XFS_DIR3_FT_…` */
const KINDS: readonly (NodeKind | undefined)[] = [
  undefined,
  'file',
  'directory',
  'other',
  'other',
  'other',
  'other',
  'symlink',
  'other',
];

/** @throws GuestError `corrupt` */
export function listEntries(volume: XfsVolume, dir: XfsInode): Generator<RawEntry> {
  return dir.format === FORMAT.local ? short(volume, dir) : long(volume, dir);
}

/** The entry of a name; undefined when there is none. @throws GuestError `corrupt` */
export function findEntry(volume: XfsVolume, dir: XfsInode, name: ByteString): RawEntry | undefined {
  const same = matcher(volume, name);
  if (dir.format !== FORMAT.local) {
    try {
      return hashed(volume, dir, name, same);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code !== 'corrupt') throw error;
      // The hashes are an index: the blocks of entries hold the names all the same.
      volume.warnOnce(`inode ${dir.id}: ${error.message}; reading the whole directory`);
    }
  }
  for (const entry of listEntries(volume, dir)) if (same(entry.name)) return entry;
  return undefined;
}

const asciiLower = (text: ByteString): ByteString => text.replace(/[A-Z]/g, (c) => c.toLowerCase());

function matcher(volume: XfsVolume, name: ByteString): (other: ByteString) => boolean {
  if (!volume.geometry.asciiCi) return (other) => other === name;
  const wanted = asciiLower(name);
  return (other) => asciiLower(other) === wanted;
}

/** `xfs_da_hashname`, `xfs_ascii_ci_hashname`. */
export function hashName(name: Buffer, ignoreCase: boolean): number {
  let hash = 0;
  const rolled = (bits: number) => (hash << bits) | (hash >>> (32 - bits));
  let p = 0;
  let left = name.length;
  if (!ignoreCase)
    for (; left >= 4; left -= 4, p += 4)
      hash = (name[p]! << 21) ^ (name[p + 1]! << 14) ^ (name[p + 2]! << 7) ^ name[p + 3]! ^ rolled(28);
  if (ignoreCase) for (; left > 0; left--, p++) hash = name[p]! ^ rolled(7);
  else if (left === 3) hash = (name[p]! << 14) ^ (name[p + 1]! << 7) ^ name[p + 2]! ^ rolled(21);
  else if (left === 2) hash = (name[p]! << 7) ^ name[p + 1]! ^ rolled(14);
  else if (left === 1) hash = name[p]! ^ rolled(7);
  return hash >>> 0;
}

function* short(volume: XfsVolume, dir: XfsInode): Generator<RawEntry> {
  const bytes = dir.fork.subarray(0, dir.size);
  const place = `inode ${dir.id}`;
  if (bytes.length < 6) throw corrupt(`a directory of ${bytes.length} bytes`, place);
  const count = bytes[0]!;
  const wide = bytes[1]! > 0;
  const width = wide ? 8 : 4;
  const { ftype } = volume.geometry;
  let at = 2 + width;
  for (let i = 0; i < count; i++) {
    volume.ctx.budget.step();
    const length = bytes[at] ?? 0;
    const end = at + 3 + length + (ftype ? 1 : 0) + width;
    if (length === 0 || end > bytes.length) throw corrupt(`entry ${i} of ${count} does not fit`, place);
    const inode = wide ? number64(bytes, end - 8) : bytes.readUInt32BE(end - 4);
    yield entry(bytes, at + 3, length, inode, ftype);
    at = end;
  }
}

function entry(bytes: Buffer, at: number, length: number, inode: number, ftype: boolean): RawEntry {
  const kind = ftype ? KINDS[bytes[at + length]!] : undefined;
  return { name: fromBytes(bytes.subarray(at, at + length)), inode, ...(kind ? { kind } : {}) };
}

const number64 = (bytes: Buffer, at: number): number =>
  bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);

/** A directory block, `index` counted from the start of the directory's address space; undefined: a hole. */
function directoryBlock(volume: XfsVolume, dir: XfsInode, index: number, crcAt: number): Buffer | undefined {
  const { blockSize, directoryBlock: size } = volume.geometry;
  const per = size / blockSize;
  const first = index * per;
  const pieces: Buffer[] = [];
  const places: [number, number][] = [];
  let next = first;
  for (const run of mappings(volume, dir, first)) {
    if (run.offset > next) break;
    const skip = next - run.offset;
    const count = Math.min(run.count - skip, first + per - next);
    if (per === 1) return volume.block(run.block + skip, `directory ${dir.id}`, crcAt);
    const at = volume.byteOf(run.block + skip, count);
    pieces.push(readBytes(volume.metadata, at, count * blockSize, volume.ctx));
    places.push([at, count * blockSize]);
    next += count;
    if (next === first + per) break;
  }
  if (next === first) return undefined;
  if (next < first + per) throw corrupt(`directory block ${index} is mapped in part`, `inode ${dir.id}`);
  const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  volume.check(bytes, crcAt, `directory ${dir.id}, block ${index}`, places);
  return bytes;
}

interface DataBlock {
  readonly bytes: Buffer;
  /** Where the entries end. */
  readonly end: number;
  /** Of a directory of one block: how many hashes follow the entries. */
  readonly hashes?: number;
}

function dataBlock(volume: XfsVolume, dir: XfsInode, index: number): DataBlock | undefined {
  const { v5 } = volume.geometry;
  const bytes = directoryBlock(volume, dir, index, DIR_DATA.crcAt);
  if (!bytes) return undefined;
  const magic = bytes.readUInt32BE(0);
  if (magic === (v5 ? DIR_DATA.magic5 : DIR_DATA.magic)) return { bytes, end: bytes.length };
  if (magic !== (v5 ? DIR_BLOCK.magic5 : DIR_BLOCK.magic) || index !== 0)
    throw corrupt(`directory magic 0x${magic.toString(16)} in block ${index}`, `inode ${dir.id}`);
  const { count } = DirBlockTail.read(bytes, bytes.length - DirBlockTail.size);
  const end = bytes.length - DirBlockTail.size - count * 8;
  if (end < headOf(volume)) throw corrupt(`${count} hashes in a block of ${bytes.length}`, `inode ${dir.id}`);
  return { bytes, end, hashes: count };
}

const headOf = (volume: XfsVolume): number => (volume.geometry.v5 ? DIR_DATA.head5 : DIR_DATA.head);

/** The entry at `at`, and where the next one begins. */
function entryAt(
  volume: XfsVolume,
  dir: XfsInode,
  block: DataBlock,
  at: number,
): { entry: RawEntry; next: number } {
  const { bytes, end } = block;
  const { ftype } = volume.geometry;
  const length = at + 9 <= end ? bytes[at + 8]! : 0;
  const next = at + Math.ceil((9 + length + (ftype ? 1 : 0) + 2) / 8) * 8;
  if (length === 0 || next > end)
    throw corrupt(`entry at byte ${at} of a directory block does not fit`, `inode ${dir.id}`);
  return { entry: entry(bytes, at + 9, length, number64(bytes, at), ftype), next };
}

function* long(volume: XfsVolume, dir: XfsInode): Generator<RawEntry> {
  const { blockSize, directoryBlock: size } = volume.geometry;
  const per = size / blockSize;
  const beyond = DIR_LEAF_OFFSET / blockSize;
  let done = -1;
  for (const run of mappings(volume, dir)) {
    if (run.offset >= beyond) return;
    const last = Math.floor((run.offset + run.count - 1) / per);
    for (let index = Math.max(done + 1, Math.floor(run.offset / per)); index <= last; index++) {
      done = index;
      const block = dataBlock(volume, dir, index);
      if (block) yield* entriesOf(volume, dir, block);
    }
  }
}

function* entriesOf(volume: XfsVolume, dir: XfsInode, block: DataBlock): Generator<RawEntry> {
  for (let at = headOf(volume); at < block.end; ) {
    volume.ctx.budget.step();
    if (at + 4 <= block.end && block.bytes.readUInt16BE(at) === DIR_FREE_TAG) {
      const length = block.bytes.readUInt16BE(at + 2);
      if (length < 8 || length % 8 !== 0 || at + length > block.end)
        throw corrupt(`free space of ${length} bytes at ${at} of a directory block`, `inode ${dir.id}`);
      at += length;
      continue;
    }
    const { entry: found, next } = entryAt(volume, dir, block, at);
    at = next;
    if (found.name === '.' || found.name === '..' || /[/\0]/.test(found.name)) continue;
    yield found;
  }
}

function hashed(
  volume: XfsVolume,
  dir: XfsInode,
  name: ByteString,
  same: (other: ByteString) => boolean,
): RawEntry | undefined {
  const { asciiCi, directoryBlock: size } = volume.geometry;
  const wanted = hashName(toBytes(asciiCi ? asciiLower(name) : name), asciiCi);
  const first = dataBlock(volume, dir, 0);
  if (!first) throw corrupt('a directory without its first block', `inode ${dir.id}`);
  const check = (address: number): RawEntry | undefined => {
    // What was deleted.
    if (address === 0) return undefined;
    const byte = address * 8;
    const index = Math.floor(byte / size);
    const block = index === 0 ? first : dataBlock(volume, dir, index);
    if (!block) throw corrupt(`a hash of directory block ${index}, which is a hole`, `inode ${dir.id}`);
    if (byte % size < headOf(volume)) throw corrupt(`a hash of byte ${byte}`, `inode ${dir.id}`);
    const { entry: found } = entryAt(volume, dir, block, byte % size);
    return same(found.name) ? found : undefined;
  };
  if (first.hashes !== undefined) {
    for (const address of addresses(volume, first.bytes, first.end, first.hashes, wanted)) {
      const found = check(address);
      if (found) return found;
    }
    return undefined;
  }
  for (const address of treeAddresses(volume, dir, wanted)) {
    const found = check(address);
    if (found) return found;
  }
  return undefined;
}

/** First of `count` pairs of 32-bit numbers, in order of their first, whose first is not below `wanted`. */
function lowerBound(bytes: Buffer, from: number, count: number, wanted: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bytes.readUInt32BE(from + middle * 8) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function* addresses(
  volume: XfsVolume,
  bytes: Buffer,
  from: number,
  count: number,
  wanted: number,
): Generator<number> {
  for (let i = lowerBound(bytes, from, count, wanted); i < count; i++) {
    volume.ctx.budget.step();
    if (bytes.readUInt32BE(from + i * 8) !== wanted) return;
    yield bytes.readUInt32BE(from + i * 8 + 4);
  }
}

function* treeAddresses(volume: XfsVolume, dir: XfsInode, wanted: number): Generator<number> {
  const { v5, blockSize, directoryBlock: size } = volume.geometry;
  const head = v5 ? DA.head5 : DA.head;
  const per = size / blockSize;
  const place = `inode ${dir.id}`;
  const read = (index: number) => {
    const bytes = directoryBlock(volume, dir, index, DA.crcAt);
    if (!bytes) throw corrupt(`hash block ${index} is a hole`, place);
    const { forw, magic } = DaBlock.read(bytes);
    const count = bytes.readUInt16BE(v5 ? DA.countAt5 : DA.countAt);
    if (head + count * 8 > bytes.length) throw corrupt(`${count} hashes in hash block ${index}`, place);
    return { bytes, forw, magic, count };
  };
  /** Pointers count filesystem blocks. */
  const indexOf = (block: number) => {
    if (block % per !== 0 || block < DIR_LEAF_OFFSET / blockSize) throw corrupt(`hash block ${block}`, place);
    return block / per;
  };
  let block = read(DIR_LEAF_OFFSET / size);
  for (let depth = 0; block.magic === (v5 ? DA.node5 : DA.node); depth++) {
    if (depth >= DA.maxDepth) throw corrupt(`a hash tree of more than ${DA.maxDepth} levels`, place);
    const i = lowerBound(block.bytes, head, block.count, wanted);
    if (i === block.count) return;
    block = read(indexOf(block.bytes.readUInt32BE(head + i * 8 + 4)));
  }
  for (;;) {
    volume.ctx.budget.step();
    const leaf1 = block.magic === (v5 ? DA.leaf1_5 : DA.leaf1);
    if (!leaf1 && block.magic !== (v5 ? DA.leafN_5 : DA.leafN))
      throw corrupt(`hash block magic 0x${block.magic.toString(16)}`, place);
    yield* addresses(volume, block.bytes, head, block.count, wanted);
    // The same hash may go on in the next leaf.
    const last = block.count > 0 ? block.bytes.readUInt32BE(head + (block.count - 1) * 8) : wanted;
    if (leaf1 || block.forw === 0 || last !== wanted) return;
    block = read(indexOf(block.forw));
  }
}
