/** Directory bytes → records, one for each file: the sections of a file of several extents are put together. */
import { corrupt, GuestError, limit } from '../../lib/bytes/errors';
import type { IsoDisk, Section } from './disk';
import { DirectoryRecord, FLAG, MAX_DIRECTORY_BYTES, MAX_SECTIONS, PARENT, SELF } from './layout';

/** Bytes looked at in one go; a cache of pages lies below. */
const WINDOW = 16 * 1024;

export interface IsoRecord {
  /** Byte of the disk at which the (first) record stands. */
  readonly position: number;
  readonly flags: number;
  /** Not longer than the file: the extended attribute record's blocks are left out. */
  readonly sections: readonly Section[];
  /** Bytes of all sections. */
  readonly size: number;
  readonly identifier: Buffer;
  /** What follows the identifier: the System Use field, ready for SUSP. */
  readonly systemUse: Buffer;
  /** Seven bytes (dates.ts). */
  readonly time: Buffer;
  /** Recorded in turns with another file. */
  readonly interleaved: boolean;
}

/** The identifier's only byte when it stands for the directory itself or its parent. */
export const isSelf = (r: IsoRecord): boolean => r.identifier.length === 1 && r.identifier[0] === SELF;
export const isParent = (r: IsoRecord): boolean => r.identifier.length === 1 && r.identifier[0] === PARENT;

interface RawRecord extends IsoRecord {
  readonly length: number;
}

/**
 * The records in order, `.` and `..` too. Where a record makes no sense the rest of its block is passed over, so that
 * the names in sound blocks are found; `damaged` is told.
 * @param size bytes of the directory
 */
export function* readRecords(
  disk: IsoDisk,
  sections: readonly Section[],
  size: number,
  damaged: (error: GuestError) => void,
): Generator<IsoRecord> {
  if (size > MAX_DIRECTORY_BYTES) throw limit(`directory of ${size} bytes, maximum ${MAX_DIRECTORY_BYTES}`);
  disk.check(sections);
  let window: Buffer = Buffer.alloc(0);
  let start = 0;
  /** [at, at+length) of the directory is in the window. Records are not to cross sectors; Linux bears with it. */
  const load = (at: number, length: number) => {
    if (at >= start && at + length <= start + window.length) return;
    start = at;
    window = disk.read(sections, at, Math.min(Math.max(WINDOW, length), size - at));
  };
  let open: { first: RawRecord; sections: Section[]; size: number } | undefined;
  for (let at = 0; at < size; ) {
    disk.ctx.budget.step();
    load(at, 1);
    const length = window[at - start]!;
    // The rest of a sector that the next record did not fit into is zeros.
    const next = (Math.floor(at / disk.blockSize) + 1) * disk.blockSize;
    if (length === 0) {
      at = next;
      continue;
    }
    let record: RawRecord;
    try {
      if (at + length > size)
        throw corrupt(`record of ${length} bytes, ${size - at} are left of the directory`);
      load(at, length);
      record = readRecord(disk, window, at - start, position(sections, at));
      if (open && !open.first.identifier.equals(record.identifier))
        throw corrupt('the sections of a file end without the last one');
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      error.where.unshift(`directory record at byte ${position(sections, at)}`);
      damaged(error);
      open = undefined;
      at = next;
      continue;
    }
    at += length;
    if (open) {
      if (open.sections.length >= MAX_SECTIONS) throw limit(`file of more than ${MAX_SECTIONS} sections`);
      open.sections.push(...record.sections);
      open.size += record.size;
    } else if (record.flags & FLAG.multiExtent)
      open = { first: record, sections: [...record.sections], size: record.size };
    if (!open) yield record;
    else if (!(record.flags & FLAG.multiExtent)) {
      const file = { ...open.first, sections: joined(open.sections), size: open.size };
      open = undefined;
      yield file;
    }
  }
  if (open)
    damaged(
      corrupt(
        'the sections of a file end without the last one',
        `directory record at byte ${open.first.position}`,
      ),
    );
}

/** @throws GuestError `corrupt` */
export function readRecord(disk: IsoDisk, bytes: Buffer, at: number, place: number): RawRecord {
  const length = bytes[at]!;
  if (length < DirectoryRecord.size + 1) throw corrupt(`record of ${length} bytes, minimum 34`);
  const r = DirectoryRecord.read(bytes, at);
  const nameAt = at + DirectoryRecord.size;
  const nameEnd = nameAt + r.LengthOfFileIdentifier;
  if (r.LengthOfFileIdentifier === 0 || nameEnd > at + length)
    throw corrupt(`identifier of ${r.LengthOfFileIdentifier} bytes in a record of ${length}`);
  if (r.LocationOfExtent !== r.LocationOfExtentBE || r.DataLength !== r.DataLengthBE)
    disk.warnOnce(
      'record byte orders',
      `directory record at byte ${place}: block ${r.LocationOfExtent} or ${r.LocationOfExtentBE}, ${r.DataLength} or ${r.DataLengthBE} bytes by byte order; the first are used`,
    );
  // A byte of padding makes the identifier's place even (9.1.12).
  const useAt = Math.min(nameEnd + ((r.LengthOfFileIdentifier & 1) ^ 1), at + length);
  const block = r.LocationOfExtent + r.ExtendedAttributeRecordLength;
  return {
    length,
    position: place,
    flags: r.FileFlags,
    sections: [{ at: block * disk.blockSize, length: r.DataLength }],
    size: r.DataLength,
    identifier: bytes.subarray(nameAt, nameEnd),
    systemUse: bytes.subarray(useAt, at + length),
    time: r.RecordingDateAndTime,
    interleaved: r.InterleaveGapSize !== 0,
  };
}

/** Neighbours as one. */
function joined(sections: readonly Section[]): Section[] {
  const out: Section[] = [];
  for (const section of sections) {
    const last = out[out.length - 1];
    if (last && last.at + last.length === section.at)
      out[out.length - 1] = { at: last.at, length: last.length + section.length };
    else if (section.length > 0) out.push(section);
  }
  return out;
}

/** Byte of the disk. */
function position(sections: readonly Section[], at: number): number {
  let start = 0;
  for (const section of sections) {
    if (at < start + section.length) return section.at + at - start;
    start += section.length;
  }
  return start;
}
