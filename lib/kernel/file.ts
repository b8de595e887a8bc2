/** A kernel that is looked into, wherever it lies: on the guest's disk, in a copy, inside another one, unpacked. */
import type { Context } from '../bytes/budget';
import { corrupt } from '../bytes/errors';
import { FileBackedSource } from '../fs/file-source';
import type { FileSystem, FsNode } from '../fs/types';
import { FileSource } from '../source/file';
import { type BlockSource, MemorySource, readBytes, SliceSource } from '../source/types';

export class KernelFile {
  /** @param size of the file; its source may be longer (whole sectors) */
  constructor(
    readonly source: BlockSource,
    readonly size: number,
  ) {}

  /** @throws GuestError `corrupt` when the range does not lie wholly inside the file */
  read(at: number, length: number, ctx: Context): Buffer {
    this.#inside(at, length, 'are wanted');
    return readBytes(this.source, at, length, ctx);
  }

  /** As `read`, with fewer bytes where the file ends. */
  upTo(at: number, length: number, ctx: Context): Buffer {
    const count = Math.max(0, Math.min(length, this.size - at));
    return count === 0 ? Buffer.alloc(0) : this.read(at, count, ctx);
  }

  /** @throws GuestError `corrupt` as `read` */
  part(at: number, size: number, label: string): KernelFile {
    this.#inside(at, size, `belong to ${label}`);
    return new KernelFile(new SliceSource(this.source, at, size, label), size);
  }

  #inside(at: number, length: number, what: string): void {
    if (!(at >= 0 && length >= 0 && at + length <= this.size))
      throw corrupt(`${length} bytes at ${at} ${what}, the file has ${this.size}`);
  }
}

/** @throws GuestError */
export const guestKernel = (fs: FileSystem, node: FsNode, label: string, ctx: Context): KernelFile =>
  new KernelFile(new FileBackedSource(fs, node, label, 0, ctx), node.size);

export const kernelInMemory = (bytes: Uint8Array, label: string): KernelFile =>
  new KernelFile(new MemorySource(bytes, label), bytes.length);

/** A file of the host's by its descriptor, which stays open. @throws GuestError `io` */
export const kernelOnHost = (fd: number, label: string): KernelFile => {
  const source = new FileSource(fd, label);
  return new KernelFile(source, source.size);
};
