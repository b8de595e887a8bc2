/** A directory's index: a B+ tree of file names in the order of the volume's capital letters. */
import { corrupt, GuestError, within } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { fromUtf16 } from '../../lib/bytes/utf16';
import {
  ATTR,
  COLLATION_FILE_NAME,
  DOS_NAME,
  ENTRY,
  FileName,
  I30,
  INDEX_BLOCK_HEADER,
  INDEX_DEPTH,
  INDEX_ROOT_HEADER,
  IndexBlock,
  IndexEntry,
  IndexHeader,
  IndexRoot,
  STRIDE,
} from './layout';
import { type MftRecord, putRight, type Reference, reference } from './record';
import type { RunMap } from './runs';
import type { NtfsVolume } from './volume';

/** Bytes of an index block; Windows has 4,096. */
const BLOCK_MOST = 65536;
const BITMAP_MOST = 16 * 1024 * 1024;

/** A name in the index; its bytes are those of the block. */
export class Entry {
  constructor(
    readonly bytes: Buffer,
    readonly at: number,
  ) {}

  get file(): Reference {
    return reference(this.bytes, this.at);
  }

  /** Where the attribute begins that is the key. */
  get #key(): number {
    return this.at + IndexEntry.size;
  }

  get attributes(): number {
    return FileName.fields.file_attributes.read(this.bytes, this.#key);
  }

  get isDosName(): boolean {
    return FileName.fields.file_name_type.read(this.bytes, this.#key) === DOS_NAME;
  }

  get length(): number {
    return FileName.fields.file_name_length.read(this.bytes, this.#key);
  }

  get name(): ByteString {
    return fromUtf16(this.bytes, this.#key + FileName.size, this.length);
  }

  unit(i: number): number {
    const at = this.#key + FileName.size + 2 * i;
    return this.bytes[at]! | (this.bytes[at + 1]! << 8);
  }
}

/** A name that is looked for, as the index is sorted: without regard to case. */
export class Wanted {
  readonly #folded: Uint16Array;

  constructor(
    readonly units: Uint16Array,
    readonly upcase: Uint16Array,
  ) {
    this.#folded = units.map((unit) => upcase[unit]!);
  }

  /** Below 0: the entry stands before it. */
  compare(entry: Entry): number {
    const { length } = entry;
    const common = Math.min(length, this.#folded.length);
    for (let i = 0; i < common; i++) {
      const difference = this.upcase[entry.unit(i)]! - this.#folded[i]!;
      if (difference !== 0) return difference;
    }
    return length - this.#folded.length;
  }

  isExactly(entry: Entry): boolean {
    return entry.length === this.units.length && this.units.every((unit, i) => unit === entry.unit(i));
  }
}

export class DirectoryIndex {
  readonly #volume: NtfsVolume;
  readonly #record: MftRecord;
  readonly #root: Buffer;
  readonly #blockBytes: number;
  /** Bytes for which a block's number counts. */
  readonly #blockUnit: number;
  #blocks: { readonly map: RunMap; readonly size: number } | undefined;

  /** @throws GuestError `corrupt` */
  constructor(volume: NtfsVolume, record: MftRecord) {
    this.#volume = volume;
    this.#record = record;
    const root = volume.attribute(record, ATTR.indexRoot, I30)?.resident;
    if (!root) throw corrupt('a directory without the root of its index', record.place);
    const r = within(record.place, () => IndexRoot.read(root));
    const size = r.index_block_size;
    if (r.type !== ATTR.fileName || r.collation_rule !== COLLATION_FILE_NAME)
      throw corrupt(
        `an index of attribute 0x${r.type.toString(16)} by rule ${r.collation_rule}`,
        record.place,
      );
    if (size < STRIDE || size > BLOCK_MOST || (size & (size - 1)) !== 0)
      throw corrupt(`index blocks of ${size} bytes`, record.place);
    this.#root = root;
    this.#blockBytes = size;
    const { clusterBytes } = volume.geometry;
    this.#blockUnit = clusterBytes <= size ? clusterBytes : STRIDE;
  }

  /**
   * All names in order, or those from the first on that is not before `wanted`. DOS names are among them.
   * @throws GuestError `corrupt`
   */
  names(wanted?: Wanted): Generator<Entry> {
    return this.#node(this.#root, INDEX_ROOT_HEADER, wanted, new Set(), 0);
  }

  /** All names in whatever order, without regard to the tree: what is left of a damaged one. */
  *rest(): Generator<Entry> {
    for (const { entry } of this.#entries(this.#root, INDEX_ROOT_HEADER)) if (entry) yield entry;
    const bitmap = this.#volume.attribute(this.#record, ATTR.bitmap, I30);
    if (!bitmap) return;
    const used = this.#volume.bytes(bitmap, BITMAP_MOST, 'index bitmap');
    this.#blocks ??= this.#openBlocks();
    const count = Math.min(used.length * 8, Math.floor(this.#blocks.size / this.#blockBytes));
    for (let i = 0; i < count; i++) {
      this.#volume.ctx.budget.step();
      if (!(used[i >> 3]! & (1 << (i & 7)))) continue;
      try {
        const block = this.#block(i * (this.#blockBytes / this.#blockUnit));
        for (const { entry } of this.#entries(block, INDEX_BLOCK_HEADER)) if (entry) yield entry;
      } catch (error) {
        if (!(error instanceof GuestError) || error.code !== 'corrupt') throw error;
      }
    }
  }

  *#node(
    bytes: Buffer,
    header: number,
    wanted: Wanted | undefined,
    seen: Set<number>,
    depth: number,
  ): Generator<Entry> {
    if (depth > INDEX_DEPTH) throw corrupt(`an index of more than ${INDEX_DEPTH} levels`, this.#record.place);
    for (const { entry, child } of this.#entries(bytes, header)) {
      // What stands below an entry is before it.
      if (entry && wanted && wanted.compare(entry) < 0) continue;
      if (child !== undefined) {
        if (seen.has(child)) throw corrupt(`index block ${child} is in it twice`, this.#record.place);
        seen.add(child);
        yield* this.#node(this.#block(child), INDEX_BLOCK_HEADER, wanted, seen, depth + 1);
      }
      if (entry) yield entry;
    }
  }

  /** The last one has no name. */
  *#entries(
    bytes: Buffer,
    header: number,
  ): Generator<{ entry: Entry | undefined; child: number | undefined }> {
    const { place } = this.#record;
    const { entries_offset, index_length } = within(place, () => IndexHeader.read(bytes, header));
    const end = header + index_length;
    if (end > bytes.length)
      throw corrupt(`${index_length} bytes of index in a node of ${bytes.length}`, place);
    for (let at = header + entries_offset; ; ) {
      this.#volume.ctx.budget.step();
      if (at + IndexEntry.size > end) throw corrupt('an index node without its last entry', place);
      const e = IndexEntry.read(bytes, at);
      const isLast = (e.flags & ENTRY.end) !== 0;
      const hasChild = (e.flags & ENTRY.node) !== 0;
      const least = IndexEntry.size + (hasChild ? 8 : 0) + (isLast ? 0 : FileName.size);
      if (e.length < least || e.length % 8 !== 0 || at + e.length > end)
        throw corrupt(`index entry of ${e.length} bytes at ${at}`, place);
      const entry = isLast ? undefined : new Entry(bytes, at);
      if (entry && least + 2 * entry.length > e.length)
        throw corrupt(`name of ${entry.length} characters in an index entry of ${e.length} bytes`, place);
      yield {
        entry,
        child: hasChild ? Number(bytes.readBigUInt64LE(at + e.length - 8)) : undefined,
      };
      if (isLast) return;
      at += e.length;
    }
  }

  #block(number: number): Buffer {
    return within(this.#record.place, () =>
      within(`index block ${number}`, () => {
        this.#blocks ??= this.#openBlocks();
        const { map, size } = this.#blocks;
        if (number * this.#blockUnit + this.#blockBytes > size)
          throw corrupt(`beyond the ${size} bytes of the index`);
        const block = map.read(number * this.#blockUnit, this.#blockBytes);
        putRight(block, 'INDX');
        const { index_block_vcn } = IndexBlock.read(block);
        if (index_block_vcn !== number) throw corrupt(`it says that it is block ${index_block_vcn}`);
        return block;
      }),
    );
  }

  #openBlocks() {
    const attribute = this.#volume.attribute(this.#record, ATTR.indexAllocation, I30);
    if (!attribute || attribute.resident) throw corrupt('the index has no blocks');
    return { map: this.#volume.map(attribute), size: attribute.initialized };
  }
}
