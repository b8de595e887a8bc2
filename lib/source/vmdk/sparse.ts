/** One sparse extent: VMware's hosted form (also compressed, also with its directory at the end), and ESX' COWD. */
import type { Context } from '../../bytes/budget';
import { inflateZlib } from '../../bytes/decompress/inflate';
import { corrupt, unsupported, within } from '../../bytes/errors';
import { fromBytes } from '../../bytes/text';
import {
  fromParent,
  inFile,
  MappedSource,
  powerOfTwo,
  type Stretch,
  Table,
  Unpacked,
  zeros,
} from '../mapped';
import { type BlockSource, readBytes } from '../types';
import { type Descriptor, parseDescriptor } from './descriptor';
import {
  COWD_GTES,
  COWD_MAGIC,
  CowdHeader,
  DEFLATE,
  FLAG,
  FOOTER_BEFORE_END,
  GD_AT_END,
  GRAIN_MARKER,
  MAGIC,
  MAX_DESCRIPTOR,
  MAX_GRAIN_SECTORS,
  MAX_GTES,
  MAX_PACKED_GRAIN_SECTORS,
  MAX_VERSION,
  SECTOR,
  SESPARSE_MAGIC,
  SparseExtentHeader,
  ZERO_GRAIN,
} from './layout';

export interface Head {
  /** Bytes. */
  readonly size: number;
  readonly grainSize: number;
  /** Entries of a grain table. */
  readonly entries: number;
  readonly directoryAt: number;
  readonly compressed: boolean;
  readonly markers: boolean;
  readonly zeroGrains: boolean;
  readonly descriptor: Descriptor | undefined;
}

/** @returns undefined when the file is no sparse extent */
export function readHead(file: BlockSource, ctx: Context): Head | undefined {
  if (file.size < SECTOR) return undefined;
  const bytes = readBytes(file, 0, SECTOR, ctx);
  const magic = bytes.readUInt32LE(0);
  if (magic === SESPARSE_MAGIC && bytes.readUInt32LE(4) === 0)
    throw unsupported('a VMDK of type seSparse', file.label);
  if (magic === COWD_MAGIC) return cowd(bytes, file);
  if (magic === MAGIC) return hosted(bytes, file, ctx);
  return undefined;
}

function cowd(bytes: Buffer, { label }: BlockSource): Head {
  const h = CowdHeader.read(bytes);
  if (h.version !== 1) throw unsupported(`COWD of version ${h.version}`, label);
  const head = {
    size: h.numSectors * SECTOR,
    grainSize: grainBytes(h.grainSize, label),
    entries: COWD_GTES,
    directoryAt: h.gdOffset * SECTOR,
    compressed: false,
    markers: false,
    zeroGrains: false,
    descriptor: undefined,
  };
  if (h.numGDEntries * COWD_GTES * head.grainSize < head.size)
    throw corrupt(`a directory of ${h.numGDEntries} entries for ${head.size} bytes`, label);
  return head;
}

function hosted(bytes: Buffer, file: BlockSource, ctx: Context): Head {
  const { label } = file;
  let h = SparseExtentHeader.read(bytes);
  const { descriptorOffset, descriptorSize } = h;
  if (h.gdOffset === GD_AT_END) {
    if (file.size < 2 * SECTOR + FOOTER_BEFORE_END) throw corrupt('ends before its footer', label);
    h = SparseExtentHeader.read(readBytes(file, file.size - FOOTER_BEFORE_END, SECTOR, ctx));
    if (h.magicNumber !== MAGIC || h.gdOffset === GD_AT_END)
      throw corrupt('its footer is not where it should be', label);
  }
  if (h.version === 0 || h.version > MAX_VERSION) throw unsupported(`VMDK of version ${h.version}`, label);
  const compressed = (h.flags & FLAG.compressed) !== 0;
  if (compressed && h.compressAlgorithm !== DEFLATE)
    throw unsupported(`compression algorithm ${h.compressAlgorithm}`, label);
  if (h.numGTEsPerGT === 0 || h.numGTEsPerGT > MAX_GTES)
    throw corrupt(`grain tables of ${h.numGTEsPerGT} entries`, label);
  const size = h.capacity * SECTOR;
  const directoryAt = Number(h.gdOffset) * SECTOR;
  if (!Number.isSafeInteger(size)) throw corrupt(`a capacity of ${h.capacity} sectors`, label);
  if (!Number.isSafeInteger(directoryAt) || directoryAt === 0)
    throw corrupt(`grain directory at sector ${h.gdOffset}`, label);
  let descriptor: Descriptor | undefined;
  if (descriptorOffset > 0) {
    const length = descriptorSize * SECTOR;
    if (length > MAX_DESCRIPTOR) throw corrupt(`a descriptor of ${length} bytes`, label);
    const text = fromBytes(readBytes(file, descriptorOffset * SECTOR, length, ctx));
    descriptor = parseDescriptor(text, label, ctx);
  }
  return {
    size,
    grainSize: grainBytes(h.grainSize, label, compressed ? MAX_PACKED_GRAIN_SECTORS : MAX_GRAIN_SECTORS),
    entries: h.numGTEsPerGT,
    directoryAt,
    compressed,
    markers: (h.flags & FLAG.markers) !== 0,
    zeroGrains: (h.flags & FLAG.zeroGrain) !== 0,
    descriptor,
  };
}

