/** Directories read block by block. Source: Documentation/filesystems/ext4/directory.rst, fs/ext4/dir.c. */
import { corrupt, GuestError, limit } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { runs } from './data';
import { type ExtInode, inodeSeed } from './inode';
import {
  BLOCK_MAP_SIZE,
  DIRECTORY_ENTRY_HEAD,
  DIRECTORY_TAIL,
  DIRECTORY_TAIL_TYPE,
  DirectoryEntry,
  FLAG,
  INLINE_PARENT,
  MAX_DIRECTORY_BYTES,
} from './layout';
import type { ExtVolume } from './volume';
import { inlineAttribute } from './xattr';

export interface RawEntry {
  readonly inode: number;
  readonly name: ByteString;
  /** `file_type`; 0 where the filesystem does not keep it. */
  readonly type: number;
}

/** Finds one name; how it compares is the directory's business (casefold.ts). */
export interface NameMatcher {
  /** These bytes stand in every entry that can match, so a block without them is skipped unseen; or undefined. */
  readonly needle: Buffer | undefined;
  matches(bytes: Buffer, at: number, length: number): boolean;
}

export function exactMatcher(name: ByteString): NameMatcher {
  const needle = Buffer.from(name, 'latin1');
  return {
    needle,
    matches(bytes, at, length) {
      if (length !== needle.length) return false;
      for (let i = 0; i < length; i++) if (bytes[at + i] !== needle[i]) return false;
      return true;
    },
  };
}

/** Bytes read at once; more than this would go past the page cache below us. */
const CHUNK = 32 * 1024;

/** A stretch of whole blocks (or an inline part, which counts as one block). `bytes` is reused by the next one. */
interface Stretch {
  readonly bytes: Buffer;
  readonly unit: number;
}

function* stretches(volume: ExtVolume, dir: ExtInode): Generator<Stretch> {
  if (dir.isInline) {
    const head = dir.map.subarray(INLINE_PARENT, BLOCK_MAP_SIZE);
    yield { bytes: head, unit: head.length };
    const rest = inlineAttribute(dir);
    if (rest && rest.length > 0) yield { bytes: rest, unit: rest.length };
    return;
  }
  const { ctx, source } = volume;
  const { blockSize } = volume.geometry;
  const end = Math.ceil(dir.size / blockSize);
  const perChunk = Math.max(1, CHUNK / blockSize);
  let scratch: Buffer | undefined;
  let total = 0;
  for (const run of runs(volume, dir)) {
    if (run.logical >= end) return;
    // Holes and unwritten blocks have no entries; the kernel skips them too.
    if (run.physical === 0) continue;
    const count = Math.min(run.count, end - run.logical);
    for (let done = 0; done < count; ) {
      const blocks = Math.min(perChunk, count - done);
      const size = blocks * blockSize;
      total += size;
      if (total > MAX_DIRECTORY_BYTES)
        throw limit(`inode ${dir.id}: directory of more than ${MAX_DIRECTORY_BYTES} bytes`);
      if (!scratch) {
        ctx.budget.allocate(perChunk * blockSize);
        scratch = Buffer.allocUnsafeSlow(perChunk * blockSize);
      }
      ctx.budget.step();
      ctx.budget.read(size);
      const bytes = scratch.subarray(0, size);
      source.read((run.physical + done) * blockSize, bytes);
      yield { bytes, unit: blockSize };
      done += blocks;
    }
  }
}

/** `rec_len` of blocks above 32 KiB does not fit 16 bits (fs/ext4/ext4.h, ext4_rec_len_from_disk()). */
function recordLength(raw: number, unit: number): number {
  if (unit < 65536) return raw;
  return raw === 65535 || raw === 0 ? unit : (raw & 65532) | ((raw & 3) << 16);
}

/** The checked length of the entry at `at`. @throws GuestError `corrupt` */
function entryLength(bytes: Buffer, at: number, end: number, unit: number, dir: ExtInode): number {
  if (at + DIRECTORY_ENTRY_HEAD > end) throw corrupt(`inode ${dir.id}: directory entry cut off by its block`);
  const length = recordLength(DirectoryEntry.fields.rec_len.read(bytes, at), unit);
  const nameLength = bytes[at + 6]!;
  if (length < DIRECTORY_ENTRY_HEAD + nameLength || length < 12 || length & 3 || at + length > end)
    throw corrupt(
      `inode ${dir.id}: directory entry of ${length} bytes with a name of ${nameLength}, ${end - at} bytes are left`,
    );
  return length;
}

