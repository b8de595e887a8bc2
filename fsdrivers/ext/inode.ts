/** Inodes: raw → checked. Source: fs/ext4/inode.c, __ext4_iget(). */

import { le32 } from '../../lib/bytes/checksum';
import { corrupt } from '../../lib/bytes/errors';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { FLAG, InodeExtra, InodeLayout, MODE } from './layout';
import type { ExtVolume } from './volume';

const KEPT_CHECKSUMS = 256;

export class ExtInode implements FsNode {
  /** Stored checksums of blocks of this directory that were found right. */
  readonly #verified = new Set<number>();

  constructor(
    readonly id: number,
    readonly kind: NodeKind,
    /** Bytes. */
    readonly size: number,
    readonly mtime: number,
    readonly flags: number,
    readonly generation: number,
    /** All `inodeSize` bytes; in-inode attributes lie behind the fields. */
    readonly raw: Buffer,
  ) {}

  /**
   * Whether `stored` is the checksum that `compute` gives. Asked once: a boot passes through the same blocks a dozen times, in
   * a program that has just started and computes 20 bytes a microsecond.
   */
  verifies(stored: number, compute: () => number): boolean {
    if (this.#verified.has(stored)) return true;
    if (compute() !== stored) return false;
    if (this.#verified.size < KEPT_CHECKSUMS) this.#verified.add(stored);
    return true;
  }

  /** The block map, the root of the extent tree, a short link's target or inline data. */
  get map(): Buffer {
    return InodeLayout.fields.i_block.read(this.raw, 0);
  }

  get hasExtents(): boolean {
    return (this.flags & FLAG.extents) !== 0;
  }
  get isInline(): boolean {
    return (this.flags & FLAG.inline_data) !== 0;
  }
  get isEncrypted(): boolean {
    return (this.flags & FLAG.encrypt) !== 0;
  }

  /** Where the bytes behind the known fields begin: in-inode extended attributes. */
  get extraEnd(): number {
    return this.raw.length > 128 ? 128 + InodeExtra.fields.i_extra_isize.read(this.raw, 0) : 128;
  }
}

/** @throws GuestError `corrupt` for a number that cannot be, and for an inode that is not in use */
export function readInode(volume: ExtVolume, number: number): ExtInode {
  const raw = readBytes(volume.source, volume.inodeAt(number), volume.geometry.inodeSize, volume.ctx);
  const fast = volume.fastCommits;
  return fast ? parseInode(volume, number, fast.inode(number, raw)) : parseInode(volume, number, raw);
}

function parseInode(volume: ExtVolume, number: number, raw: Buffer): ExtInode {
  const f = InodeLayout.fields;
  const mode = f.i_mode.read(raw, 0);
  // An entry that names a freed inode would otherwise read as an empty device.
  if (mode === 0) throw corrupt(`inode ${number} is not in use (mode 0)`);
  const extra = raw.length > 128 ? InodeExtra.fields.i_extra_isize.read(raw, 0) : 0;
  if (128 + extra > raw.length)
    throw corrupt(`inode ${number}: ${extra} extra bytes in an inode of ${raw.length}`);
  // A fast commit's inode has its checksum from before.
  if (!volume.fastCommits?.inodes.has(number)) verifyInode(volume, number, raw, extra);
  const kind = kindOf(mode);
  const flags = f.i_flags.read(raw, 0);
  // The upper half is something else in old inodes that are not regular files (ext4_isize()).
  const wide = kind === 'file' || (kind === 'directory' && volume.geometry.largeDirectories);
  const high = wide ? f.i_size_high.read(raw, 0) : 0;
  const size = high * 0x1_0000_0000 + f.i_size_lo.read(raw, 0);
  // Logical block numbers are 32-bit numbers.
  if (Math.ceil(size / volume.geometry.blockSize) > 0x1_0000_0000)
    throw corrupt(`inode ${number}: size ${size}, more than 2^32 blocks`);
  const { i_mtime_extra } = InodeExtra.fields;
  const epoch = 128 + extra >= i_mtime_extra.at + i_mtime_extra.size ? i_mtime_extra.read(raw, 0) & 3 : 0;
  const mtime = f.i_mtime.read(raw, 0) + epoch * 0x1_0000_0000;
  return new ExtInode(number, kind, size, mtime, flags, f.i_generation.read(raw, 0), raw);
}

function kindOf(mode: number): NodeKind {
  switch (mode & MODE.mask) {
    case MODE.regular:
      return 'file';
    case MODE.directory:
      return 'directory';
    case MODE.symlink:
      return 'symlink';
    default:
      return 'other';
  }
}

/** Start value of the checksums of what belongs to an inode; undefined where the filesystem has none. */
export function inodeSeed(volume: ExtVolume, inode: Pick<ExtInode, 'id' | 'generation'>): number | undefined {
  const seed = volume.geometry.checksumSeed;
  if (seed === undefined) return undefined;
  return volume.sums.crc32c(volume.sums.crc32c(seed, le32(inode.id)), le32(inode.generation));
}

function verifyInode(volume: ExtVolume, id: number, raw: Buffer, extra: number): void {
  const seed = inodeSeed(volume, { id, generation: InodeLayout.fields.i_generation.read(raw, 0) });
  if (seed === undefined) return;
  const low = InodeLayout.fields.l_i_checksum_lo;
  const high = InodeExtra.fields.i_checksum_hi;
  const zero = new Uint8Array(2);
  let crc = volume.sums.crc32c(seed, raw, 0, low.at);
  crc = volume.sums.crc32c(crc, zero);
  crc = volume.sums.crc32c(crc, raw, low.at + 2, Math.min(128, raw.length));
  const hasHigh = 128 + extra >= high.at + high.size;
  if (raw.length > 128) {
    crc = volume.sums.crc32c(crc, raw, 128, high.at);
    crc = hasHigh ? volume.sums.crc32c(crc, zero) : volume.sums.crc32c(crc, raw, high.at, high.at + 2);
    crc = volume.sums.crc32c(crc, raw, high.at + 2);
  }
  const stored = low.read(raw, 0) + (hasHigh ? high.read(raw, 0) * 0x10000 : 0);
  if ((hasHigh ? crc : crc & 0xffff) !== stored)
    volume.warnOnce('inode', `inode ${id}: wrong checksum, used as it stands`);
}
