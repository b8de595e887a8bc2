/** Directory bytes → entry sets → files with their names. */
import { corrupt } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { fromUtf16 } from '../../lib/bytes/utf16';
import {
  BENIGN,
  DIRECTORY_MOST,
  ENTRY_SIZE,
  FileEntry,
  IN_USE,
  NAME_AT,
  NAME_UNITS,
  OFFSET_VALID,
  SECONDARY,
  StreamEntry,
  TYPE,
} from './layout';
import type { ExfatVolume, Region } from './volume';

/** Bytes read at once: a directory's end mark mostly comes early. */
const PIECE = 16 * 1024;
/** A step of the budget pays for so many entries. */
const ENTRIES_A_STEP = 4;
const MOST_IN_SET = 256;

/** A primary entry and, for files, its secondary ones: at `at` of `bytes` until the next turn. */
export interface EntrySet {
  readonly type: number;
  readonly bytes: Buffer;
  readonly at: number;
  readonly length: number;
  /** Byte of the directory at which it begins. */
  readonly offset: number;
}

/**
 * All sets in use. Sets that are broken off are left out with a warning, as are critical entries without a meaning here.
 * @param regions where the directory's bytes are
 * @param place for messages
 * @throws GuestError `corrupt` when the directory is larger than the format allows
 */
export function* entrySets(
  volume: ExfatVolume,
  regions: Iterable<Region>,
  place: string,
): Generator<EntrySet> {
  const { source, ctx } = volume;
  /** What is read, behind what is left of a set that the last piece began. */
  const bytes = Buffer.allocUnsafeSlow(PIECE + MOST_IN_SET * ENTRY_SIZE);
  let filled = 0;
  let offset = 0;
  /** The secondary entries of a primary one that was passed over. */
  let passing = false;
  const broken = (at: number) =>
    volume.warnOnce('set', `exFAT ${place}: broken entry set at byte ${at}, its file is not shown`);
  ctx.budget.allocate(bytes.length);
  for (const region of regions) {
    for (let done = 0; done < region.length; done += PIECE) {
      const count = Math.min(PIECE, region.length - done);
      ctx.budget.read(count);
      ctx.budget.step(Math.ceil(count / ENTRY_SIZE / ENTRIES_A_STEP));
      source.read(region.at + done, bytes.subarray(filled, filled + count));
      filled += count;
      if (offset + filled > DIRECTORY_MOST)
        throw corrupt(`more than ${DIRECTORY_MOST} bytes, the format's maximum`, place);
      let at = 0;
      while (at + ENTRY_SIZE <= filled) {
        const type = bytes[at]!;
        if (type === TYPE.end) return;
        let length = ENTRY_SIZE;
        if (!(type & IN_USE)) passing = false;
        else if (type & SECONDARY) {
          if (!passing) broken(offset + at);
        } else {
          passing = false;
          if (type === TYPE.file) {
            const size = (1 + FileEntry.fields.SecondaryCount.read(bytes, at)) * ENTRY_SIZE;
            while (length < size && at + length < filled && isSecondary(bytes[at + length]!))
              length += ENTRY_SIZE;
            if (length < size && at + length === filled) break;
            if (length === size && size > ENTRY_SIZE) yield { type, bytes, at, length, offset: offset + at };
            else broken(offset + at);
          } else if (type === TYPE.bitmap || type === TYPE.upcase || type === TYPE.label)
            yield { type, bytes, at, length, offset: offset + at };
          else {
            passing = true;
            if (!(type & BENIGN))
              volume.warnOnce(
                'critical',
                `exFAT ${place}: critical entry of unknown type 0x${type.toString(16)} at byte ${offset + at}, passed over`,
              );
          }
        }
        at += length;
      }
      bytes.copyWithin(0, at, filled);
      filled -= at;
      offset += at;
    }
  }
  if (filled > 0) broken(offset);
}

const isSecondary = (type: number): boolean => (type & (IN_USE | SECONDARY)) === (IN_USE | SECONDARY);

/** One file or directory; what is read of it is read when asked for. */
export class FileSet {
  readonly #set: EntrySet;
  /** Code units of the name; 0: the set is broken. */
  readonly nameLength: number;

  constructor(set: EntrySet) {
    this.#set = set;
    const { bytes, at } = set;
    const count = set.length / ENTRY_SIZE;
    const length = StreamEntry.fields.NameLength.read(bytes, at + ENTRY_SIZE);
    const names = Math.ceil(length / NAME_UNITS);
    let fits = bytes[at + ENTRY_SIZE] === TYPE.stream && count >= 2 + names;
    for (let i = 2; fits && i < count; i++) {
      const type = bytes[at + i * ENTRY_SIZE]!;
      // Behind the name: benign entries of vendors.
      fits = i < 2 + names ? type === TYPE.name : (type & BENIGN) !== 0;
    }
    this.nameLength = fits ? length : 0;
  }

  get offset(): number {
    return this.#set.offset;
  }

  /** Code unit `i` of the name. */
  unit(i: number): number {
    const at = this.#set.at + (2 + Math.floor(i / NAME_UNITS)) * ENTRY_SIZE + NAME_AT + (i % NAME_UNITS) * 2;
    return this.#set.bytes[at]! | (this.#set.bytes[at + 1]! << 8);
  }

  get name(): ByteString {
    const units = Buffer.allocUnsafe(this.nameLength * 2);
    for (let i = 0; i < this.nameLength; i++) units.writeUInt16LE(this.unit(i), i * 2);
    return fromUtf16(units, 0, this.nameLength);
  }

  get file() {
    return FileEntry.read(this.#set.bytes, this.#set.at);
  }

  get stream() {
    return StreamEntry.read(this.#set.bytes, this.#set.at + ENTRY_SIZE);
  }

  /** Section 6.3.3: over all entries of the set but the sum itself. */
  get isSound(): boolean {
    const { bytes, at, length } = this.#set;
    let sum = 0;
    for (let i = 0; i < length; i++)
      if (i !== 2 && i !== 3) sum = (((sum << 15) | (sum >>> 1)) + bytes[at + i]!) & 0xffff;
    return sum === this.file.SetChecksum;
  }
}

/** Section 7.6.4: of the name in capitals. */
export function nameHash(upcased: Uint16Array): number {
  let hash = 0;
  for (const unit of upcased)
    for (const byte of [unit & 0xff, unit >>> 8]) hash = (((hash << 15) | (hash >>> 1)) + byte) & 0xffff;
  return hash;
}

/** Section 7.4.8; without a valid offset it is local time, and taken for UTC. */
export function unixTime(stamp: number, offset: number): number | undefined {
  const month = (stamp >>> 21) & 0xf;
  const day = (stamp >>> 16) & 0x1f;
  if (month < 1 || month > 12 || day < 1) return undefined;
  const at = Date.UTC(
    1980 + (stamp >>> 25),
    month - 1,
    day,
    (stamp >>> 11) & 0x1f,
    (stamp >>> 5) & 0x3f,
    (stamp & 0x1f) * 2,
  );
  // Seven bits with a sign.
  const quarters = offset & OFFSET_VALID ? (offset << 25) >> 25 : 0;
  return at / 1000 - quarters * 15 * 60;
}
