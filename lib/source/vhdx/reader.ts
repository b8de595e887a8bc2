/** VHDX: the newer of two headers, regions, metadata, and one table of blocks (with bitmaps of sectors between). */
import type { Context } from '../../bytes/budget';
import { checksums } from '../../bytes/checksum';
import { corrupt, GuestError, unsupported } from '../../bytes/errors';
import { safe } from '../../bytes/struct';
import { type ByteString, printable } from '../../bytes/text';
import { fromUtf16 } from '../../bytes/utf16';
import type { ImageReader, Reference } from '../format';
import { fromParent, inFile, MappedSource, powerOfTwo, type Stretch, Table, zeros } from '../mapped';
import { type BlockSource, readBytes } from '../types';
import {
  BAT,
  FILE_TYPE,
  FileParameters,
  FULLY_PRESENT,
  HAS_PARENT,
  HEADER_BYTES,
  HEADERS_AT,
  Header,
  ITEM,
  LocatorEntry,
  LocatorHeader,
  MAX_BLOCK,
  MAX_LOCATOR,
  MAX_LOCATOR_ENTRIES,
  MAX_METADATA,
  MAX_REGIONS,
  METADATA,
  MetadataEntry,
  MetadataTable,
  MIN_BLOCK,
  NOT_PRESENT,
  PARTIALLY_PRESENT,
  REGION_TABLE_BYTES,
  REGION_TABLES_AT,
  REQUIRED,
  Region,
  RegionTable,
  SECTORS_PER_BITMAP,
  UNDEFINED,
  UNMAPPED,
  ZERO,
} from './layout';
import { replay, sumRight } from './log';

