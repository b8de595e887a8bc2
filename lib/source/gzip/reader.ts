/**
 * A raw disk packed by gzip. It is unpacked in order as far as it is needed; from points on the way, each with the 32 KiB
 * before it, unpacking can start again. Their number is bounded: of too many every other one goes.
 */
import type { Context } from '../../bytes/budget';
import { corrupt, unsupported, within } from '../../bytes/errors';
import type { ImageReader } from '../format';
import { type BlockSource, checkRange, readBytes, readOnce } from '../types';
import { makeCrc } from './crc';
import { Inflate, type State, start, WINDOW } from './inflate';
import { DEFLATE, FLAG, MAGIC, MAX_NAME, Member, MOST_RATIO, TRAILER, Trailer } from './layout';

/** Bytes of output that are made, and kept, at a time. */
const SEGMENT = 1024 * 1024;
const KEPT_SEGMENTS = 6;
/** 16 MiB of windows. */
const MAX_POINTS = 512;
const INPUT = 256 * 1024;

/** @returns where the deflate stream of the member at `at` begins, or undefined when there is no member */
function member(file: BlockSource, at: number, ctx: Context): number | undefined {
  if (at + Member.size > file.size) return undefined;
  const h = Member.read(readBytes(file, at, Member.size, ctx));
  if (h.ID !== MAGIC) return undefined;
  if (h.CM !== DEFLATE) throw unsupported(`gzip with compression method ${h.CM}`, file.label);
  if (h.FLG & FLAG.reserved) throw corrupt(`gzip flags 0x${h.FLG.toString(16)}`, file.label);
  let place = at + Member.size;
  if (h.FLG & FLAG.extra) place += 2 + readBytes(file, place, 2, ctx).readUInt16LE(0);
  for (const flag of [FLAG.name, FLAG.comment]) {
    if (!(h.FLG & flag)) continue;
    const bytes = readBytes(file, place, Math.min(MAX_NAME, Math.max(0, file.size - place)), ctx);
    const end = bytes.indexOf(0);
    if (end < 0) throw corrupt('a gzip header whose text does not end', file.label);
    place += end + 1;
  }
  if (h.FLG & FLAG.headerCrc) place += 2;
  return place;
}

export const reader: ImageReader = {
  open(file, ctx) {
    const from = member(file, 0, ctx);
    if (from === undefined) throw corrupt('not a gzip file', file.label);
    return new Gzip(file, from, ctx);
  },
};

/** Of what a member gave so far. */
interface Sum {
  readonly crc: number;
  readonly length: number;
}
const NOTHING: Sum = { crc: 0, length: 0 };

interface Point {
  readonly state: State;
  readonly sum: Sum;
  /** Up to 32 KiB of output before it. */
  readonly window: Buffer;
}

class Gzip implements BlockSource {
  readonly label: string;
  /**
   * What the file could hold at most. The true size is known when all is unpacked (the length at the end is that of the
   * last member, without its upper bits), which no boot needs; beyond the true end are zeros.
   */
  readonly size: number;
  readonly sectorSize = 512;
  /** By number of the segment that begins there. */
  readonly #points = new Map<number, Point>();
  /** A point is kept at each segment whose number this divides. */
  #spacing = 1;
  readonly #kept = new Map<number, Buffer>();
  /** The window, then the segment that is being made. */
  readonly #out = Buffer.allocUnsafeSlow(WINDOW + SEGMENT);
  /** Bytes of the window that are there; they end where the segment begins. */
  #before = 0;
  #inflate: Inflate;
  /** The segment that `#inflate` makes next; undefined after an error. */
  #segment: number | undefined = 0;
  readonly #crc = makeCrc();
  #sum = NOTHING;
  readonly #input = Buffer.allocUnsafeSlow(INPUT);
  /** True size, once it is known. */
  #end: number | undefined;

  constructor(
    readonly file: BlockSource,
    from: number,
    readonly ctx: Context,
  ) {
    ctx.budget.allocate(WINDOW + SEGMENT + INPUT);
    this.label = file.label;
    this.size = Math.floor((file.size * MOST_RATIO) / 512) * 512;
    this.#inflate = this.#from(start(from * 8));
    this.#points.set(0, { state: this.#inflate.state, sum: NOTHING, window: Buffer.alloc(0) });
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    for (let done = 0; done < into.length; ) {
      const place = at + done;
      const segment = Math.floor(place / SEGMENT);
      const inside = place - segment * SEGMENT;
      const part = into.subarray(done, done + Math.min(SEGMENT - inside, into.length - done));
      if (this.#end !== undefined && place >= this.#end) part.fill(0);
      else {
        const bytes = this.#get(segment).subarray(inside, inside + part.length);
        part.set(bytes);
        part.fill(0, bytes.length);
      }
      done += part.length;
    }
  }

  #from(state: State): Inflate {
    return new Inflate((at) => this.#more(at), this.ctx.budget, state);
  }

  #more(at: number): Uint8Array {
    const bytes = this.#input.subarray(0, Math.max(0, Math.min(INPUT, this.file.size - at)));
    this.ctx.budget.read(bytes.length);
    if (bytes.length > 0) readOnce(this.file, at, bytes);
    return bytes;
  }

