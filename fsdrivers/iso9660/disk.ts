/** The one door to the disk: blocks, stretches of several sections, warnings. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';

/** A contiguous piece of a file or directory, in bytes of the source. */
export interface Section {
  readonly at: number;
  readonly length: number;
}

export class IsoDisk {
  readonly #warned = new Set<string>();

  constructor(
    readonly source: BlockSource,
    readonly ctx: Context,
    /** Bytes of a logical block: 512, 1024 or 2048. */
    readonly blockSize: number,
  ) {}

  /** One warning for each kind of damage. */
  warnOnce(kind: string, message: string): void {
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.ctx.warn(message);
  }

  /** @throws GuestError `corrupt` when a section is not wholly on the disk */
  check(sections: readonly Section[]): void {
    for (const { at, length } of sections)
      if (length > 0 && at + length > this.source.size)
        throw corrupt(
          `extent at block ${at / this.blockSize} ends at byte ${at + length}, the disk has ${this.source.size}`,
        );
  }

  /**
   * `length` bytes of what the sections make up, from byte `from` on.
   * @throws GuestError `corrupt` beyond their end or the disk's
   */
  read(sections: readonly Section[], from: number, length: number): Buffer {
    const parts: Buffer[] = [];
    let start = 0;
    let place = from;
    let missing = length;
    for (const section of sections) {
      this.ctx.budget.step();
      const end = start + section.length;
      if (place < end && missing > 0) {
        const count = Math.min(end - place, missing);
        parts.push(readBytes(this.source, section.at + place - start, count, this.ctx));
        place += count;
        missing -= count;
      }
      start = end;
      if (missing === 0) break;
    }
    if (missing > 0) throw corrupt(`${length} bytes at ${from} are wanted of a file of ${start}`);
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}