function guid(b: Buffer): string {
  const hex = Buffer.concat([
    Buffer.from(b.subarray(0, 4)).reverse(),
    Buffer.from(b.subarray(4, 6)).reverse(),
    Buffer.from(b.subarray(6, 8)).reverse(),
    b.subarray(8),
  ]).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function readHeader(file: BlockSource, ctx: Context) {
  const { label } = file;
  if (file.size < 8 || readBytes(file, 0, 8, ctx).toString('latin1') !== FILE_TYPE)
    throw corrupt('not a VHDX image', label);
  const { crc32c } = checksums();
  let newest: ReturnType<typeof Header.read> | undefined;
  for (const at of HEADERS_AT) {
    if (at + HEADER_BYTES > file.size) continue;
    const bytes = readBytes(file, at, HEADER_BYTES, ctx);
    const h = Header.read(bytes);
    if (h.Signature !== 'head' || !sumRight(bytes, crc32c)) continue;
    if (!newest || h.SequenceNumber > newest.SequenceNumber) newest = h;
  }
  if (!newest) throw corrupt('neither of its headers is sound', label);
  if (newest.Version !== 1) throw unsupported(`VHDX of version ${newest.Version}`, label);
  if (newest.LogVersion !== 0) throw unsupported(`VHDX with a log of version ${newest.LogVersion}`, label);
  return newest;
}

interface Place {
  readonly at: number;
  readonly length: number;
}

function readRegions(file: BlockSource, ctx: Context): { bat: Place; metadata: Place } {
  const { label } = file;
  const { crc32c } = checksums();
  for (const at of REGION_TABLES_AT) {
    if (at + REGION_TABLE_BYTES > file.size) continue;
    const bytes = readBytes(file, at, REGION_TABLE_BYTES, ctx);
    const { Signature, EntryCount } = RegionTable.read(bytes);
    if (Signature !== 'regi' || EntryCount > MAX_REGIONS || !sumRight(bytes, crc32c)) continue;
    const found = new Map<string, Place>();
    for (let i = 0; i < EntryCount; i++) {
      const r = Region.read(bytes, RegionTable.size + i * Region.size);
      const id = guid(r.Guid);
      if (id !== BAT && id !== METADATA && r.Required & 1) throw unsupported(`needs a region ${id}`, label);
      found.set(id, { at: r.FileOffset, length: r.Length });
    }
    const bat = found.get(BAT);
    const metadata = found.get(METADATA);
    if (!bat || !metadata) throw corrupt('no block table, or no metadata, among its regions', label);
    return { bat, metadata };
  }
  throw corrupt('neither of its region tables is sound', label);
}

interface Head {
  readonly size: number;
  readonly blockSize: number;
  readonly sectorSize: number;
  readonly bat: Place;
  readonly dataWriteGuid: string;
  readonly parent: { readonly reference: Reference; readonly linkage: readonly string[] } | undefined;
  /** With its log replayed. */
  readonly file: BlockSource;
}

/** @param file with its log replayed */
function readHead(file: BlockSource, header: ReturnType<typeof readHeader>, ctx: Context): Head {
  const { label } = file;
  const { bat, metadata } = readRegions(file, ctx);
  const table = readBytes(file, metadata.at, MetadataTable.size, ctx);
  const { Signature, EntryCount } = MetadataTable.read(table);
  if (Signature !== 'metadata' || EntryCount > MAX_METADATA)
    throw corrupt(`metadata table at byte ${metadata.at}`, label);
  const known = new Set<string>(Object.values(ITEM));
  const items = new Map<string, Place>();
  const entries = readBytes(file, metadata.at + MetadataTable.size, EntryCount * MetadataEntry.size, ctx);
  for (let i = 0; i < EntryCount; i++) {
    const e = MetadataEntry.read(entries, i * MetadataEntry.size);
    const id = guid(e.ItemId);
    if (!known.has(id) && e.Flags & REQUIRED) throw unsupported(`needs a metadata item ${id}`, label);
    items.set(id, { at: metadata.at + e.Offset, length: e.Length });
  }
  const item = (id: string, length: number, what: string): Buffer => {
    const place = items.get(id);
    if (!place || place.length < length) throw corrupt(`no ${what} in its metadata`, label);
    return readBytes(file, place.at, length, ctx);
  };
  const parameters = FileParameters.read(item(ITEM.fileParameters, FileParameters.size, 'file parameters'));
  const sizeBytes = item(ITEM.virtualDiskSize, 8, 'size');
  const size = safe(sizeBytes.readUInt32LE(4), sizeBytes.readUInt32LE(0));
  const sectorSize = item(ITEM.logicalSectorSize, 4, 'sector size').readUInt32LE(0);
  powerOfTwo(parameters.BlockSize, MIN_BLOCK, MAX_BLOCK, 'block size', label);
  if (sectorSize !== 512 && sectorSize !== 4096) throw corrupt(`sectors of ${sectorSize} bytes`, label);
  let parent: Head['parent'];
  if (parameters.Flags & HAS_PARENT) {
    const place = items.get(ITEM.parentLocator);
    if (!place || place.length > MAX_LOCATOR) throw corrupt('no parent locator that could be read', label);
    parent = readLocator(readBytes(file, place.at, place.length, ctx), label);
  }
  return {
    size,
    blockSize: parameters.BlockSize,
    sectorSize,
    bat,
    dataWriteGuid: guid(header.DataWriteGuid),
    parent,
    file,
  };
}

function readLocator(bytes: Buffer, label: string): NonNullable<Head['parent']> {
  const { KeyValueCount } = LocatorHeader.read(bytes);
  if (KeyValueCount > MAX_LOCATOR_ENTRIES)
    throw corrupt(`parent locator with ${KeyValueCount} entries`, label);
  const values = new Map<ByteString, ByteString>();
  for (let i = 0; i < KeyValueCount; i++) {
    const e = LocatorEntry.read(bytes, LocatorHeader.size + i * LocatorEntry.size);
    if (e.KeyOffset + e.KeyLength > bytes.length || e.ValueOffset + e.ValueLength > bytes.length)
      throw corrupt(`parent locator: entry ${i} goes beyond it`, label);
    values.set(
      fromUtf16(bytes, e.KeyOffset, e.KeyLength >> 1),
      fromUtf16(bytes, e.ValueOffset, e.ValueLength >> 1),
    );
  }
  const relative = values.get('relative_path');
  const absolute = values.get('absolute_win32_path') ?? values.get('volume_path');
  const name = relative?.replaceAll('\\', '/') ?? absolute?.replace(/^.*\\/s, '');
  if (name === undefined) throw corrupt('its parent is not named', label);
  const linkage = ['parent_linkage', 'parent_linkage2'].flatMap((key) => {
    const id = values.get(key);
    return id === undefined ? [] : [id.replace(/[{}]/g, '').toLowerCase()];
  });
  return { reference: { what: 'parent', name, format: 'vhdx' }, linkage };
}

export const reader: ImageReader = {
  references(file, ctx) {
    // Without its log, which is long: a parent that only the log names will not be found.
    const { parent } = readHead(file, readHeader(file, ctx), ctx);
    return parent ? [parent.reference] : [];
  },

  open(file, ctx, options) {
    const header = readHeader(file, ctx);
    const head = readHead(replay(file, header, ctx), header, ctx);
    const parent = head.parent && options.resolve(head.parent.reference);
    if (head.parent && parent) {
      const id = (parent as { dataWriteGuid?: string }).dataWriteGuid ?? 'not a VHDX';
      if (!head.parent.linkage.includes(id))
        throw new GuestError(
          'corrupt',
          `${printable(head.parent.reference.name)} is not the parent that this image was made from, or has changed (${id}, wanted ${printable(head.parent.linkage.join(' or '))})`,
          [file.label],
        );
    }
    return new Vhdx(head, parent, ctx);
  },
};

class Vhdx extends MappedSource {
  readonly #bat: Table;
  readonly #bitmap: Table;
  readonly #ratio: number;
  readonly dataWriteGuid: string;

  constructor(
    readonly head: Head,
    readonly parent: BlockSource | undefined,
    readonly ctx: Context,
  ) {
    super(head.file.label, head.size, head.sectorSize);
    this.#bat = new Table(head.file, ctx, 'block table');
    this.#bitmap = new Table(head.file, ctx, 'sector bitmap');
    this.#ratio = (SECTORS_PER_BITMAP * head.sectorSize) / head.blockSize;
    this.dataWriteGuid = head.dataWriteGuid;
  }

  protected map(at: number): Stretch {
    this.ctx.budget.step();
    const { blockSize, file } = this.head;
    const block = Math.floor(at / blockSize);
    const inside = at - block * blockSize;
    const length = blockSize - inside;
    const chunk = Math.floor(block / this.#ratio);
    const { state, place } = this.#entry(block + chunk);
    switch (state) {
      case NOT_PRESENT:
        return fromParent(this.parent, at, length);
      case UNDEFINED:
      case ZERO:
      case UNMAPPED:
        return zeros(length);
      case FULLY_PRESENT:
        return inFile(file, place, inside, length);
      case PARTIALLY_PRESENT:
        if (this.parent) return this.#partial(at, chunk, place, inside);
    }
    throw corrupt(`at byte ${at} of the disk: a block of state ${state}`, this.label);
  }

  #entry(index: number): { state: number; place: number } {
    const { bat } = this.head;
    if ((index + 1) * 8 > bat.length)
      throw corrupt(`block table of ${bat.length} bytes has no entry ${index}`, this.label);
    const low = this.#bat.u32le(bat.at + index * 8);
    const high = this.#bat.u32le(bat.at + index * 8 + 4);
    const place = (high * 2 ** 12 + (low >>> 20)) * 2 ** 20;
    if (!Number.isSafeInteger(place)) throw corrupt(`block table: entry ${index}`, this.label);
    return { state: low & 7, place };
  }

  /** The lowest bit of a byte is the first sector; one that is not set is the parent's. */
  #partial(at: number, chunk: number, place: number, inside: number): Stretch {
    const { sectorSize, blockSize, file } = this.head;
    const bitmap = this.#entry((chunk + 1) * this.#ratio + chunk);
    if (bitmap.state !== FULLY_PRESENT)
      throw corrupt(`at byte ${at} of the disk: its sector bitmap is not there`, this.label);
    const own = (sector: number) =>
      (this.#bitmap.bytes(bitmap.place + (sector >> 3), 1)[0]! >> (sector & 7)) & 1;
    const start = (at - inside) / sectorSize - chunk * SECTORS_PER_BITMAP;
    const first = start + Math.floor(inside / sectorSize);
    const last = start + blockSize / sectorSize;
    const same = own(first);
    let end = first + 1;
    while (end < last && (end & 7) !== 0 && own(end) === same) end++;
    if ((end & 7) === 0) {
      const whole = same ? 0xff : 0;
      while (end < last && this.#bitmap.bytes(bitmap.place + (end >> 3), 1)[0] === whole) end += 8;
    }
    const length = Math.min((end - start) * sectorSize, blockSize) - inside;
    return same ? inFile(file, place, inside, length) : fromParent(this.parent, at, length);
  }
}
