/** `blkptr_t`: up to three places of a block, its sizes, its checksum; or the block itself. Source: OpenZFS' spa.h. */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import type { Words } from './checksum';
import { BLKPTR_SIZE, BLOCK_MOST, type Block, high, low, SECTOR } from './layout';

/** `dva_t` */
export interface Place {
  readonly vdev: number;
  /** Bytes, of what the top-level vdev has to give. */
  readonly offset: number;
  readonly gang: boolean;
}

interface Common {
  /** Bytes, unpacked and as they are stored. */
  readonly size: number;
  readonly stored: number;
  readonly compression: number;
  readonly type: number;
  readonly level: number;
  /** Byte order of the block. */
  readonly big: boolean;
}

export interface Stored extends Common {
  readonly kind: 'stored';
  readonly places: readonly Place[];
  readonly checksum: number;
  readonly sum: Words;
  readonly encrypted: boolean;
  /** Transaction group in which the first place was written. */
  readonly birth: bigint;
}

/** The block is in the pointer. */
export interface Embedded extends Common {
  readonly kind: 'embedded';
  readonly bytes: Buffer;
}

export type BlockPointer = Stored | Embedded;

/** Words that hold an embedded block, in order. */
const PAYLOAD = [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 14, 15];

/**
 * @returns undefined for a hole
 * @throws GuestError `corrupt`, `unsupported`
 */
export function blockPointer(block: Block, at: number): BlockPointer | undefined {
  if (at + BLKPTR_SIZE > block.bytes.length)
    throw corrupt(`a block pointer at ${at} of ${block.bytes.length} bytes`);
  const h = high(block, at + 48);
  const l = low(block, at + 48);
  const common = {
    compression: h & 0x7f,
    type: (h >>> 16) & 0xff,
    level: (h >>> 24) & 0x1f,
    big: h >>> 31 === 0,
  };
  if (h & 0x80) {
    const kind = (h >>> 8) & 0xff;
    if (kind !== 0) throw unsupported(kind === 2 ? 'redacted data' : `embedded data of kind ${kind}`);
    const stored = (l >>> 25) + 1;
    const size = (l & 0x1ffffff) + 1;
    if (stored > PAYLOAD.length * 8 || size > BLOCK_MOST)
      throw corrupt(`an embedded block of ${stored} bytes, unpacked ${size}`);
    const bytes = Buffer.allocUnsafe(PAYLOAD.length * 8);
    for (const [i, word] of PAYLOAD.entries())
      block.bytes.copy(bytes, 8 * i, at + 8 * word, at + 8 * word + 8);
    if (block.big) bytes.swap64();
    return { kind: 'embedded', ...common, size, stored, bytes: bytes.subarray(0, stored) };
  }
  const encrypted = (h & 0x20000000) !== 0;
  const places: Place[] = [];
  for (let i = 0; i < 3; i++) {
    const p = at + 16 * i;
    // An encrypted block keeps its salt in the third.
    if (i === 2 && encrypted) break;
    const placeHigh = high(block, p + 8);
    const placeLow = low(block, p + 8);
    if (high(block, p) === 0 && low(block, p) === 0 && placeHigh === 0 && placeLow === 0) {
      if (i === 0) return undefined;
      continue;
    }
    places.push({
      vdev: high(block, p) & 0xffffff,
      // 2^63 sectors at most, far beyond what a disk or a number here can have; reads are checked.
      offset: ((placeHigh & 0x7fffffff) * 2 ** 32 + placeLow) * SECTOR,
      gang: placeHigh >>> 31 !== 0,
    });
  }
  const size = ((l & 0xffff) + 1) * SECTOR;
  const stored = ((l >>> 16) + 1) * SECTOR;
  if (size > BLOCK_MOST || stored > BLOCK_MOST) throw corrupt(`a block of ${stored} bytes, unpacked ${size}`);
  const bits = (p: number) => (BigInt(high(block, at + p)) << 32n) | BigInt(low(block, at + p));
  const sum = new Uint32Array(8);
  for (let i = 0; i < 4; i++) sum.set([high(block, at + 96 + 8 * i), low(block, at + 96 + 8 * i)], 2 * i);
  return {
    kind: 'stored',
    ...common,
    size,
    stored,
    places,
    checksum: (h >>> 8) & 0xff,
    sum,
    encrypted,
    birth: bits(72) || bits(80),
  };
}
