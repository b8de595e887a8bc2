/** Metadata as it will be when the log has been written back: pieces over a source that stays as it is. */
import { limit } from '../../../lib/bytes/errors';
import { type BlockSource, checkRange } from '../../../lib/source/types';
import type { Replayed } from '../volume';

const PIECE = 512;
/** Bytes of changed metadata that are held. */
const HELD = 64 * 1024 * 1024;

export class Overlay implements BlockSource, Replayed {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;
  readonly source = this;
  readonly #pieces = new Map<number, Buffer>();
  readonly #under: BlockSource;

  constructor(under: BlockSource) {
    this.#under = under;
    this.label = under.label;
    this.size = under.size;
    this.sectorSize = under.sectorSize;
  }

  get isEmpty(): boolean {
    return this.#pieces.size === 0;
  }

  touches(at: number, length: number): boolean {
    for (let p = Math.floor(at / PIECE); p * PIECE < at + length; p++) if (this.#pieces.has(p)) return true;
    return false;
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    this.#under.read(at, into);
    for (let p = Math.floor(at / PIECE); p * PIECE < at + into.length; p++) {
      const piece = this.#pieces.get(p);
      if (!piece) continue;
      const from = Math.max(at, p * PIECE);
      const to = Math.min(at + into.length, (p + 1) * PIECE);
      into.set(piece.subarray(from - p * PIECE, to - p * PIECE), from - at);
    }
  }

  /** @throws GuestError `corrupt` outside, `limit` when too much has changed */
  write(at: number, bytes: Uint8Array): void {
    checkRange(this, at, bytes.length);
    for (let p = Math.floor(at / PIECE); p * PIECE < at + bytes.length; p++) {
      let piece = this.#pieces.get(p);
      if (!piece) {
        if ((this.#pieces.size + 1) * PIECE > HELD)
          throw limit(`a log of more than ${HELD} bytes of changes`);
        piece = Buffer.alloc(PIECE);
        this.#under.read(p * PIECE, piece.subarray(0, Math.min(PIECE, this.size - p * PIECE)));
        this.#pieces.set(p, piece);
      }
      const from = Math.max(at, p * PIECE);
      const to = Math.min(at + bytes.length, (p + 1) * PIECE);
      piece.set(bytes.subarray(from - at, to - at), from - p * PIECE);
    }
  }
}