function grainBytes(sectors: number, label: string, most: number = MAX_GRAIN_SECTORS): number {
  powerOfTwo(sectors, 1, most, 'grain size', label);
  return sectors * SECTOR;
}

export class SparseExtent extends MappedSource {
  readonly #directory: Table;
  readonly #table: Table;
  readonly #unpacked: Unpacked;
  readonly cid: string | undefined;

  constructor(
    readonly file: BlockSource,
    readonly head: Head,
    readonly parent: BlockSource | undefined,
    readonly ctx: Context,
  ) {
    super(file.label, head.size);
    this.#unpacked = new Unpacked(ctx);
    this.#directory = new Table(file, ctx, 'grain directory');
    this.#table = new Table(file, ctx, 'grain table');
    this.cid = head.descriptor?.cid;
  }

  protected map(at: number): Stretch {
    const found = this.find(at);
    return typeof found === 'number' ? fromParent(this.parent, at, found) : found;
  }

  /** @returns a number where nothing is allocated: for how many bytes */
  find(at: number): Stretch | number {
    this.ctx.budget.step();
    const { grainSize, entries, directoryAt, zeroGrains } = this.head;
    const grain = Math.floor(at / grainSize);
    const inside = at - grain * grainSize;
    const index = Math.floor(grain / entries);
    const row = grain - index * entries;
    const table = this.#directory.u32le(directoryAt + index * 4);
    if (table === 0) return (entries - row) * grainSize - inside;
    const sector = this.#table.u32le(table * SECTOR + row * 4);
    const length = grainSize - inside;
    if (sector === 0) return length;
    if (zeroGrains && sector === ZERO_GRAIN) return zeros(length);
    const place = sector * SECTOR;
    if (!this.head.compressed) return inFile(this.file, place, inside, length);
    return {
      kind: 'packed',
      length,
      unpack: () =>
        this.#unpacked.get(grain, grainSize, (into) => this.#unpack(grain, place, into)).subarray(inside),
    };
  }

  #unpack(grain: number, place: number, into: Uint8Array): void {
    const { file, ctx } = this;
    within(`${this.label} › grain ${grain} at byte ${place}`, () => {
      let start = place;
      /** Without markers the data is as long as a grain at most. */
      let length = into.length;
      if (this.head.markers) {
        const { size } = GRAIN_MARKER.read(readBytes(file, place, GRAIN_MARKER.size, ctx));
        start += GRAIN_MARKER.size;
        if (size === 0 || size > 2 * into.length + 4096) throw corrupt(`${size} bytes of compressed data`);
        length = size;
      }
      length = Math.min(length, file.size - start);
      if (length <= 0) throw corrupt('lies beyond the end of the file');
      const got = inflateZlib(this.#unpacked.read(file, start, length), into, true);
      // The last grain may be cut where the disk ends.
      const needed = Math.min(into.length, this.size - grain * into.length);
      if (got < needed) throw corrupt(`${got} bytes come out, ${needed} are needed`);
      into.fill(0, got);
    });
  }
}
