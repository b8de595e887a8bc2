/** The one door to the disk. */
import type { Context } from '../../lib/bytes/budget';
import { type BlockSource, checkRange, readBytes, readOnce } from '../../lib/source/types';

/** Bytes of metadata by their place: the disk, or the metabox. */
export interface Metadata {
  read(at: number, length: number): Buffer;
}

/** Keeps what was used last, as far as `most` bytes go. */
export class Recent<K> {
  readonly #kept = new Map<K, Buffer>();
  #bytes = 0;
  constructor(readonly most: number) {}

  get(key: K, make: () => Buffer): Buffer {
    let value = this.#kept.get(key);
    if (value) {
      this.#kept.delete(key);
      this.#kept.set(key, value);
      return value;
    }
    value = make();
    this.#kept.set(key, value);
    this.#bytes += value.length;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= this.most || oldest === key) break;
      this.#kept.delete(oldest);
      this.#bytes -= old.length;
    }
    return value;
  }
}

/** Blocks of metadata: about those of a directory of 100,000 names, which lookups go over by halves. */
const METADATA_BYTES = 4 * 1024 * 1024;
/** Stored clusters of this much go past the page cache, which others can use better. */
const PAST_CACHE = 16 * 1024;

export class ErofsDisk implements Metadata {
  readonly #blocks = new Recent<number>(METADATA_BYTES);
  readonly blockSize: number;

  constructor(
    readonly source: BlockSource,
    readonly ctx: Context,
    readonly blockBits: number,
  ) {
    this.blockSize = 2 ** blockBits;
  }

  /** Metadata, kept by blocks. */
  read(at: number, length: number): Buffer {
    const { ctx, blockSize } = this;
    ctx.budget.step();
    checkRange(this.source, at, length);
    const offset = at % blockSize;
    if (offset + length <= blockSize) return this.#block(at - offset).subarray(offset, offset + length);
    ctx.budget.allocate(length);
    const into = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length; ) {
      const from = (at + done) % blockSize;
      const part = this.#block(at + done - from).subarray(from, from + length - done);
      into.set(part, done);
      done += part.length;
    }
    return into;
  }

  #block(at: number): Buffer {
    return this.#blocks.get(at, () => {
      // An image may end inside its last block.
      return readBytes(this.source, at, Math.min(this.blockSize, this.source.size - at), this.ctx);
    });
  }

  /** A compressed cluster as it is stored: wanted once. */
  stored(at: number, length: number): Buffer {
    const { source, ctx } = this;
    if (length < PAST_CACHE) return readBytes(source, at, length, ctx);
    checkRange(source, at, length);
    ctx.budget.step();
    ctx.budget.read(length);
    ctx.budget.allocate(length);
    const into = Buffer.allocUnsafeSlow(length);
    readOnce(source, at, into);
    return into;
  }
}
