/** A file of the guest as a disk: what GRUB's `loopback` makes, and what an image inside an image needs. */
import type { Context } from '../bytes/budget';
import { corrupt, limit } from '../bytes/errors';
import { type BlockSource, checkRange } from '../source/types';
import { fileExtents } from './file';
import type { Extent, FileSystem, FsNode } from './types';

const SECTOR = 512;
/** Unpacked pieces of a compressed file that are kept; reads are near each other. */
const UNPACKED = 4;
/** What an indexed extent costs us, roughly, in bytes. */
const INDEX_COST = 160;

/**
 * Reads go to the extents' own sources, found by binary search in an index made once. Holes are zeros. The size is
 * rounded up to whole sectors of 512 bytes, the rest of the last one reads as zeros.
 */
export class FileBackedSource implements BlockSource {
  readonly sectorSize = SECTOR;
  readonly size: number;
  readonly fileDepth: number;
  readonly #fileSize: number;
  readonly #extents: readonly Extent[];
  readonly #unpacked = new Map<number, Uint8Array>();

  /**
   * @param fileDepth of the source that the filesystem itself lies on, plus one
   * @throws GuestError `limit` when the budget does not allow the index
   */
  constructor(
    fs: FileSystem,
    node: FsNode,
    readonly label: string,
    fileDepth: number,
    ctx: Context,
  ) {
    if (node.kind !== 'file') throw corrupt(`${label} is not a regular file`);
    const extents: Extent[] = [];
    for (const extent of fileExtents(fs, node, ctx)) {
      ctx.budget.allocate(INDEX_COST);
      if (extent.length > 0) extents.push(extent);
    }
    this.#extents = extents;
    this.#fileSize = node.size;
    this.size = Math.ceil(node.size / SECTOR) * SECTOR;
    if (!Number.isSafeInteger(this.size)) throw limit(`file of ${node.size} bytes`);
    this.fileDepth = fileDepth;
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    const end = Math.min(at + into.length, this.#fileSize);
    let done = at;
    for (let i = this.#find(at); done < end; i++) {
      const extent = this.#extents[i]!;
      const from = done - extent.offset;
      const count = Math.min(extent.length - from, end - done);
      const part = into.subarray(done - at, done - at + count);
      switch (extent.kind) {
        case 'hole':
          part.fill(0);
          break;
        case 'data':
          extent.source.read(extent.at + from, part);
          break;
        case 'inline':
          copy(extent.bytes, from, part);
          break;
        case 'packed':
          copy(this.#unpack(i, extent), from, part);
      }
      done += count;
    }
    into.fill(0, Math.max(0, done - at));
  }

  /** The extent that holds byte `at`; `fileExtents` leaves no gaps. */
  #find(at: number): number {
    let low = 0;
    let high = this.#extents.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#extents[middle]!.offset <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #unpack(index: number, extent: Extent & { kind: 'packed' }): Uint8Array {
    const kept = this.#unpacked.get(index);
    if (kept) return kept;
    const bytes = extent.unpack();
    if (this.#unpacked.size >= UNPACKED) this.#unpacked.delete(this.#unpacked.keys().next().value as number);
    this.#unpacked.set(index, bytes);
    return bytes;
  }
}

/** Bytes of an extent from `from` on; what the driver did not deliver is `corrupt`, never left over memory. */
function copy(bytes: Uint8Array, from: number, into: Uint8Array): void {
  if (from + into.length > bytes.length)
    throw corrupt(`extent holds ${bytes.length} bytes, ${from + into.length} are wanted`);
  into.set(bytes.subarray(from, from + into.length));
}