  /** A segment's bytes; fewer than a whole one where the disk ends. */
  #get(segment: number): Buffer {
    const known = this.#kept.get(segment);
    if (known) return known;
    if (this.#segment === undefined || this.#segment > segment || this.#nearer(segment))
      this.#restart(segment);
    return within(`${this.label} › gzip`, () => {
      for (;;) {
        const number: number = this.#segment!;
        this.#segment = undefined;
        const length = this.#make();
        // All that is unpacked costs, also what is only passed.
        this.ctx.budget.read(length);
        const found = number === segment || length < SEGMENT ? this.#keep(number, length) : undefined;
        if (length < SEGMENT) {
          this.#end = number * SEGMENT + length;
          return number === segment ? found! : Buffer.alloc(0);
        }
        this.#segment = number + 1;
        this.#mark(number + 1);
        if (found) return found;
      }
    });
  }

  #keep(number: number, length: number): Buffer {
    if (this.#kept.size >= KEPT_SEGMENTS) this.#kept.delete(this.#kept.keys().next().value as number);
    this.ctx.budget.allocate(length);
    const bytes = Buffer.from(this.#out.subarray(WINDOW, WINDOW + length));
    this.#kept.set(number, bytes);
    return bytes;
  }

  /** Makes one segment behind the window, and moves the window on. @returns its length */
  #make(): number {
    const out = this.#out;
    // The window is short at the start: matches must not reach before it.
    const view = out.subarray(WINDOW - this.#before);
    const first = this.#before;
    let p = first;
    while (p < first + SEGMENT) {
      const from = p;
      p = this.#inflate.fill(view, from, first + SEGMENT);
      const { crc, length } = this.#sum;
      this.#sum = { crc: this.#crc(view, from, p, crc), length: length + p - from };
      if (this.#inflate.ended && !this.#nextMember()) break;
    }
    const length = p - first;
    if (length === SEGMENT) {
      out.copyWithin(0, SEGMENT, SEGMENT + WINDOW);
      this.#before = WINDOW;
    }
    return length;
  }

  /** The end of a member, with its checksum. Members may follow one another; what else follows the last one is padding. */
  #nextMember(): boolean {
    const { place } = this.#inflate;
    if (place + TRAILER > this.file.size) throw corrupt('the file ends before the checksum');
    const { CRC32, ISIZE } = Trailer.read(readBytes(this.file, place, TRAILER, this.ctx));
    const { crc, length } = this.#sum;
    if (crc !== CRC32 || length % 2 ** 32 !== ISIZE)
      throw corrupt(
        `the member that ends at byte ${place} gives ${length} bytes with checksum ${crc}, its end says ${ISIZE} and ${CRC32}`,
      );
    this.#sum = NOTHING;
    const next = member(this.file, place + TRAILER, this.ctx);
    if (next === undefined) return false;
    this.#inflate = this.#from(start(next * 8));
    return true;
  }

  /** Is there a point between the decoder and the segment that is wanted? */
  #nearer(segment: number): boolean {
    const best = this.#pointBefore(segment);
    return best > this.#segment!;
  }

  #pointBefore(segment: number): number {
    for (let n = segment - (segment % this.#spacing); n > 0; n -= this.#spacing)
      if (this.#points.has(n)) return n;
    return 0;
  }

  #restart(segment: number): void {
    const number = this.#pointBefore(segment);
    const { state, sum, window } = this.#points.get(number)!;
    window.copy(this.#out, WINDOW - window.length);
    this.#before = window.length;
    this.#inflate = this.#from(state);
    this.#sum = sum;
    this.#segment = number;
  }

  #mark(number: number): void {
    if (number % this.#spacing !== 0 || this.#points.has(number) || this.#inflate.ended) return;
    if (this.#points.size >= MAX_POINTS) {
      this.#spacing *= 2;
      for (const key of this.#points.keys()) if (key % this.#spacing !== 0) this.#points.delete(key);
      if (number % this.#spacing !== 0) return;
    }
    this.ctx.budget.allocate(this.#before);
    const window = Buffer.from(this.#out.subarray(WINDOW - this.#before, WINDOW));
    this.#points.set(number, { state: this.#inflate.state, sum: this.#sum, window });
  }
}
