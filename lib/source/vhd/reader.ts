/** VHD: a footer; unless the disk is fixed, a table of blocks, each with a bitmap of the sectors that were written. */
import type { Context } from '../../bytes/budget';
import { corrupt, GuestError, unsupported } from '../../bytes/errors';
import { type ByteString, fromBytes, printable } from '../../bytes/text';
import { fromUtf16 } from '../../bytes/utf16';
import type { ImageReader, Reference } from '../format';
import { fromParent, inFile, MappedSource, powerOfTwo, type Stretch, Table, zeros } from '../mapped';
import { type BlockSource, readBytes, SliceSource } from '../types';
import {
  CHECKSUM_AT,
  COOKIE,
  DIFFERENCING,
  DYNAMIC,
  DYNAMIC_CHECKSUM_AT,
  DYNAMIC_COOKIE,
  DynamicHeader,
  FIXED,
  Footer,
  LOCATORS,
  LOCATORS_AT,
  MAC_URL,
  MAX_BLOCK,
  MAX_LOCATOR,
  MIN_BLOCK,
  ParentLocator,
  RELATIVE,
  UNALLOCATED,
} from './layout';

const SECTOR = 512;

/** One's complement of the sum of all bytes but the sum's own. */
function checksumRight(bytes: Buffer, at: number): boolean {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) if (i < at || i >= at + 4) sum += bytes[i]!;
  return ~sum >>> 0 === bytes.readUInt32BE(at);
}

/** The footer at the end, or its copy at the start; one with a right checksum before one without. */
function readFooter(file: BlockSource, ctx: Context) {
  const places = [file.size - Footer.size, 0];
  let second: Buffer | undefined;
  for (const at of places) {
    if (at < 0) continue;
    const bytes = readBytes(file, at, Footer.size, ctx);
    if (bytes.toString('latin1', 0, 8) !== COOKIE) continue;
    if (checksumRight(bytes, CHECKSUM_AT)) return Footer.read(bytes);
    second ??= bytes;
  }
  if (!second) throw corrupt('not a VHD image', file.label);
  ctx.warn(`${file.label}: the checksum of its footer is wrong`);
  return Footer.read(second);
}

/** True when the last 512 bytes are a sound footer: so a fixed disk is told from a raw one. */
export function endsWithFooter(file: BlockSource): boolean {
  if (file.size < Footer.size || file.size % SECTOR !== 0) return false;
  const bytes = Buffer.alloc(Footer.size);
  file.read(file.size - Footer.size, bytes);
  return bytes.toString('latin1', 0, 8) === COOKIE && checksumRight(bytes, CHECKSUM_AT);
}

interface Head {
  readonly size: number;
  readonly type: number;
  readonly id: Buffer;
  /** Absent on a fixed disk. */
  readonly dynamic: Dynamic | undefined;
}

interface Dynamic {
  readonly tableAt: number;
  readonly blockSize: number;
  readonly parentId: Buffer;
  readonly parent: Reference | undefined;
}

function readHead(file: BlockSource, ctx: Context): Head {
  const { label } = file;
  const f = readFooter(file, ctx);
  if (f.FileFormatVersion >>> 16 !== 1)
    throw unsupported(`VHD of version 0x${f.FileFormatVersion.toString(16)}`, label);
  const head = { size: f.CurrentSize, type: f.DiskType, id: f.UniqueId, dynamic: undefined };
  if (f.DiskType === FIXED) {
    if (f.CurrentSize > file.size - Footer.size)
      throw corrupt(`a fixed disk of ${f.CurrentSize} bytes in a file of ${file.size}`, label);
    return head;
  }
  if (f.DiskType !== DYNAMIC && f.DiskType !== DIFFERENCING)
    throw unsupported(`a VHD image of type ${f.DiskType}`, label);
  if (f.DataOffset > BigInt(file.size)) throw corrupt(`dynamic header at byte ${f.DataOffset}`, label);
  const bytes = readBytes(file, Number(f.DataOffset), DynamicHeader.size, ctx);
  const d = DynamicHeader.read(bytes);
  if (d.Cookie !== DYNAMIC_COOKIE) throw corrupt('no dynamic header where the footer says', label);
  if (!checksumRight(bytes, DYNAMIC_CHECKSUM_AT))
    ctx.warn(`${label}: the checksum of its dynamic header is wrong`);
  powerOfTwo(d.BlockSize, MIN_BLOCK, MAX_BLOCK, 'block size', label);
  if (f.CurrentSize > d.MaxTableEntries * d.BlockSize)
    throw corrupt(`a disk of ${f.CurrentSize} bytes in ${d.MaxTableEntries} blocks`, label);
  return {
    ...head,
    dynamic: {
      tableAt: d.TableOffset,
      blockSize: d.BlockSize,
      parentId: d.ParentUniqueId,
      parent:
        f.DiskType === DIFFERENCING
          ? { what: 'parent', name: parentName(file, bytes, ctx), format: 'vhd' }
          : undefined,
    },
  };
}

