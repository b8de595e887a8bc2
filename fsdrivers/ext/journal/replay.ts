/** A dirty journal → the disk as it will be once the journal is replayed. Nothing is written anywhere. */
import { GuestError } from '../../../lib/bytes/errors';
import type { BlockSource } from '../../../lib/source/types';
import type { ExtVolume } from '../volume';
import { type FastCommits, readFastCommits } from './fastcommit';
import { Log } from './log';
import { JournalOverlay } from './overlay';
import { externalJournal, internalJournal } from './place';

export interface Replayed {
  readonly source: BlockSource;
  readonly fastCommits: FastCommits | undefined;
}

/**
 * @param volume the filesystem as it stands
 * @returns undefined, after a warning, where the journal cannot be used: the disk is then read as it stands
 */
export function replay(volume: ExtVolume, others: () => Iterable<BlockSource>): Replayed | undefined {
  const { ctx, geometry, source, sums } = volume;
  try {
    const place = geometry.journalInode !== 0 ? internalJournal(volume) : externalJournal(volume, others());
    const log = new Log(place, geometry, sums, ctx);
    const replaced = log.replay();
    const fast = readFastCommits(log.fastCommitBlocks(), log.end, sums, ctx);
    return {
      source:
        replaced.size > 0 ? new JournalOverlay(source, place.source, geometry.blockSize, replaced) : source,
      fastCommits: fast.empty ? undefined : fast,
    };
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    ctx.warn(`journal: ${error.message}; it is not replayed, the disk is read as it stands`);
    return undefined;
  }
}
