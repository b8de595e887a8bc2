/** An opened LUKS volume: flat bytes that are decrypted as they are read. */
import { corrupt } from '../../bytes/errors';
import { type BlockSource, checkRange, readOnce } from '../../source/types';
import { BATCH, SectorCipher } from './cipher';
import type { Segment } from './header';

export class CryptSource implements BlockSource {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;
  readonly #cipher: SectorCipher;
  readonly #scratch = Buffer.from(new ArrayBuffer(BATCH));

  /** @param key the volume key, not kept */
  constructor(
    readonly parent: BlockSource,
    readonly segment: Segment,
    key: Uint8Array,
    label: string,
  ) {
    this.label = label;
    this.sectorSize = segment.sectorSize;
    const room = parent.size - segment.offset;
    const size = segment.size ?? room - (room % segment.sectorSize);
    if (room < 0 || size < 0 || size > room || size % segment.sectorSize !== 0)
      throw corrupt(`segment of ${segment.size ?? 'all'} bytes at ${segment.offset} of ${parent.size}`);
    this.size = size;
    this.#cipher = new SectorCipher(segment.encryption, key);
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    const unit = this.segment.sectorSize;
    // The whole sectors are read where they shall be, in one piece.
    const skip = Math.min((unit - (at % unit)) % unit, into.length);
    if (skip > 0) this.#part(at, into.subarray(0, skip));
    let rest = into.subarray(skip);
    const whole = rest.length - (rest.length % unit);
    if (whole > 0) this.#sectors(at + skip, rest.subarray(0, whole));
    rest = rest.subarray(whole);
    if (rest.length > 0) this.#part(at + skip + whole, rest);
  }

  /** Something inside one sector. */
  #part(at: number, into: Uint8Array): void {
    const unit = this.segment.sectorSize;
    const sector = this.#scratch.subarray(0, unit);
    this.#sectors(at - (at % unit), sector);
    into.set(sector.subarray(at % unit, (at % unit) + into.length));
  }

  #sectors(at: number, into: Uint8Array): void {
    // What lies above has a cache of plaintext: that of the disk need not keep these.
    readOnce(this.parent, this.segment.offset + at, into);
    const bytes = Buffer.from(into.buffer, into.byteOffset, into.length);
    const aligned = into.byteOffset % 4 === 0;
    for (let done = 0; done < into.length; done += BATCH) {
      const piece = bytes.subarray(done, Math.min(done + BATCH, into.length));
      const work = aligned ? piece : this.#scratch.subarray(0, piece.length);
      if (!aligned) work.set(piece);
      this.#cipher.decrypt(work, this.segment.ivTweak + (at + done) / 512, this.segment.sectorSize);
      if (!aligned) piece.set(work);
    }
  }
}
