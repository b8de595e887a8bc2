/** A cache of aligned blocks, for metadata: the one that was used longest ago goes. */
import type { Client } from './client';
import type { Geometry } from './geometry';

/** Blocks of one read that are asked for at a time. */
const TOGETHER = 16;

export class Blocks {
  /** Block's number → slot; the last used is the last. */
  readonly #slots = new Map<number, number>();
  readonly #free: number[] = [];

  /** @param asked is told of each request */
  constructor(
    readonly client: Client,
    readonly geometry: Geometry,
    readonly size: number,
    readonly asked: (length: number) => void,
  ) {
    for (let i = geometry.blocks - 1; i >= 0; i--) this.#free.push(i);
  }

  /** Asks for the block with this byte, and does not wait. */
  ask(at: number): void {
    const number = Math.floor(at / this.geometry.block);
    const known = this.#slots.get(number);
    if (known !== undefined) {
      this.#slots.delete(number);
      this.#slots.set(number, known);
      return;
    }
    const slot = this.#free.pop() ?? this.#oldest();
    const start = number * this.geometry.block;
    const length = Math.min(this.geometry.block, this.size - start);
    this.client.ask(slot, this.geometry.start(slot), start, length);
    this.asked(length);
    this.#slots.set(number, slot);
  }

  /**
   * Copies what one block has of these bytes.
   * @returns how many, at least one; 0 where the block could not be read
   */
  take(at: number, into: Uint8Array): number {
    const { block } = this.geometry;
    const last = Math.min(at + into.length, at + TOGETHER * block);
    for (let next = at; next < last; next += block - (next % block)) this.ask(next);
    const number = Math.floor(at / block);
    const slot = this.#slots.get(number)!;
    if (this.client.wait(slot)) {
      this.#slots.delete(number);
      this.client.free(slot);
      this.#free.push(slot);
      return 0;
    }
    const inside = at % block;
    const count = Math.min(into.length, block - inside);
    const place = this.geometry.start(slot) + inside;
    into.set(this.client.memory.subarray(place, place + count));
    return count;
  }

  #oldest(): number {
    const [number, slot] = this.#slots.entries().next().value as [number, number];
    this.#slots.delete(number);
    // Its memory is the server's still.
    if (this.client.isAsked(slot)) this.client.wait(slot);
    return slot;
  }
}
