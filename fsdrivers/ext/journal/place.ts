/** Where the journal is: in an inode of the filesystem, or on a device of its own. */
import { corrupt, GuestError, notFound, unsupported } from '../../../lib/bytes/errors';
import type { BlockSource } from '../../../lib/source/types';
import { readBytes } from '../../../lib/source/types';
import { runs } from '../data';
import type { Run } from '../extents';
import { readInode } from '../inode';
import { EXT_MAGIC, INCOMPAT, SUPERBLOCK_AT, SUPERBLOCK_SIZE, Superblock } from '../layout';
import { uuidText } from '../superblock';
import type { ExtVolume } from '../volume';

/** A journal is made in one piece; thousands of pieces are possible, more are an attack on memory. */
const MAX_RUNS = 65_536;

export interface JournalPlace {
  readonly source: BlockSource;
  /** The block, as the log counts, that holds the journal's superblock. */
  readonly superblock: number;
  /** Blocks that there are. */
  readonly blocks: number;
  /** Byte of `source` where block `block` of the journal begins. @throws GuestError `corrupt` */
  at(block: number): number;
}

/** @param volume the filesystem as it stands */
export function internalJournal(volume: ExtVolume): JournalPlace {
  const { blockSize, journalInode } = volume.geometry;
  const inode = readInode(volume, journalInode);
  if (inode.kind !== 'file' || inode.isInline) throw corrupt(`inode ${journalInode} is not a regular file`);
  const blocks = Math.floor(inode.size / blockSize);
  const pieces: Run[] = [];
  for (const run of runs(volume, inode)) {
    if (run.logical >= blocks) break;
    if (pieces.length >= MAX_RUNS) throw unsupported(`in more than ${MAX_RUNS} pieces`);
    pieces.push(run);
  }
  return {
    source: volume.source,
    superblock: 0,
    blocks,
    at(block) {
      let low = 0;
      let high = pieces.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (pieces[middle]!.logical <= block) low = middle + 1;
        else high = middle;
      }
      const run = pieces[low - 1];
      if (!run || block >= run.logical + run.count || run.physical === 0)
        throw corrupt(`block ${block} is a hole`);
      return (run.physical + block - run.logical) * blockSize;
    },
  };
}

/** @throws GuestError `not-found` when none of the other volumes is the journal's device */
export function externalJournal(volume: ExtVolume, others: Iterable<BlockSource>): JournalPlace {
  const { blockSize, journalUuid } = volume.geometry;
  for (const source of others) {
    if (source.size < SUPERBLOCK_AT + SUPERBLOCK_SIZE) continue;
    let bytes: Buffer;
    try {
      bytes = readBytes(source, SUPERBLOCK_AT, SUPERBLOCK_SIZE, volume.ctx);
    } catch (error) {
      // Another volume that cannot be read is not ours to complain about.
      if (error instanceof GuestError && error.code !== 'limit') continue;
      throw error;
    }
    const s = Superblock.read(bytes);
    if (s.s_magic !== EXT_MAGIC || !(s.s_feature_incompat & INCOMPAT.journal_dev)) continue;
    if (!s.s_uuid.equals(journalUuid)) continue;
    if (1024 << (s.s_log_block_size & 31) !== blockSize)
      throw corrupt(
        `its device has blocks of 2^${s.s_log_block_size} KiB, the filesystem of ${blockSize} bytes`,
      );
    return {
      source,
      // The device begins with a superblock of the filesystem's kind, at byte 1024 as ever.
      superblock: blockSize === 1024 ? 2 : 1,
      blocks: Math.floor(source.size / blockSize),
      at: (block) => block * blockSize,
    };
  }
  throw notFound(`its device (UUID ${uuidText(journalUuid) ?? 'none'}) is not among the volumes`);
}
