/** Bytes of extents: where they lie, or, where they are compressed or must be verified, what they are. */
import { corrupt, GuestError, within } from '../../lib/bytes/errors';
import type { Extent } from '../../lib/fs/types';
import { unpack } from './compression';
import { KEY, TREE } from './layout';
import type { Run } from './runs';
import type { Tree } from './tree';
import type { Volume } from './volume';

/**
 * Files up to this size are verified against the checksums of their data: a configuration costs nothing. Larger ones are
 * handed over by place, because verifying costs several times as much as copying; but as soon as anything on the
 * filesystem was found wrong, they are verified too (README).
 */
const SMALL = 128 * 1024;
/** Bytes that are verified at a time. */
const VERIFIED = 256 * 1024;
/** Bytes of a larger file that are verified all the same, those of its first extents: a damaged member shows there. */
const SAMPLED = 128 * 1024;

/** Without a spread: there may be thousands. */
const stretch = ({ offset, length, source, at }: Omit<Extent & { kind: 'data' }, 'kind'>): Extent => ({
  kind: 'data',
  offset,
  length,
  source,
  at,
});

export class Data {
  readonly #volume: Volume;
  readonly #sums: () => Tree | undefined;
  /** The extent that was unpacked last: a file may take it in several parts. */
  #last: { logical: number; bytes: Buffer } | undefined;

  constructor(volume: Volume, sums: () => Tree | undefined) {
    this.#volume = volume;
    this.#sums = sums;
  }

  /**
   * The extents of `runs`, cut off at `size`; errors say the file's name.
   * @param logged trees that may hold newer checksums
   */
  *extents(
    runs: Iterable<Run>,
    size: number,
    file: { readonly name: string; readonly summed: boolean; readonly logged: readonly Tree[] },
  ): Generator<Extent> {
    let place:
      | { offset: number; length: number; source: import('../../lib/source/types').BlockSource; at: number }
      | undefined;
    let sample = SAMPLED;
    // Once around all of them: there may be thousands.
    try {
      for (const run of runs) {
        if (run.start >= size) break;
        const length = Math.min(run.length, size - run.start);
        const asItIs = run.kind === 'stored' && run.compression === 0;
        if (asItIs && sample > 0 && !this.#verifies(size, file.summed)) {
          const count = Math.min(sample, run.length);
          sample -= count;
          if (file.summed) this.read(run.logical + run.offset, count, file);
        }
        if (asItIs && !this.#verifies(size, file.summed)) {
          const plain = this.#volume.plainPlace(run.logical + run.offset, length);
          if (plain) {
            if (
              place &&
              place.source === plain.source &&
              place.at + place.length === plain.at &&
              place.offset + place.length === run.start
            )
              place.length += length;
            else {
              if (place) yield stretch(place);
              place = { offset: run.start, length, source: plain.source, at: plain.at };
            }
            continue;
          }
          for (const next of this.#places(run.start, run.logical + run.offset, length, file)) {
            if (next.kind !== 'data') {
              if (place) yield { kind: 'data', ...place };
              place = undefined;
              yield next;
            } else if (
              place &&
              place.source === next.source &&
              place.at + place.length === next.at &&
              place.offset + place.length === next.offset
            )
              place.length += next.length;
            else {
              if (place) yield { kind: 'data', ...place };
              place = { offset: next.offset, length: next.length, source: next.source, at: next.at };
            }
          }
          continue;
        }
        if (place) yield { kind: 'data', ...place };
        place = undefined;
        if (run.kind === 'hole') continue;
        const wrap = <T>(body: () => T): T => within(file.name, body);
        if (run.kind === 'inline') {
          if (run.compression === 0)
            yield { kind: 'inline', offset: run.start, length, bytes: run.bytes.subarray(0, length) };
          else
            yield {
              kind: 'packed',
              offset: run.start,
              length,
              unpack: () => wrap(() => this.#unpack(run.compression, run.bytes, run.ram).subarray(0, length)),
            };
        } else if (run.compression !== 0) {
          const { offset } = run;
          yield {
            kind: 'packed',
            offset: run.start,
            length,
            unpack: () => wrap(() => this.#unpacked(run, file).subarray(offset, offset + length)),
          };
        } else {
          const start = run.logical + run.offset;
          const { sectorSize } = this.#volume.superblock;
          for (let done = 0; done < length; done += VERIFIED) {
            const count = Math.min(VERIFIED, length - done);
            // Whole sectors are what the checksums are of; the run has them.
            const whole = Math.ceil(count / sectorSize) * sectorSize;
            const at = start + done;
            yield {
              kind: 'packed',
              offset: run.start + done,
              length: count,
              unpack: () => wrap(() => this.read(at, whole, file).subarray(0, count)),
            };
          }
        }
      }
      if (place) yield { kind: 'data', ...place };
    } catch (error) {
      if (error instanceof GuestError) error.where.unshift(file.name);
      throw error;
    }
  }

  #verifies(size: number, summed: boolean): boolean {
    return summed && (size <= SMALL || this.#volume.doubt);
  }

  *#places(
    offset: number,
    logical: number,
    length: number,
    file: { readonly name: string; readonly summed: boolean; readonly logged: readonly Tree[] },
  ): Generator<Extent> {
    let at = 0;
    for (const piece of this.#volume.pieces(logical, length)) {
      const [copy] = piece.copies;
      if (!copy) throw this.#volume.noCopy(piece, logical + at);
      const where = { offset: offset + at, length: piece.length };
      const from = logical + at;
      if (copy.kind === 'place') yield { kind: 'data', ...where, source: copy.source, at: copy.at };
      else {
        const { sectorSize } = this.#volume.superblock;
        const whole = Math.ceil(piece.length / sectorSize) * sectorSize;
        yield {
          kind: 'packed',
          ...where,
          unpack: () => within(file.name, () => this.read(from, whole, file).subarray(0, where.length)),
        };
      }
      at += piece.length;
    }
  }

  #unpacked(
    run: Run & { kind: 'stored' },
    file: { readonly summed: boolean; readonly logged: readonly Tree[] },
  ): Buffer {
    if (this.#last?.logical === run.logical) return this.#last.bytes;
    // The checksum of BLAKE2b takes longer than unpacking, when it is not Node's.
    const summed =
      file.summed &&
      (this.#volume.superblock.sums.name !== 'blake2b' || this.#volume.doubt || run.ram <= SMALL / 4);
    const bytes = this.#unpack(
      run.compression,
      this.read(run.logical, run.stored, { ...file, summed }),
      run.ram,
    );
    this.#last = { logical: run.logical, bytes };
    return bytes;
  }

  #unpack(compression: number, from: Buffer, ram: number): Buffer {
    const { ctx, superblock } = this.#volume;
    const { sectorSize } = superblock;
    const room = Math.ceil(ram / sectorSize) * sectorSize;
    ctx.budget.step();
    ctx.budget.allocate(room);
    const into = Buffer.allocUnsafeSlow(room);
    unpack(compression, from, into, sectorSize);
    return into;
  }

