/** What a packed kernel holds, as bytes that can be read at any place: backwards costs unpacking again from the start. */
import type { Context } from '../bytes/budget';
import { corrupt } from '../bytes/errors';
import type { BlockSource } from '../source/types';
import { KernelFile } from './file';
import { type Packed, packedBytes, unpack } from './unpack';

const NOTHING = new Uint8Array(0);

class Unpacked implements BlockSource {
  readonly sectorSize = 512;
  /** Read once, when something is wanted: from then on what it lies in may be written over. */
  #from: Buffer | undefined;
  #pieces: Generator<Uint8Array> | undefined;
  #piece: Uint8Array = NOTHING;
  /** Place of the first byte of `#piece`. */
  #start = 0;
  #ended = false;

  constructor(
    readonly packed: Packed,
    readonly label: string,
    readonly size: number,
    readonly ctx: Context,
  ) {}

  #begin(): Generator<Uint8Array> {
    this.#from ??= packedBytes(this.packed, this.ctx);
    this.#pieces = unpack(this.packed, this.#from, this.ctx);
    return this.#pieces;
  }

  #restart(): void {
    this.#pieces = undefined;
    this.#piece = NOTHING;
    this.#start = 0;
    this.#ended = false;
  }

  #next(): boolean {
    this.#start += this.#piece.length;
    this.#piece = NOTHING;
    const next = (this.#pieces ?? this.#begin()).next();
    if (next.done) this.#ended = true;
    else this.#piece = next.value;
    return !this.#ended;
  }

  /** All of it, in pieces that are valid until the next one is asked for. What was read before is not unpacked again. */
  *all(): Generator<Uint8Array> {
    if (this.#start > 0 || this.#ended) this.#restart();
    do {
      if (this.#piece.length > 0) yield this.#piece;
    } while (this.#next());
  }

  /** Goes on to the end, where most formats have their checks. */
  finish(): void {
    while (!this.#ended) this.#next();
  }

  /** @returns how many bytes there were */
  readSome(at: number, into: Uint8Array): number {
    if (at < this.#start) this.#restart();
    let done = 0;
    while (done < into.length) {
      const from = at + done - this.#start;
      if (from >= this.#piece.length) {
        if (this.#ended || !this.#next()) break;
        continue;
      }
      const part = this.#piece.subarray(from, from + into.length - done);
      into.set(part, done);
      done += part.length;
    }
    return done;
  }

  read(at: number, into: Uint8Array): void {
    if (this.readSome(at, into) < into.length) throw corrupt(`ends after ${this.#start} bytes`, this.label);
  }
}

/** A file as long as the image promises, or as is allowed at most where it does not. */
export class UnpackedKernel extends KernelFile {
  readonly #unpacked: Unpacked;

  constructor(packed: Packed, ctx: Context) {
    const size = packed.size ?? ctx.budget.limits.payloadBytes;
    const unpacked = new Unpacked(packed, `${packed.compression} payload`, size, ctx);
    super(unpacked, size);
    this.#unpacked = unpacked;
  }

  override upTo(at: number, length: number, ctx: Context): Buffer {
    ctx.budget.allocate(length);
    const into = Buffer.alloc(length);
    return into.subarray(0, this.#unpacked.readSome(at, into));
  }

  /** See Unpacked.finish. */
  finish(): void {
    this.#unpacked.finish();
  }

  /** See Unpacked.all. */
  all(): Generator<Uint8Array> {
    return this.#unpacked.all();
  }
}
