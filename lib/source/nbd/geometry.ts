/** How the memory is parted, by the sizes that the server allows. */
import type { Export } from './handshake';
import { MEMORY, MOST_SLOTS } from './shared';

/** Metadata is read in aligned blocks of this size: structures of a filesystem lie near each other, and a trip costs more. */
const BLOCK = 128 * 1024;
/** A request of a long stretch. */
const UNIT = 1024 * 1024;
const FOR_BLOCKS = 8 * 1024 * 1024;

export class Geometry {
  readonly minimum: number;
  /** Bytes of a block, a power of two. */
  readonly block: number;
  /** Bytes of the longest request. */
  readonly unit: number;
  /** Slots of blocks, the first ones. */
  readonly blocks: number;
  /** Slots of long requests, behind them. */
  readonly units: number;

  constructor({ minimum, maximum }: Export) {
    this.minimum = minimum;
    const most = Math.min(UNIT, maximum);
    this.unit = most - (most % minimum);
    let block = BLOCK;
    while (block > this.unit) block /= 2;
    this.block = block;
    this.blocks = Math.min(64, FOR_BLOCKS / block);
    this.units = Math.min(MOST_SLOTS - this.blocks, Math.floor((MEMORY - FOR_BLOCKS) / this.unit));
  }

  /** Where a slot's data begins in the memory. */
  start(slot: number): number {
    return slot < this.blocks ? slot * this.block : FOR_BLOCKS + (slot - this.blocks) * this.unit;
  }
}
