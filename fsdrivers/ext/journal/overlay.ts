/** The disk as it will look when the journal has been replayed, with the escaped blocks as they were. */
import { OverlaySource } from '../../../lib/source/overlay';
import type { BlockSource } from '../../../lib/source/types';
import { JOURNAL_MAGIC } from './layout';

export interface Replacement {
  /** Byte of the journal's source. */
  readonly at: number;
  /** The first four bytes are the journal's magic, kept as zeros in the journal. */
  readonly escaped: boolean;
}

export class JournalOverlay extends OverlaySource {
  /** @param blocks by filesystem block number; whole blocks inside `journal` */
  constructor(
    parent: BlockSource,
    journal: BlockSource,
    blockSize: number,
    readonly blocks: ReadonlyMap<number, Replacement>,
  ) {
    super(parent, journal, blockSize, { get: (block) => blocks.get(block)?.at });
  }

  protected override amend(block: number, offset: number, part: Uint8Array): void {
    if (!this.blocks.get(block)?.escaped) return;
    for (let i = offset; i < Math.min(4, offset + part.length); i++)
      part[i - offset] = JOURNAL_MAGIC >>> (8 * (3 - i));
  }
}
