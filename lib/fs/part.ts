/** Ranges of a file as files of their own, not a byte copied: what is cut out of a unified kernel image. */
import { corrupt } from '../bytes/errors';
import type { DirEntry, Extent, FileSystem, FsNode } from './types';

interface PartNode extends FsNode {
  /** Byte of the whole file. */
  readonly start: number;
}

/** Holds no directory: its nodes come from `part`. */
export class FileParts implements FileSystem {
  readonly type: string;
  readonly grubName: string;
  /** The whole file. */
  readonly root: FsNode;
  readonly #inner: FileSystem;

  constructor(inner: FileSystem, whole: FsNode) {
    this.#inner = inner;
    this.root = whole;
    this.type = inner.type;
    this.grubName = inner.grubName;
  }

  /** @throws GuestError `corrupt` when the range does not lie wholly inside the file */
  part(start: number, size: number): FsNode {
    if (!(start >= 0 && size >= 0 && start + size <= this.root.size))
      throw corrupt(`${size} bytes at ${start} lie beyond the end of the file (${this.root.size} bytes)`);
    const node: PartNode = { kind: 'file', size, start, id: `${this.root.id}[${start}+${size}]` };
    return node;
  }

  lookup(): undefined {
    return undefined;
  }

  readdir(): Iterable<DirEntry> {
    return [];
  }

  readlink(): string {
    return '';
  }

  *extents(node: FsNode): Generator<Extent> {
    const { start, size } = node as PartNode;
    const end = start + size;
    for (const extent of this.#inner.extents(this.root)) {
      if (extent.offset >= end) return;
      const skip = Math.max(0, start - extent.offset);
      const length = Math.min(extent.length, end - extent.offset) - skip;
      if (length <= 0) continue;
      const where = { offset: extent.offset + skip - start, length };
      switch (extent.kind) {
        case 'hole':
          yield { kind: 'hole', ...where };
          break;
        case 'data':
          yield { kind: 'data', ...where, source: extent.source, at: extent.at + skip };
          break;
        case 'inline':
          yield { kind: 'inline', ...where, bytes: extent.bytes.subarray(skip, skip + length) };
          break;
        case 'packed':
          yield { kind: 'packed', ...where, unpack: () => extent.unpack().subarray(skip, skip + length) };
      }
    }
  }
}
