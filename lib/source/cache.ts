import { GuestError } from '../bytes/errors';
import { type BlockSource, checkRange, readMany, readOnce, totalLength } from './types';

const PAGE = 16 * 1024;
/** 4 MiB of metadata; a full directory walk of 100,000 names touches less than that again. */
const PAGES = 256;
/** Reads of at least this much are file data: straight through, no copy kept. */
const BYPASS = 64 * 1024;

/**
 * Small reads from a page cache, large ones past it. Metadata lies close together: 16-KiB pages turn the 26,000 reads
 * that pygrub needs into about a hundred, and cost less than 1 MiB of reading ahead.
 */
export class CacheSource implements BlockSource {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;
  readonly cached = true;
  readonly #pages = new Map<number, Buffer>();

  constructor(readonly parent: BlockSource) {
    this.label = parent.label;
    this.size = parent.size;
    this.sectorSize = parent.sectorSize;
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    if (into.length >= BYPASS) {
      this.parent.read(at, into);
      return;
    }
    let done = 0;
    while (done < into.length) {
      const place = at + done;
      const index = Math.floor(place / PAGE);
      const from = place - index * PAGE;
      const count = Math.min(PAGE - from, into.length - done);
      const page = this.#page(index);
      if (page) into.set(page.subarray(from, from + count), done);
      // A bad sector beside what is wanted: the host may still give the wanted bytes alone.
      else this.parent.read(place, into.subarray(done, done + count));
      done += count;
    }
  }

  readOnce(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    readOnce(this.parent, at, into);
  }

  readMany(at: number, into: readonly Uint8Array[]): void {
    checkRange(this, at, totalLength(into));
    readMany(this.parent, at, into);
  }

  willRead(at: number, length: number): void {
    this.parent.willRead?.(at, length);
  }

  /** Undefined when the host cannot read all of the page. */
  #page(index: number): Buffer | undefined {
    const found = this.#pages.get(index);
    if (found) return found;
    let page: Buffer;
    if (this.#pages.size >= PAGES) {
      // The oldest page goes, and its memory is used again.
      const [oldest, buffer] = this.#pages.entries().next().value as [number, Buffer];
      this.#pages.delete(oldest);
      page = buffer.length === PAGE ? buffer : Buffer.allocUnsafeSlow(PAGE);
    } else page = Buffer.allocUnsafeSlow(PAGE);
    const start = index * PAGE;
    if (start + PAGE > this.size) page = Buffer.allocUnsafeSlow(this.size - start);
    try {
      this.parent.read(start, page);
    } catch (error) {
      if (error instanceof GuestError && error.code === 'io') return undefined;
      throw error;
    }
    this.#pages.set(index, page);
    return page;
  }
}
