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
    if (size < 0 || size > room || size % segment.sectorSize !== 0)
      throw corrupt(`segment of ${segment.size ?? 'all'} bytes at ${segment.offset} of ${parent.size}`);
    this.size = size;
    this.#cipher = new SectorCipher(segment.encryption, key);
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    const unit = this.segment.sectorSize;
    const end = at + into.length;
    for (let place = at - (at % unit); place < end; place += BATCH) {
      const length = Math.min(BATCH, Math.ceil((end - place) / unit) * unit);
      const piece = this.#scratch.subarray(0, length);
      // What lies above has a cache of plaintext: that of the disk need not keep these.
      readOnce(this.parent, this.segment.offset + place, piece);
      this.#cipher.decrypt(piece, this.segment.ivTweak + place / 512, unit);
      const from = Math.max(at, place);
      into.set(piece.subarray(from - place, Math.min(end, place + length) - place), from - at);
    }
  }
}
