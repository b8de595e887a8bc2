import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';

/** What stands on the command line for a disk behind an NBD server; a path that begins so can be written with `./`. */
export const NBD_URI = /^nbds?(\+unix)?:\/\//;

/** Flat bytes that can be read at any place: a disk, a partition, an overlay. */
export interface BlockSource {
  /** For messages: `disk.img`, `gpt2`. Printable. */
  readonly label: string;
  /** Bytes. */
  readonly size: number;
  /** Logical sector size in bytes (512 or 4096 …), 512 when unknown. */
  readonly sectorSize: number;
  /** How many files of a guest (loopback images) lie between this and the host's disk; absent: none. */
  readonly fileDepth?: number;
  /** Small reads are cheap: no cache is put before it. */
  readonly cached?: boolean;
  /**
   * Fills all of `into` from byte `at`.
   * @throws GuestError `corrupt` beyond the end, `io` when the host cannot read
   */
  read(at: number, into: Uint8Array): void;
  /** `read`, for bytes that nobody will want again: no cache keeps them. Absent where there is nothing to go past. */
  readOnce?(at: number, into: Uint8Array): void;
  /** `readOnce` of one stretch, into one buffer after another. Absent where it would not be one call to the host. */
  readMany?(at: number, into: readonly Uint8Array[]): void;
  /** These bytes will be read next, once, by `readOnce` or `readMany`, after what was announced before. Absent where it helps nothing. */
  willRead?(at: number, length: number): void;
  /** Nothing is read any more. Absent where nobody needs to know. */
  end?(): void;
}

/** `source.readOnce`, or `read` where there is none. */
export function readOnce(source: BlockSource, at: number, into: Uint8Array): void {
  if (source.readOnce) source.readOnce(at, into);
  else source.read(at, into);
}

/** `source.readMany`, or a read a buffer where there is none. */
export function readMany(source: BlockSource, at: number, into: readonly Uint8Array[]): void {
  if (source.readMany) {
    source.readMany(at, into);
    return;
  }
  let place = at;
  for (const buffer of into) {
    readOnce(source, place, buffer);
    place += buffer.length;
  }
}

export const totalLength = (buffers: readonly Uint8Array[]): number =>
  buffers.reduce((sum, buffer) => sum + buffer.length, 0);

/** @throws GuestError `corrupt` when [at, at+length) is not inside the source */
export function checkRange(source: BlockSource, at: number, length: number): void {
  if (!(at >= 0 && length >= 0 && at + length <= source.size))
    throw new GuestError(
      'corrupt',
      `read of ${length} bytes at ${at} goes beyond the end (${source.size} bytes)`,
      [source.label],
    );
}

/** `length` bytes at `at` in a new buffer, spent from the budget. */
export function readBytes(source: BlockSource, at: number, length: number, ctx: Context): Buffer {
  checkRange(source, at, length);
  ctx.budget.step();
  ctx.budget.read(length);
  ctx.budget.allocate(length);
  // Not from Node's pool: a small metadata block must not keep 8 KiB alive. The read fills all of it or throws.
  const into = Buffer.allocUnsafeSlow(length);
  source.read(at, into);
  return into;
}

/** A part of another source, with a name of its own. Reads outside it never reach the parent. */
export class SliceSource implements BlockSource {
  readonly sectorSize: number;
  constructor(
    readonly parent: BlockSource,
    readonly start: number,
    readonly size: number,
    readonly label: string,
  ) {
    this.sectorSize = parent.sectorSize;
    if (!(start >= 0 && size >= 0 && start + size <= parent.size))
      throw new GuestError('corrupt', `${start}+${size} bytes lie beyond the end (${parent.size} bytes)`, [
        label,
      ]);
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    this.parent.read(this.start + at, into);
  }

  readOnce(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    readOnce(this.parent, this.start + at, into);
  }

  readMany(at: number, into: readonly Uint8Array[]): void {
    checkRange(this, at, totalLength(into));
    readMany(this.parent, this.start + at, into);
  }

  willRead(at: number, length: number): void {
    this.parent.willRead?.(this.start + at, length);
  }
}

/** Bytes in memory, for `(memdisk)`-like things and for tests. */
export class MemorySource implements BlockSource {
  readonly size: number;
  constructor(
    readonly bytes: Uint8Array,
    readonly label = 'memory',
    readonly sectorSize = 512,
  ) {
    this.size = bytes.length;
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    into.set(this.bytes.subarray(at, at + into.length));
  }
}
