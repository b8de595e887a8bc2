/** Metadata as it will be when the log has been replayed, over a source that stays as it is. The newest change comes first. */
import { unsupported } from '../../../lib/bytes/errors';
import { type BlockSource, checkRange } from '../../../lib/source/types';

const SECTOR = 512;
/** What records change is whole units of this size. */
export const UNIT = 16;
/** Sectors that are held: 32 MiB. The kernel never lets more than an eighth of a log be needed. */
const HELD = 65536;

interface Sector {
  readonly bytes: Buffer;
  /** A bit for each unit that is there. */
  known: number;
}

export class Overlay implements BlockSource {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;
  readonly #sectors = new Map<number, Sector>();

  constructor(readonly under: BlockSource) {
    this.label = under.label;
    this.size = under.size;
    this.sectorSize = under.sectorSize;
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    this.under.read(at, into);
    const end = at + into.length;
    // Files are copied in long runs, in which the log has nothing.
    if (into.length / SECTOR > this.#sectors.size) {
      for (const [number, sector] of this.#sectors) lay(number * SECTOR, sector, at, end, into);
      return;
    }
    for (let n = Math.floor(at / SECTOR); n * SECTOR < end; n++) {
      const sector = this.#sectors.get(n);
      if (sector) lay(n * SECTOR, sector, at, end, into);
    }
  }

  /** What newer records have put there stays. Whole units. @throws GuestError `corrupt` outside, `unsupported` */
  put(at: number, bytes: Uint8Array): void {
    checkRange(this, at, bytes.length);
    for (let done = 0; done + UNIT <= bytes.length; done += UNIT) {
      const place = at + done;
      const number = Math.floor(place / SECTOR);
      let sector = this.#sectors.get(number);
      if (!sector) {
        if (this.#sectors.size >= HELD) throw unsupported(`a log that changes more than ${HELD} sectors`);
        sector = { bytes: Buffer.allocUnsafeSlow(SECTOR), known: 0 };
        this.#sectors.set(number, sector);
      }
      const bit = 1 << ((place % SECTOR) / UNIT);
      if (sector.known & bit) continue;
      sector.known |= bit;
      sector.bytes.set(bytes.subarray(done, done + UNIT), place % SECTOR);
    }
  }
}

function lay(start: number, { bytes, known }: Sector, at: number, end: number, into: Uint8Array): void {
  if (start >= end || start + SECTOR <= at) return;
  for (let unit = 0; unit < SECTOR / UNIT; unit++) {
    if (!(known & (1 << unit))) continue;
    const from = Math.max(at, start + unit * UNIT);
    const to = Math.min(end, start + (unit + 1) * UNIT);
    if (from < to) into.set(bytes.subarray(from - start, to - start), from - at);
  }
}
