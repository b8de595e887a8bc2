/** The one door to the disk: blocks and inodes by their numbers, checked, the last few kept. */
import type { Context } from '../../lib/bytes/budget';
import type { Checksums } from '../../lib/bytes/checksum';
import { corrupt } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { crcMatches } from './crc';
import type { Geometry } from './superblock';
import { placeOf } from './superblock';

/** What the log says is newer than what stands in the metadata's places. */
export interface Replayed {
  readonly source: BlockSource;
  /** Whether any of these bytes came from the log: their checksum is computed when they are written back. */
  touches(at: number, length: number): boolean;
}

/** Bytes of metadata blocks that are kept. */
const KEPT = 2 * 1024 * 1024;

export class XfsVolume {
  readonly #kept = new Map<number, Buffer>();
  readonly #warned = new Set<string>();
  #keptBytes = 0;

  constructor(
    /** Where files' bytes are: never in the log. */
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
    readonly sums: Checksums,
    readonly replayed?: Replayed,
  ) {}

  /** The metadata as it is after the log. */
  get metadata(): BlockSource {
    return this.replayed?.source ?? this.source;
  }

  /** @throws GuestError `corrupt` when the blocks do not lie in the filesystem */
  byteOf(block: number, count = 1): number {
    const { groupSpan, groupBlocks, blocks, blockSize } = this.geometry;
    const inGroup = block % groupSpan;
    const place = placeOf(block, groupBlocks, groupSpan);
    if (!Number.isSafeInteger(block) || inGroup + count > groupBlocks || place + count > blocks)
      throw corrupt(
        `${count} blocks at ${block}, beyond the filesystem of ${blocks} in groups of ${groupBlocks}`,
      );
    return place * blockSize;
  }

  /**
   * A metadata block, or several that follow each other on the disk.
   * @param crcAt where its checksum stands in version 5
   */
  block(block: number, what: string, crcAt: number): Buffer {
    const { blockSize } = this.geometry;
    const kept = this.#kept.get(block);
    if (kept) return kept;
    const at = this.byteOf(block);
    const bytes = readBytes(this.metadata, at, blockSize, this.ctx);
    this.check(bytes, crcAt, `${what} at block ${block}`, [[at, blockSize]]);
    if (this.#keptBytes + bytes.length > KEPT) {
      this.#kept.clear();
      this.#keptBytes = 0;
    }
    this.#kept.set(block, bytes);
    this.#keptBytes += bytes.length;
    return bytes;
  }

  /** Where an inode stands; undefined for numbers that cannot be one. */
  inodeAt(number: number): number | undefined {
    const { inodesPerBlock, inodeSize, groupSpan, groupBlocks, blocks } = this.geometry;
    const block = Math.floor(number / inodesPerBlock);
    if (number <= 0 || block % groupSpan >= groupBlocks || placeOf(block, groupBlocks, groupSpan) >= blocks)
      return undefined;
    return this.byteOf(block) + (number % inodesPerBlock) * inodeSize;
  }

  /** Version 5: verifies a checksum; a mismatch is one warning, and the values must stand for themselves. */
  check(
    bytes: Buffer,
    crcAt: number,
    what: string,
    places: readonly (readonly [at: number, length: number])[],
  ): void {
    if (!this.geometry.v5) return;
    const { replayed } = this;
    if (replayed && places.some(([at, length]) => replayed.touches(at, length))) return;
    if (!crcMatches(this.sums, bytes, crcAt)) this.warnOnce(`the checksum of ${what} does not match`);
  }

  /** At most a few dozen: one damaged directory is told once, not a thousand times. */
  warnOnce(message: string): void {
    if (this.#warned.has(message) || this.#warned.size >= 30) return;
    this.#warned.add(message);
    this.ctx.warn(`xfs: ${message}`);
  }
}
