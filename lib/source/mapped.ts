/**
 * What the image formats share: a disk whose stretches lie somewhere in files, come unpacked, or are zeros. A format says
 * where the bytes are; that stretches which lie together become one read is done here, once.
 */
import type { Context } from '../bytes/budget';
import { corrupt } from '../bytes/errors';
import { type BlockSource, checkRange, readMany, readOnce, totalLength } from './types';

/** What lies at a place of the disk, and for how many bytes (at least one; it may go on beyond the disk's end). */
export type Stretch =
  | { readonly kind: 'data'; readonly source: BlockSource; readonly at: number; readonly length: number }
  | { readonly kind: 'zero'; readonly length: number }
  | { readonly kind: 'packed'; readonly length: number; unpack(): Uint8Array };

export const zeros = (length: number): Stretch => ({ kind: 'zero', length });

/** `length` bytes of a parent (backing file), which may be shorter than its child: zeros follow it then. */
export function fromParent(parent: BlockSource | undefined, at: number, length: number): Stretch {
  if (!parent || at >= parent.size) return zeros(length);
  return { kind: 'data', source: parent, at, length: Math.min(length, parent.size - at) };
}

/**
 * The rest of a cluster from byte `inside` on. The file may end within its last cluster, and zeros follow; one that lies
 * wholly beyond the end is an error.
 */
export function inFile(file: BlockSource, cluster: number, inside: number, length: number): Stretch {
  if (cluster >= file.size)
    throw corrupt(`data at byte ${cluster} lies beyond the end of the file (${file.size} bytes)`, file.label);
  const at = cluster + inside;
  const left = Math.min(length, file.size - at);
  return left > 0 ? { kind: 'data', source: file, at, length: left } : zeros(length);
}

export abstract class MappedSource implements BlockSource {
  /** The stretch that `#together` looked at and could not join, and its place. */
  #ahead: Stretch | undefined;
  #aheadAt = -1;

  constructor(
    readonly label: string,
    readonly size: number,
    readonly sectorSize = 512,
  ) {}

  /** @param at inside the disk */
  protected abstract map(at: number): Stretch;

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    for (let done = 0; done < into.length; ) {
      const stretch = this.#together(at + done, into.length - done);
      const part = into.subarray(done, done + stretch.length);
      if (stretch.kind === 'zero') part.fill(0);
      else if (stretch.kind === 'data') readOnce(stretch.source, stretch.at, part);
      else part.set(stretch.unpack().subarray(0, part.length));
      done += part.length;
    }
  }

  readMany(at: number, into: readonly Uint8Array[]): void {
    const length = totalLength(into);
    checkRange(this, at, length);
    if (length === 0) return;
    const stretch = this.#together(at, length);
    if (stretch.kind === 'data' && stretch.length === length) {
      readMany(stretch.source, stretch.at, into);
      return;
    }
    let place = at;
    for (const buffer of into) {
      this.read(place, buffer);
      place += buffer.length;
    }
  }

  /** The stretch at `at`, with those that continue it, at most `want` bytes. */
  #together(at: number, want: number): Stretch {
    const first = at === this.#aheadAt ? this.#ahead! : this.map(at);
    this.#aheadAt = -1;
    if (first.kind === 'packed' || first.length >= want)
      return { ...first, length: Math.min(first.length, want) };
    let { length } = first;
    while (length < want) {
      const next = this.map(at + length);
      const joins =
        next.kind === first.kind &&
        (next.kind === 'zero' ||
          (first.kind === 'data' &&
            next.kind === 'data' &&
            next.source === first.source &&
            next.at === first.at + length));
      if (!joins) {
        this.#ahead = next;
        this.#aheadAt = at + length;
        break;
      }
      length += next.length;
    }
    return { ...first, length: Math.min(length, want) };
  }
}

const SLICE = 4096;

/** Entries of a table in a file, read when they are asked for; one slice is held, the file's own cache holds more. */
export class Table {
  #slice: Buffer = Buffer.alloc(0);
  #start = 0;
  #spare: Buffer | undefined;

  /** @param what for messages: `L2 table` */
  constructor(
    readonly file: BlockSource,
    readonly ctx: Context,
    readonly what: string,
  ) {}

  u32le(at: number): number {
    const p = this.#find(at, 4);
    return this.#slice.readUInt32LE(p);
  }
  u32be(at: number): number {
    const p = this.#find(at, 4);
    return this.#slice.readUInt32BE(p);
  }
  /** `count` bytes, valid until the next call. */
  bytes(at: number, count: number): Buffer {
    const p = this.#find(at, count);
    return this.#slice.subarray(p, p + count);
  }

  /** @returns where in the slice `count` (at most 4096) bytes at `at` are */
  #find(at: number, count: number): number {
    const p = at - this.#start;
    if (p >= 0 && p + count <= this.#slice.length) return p;
    const { file, ctx } = this;
    if (!(at >= 0 && at + count <= file.size))
      throw corrupt(
        `${this.what}: the entry at byte ${at} lies beyond the end of the file (${file.size} bytes)`,
        file.label,
      );
    const inside = at % SLICE;
    const start = inside + count <= SLICE ? at - inside : at;
    const length = Math.min(SLICE, file.size - start);
    this.#spare ??= Buffer.allocUnsafeSlow(SLICE);
    ctx.budget.step();
    ctx.budget.read(length);
    this.#slice = this.#spare.subarray(0, 0);
    const slice = this.#spare.subarray(0, length);
    file.read(start, slice);
    this.#start = start;
    this.#slice = slice;
    return at - start;
  }
}

/** Bytes of unpacked clusters that are kept. */
const KEPT = 4 * 1024 * 1024;

/** What was unpacked last: a cluster is read in several pieces. Its buffers count against the budget. */
export class Unpacked {
  readonly #kept = new Map<number, Uint8Array>();
  #packed: Buffer = Buffer.alloc(0);

  constructor(readonly ctx: Context) {}

  /** @param make fills all of the buffer or throws */
  get(key: number, length: number, make: (into: Uint8Array) => void): Uint8Array {
    const known = this.#kept.get(key);
    if (known) return known;
    let into: Uint8Array | undefined;
    if (this.#kept.size > 0 && (this.#kept.size + 1) * length > KEPT) {
      const [oldest, buffer] = this.#kept.entries().next().value as [number, Uint8Array];
      this.#kept.delete(oldest);
      if (buffer.length === length) into = buffer;
    }
    into ??= this.#buffer(length);
    make(into);
    this.#kept.set(key, into);
    return into;
  }

  /** `length` bytes at `at` of a file, still packed; good until the next call. */
  read(file: BlockSource, at: number, length: number): Uint8Array {
    this.ctx.budget.read(length);
    if (this.#packed.length < length) this.#packed = this.#buffer(length);
    const from = this.#packed.subarray(0, length);
    readOnce(file, at, from);
    return from;
  }

  #buffer(length: number): Buffer {
    this.ctx.budget.allocate(length);
    return Buffer.allocUnsafeSlow(length);
  }
}

/** @throws GuestError `corrupt` unless `value` is a power of two from `least` to `most` */
export function powerOfTwo(value: number, least: number, most: number, what: string, label: string): void {
  if (value < least || value > most || !Number.isInteger(Math.log2(value)))
    throw corrupt(`${what} of ${value}, a power of two from ${least} to ${most} is allowed`, label);
}
