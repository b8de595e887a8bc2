/** The disk as it will look when the journal has been replayed. Only the map is held; blocks stay where they are. */
import { type BlockSource, checkRange } from './types';

export class OverlaySource implements BlockSource {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;

  /** @param replaced block → byte of `journal`; whole blocks inside it */
  constructor(
    readonly parent: BlockSource,
    readonly journal: BlockSource,
    readonly blockSize: number,
    readonly replaced: Pick<ReadonlyMap<number, number>, 'get'>,
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
      const copy = replaced.get(block);
      if (copy === undefined) continue;
      const start = block * blockSize;
      const from = Math.max(at, start);
      const to = Math.min(end, start + blockSize);
      if (from > plain) this.parent.read(plain, into.subarray(plain - at, from - at));
      const part = into.subarray(from - at, to - at);
      this.journal.read(copy + from - start, part);
      this.amend(block, from - start, part);
      plain = to;
    }
    if (end > plain) this.parent.read(plain, into.subarray(plain - at, end - at));
  }

  /** For journals whose copies are not quite the blocks: `part` begins `offset` bytes into the block. */
  protected amend(_block: number, _offset: number, _part: Uint8Array): void {}
}
