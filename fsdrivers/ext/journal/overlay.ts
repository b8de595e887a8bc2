/** The disk as it will look when the journal has been replayed. Only the map is held; blocks stay where they are. */
import { type BlockSource, checkRange } from '../../../lib/source/types';
import { JOURNAL_MAGIC } from './layout';

export interface Replacement {
  /** Byte of the journal's source. */
  readonly at: number;
  /** The first four bytes are the journal's magic, kept as zeros in the journal. */
  readonly escaped: boolean;
}

export class OverlaySource implements BlockSource {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;

  /** @param replaced by filesystem block number; whole blocks inside `journal` */
  constructor(
    readonly parent: BlockSource,
    readonly journal: BlockSource,
    readonly blockSize: number,
    readonly replaced: ReadonlyMap<number, Replacement>,
  ) {
    this.label = parent.label;
    this.size = parent.size;
    this.sectorSize = parent.sectorSize;
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    const { blockSize, replaced } = this;
    const end = at + into.length;
    /** Bytes from here on come from the disk, as one read. */
    let plain = at;
    for (let block = Math.floor(at / blockSize); block * blockSize < end; block++) {
      const found = replaced.get(block);
      if (!found) continue;
      const start = block * blockSize;
      const from = Math.max(at, start);
      const to = Math.min(end, start + blockSize);
      if (from > plain) this.parent.read(plain, into.subarray(plain - at, from - at));
      const part = into.subarray(from - at, to - at);
      this.journal.read(found.at + from - start, part);
      if (found.escaped)
        for (let i = from; i < Math.min(to, start + 4); i++)
          into[i - at] = JOURNAL_MAGIC >>> (8 * (3 - (i - start)));
      plain = to;
    }
    if (end > plain) this.parent.read(plain, into.subarray(plain - at, end - at));
  }
}
