/** Directory bytes → entries with their long names. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import type { BlockSource } from '../../lib/source/types';
import {
  ATTR_DIRECTORY,
  ATTR_LONG_NAME,
  ATTR_LONG_NAME_MASK,
  ATTR_VOLUME_ID,
  DirectoryEntry,
  ENTRY_SIZE,
  LAST_LONG_ENTRY,
  LongEntry,
  MAX_DIRECTORY_BYTES,
  MAX_LONG_ENTRIES,
  NAME_END,
  NAME_FREE,
} from './layout';
import { longName, longPart, shortName, shortNameSum } from './names';

/** Bytes read at once: a directory's end mark mostly comes early. */
const PIECE = 16 * 1024;

export interface Region {
  readonly at: number;
  readonly length: number;
}

export interface Entry {
  /** The long name where there is one. */
  readonly name: ByteString;
  /** The short name, `NAME.EXT`; never empty. */
  readonly short: ByteString;
  readonly isDirectory: boolean;
  readonly firstCluster: number;
  readonly size: number;
  readonly mtime: number | undefined;
  /** Byte of the filesystem at which the entry stands. */
  readonly position: number;
}

/** A volume label instead of a file: its 11 bytes. */
export interface VolumeLabel {
  readonly volumeLabel: Buffer;
}

/**
 * All entries but free ones, `.` and `..`.
 * @param regions where the directory's bytes are
 * @param wideClusters FAT32: the upper half of the cluster number is in use
 * @throws GuestError `corrupt` when the directory is larger than the format allows
 */
export function* readEntries(
  source: BlockSource,
  regions: Iterable<Region>,
  wideClusters: boolean,
  ctx: Context,
): Generator<Entry | VolumeLabel> {
  const long = new LongNameCollector();
  let piece: Buffer | undefined;
  let total = 0;
  for (const region of regions) {
    for (let done = 0; done < region.length; done += PIECE) {
      const length = Math.min(PIECE, region.length - done);
      total += length;
      if (total > MAX_DIRECTORY_BYTES)
        throw corrupt(`directory of more than ${MAX_DIRECTORY_BYTES} bytes, the format's maximum`);
      if (piece?.length !== length) {
        ctx.budget.allocate(length);
        piece = Buffer.allocUnsafeSlow(length);
      }
      ctx.budget.read(length);
      source.read(region.at + done, piece);
      for (let at = 0; at + ENTRY_SIZE <= length; at += ENTRY_SIZE) {
        ctx.budget.step();
        const first = piece[at]!;
        if (first === NAME_END) return;
        if (first === NAME_FREE) {
          long.reset();
          continue;
        }
        const attributes = DirectoryEntry.fields.DIR_Attr.read(piece, at);
        if ((attributes & ATTR_LONG_NAME_MASK) === ATTR_LONG_NAME) {
          long.add(piece, at);
          continue;
        }
        const e = DirectoryEntry.read(piece, at);
        if (attributes & ATTR_VOLUME_ID) {
          long.reset();
          yield { volumeLabel: Buffer.from(e.DIR_Name) };
          continue;
        }
        const full = long.take(e.DIR_Name);
        const dots = e.DIR_Name.toString('latin1');
        if (dots === '.          ' || dots === '..         ') continue;
        const short = shortName(e.DIR_Name, e.DIR_NTRes);
        if (!usable(short)) continue;
        yield {
          name: full !== undefined && usable(full) ? full : short,
          short,
          isDirectory: (attributes & ATTR_DIRECTORY) !== 0,
          firstCluster: e.DIR_FstClusLO + (wideClusters ? e.DIR_FstClusHI * 0x10000 : 0),
          size: e.DIR_FileSize,
          mtime: unixTime(e.DIR_WrtDate, e.DIR_WrtTime),
          position: region.at + done + at,
        };
      }
    }
  }
}

/** What no path can name is left out. */
function usable(name: ByteString): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

/**
 * Long entries stand before their short one, last part first, each with its place and the short name's sum. Whatever
 * does not fit together is forgotten, and the short name counts (Linux: fat_parse_long).
 */
class LongNameCollector {
  readonly #parts = Buffer.alloc(MAX_LONG_ENTRIES * 26);
  #count = 0;
  /** Parts still to come; 0 with a count: complete. */
  #missing = 0;
  #sum = 0;

  reset(): void {
    this.#count = 0;
  }

  add(bytes: Buffer, at: number): void {
    const order = LongEntry.fields.LDIR_Ord.read(bytes, at);
    const sum = LongEntry.fields.LDIR_Chksum.read(bytes, at);
    const part = order & ~LAST_LONG_ENTRY;
    if (order & LAST_LONG_ENTRY) {
      this.#count = part <= MAX_LONG_ENTRIES ? part : 0;
      this.#missing = part;
      this.#sum = sum;
    }
    if (this.#count === 0 || part === 0 || part !== this.#missing || sum !== this.#sum) {
      this.#count = 0;
      return;
    }
    longPart(bytes, at, this.#parts, part - 1);
    this.#missing--;
  }

  /** The name for the short entry that comes now, if one was collected and is its. */
  take(short: Buffer): ByteString | undefined {
    const complete = this.#count > 0 && this.#missing === 0;
    const name =
      complete && shortNameSum(short) === this.#sum
        ? longName(this.#parts.subarray(0, this.#count * 26))
        : undefined;
    this.#count = 0;
    return name;
  }
}

/** FAT keeps local time without a zone; it is taken for UTC. */
function unixTime(date: number, time: number): number | undefined {
  const month = (date >>> 5) & 0xf;
  const day = date & 0x1f;
  if (month < 1 || month > 12 || day < 1) return undefined;
  const at = Date.UTC(
    1980 + (date >>> 9),
    month - 1,
    day,
    time >>> 11,
    (time >>> 5) & 0x3f,
    (time & 0x1f) * 2,
  );
  return at / 1000;
}
