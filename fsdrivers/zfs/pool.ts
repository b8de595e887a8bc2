/** The one door to the disks: blocks by their pointers, verified, unpacked, from whichever copy is right. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, unsupported, within } from '../../lib/bytes/errors';
import { type BlockPointer, blockPointer, type Place, type Stored } from './blockpointer';
import { checksumName, checksumOf, sameWords } from './checksum';
import { decompress } from './compression';
import { embeddedSum } from './label';
import { BLOCK_MOST, type Block, CHECKSUM, COMPRESS, SECTOR, type Structures, structures } from './layout';
import type { Vdev } from './vdev';

/** Bytes of metadata that are kept, and the largest block that is. */
const KEPT_BYTES = 8 * 1024 * 1024;
const KEPT_BLOCK = 1024 * 1024;
/** A gang's header points to three blocks, each of which may be a gang. */
const GANG_MEMBERS = 3;
const GANG_DEPTH = 10;
const MISSED_WARNINGS = 8;

export class Pool {
  readonly ctx: Context;
  readonly structures: Record<'big' | 'little', Structures> = {
    big: structures(true),
    little: structures(false),
  };
  /** Top-level vdevs by number; undefined: known, and nothing of it is there. */
  vdevs: ReadonlyMap<number, Vdev | undefined> = new Map();
  readonly #kept = new Map<string, Block>();
  #keptBytes = 0;
  /** Checksums that cannot be verified, told once. */
  readonly #unverified = new Set<number>();
  #missed = 0;
  #hashTable: Uint32Array | undefined;

  constructor(ctx: Context) {
    this.ctx = ctx;
  }

  of(big: boolean): Structures {
    return this.structures[big ? 'big' : 'little'];
  }

  /** CRC-64 of names in ZAPs (polynomial 0xC96C5795D7870F42, reflected): upper half, then lower half, of each byte. */
  get hashTable(): Uint32Array {
    if (!this.#hashTable) {
      const table = new Uint32Array(512);
      for (let byte = 0; byte < 256; byte++) {
        let h = 0;
        let l = byte;
        for (let bit = 0; bit < 8; bit++) {
          const odd = l & 1;
          l = ((l >>> 1) | (h << 31)) >>> 0;
          h >>>= 1;
          if (odd) {
            h = (h ^ 0xc96c5795) >>> 0;
            l = (l ^ 0xd7870f42) >>> 0;
          }
        }
        table[2 * byte] = h;
        table[2 * byte + 1] = l;
      }
      this.#hashTable = table;
    }
    return this.#hashTable;
  }

  /** A block of metadata; it may be asked for again. */
  kept(pointer: BlockPointer): Block {
    if (pointer.kind === 'embedded') return this.block(pointer);
    const [place] = pointer.places;
    const key = `${place!.vdev} ${place!.offset} ${pointer.birth} ${pointer.size}`;
    const known = this.#kept.get(key);
    if (known) return known;
    const block = this.block(pointer);
    if (pointer.size <= KEPT_BLOCK) {
      if (this.#keptBytes + pointer.size > KEPT_BYTES) {
        this.#kept.clear();
        this.#keptBytes = 0;
      }
      this.#kept.set(key, block);
      this.#keptBytes += pointer.size;
    }
    return block;
  }

  /** @throws GuestError `corrupt` when no copy is right, `unsupported` */
  block(pointer: BlockPointer): Block {
    this.ctx.budget.step(1 + (pointer.size >>> 12));
    if (pointer.compression !== COMPRESS.off) this.ctx.budget.allocate(pointer.size);
    if (pointer.kind === 'embedded')
      return { bytes: decompress(pointer.compression, pointer.bytes, pointer.size), big: pointer.big };
    const [first] = pointer.places;
    return within(`block ${first!.vdev}:${first!.offset}`, () => {
      if (pointer.encrypted) throw unsupported('encrypted data');
      return {
        bytes: decompress(pointer.compression, this.#stored(pointer, 0), pointer.size),
        big: pointer.big,
      };
    });
  }

  /** The bytes as they are stored. */
  #stored(pointer: Stored, depth: number): Buffer {
    let reason: GuestError | undefined;
    let wrong = 0;
    for (const place of pointer.places) {
      try {
        for (const bytes of place.gang
          ? this.#gang(place, pointer, depth)
          : this.#attempts(place, pointer.stored)) {
          if (this.#right(pointer, bytes)) {
            if (wrong > 0) this.#miss(pointer, wrong);
            return bytes;
          }
          wrong++;
        }
      } catch (error) {
        // Another place may do.
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        reason ??= error;
      }
    }
    if (wrong > 0) throw corrupt(`no copy of ${wrong} has the right checksum`);
    throw reason ?? corrupt('no copy can be read');
  }

  #attempts(place: Place, size: number): Generator<Buffer> {
    const vdev = this.vdevs.get(place.vdev);
    if (!vdev) throw corrupt(`vdev ${place.vdev} is missing`);
    return vdev.attempts(place.offset, size);
  }

  #right(pointer: Stored, bytes: Buffer): boolean {
    const { checksum } = pointer;
    if (checksum === CHECKSUM.off || checksum === CHECKSUM.noParity) return true;
    const sum = checksumOf(checksum, bytes, pointer.big);
    if (sum) return sameWords(sum, pointer.sum);
    if (!this.#unverified.has(checksum)) {
      this.#unverified.add(checksum);
      this.ctx.warn(`data is read without verifying it: ${checksumName(checksum)} is not computed here`);
    }
    return true;
  }

  #miss(pointer: Stored, wrong: number): void {
    this.#missed++;
    if (this.#missed > MISSED_WARNINGS) return;
    const [place] = pointer.places;
    this.ctx.warn(
      `block ${place!.vdev}:${place!.offset}: the checksum of ${wrong === 1 ? 'a copy' : `${wrong} copies`} is wrong, another is read${this.#missed === MISSED_WARNINGS ? '; further ones are not told' : ''}`,
    );
  }

  /** A block in pieces: what stands at its place is a header that points to them. */
  *#gang(place: Place, pointer: Stored, depth: number): Generator<Buffer> {
    if (depth >= GANG_DEPTH) throw corrupt(`gangs nested deeper than ${GANG_DEPTH}`);
    const verifier = [BigInt(place.vdev), BigInt(place.offset), pointer.birth] as const;
    for (const bytes of this.#attempts(place, SECTOR)) {
      if (!embeddedSum(bytes, verifier)) continue;
      const parts: Buffer[] = [];
      let length = 0;
      for (let i = 0; i < GANG_MEMBERS; i++) {
        this.ctx.budget.step();
        const member = blockPointer({ bytes, big: pointer.big }, 128 * i);
        if (!member) continue;
        if (member.kind !== 'stored') throw corrupt('an embedded block in a gang');
        length += member.stored;
        if (length > BLOCK_MOST) throw corrupt(`a gang of more than ${BLOCK_MOST} bytes`);
        parts.push(this.#stored(member, depth + 1));
      }
      if (length < pointer.stored)
        throw corrupt(`a gang of ${length} bytes holds a block of ${pointer.stored}`);
      this.ctx.budget.allocate(length);
      yield Buffer.concat(parts).subarray(0, pointer.stored);
      return;
    }
    throw corrupt('no gang header with a right checksum');
  }
}
