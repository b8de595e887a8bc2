/** The disk as it will look when the journal has been replayed. Only the map is held; blocks stay where they are. */
import { type BlockSource, checkRange } from '../../lib/source/types';

export class OverlaySource implements BlockSource {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;

  /** @param replaced block → byte of `journal`, whole blocks inside it */
  constructor(
    readonly parent: BlockSource,
    readonly journal: BlockSource,
    readonly blockSize: number,
    readonly replaced: ReadonlyMap<number, number>,
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
      this.journal.read(copy + from - start, into.subarray(from - at, to - at));
      plain = to;
    }
    if (end > plain) this.parent.read(plain, into.subarray(plain - at, end - at));
  }
}