/** The relative locator, the Mac's URL, else the last part of the parent's name. */
function parentName(file: BlockSource, header: Buffer, ctx: Context): ByteString {
  let url: ByteString | undefined;
  for (let i = 0; i < LOCATORS; i++) {
    const l = ParentLocator.read(header, LOCATORS_AT + i * ParentLocator.size);
    if (l.PlatformCode !== RELATIVE && l.PlatformCode !== MAC_URL) continue;
    if (l.PlatformDataLength === 0 || l.PlatformDataLength > MAX_LOCATOR)
      throw corrupt(`parent locator of ${l.PlatformDataLength} bytes, maximum ${MAX_LOCATOR}`, file.label);
    const bytes = readBytes(file, l.PlatformDataOffset, l.PlatformDataLength, ctx);
    if (l.PlatformCode === RELATIVE) return fromWindows(fromUtf16(bytes, 0, bytes.length >> 1));
    url ??= fromBytes(bytes)
      .replace(/\0.*$/s, '')
      .replace(/^file:\/\//, '');
  }
  if (url !== undefined) return url;
  const name = Buffer.from(header.subarray(64, 64 + 512)).swap16();
  const text = fromUtf16(name, 0, 256).replace(/\0.*$/s, '');
  return text.replace(/^.*[\\/]/s, '');
}

const fromWindows = (path: ByteString): ByteString => path.replace(/\0.*$/s, '').replaceAll('\\', '/');

export const reader: ImageReader = {
  references(file, ctx) {
    const parent = readHead(file, ctx).dynamic?.parent;
    return parent ? [parent] : [];
  },

  open(file, ctx, options) {
    const head = readHead(file, ctx);
    const { dynamic } = head;
    if (!dynamic) return new Fixed(file, head.size, head.id);
    let parent: BlockSource | undefined;
    if (dynamic.parent) {
      parent = options.resolve(dynamic.parent);
      const id = (parent as { vhdId?: Buffer }).vhdId;
      if (!id?.equals(dynamic.parentId))
        throw new GuestError(
          'corrupt',
          `${printable(dynamic.parent.name)} is not the parent that this image was made from (${id?.toString('hex')}, wanted ${dynamic.parentId.toString('hex')})`,
          [file.label],
        );
    }
    return new Sparse(file, head, dynamic, parent, ctx);
  },
};

class Fixed extends SliceSource {
  constructor(
    file: BlockSource,
    size: number,
    readonly vhdId: Buffer,
  ) {
    super(file, 0, size, file.label);
  }
}

class Sparse extends MappedSource {
  readonly #table: Table;
  readonly #bitmap: Table;
  readonly #bitmapBytes: number;
  readonly vhdId: Buffer;

  constructor(
    readonly file: BlockSource,
    head: Head,
    readonly dynamic: Dynamic,
    readonly parent: BlockSource | undefined,
    readonly ctx: Context,
  ) {
    super(file.label, head.size);
    this.vhdId = head.id;
    this.#table = new Table(file, ctx, 'block table');
    this.#bitmap = new Table(file, ctx, 'sector bitmap');
    this.#bitmapBytes = Math.ceil(dynamic.blockSize / SECTOR / 8 / SECTOR) * SECTOR;
  }

  protected map(at: number): Stretch {
    this.ctx.budget.step();
    const { blockSize, tableAt } = this.dynamic;
    const block = Math.floor(at / blockSize);
    const inside = at - block * blockSize;
    const sector = this.#table.u32be(tableAt + block * 4);
    if (sector === UNALLOCATED) return fromParent(this.parent, at, blockSize - inside);
    const start = sector * SECTOR;
    // The highest bit of a byte is the first sector. A sector that was never written is the parent's, or zeros.
    const first = Math.floor(inside / SECTOR);
    const sectors = blockSize / SECTOR;
    const written = this.#written(start, first);
    let end = first + 1;
    while (end < sectors && (end & 7) !== 0 && this.#written(start, end) === written) end++;
    if ((end & 7) === 0) {
      const whole = written ? 0xff : 0;
      while (end < sectors && this.#bitmap.bytes(start + (end >> 3), 1)[0] === whole) end += 8;
    }
    const length = Math.min(end * SECTOR, blockSize) - inside;
    if (!written) return this.parent ? fromParent(this.parent, at, length) : zeros(length);
    return inFile(this.file, start + this.#bitmapBytes, inside, length);
  }

  #written(start: number, sector: number): boolean {
    return ((this.#bitmap.bytes(start + (sector >> 3), 1)[0]! >> (7 - (sector & 7))) & 1) === 1;
  }
}