  /**
   * Whole sectors, from the first copy whose checksums are right.
   * @throws GuestError `corrupt` when a sector is wrong in all of them
   */
  read(
    logical: number,
    length: number,
    file: { readonly summed: boolean; readonly logged: readonly Tree[] },
  ): Buffer {
    const volume = this.#volume;
    const { sums, sectorSize } = volume.superblock;
    const copies = volume.copies(logical, length);
    volume.ctx.budget.allocate(length);
    const out = Buffer.allocUnsafeSlow(length);
    const expected = file.summed ? this.#expected(logical, length, file.logged) : undefined;
    /** Sectors that are not right yet; undefined: all. */
    let wrong: number[] | undefined;
    let failure: GuestError | undefined;
    for (let copy = 0; copy < copies; copy++) {
      const into = wrong ? Buffer.allocUnsafeSlow(length) : out;
      if (wrong) volume.ctx.budget.allocate(length);
      try {
        volume.read(logical, into, copy);
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        failure ??= error;
        continue;
      }
      if (!expected) return out;
      const still: number[] = [];
      const check = (i: number) => {
        const from = i * sectorSize;
        const sector = into.subarray(from, from + sectorSize);
        if (expected.there[i] && !sums.match(sector, expected.sums, i * sums.size)) still.push(i);
        else if (wrong) out.set(sector, from);
      };
      if (wrong) for (const i of wrong) check(i);
      else for (let i = 0; i < length / sectorSize; i++) check(i);
      volume.ctx.budget.step(length / sectorSize);
      if (still.length === 0) return out;
      wrong = still;
      if (!volume.doubt) {
        volume.doubt = true;
        volume.ctx.warn(`btrfs data at ${logical + still[0]! * sectorSize}: wrong checksum`);
      }
    }
    if (wrong) throw corrupt(`data at ${logical + wrong[0]! * sectorSize}: wrong checksum`);
    throw failure ?? corrupt(`data at ${logical} cannot be read`);
  }

  #expected(
    logical: number,
    length: number,
    logged: readonly Tree[],
  ): { sums: Buffer; there: Uint8Array } | undefined {
    const { superblock } = this.#volume;
    const count = length / superblock.sectorSize;
    const found = { sums: Buffer.alloc(count * superblock.sums.size), there: new Uint8Array(count) };
    const tree = this.#sums();
    let any = false;
    // The log's are newer.
    for (const from of tree ? [tree, ...logged] : logged) any = this.#sumsIn(from, logical, found) || any;
    return any ? found : undefined;
  }

  #sumsIn(tree: Tree, logical: number, found: { sums: Buffer; there: Uint8Array }): boolean {
    const { sectorSize, sums } = this.#volume.superblock;
    const end = logical + found.there.length * sectorSize;
    const cursor = tree.from(TREE.extentCsum, KEY.extentCsum, logical);
    // The one before may reach into the range.
    const before = tree.last(TREE.extentCsum, KEY.extentCsum, logical - sectorSize);
    let any = false;
    const take = (item: { offset: number; bytes: Buffer; at: number; size: number }) => {
      const first = (item.offset - logical) / sectorSize;
      if (!Number.isInteger(first)) return;
      const have = Math.floor(item.size / sums.size);
      for (let i = Math.max(0, -first); i < have && first + i < found.there.length; i++) {
        item.bytes.copy(
          found.sums,
          (first + i) * sums.size,
          item.at + i * sums.size,
          item.at + (i + 1) * sums.size,
        );
        found.there[first + i] = 1;
        any = true;
      }
    };
    if (before) take(before);
    for (let item = cursor.of(TREE.extentCsum, KEY.extentCsum); item && item.offset < end; ) {
      take(item);
      cursor.next();
      item = cursor.of(TREE.extentCsum, KEY.extentCsum);
    }
    return any;
  }
}
