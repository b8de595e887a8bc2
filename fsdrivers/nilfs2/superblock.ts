/** The two superblocks → a geometry whose values have been checked, and where the last log was when it was written. */
import type { Context } from '../../lib/bytes/budget';
import type { Checksums } from '../../lib/bytes/checksum';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  Checkpoint,
  DatEntry,
  MAGIC,
  MIN_INODE_SIZE,
  REVISION,
  SUM_AT,
  SUPERBLOCK_AT,
  SUPERBLOCK_BYTES,
  SuperBlock,
  secondSuperblockAt,
  VALID_FS,
} from './layout';

export interface Superblock {
  readonly bytes: Buffer;
  /** Its checksum is right. */
  readonly sound: boolean;
  /** The second one, of a filesystem whose first one cannot be used. */
  readonly alone?: boolean;
}

/**
 * The superblocks, the better one first: that with the later checkpoint, of those whose checksums are right. The first one
 * is taken with a wrong checksum when there is no other and its revision is what it should be; the second, whose place may hold anything, is not.
 */
export function findSuperblocks(source: BlockSource, sums: Checksums, ctx: Context): Superblock[] {
  const read = (at: number): Superblock | undefined => {
    if (at < SUPERBLOCK_AT || at + SuperBlock.size > source.size) return undefined;
    const bytes = readBytes(source, at, SuperBlock.size, ctx);
    const { s_magic, s_bytes, s_crc_seed, s_sum } = SuperBlock.fields;
    const length = s_bytes.read(bytes, 0);
    if (s_magic.read(bytes, 0) !== MAGIC || length < SUPERBLOCK_BYTES || length > bytes.length)
      return undefined;
    let sum = sums.crc32(s_crc_seed.read(bytes, 0), bytes, 0, SUM_AT);
    sum = sums.crc32(sum, Buffer.alloc(4));
    return { bytes, sound: sums.crc32(sum, bytes, SUM_AT + 4, length) === s_sum.read(bytes, 0) };
  };
  const revision = (s: Superblock) => SuperBlock.fields.s_rev_level.read(s.bytes, 0);
  const first = read(SUPERBLOCK_AT);
  const secondAt = secondSuperblockAt(source.size);
  const second = secondAt > SUPERBLOCK_AT ? read(secondAt) : undefined;
  // It lies behind the segments; what lies in one is a file's.
  const spare = second?.sound && secondAt >= segmentBytes(second.bytes) ? second : undefined;
  if (!spare) return first && (first.sound || revision(first) === REVISION) ? [first] : [];
  const cno = (s: Superblock) => SuperBlock.fields.s_last_cno.read(s.bytes, 0);
  if (!first?.sound) return [{ ...spare, alone: true }];
  return cno(spare) > cno(first) ? [spare, first] : [first, spare];
}

function segmentBytes(bytes: Buffer): number {
  const { s_nsegments, s_blocks_per_segment, s_log_block_size } = SuperBlock.fields;
  return (
    s_nsegments.read(bytes, 0) *
    s_blocks_per_segment.read(bytes, 0) *
    2 ** (10 + s_log_block_size.read(bytes, 0))
  );
}

/** As blkid prints them. */
export function identity(s: Superblock): { uuid: string; label?: ByteString } {
  const { s_uuid, s_volume_name } = SuperBlock.fields;
  const uuid = s_uuid
    .read(s.bytes, 0)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const label = s_volume_name.read(s.bytes, 0).replace(/[ \t\n\v\f\r]+$/, '');
  return { uuid, ...(label === '' ? {} : { label }) };
}

export interface Geometry {
  readonly blockSize: number;
  readonly segments: number;
  readonly blocksPerSegment: number;
  /** Of the first segment, which begins later than the others. */
  readonly firstDataBlock: number;
  readonly inodeSize: number;
  readonly datEntrySize: number;
  readonly checkpointSize: number;
  /** The lowest number of an inode that is neither the root nor metadata. */
  readonly firstInode: number;
  /** What all checksums begin with. */
  readonly seed: number;
  /** The newest log that the superblock knows of: its checkpoint, first block and segment's sequence number. */
  readonly lastCheckpoint: number;
  readonly lastLog: number;
  readonly lastSequence: number;
  readonly clean: boolean;
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readGeometry({ bytes }: Superblock): Geometry {
  const s = SuperBlock.read(bytes);
  if (s.s_rev_level < REVISION) throw unsupported(`revision ${s.s_rev_level}`);
  if (s.s_feature_incompat !== 0n)
    throw unsupported(`incompatible features 0x${s.s_feature_incompat.toString(16)}`);
  if (s.s_log_block_size > 6) throw corrupt(`blocks of 2^${s.s_log_block_size} KiB`);
  const blockSize = 1024 << s.s_log_block_size;
  const fits = (size: number, least: number) => size >= least && size <= blockSize;
  if (
    !fits(s.s_inode_size, MIN_INODE_SIZE) ||
    !fits(s.s_dat_entry_size, DatEntry.size) ||
    !fits(s.s_checkpoint_size, Checkpoint.size + s.s_inode_size)
  )
    throw corrupt(
      `inodes of ${s.s_inode_size}, DAT entries of ${s.s_dat_entry_size}, checkpoints of ${s.s_checkpoint_size} bytes`,
    );
  if (
    s.s_blocks_per_segment < 16 ||
    s.s_nsegments === 0 ||
    s.s_first_data_block === 0 ||
    s.s_first_data_block >= s.s_blocks_per_segment ||
    !Number.isSafeInteger(segmentBytes(bytes))
  )
    throw corrupt(
      `${s.s_nsegments} segments of ${s.s_blocks_per_segment} blocks, data from block ${s.s_first_data_block}`,
    );
  return {
    blockSize,
    segments: s.s_nsegments,
    blocksPerSegment: s.s_blocks_per_segment,
    firstDataBlock: s.s_first_data_block,
    inodeSize: s.s_inode_size,
    datEntrySize: s.s_dat_entry_size,
    checkpointSize: s.s_checkpoint_size,
    firstInode: s.s_first_ino,
    seed: s.s_crc_seed,
    lastCheckpoint: s.s_last_cno,
    lastLog: s.s_last_pseg,
    lastSequence: s.s_last_seq,
    clean: (s.s_state & VALID_FS) !== 0,
  };
}
