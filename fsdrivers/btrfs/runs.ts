/** A file's extent items → runs of bytes whose values have been checked. */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { countAt, EXTENT, FileExtent, FileExtentPlace, KEY, MAX_PACKED } from './layout';
import type { Cursor, Item } from './tree';

export type Run = {
  /** Byte of the file. */
  readonly start: number;
  readonly length: number;
} & (
  | { readonly kind: 'hole' }
  | { readonly kind: 'inline'; readonly bytes: Buffer; readonly compression: number; readonly ram: number }
  | {
      readonly kind: 'stored';
      readonly compression: number;
      /** The extent on the disk, of which the run may be a part. */
      readonly logical: number;
      readonly stored: number;
      /** Bytes that it unpacks to. */
      readonly ram: number;
      /** Where in the (unpacked) extent the run begins. */
      readonly offset: number;
    }
);

const { ram_bytes, compression: packing, encryption, other_encoding, type: kind } = FileExtent.fields;
const { disk_bytenr, disk_num_bytes, offset: inside, num_bytes } = FileExtentPlace.fields;

/**
 * Field by field: a file may have thousands of them.
 * @throws GuestError `corrupt`, `unsupported`
 */
export function readRun(item: Item, sectorSize: number): Run {
  const { bytes, view, at, size } = item;
  if (size < FileExtent.size) throw corrupt(`extent item of ${size} bytes`);
  if (at + size > bytes.length) throw corrupt(`extent item of ${size} bytes at ${at}`);
  const start = item.offset;
  const ram = countAt(view, at + ram_bytes.at);
  const compression = bytes[at + packing.at]!;
  const type = bytes[at + kind.at]!;
  if (bytes[at + encryption.at] !== 0) throw unsupported(`encryption ${encryption.read(bytes, at)}`);
  if (other_encoding.read(bytes, at) !== 0) throw unsupported(`encoding ${other_encoding.read(bytes, at)}`);
  if (compression > 3) throw unsupported(`compression ${compression}`);
  if (start < 0 || !Number.isSafeInteger(start) || start % sectorSize !== 0)
    throw corrupt(`extent at byte ${start}`);
  if (type === EXTENT.inline) {
    const length = size - FileExtent.size;
    if (start !== 0) throw corrupt(`inline extent at byte ${start}`);
    if (ram > MAX_PACKED || (compression === 0 && ram !== length))
      throw corrupt(`inline extent of ${length} bytes for ${ram}`);
    // A copy: the run outlives the leaf.
    const data = Buffer.from(bytes.subarray(at + FileExtent.size, at + size));
    return { kind: 'inline', start, length: ram, bytes: data, compression, ram };
  }
  if (type !== EXTENT.regular && type !== EXTENT.prealloc) throw corrupt(`extent type ${type}`);
  if (size !== FileExtentPlace.size) throw corrupt(`extent item of ${size} bytes`);
  const length = countAt(view, at + num_bytes.at);
  const logical = countAt(view, at + disk_bytenr.at);
  const stored = countAt(view, at + disk_num_bytes.at);
  const offset = countAt(view, at + inside.at);
  if (length === 0 || length % sectorSize !== 0 || !Number.isSafeInteger(start + length))
    throw corrupt(`extent of ${length} bytes`);
  if (logical === 0 || type === EXTENT.prealloc) return { kind: 'hole', start, length };
  const room = compression === 0 ? stored : ram;
  if (offset + length > room) throw corrupt(`${length} bytes at ${offset} of an extent of ${room}`);
  if (logical % sectorSize !== 0 || stored % sectorSize !== 0)
    throw corrupt(`extent of ${stored} bytes at ${logical}`);
  if (compression !== 0 && (ram > MAX_PACKED || stored > MAX_PACKED || stored === 0))
    throw corrupt(`compressed extent of ${stored} bytes for ${ram}, at most ${MAX_PACKED}`);
  return {
    kind: 'stored',
    start,
    length,
    compression,
    logical,
    stored,
    ram,
    offset,
  };
}

/** All runs of one inode in one tree, in order. @throws GuestError `corrupt` when they overlap */
export function* runsOf(cursor: Cursor, inode: number, sectorSize: number): Generator<Run> {
  let end = 0;
  for (;;) {
    const item = cursor.of(inode, KEY.extentData);
    if (!item) return;
    const run = readRun(item, sectorSize);
    if (run.start < end) throw corrupt(`extents overlap at byte ${run.start}`);
    end = run.start + run.length;
    cursor.next();
    yield run;
  }
}

/** The part [from, to) of a run. */
function part(run: Run, from: number, to: number): Run {
  if (run.kind === 'inline') return { ...run, length: Math.min(run.length, to - run.start) };
  const cut = { ...run, start: from, length: to - from };
  return cut.kind === 'stored' ? { ...cut, offset: cut.offset + (from - run.start) } : cut;
}

/** `below`, with what `above` covers replaced by it. */
export function* overlaid(below: Iterable<Run>, above: Iterable<Run>): Generator<Run> {
  const over = above[Symbol.iterator]();
  let top = over.next();
  for (const run of below) {
    const end = run.start + run.length;
    let from = run.start;
    while (!top.done && top.value.start < end) {
      const next = top.value;
      if (next.start > from) yield part(run, from, next.start);
      yield next;
      from = Math.max(from, next.start + next.length);
      top = over.next();
    }
    if (from < end && (from === run.start || run.kind !== 'inline')) yield part(run, from, end);
  }
  for (; !top.done; top = over.next()) yield top.value;
}