/** The inode number that the block [start, end) gives to the name, or 0. @throws GuestError `corrupt` */
export function findInBlock(
  volume: ExtVolume,
  dir: ExtInode,
  bytes: Buffer,
  start: number,
  end: number,
  matcher: NameMatcher,
): number {
  for (let at = start; at < end; ) {
    volume.ctx.budget.step();
    const length = entryLength(bytes, at, end, end - start, dir);
    const inode = bytes.readUInt32LE(at);
    if (inode !== 0 && matcher.matches(bytes, at + DIRECTORY_ENTRY_HEAD, bytes[at + 6]!)) return inode;
    at += length;
  }
  return 0;
}

/** @throws GuestError `corrupt` when the name is not in the sound blocks and there are damaged ones */
export function findLinear(volume: ExtVolume, dir: ExtInode, matcher: NameMatcher): number {
  let damage: GuestError | undefined;
  for (const { bytes, unit } of stretches(volume, dir)) {
    for (let start = 0; start < bytes.length; start += unit) {
      if (matcher.needle) {
        const hit = bytes.indexOf(matcher.needle, start);
        if (hit < 0) break;
        start = hit - (hit % unit);
      }
      try {
        const inode = findInBlock(volume, dir, bytes, start, start + unit, matcher);
        if (inode === 0) continue;
        if (!dir.isInline) verifyLeaf(volume, dir, bytes, start, start + unit);
        return inode;
      } catch (error) {
        if (!(error instanceof GuestError) || error.code !== 'corrupt') throw error;
        damage ??= error;
      }
    }
  }
  if (damage) throw damage;
  return 0;
}

/** All entries but `.` and `..`. Damaged blocks are left out, and told at the end. @throws GuestError `corrupt` */
export function* listEntries(volume: ExtVolume, dir: ExtInode): Generator<RawEntry> {
  let damage: GuestError | undefined;
  for (const { bytes, unit } of stretches(volume, dir)) {
    for (let start = 0; start < bytes.length; start += unit) {
      if (!dir.isInline) verifyLeaf(volume, dir, bytes, start, start + unit);
      for (let at = start; at < start + unit; ) {
        volume.ctx.budget.step();
        let length: number;
        try {
          length = entryLength(bytes, at, start + unit, unit, dir);
        } catch (error) {
          if (!(error instanceof GuestError)) throw error;
          damage ??= error;
          break;
        }
        const inode = bytes.readUInt32LE(at);
        const name = at + DIRECTORY_ENTRY_HEAD;
        const nameLength = bytes[at + 6]!;
        if (inode !== 0 && !isDots(bytes, name, nameLength)) {
          const type = volume.geometry.entryKinds ? bytes[at + 7]! : 0;
          yield { inode, name: bytes.toString('latin1', name, name + nameLength), type };
        }
        at += length;
      }
    }
  }
  if (damage) throw damage;
}

function isDots(bytes: Buffer, at: number, length: number): boolean {
  if (length === 0) return true;
  return length <= 2 && bytes[at] === 0x2e && (length === 1 || bytes[at + 1] === 0x2e);
}

/** Whether one entry, of which the rest of the block is the record, hides a part of a hash tree. */
function isIndexBlock(bytes: Buffer, start: number, end: number): boolean {
  const { rec_len } = DirectoryEntry.fields;
  const unit = end - start;
  const first = recordLength(rec_len.read(bytes, start), unit);
  if (first === unit) return bytes.readUInt32LE(start) === 0;
  return first === 12 && recordLength(rec_len.read(bytes, start + 12), unit) === unit - 12;
}

/** Checks the block's checksum where it has one. An index block has another, and may still show an old leaf's tail. */
export function verifyLeaf(
  volume: ExtVolume,
  dir: ExtInode,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const seed = inodeSeed(volume, dir);
  if (seed === undefined || (dir.flags & FLAG.index && isIndexBlock(bytes, start, end))) return;
  const tail = end - DIRECTORY_TAIL;
  const e = DirectoryEntry.read(bytes, tail);
  if (
    e.inode !== 0 ||
    e.rec_len !== DIRECTORY_TAIL ||
    e.name_len !== 0 ||
    e.file_type !== DIRECTORY_TAIL_TYPE
  )
    return;
  const stored = bytes.readUInt32LE(tail + DIRECTORY_ENTRY_HEAD);
  if (!dir.verifies(stored, () => volume.sums.crc32c(seed, bytes, start, tail)))
    volume.warnOnce('directory', `inode ${dir.id}: directory block with a wrong checksum, used as it stands`);
}
