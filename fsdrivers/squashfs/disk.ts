/** The one door to the disk: blocks of data and metadata, unpacked, with a few of them kept. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, within } from '../../lib/bytes/errors';
import { type BlockSource, checkRange, readBytes, readOnce } from '../../lib/source/types';
import type { Decompress } from './compressor';
import { DATA_FLAGS, DATA_STORED, METADATA_SIZE, METADATA_STORED, Pointer } from './layout';

/** Keeps the values used last, at most so many; what could not be made is not tried again either. */
class Recent<K, V> {
  readonly #values = new Map<K, V | GuestError>();
  constructor(readonly most: number) {}

  /** @throws GuestError what `make` throws */
  get(key: K, make: () => V): V {
    let value = this.#values.get(key);
    if (value === undefined) {
      value = attempt(make);
      if (this.#values.size >= this.most) {
        for (const oldest of this.#values.keys()) {
          this.#values.delete(oldest);
          break;
        }
      }
    } else this.#values.delete(key);
    this.#values.set(key, value);
    // A new one each time: places are added to an error on its way up.
    if (value instanceof GuestError) throw new GuestError(value.code, value.message, [...value.where]);
    return value;
  }
}

/** A used-up budget is not the block's fault, a sector that the host cannot read may be read the next time. */
function attempt<V>(make: () => V): V | GuestError {
  try {
    return make();
  } catch (error) {
    if (error instanceof GuestError && (error.code === 'corrupt' || error.code === 'unsupported'))
      return error;
    throw error;
  }
}

interface MetadataBlock {
  readonly bytes: Buffer;
  /** Where the next one begins on the disk. */
  readonly next: number;
}

/** A place in the metadata: a block's place on the disk, and an offset in what it unpacks to. */
export interface Place {
  readonly block: number;
  readonly offset: number;
}

/** 1 MiB: a listing of 30,000 names with their inodes touches about as much. */
const METADATA_BLOCKS = 128;
/** At most 3 MiB. Small files that lie together share a fragment. */
const FRAGMENT_BLOCKS = 3;
/** Stored blocks of this much go past the page cache, which others can use better. */
const PAST_CACHE = 16 * 1024;

export class SquashDisk {
  readonly #metadata = new Recent<number, MetadataBlock>(METADATA_BLOCKS);
  readonly #fragments = new Recent<number, Buffer>(FRAGMENT_BLOCKS);

  constructor(
    readonly source: BlockSource,
    readonly ctx: Context,
    /** Bytes of a data block. */
    readonly blockSize: number,
    readonly decompress: Decompress,
    /** Bytes of the filesystem. */
    readonly size: number,
  ) {}

  /** `length` bytes of metadata from `place` on, over as many blocks as it takes. */
  read(place: Place, length: number): Buffer {
    const reader = this.reader(place);
    return reader.take(length);
  }

  reader(place: Place): MetadataReader {
    return new MetadataReader(this, place);
  }

  metadata(at: number): MetadataBlock {
    return this.#metadata.get(at, () => within(`metadata block at ${at}`, () => this.#readMetadata(at)));
  }

  #readMetadata(at: number): MetadataBlock {
    this.#inside(at, 2);
    const header = readBytes(this.source, at, 2, this.ctx).readUInt16LE(0);
    const stored = header & ~METADATA_STORED || METADATA_STORED;
    if (stored > METADATA_SIZE) throw corrupt(`${stored} bytes, at most ${METADATA_SIZE}`);
    this.#inside(at + 2, stored);
    const raw = readBytes(this.source, at + 2, stored, this.ctx);
    const next = at + 2 + stored;
    if (header & METADATA_STORED) return { bytes: raw, next };
    this.ctx.budget.allocate(METADATA_SIZE);
    const into = Buffer.allocUnsafeSlow(METADATA_SIZE);
    const length = this.decompress(raw, into);
    if (length === 0) throw corrupt('nothing comes out');
    return { bytes: into.subarray(0, length), next };
  }

  /** A place on the disk, from one of the tables that are not packed. */
  pointer(at: number): number {
    this.#inside(at, 8);
    return Pointer.read(readBytes(this.source, at, 8, this.ctx)).start;
  }

  /** Bytes that a block's size field stands for. @throws GuestError `corrupt` for flags and sizes that cannot be */
  stored(size: number): number {
    const stored = size & (DATA_STORED - 1);
    if ((size & DATA_FLAGS) !== 0 || stored > this.blockSize)
      throw corrupt(`block size field 0x${size.toString(16)}, blocks are of ${this.blockSize} bytes`);
    return stored;
  }

  /** A block of data that gives exactly `length` bytes. */
  data(at: number, size: number, length: number): Buffer {
    return within(`block at ${at}`, () => {
      const bytes = this.#block(at, size, length);
      if (bytes.length !== length) throw corrupt(`${bytes.length} bytes instead of ${length}`);
      return bytes;
    });
  }

  /** A fragment block; it may be shorter than others. */
  fragment(at: number, size: number): Buffer {
    return this.#fragments.get(at, () =>
      within(`fragment at ${at}`, () => this.#block(at, size, this.blockSize)),
    );
  }

  /** @param most bytes that may come out */
  #block(at: number, size: number, most: number): Buffer {
    const stored = this.stored(size);
    this.#inside(at, stored);
    const { source, ctx } = this;
    let raw: Buffer;
    if (stored < PAST_CACHE) raw = readBytes(source, at, stored, ctx);
    else {
      ctx.budget.step();
      ctx.budget.read(stored);
      ctx.budget.allocate(stored);
      raw = Buffer.allocUnsafeSlow(stored);
      readOnce(source, at, raw);
    }
    if (size & DATA_STORED) return raw;
    ctx.budget.allocate(most);
    const into = Buffer.allocUnsafeSlow(most);
    return into.subarray(0, this.decompress(raw, into));
  }

  #inside(at: number, length: number): void {
    if (at + length > this.size)
      throw corrupt(`${length} bytes at ${at} lie beyond the filesystem (${this.size} bytes)`);
    checkRange(this.source, at, length);
  }
}

/** Reads metadata forward, from block to block. */
export class MetadataReader {
  #current: MetadataBlock;
  #offset: number;

  constructor(
    readonly disk: SquashDisk,
    place: Place,
  ) {
    this.#current = disk.metadata(place.block);
    this.#offset = place.offset;
    if (place.offset > this.#current.bytes.length)
      throw corrupt(`offset ${place.offset} in a metadata block of ${this.#current.bytes.length} bytes`);
  }

  take(length: number): Buffer {
    const { disk } = this;
    disk.ctx.budget.step();
    const end = this.#offset + length;
    if (end <= this.#current.bytes.length) {
      const bytes = this.#current.bytes.subarray(this.#offset, end);
      this.#offset = end;
      return bytes;
    }
    disk.ctx.budget.allocate(length);
    const into = Buffer.allocUnsafe(length);
    for (let done = 0; ; ) {
      const { bytes, next } = this.#current;
      const part = Math.min(length - done, bytes.length - this.#offset);
      into.set(bytes.subarray(this.#offset, this.#offset + part), done);
      done += part;
      this.#offset += part;
      if (done === length) return into;
      // A block always lies behind the one before it: this ends.
      this.#current = disk.metadata(next);
      this.#offset = 0;
    }
  }
}
