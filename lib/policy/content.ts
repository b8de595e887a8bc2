/** The bytes of a kernel or of a piece of the ramdisk: on the guest's disk, or as they were copied. */
import { readSync } from 'node:fs';
import type { Context } from '../bytes/budget';
import { corrupt, GuestError, hostError } from '../bytes/errors';
import { FileBackedSource } from '../fs/file-source';
import type { FileSystem, FsNode } from '../fs/types';

/** At least 64 KiB: past the page cache of the disk. */
const PIECE = 1024 * 1024;

export abstract class Content {
  constructor(readonly size: number) {}

  /** Fills all of `into`; the range lies inside. */
  protected abstract fill(at: number, into: Buffer): void;

  /** @throws GuestError `corrupt` beyond the end */
  read(at: number, length: number): Buffer {
    if (!(at >= 0 && length >= 0 && at + length <= this.size))
      throw corrupt(`${length} bytes at ${at} lie beyond the end (${this.size} bytes)`);
    const into = Buffer.alloc(length);
    this.fill(at, into);
    return into;
  }

  /** Hands over the bytes from `from` to `to`, piece by piece; a piece is valid until `update` returns. */
  feed(from: number, to: number, update: (bytes: Uint8Array) => void): void {
    if (!(from >= 0 && from <= to && to <= this.size))
      throw corrupt(`bytes ${from} to ${to} do not lie in a file of ${this.size} bytes`);
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, to - from));
    for (let at = from; at < to; at += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, to - at));
      this.fill(at, piece);
      update(piece);
    }
  }

  all(update: (bytes: Uint8Array) => void): void {
    this.feed(0, this.size, update);
  }
}

/** A file of the guest's, as it is on the disk. */
export class GuestContent extends Content {
  readonly #source: FileBackedSource;
  readonly #ctx: Context;

  constructor(fs: FileSystem, node: FsNode, label: string, ctx: Context) {
    super(node.size);
    this.#source = new FileBackedSource(fs, node, label, 0, ctx);
    this.#ctx = ctx;
  }

  protected fill(at: number, into: Buffer): void {
    // Counted as read, so that processor time is looked at meanwhile.
    this.#ctx.budget.read(into.length);
    this.#source.read(at, into);
  }
}

/** A stretch of a file that we wrote, read again through its descriptor. */
export class CopiedContent extends Content {
  constructor(
    readonly fd: number,
    readonly start: number,
    size: number,
  ) {
    super(size);
  }

  protected fill(at: number, into: Buffer): void {
    for (let done = 0; done < into.length; ) {
      let count: number;
      try {
        count = readSync(this.fd, into, done, into.length - done, this.start + at + done);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EINTR') continue;
        throw hostError('cannot read what was copied', error);
      }
      if (count === 0) throw new GuestError('io', 'what was copied is shorter than it was');
      done += count;
    }
  }
}

/** A file with some stretches taken from elsewhere: a unified kernel image whose sections were copied. */
export class PatchedContent extends Content {
  constructor(
    readonly below: Content,
    /** They do not overlap. */
    readonly patches: readonly { readonly at: number; readonly by: Content }[],
  ) {
    super(below.size);
  }

  protected fill(at: number, into: Buffer): void {
    this.below.read(at, into.length).copy(into);
    for (const { at: start, by } of this.patches) {
      const from = Math.max(at, start);
      const to = Math.min(at + into.length, start + by.size);
      if (from < to) by.read(from - start, to - from).copy(into, from - at);
    }
  }
}

export class MemoryContent extends Content {
  constructor(readonly bytes: Buffer) {
    super(bytes.length);
  }

  protected fill(at: number, into: Buffer): void {
    this.bytes.copy(into, 0, at, at + into.length);
  }
}
