/**
 * What is read in long stretches: announced ones are asked for ahead, in requests of up to `unit` bytes, as many at a time as there is room
 * for, and each byte is handed out once.
 */
import type { Client } from './client';
import type { Geometry } from './geometry';
import type { Problem } from './replies';

/** Fragments this near to each other are asked for with what lies between: copy.ts wants that, too (its LONG_GAP). */
const GAP = 64 * 1024;
/** Requests and bytes that are under way at a time. */
const MOST_REQUESTS = 64;
const MOST_BYTES = 24 * 1024 * 1024;

interface Range {
  at: number;
  end: number;
}

/** A stretch that has been asked for. */
interface Window extends Range {
  readonly slot: number;
}

export class Stretches {
  /** Announced and not asked for, in the order in which they will be read. */
  readonly #coming: Range[] = [];
  readonly #windows: Window[] = [];
  readonly #free: number[] = [];

  /** @param asked is told of each request */
  constructor(
    readonly client: Client,
    readonly geometry: Geometry,
    readonly asked: (length: number) => void,
  ) {
    for (let i = geometry.units - 1; i >= 0; i--) this.#free.push(geometry.blocks + i);
  }

  /** These bytes will be read next, after what was announced before. */
  announce(at: number, length: number): void {
    const { minimum } = this.geometry;
    const from = at - (at % minimum);
    const end = at + length + ((minimum - ((at + length) % minimum)) % minimum);
    const last = this.#coming.at(-1);
    if (last && from >= last.at && from <= last.end + GAP) last.end = Math.max(last.end, end);
    else this.#coming.push({ at: from, end });
  }

  /** Whether the byte at `at` is announced or under way. */
  has(at: number): boolean {
    const holds = (range: Range) => at >= range.at && at < range.end;
    return this.#windows.some(holds) || this.#coming.some(holds);
  }

  /**
   * Copies what one stretch has of these bytes; what was announced before them is forgotten.
   * @returns how many, at least one; 0 where they are not announced, or the request failed
   */
  take(at: number, into: Uint8Array): number {
    const holds = (range: Range) => at >= range.at && at < range.end;
    let found = this.#windows.findIndex(holds);
    if (found < 0) {
      const coming = this.#coming.findIndex(holds);
      if (coming < 0) return 0;
      this.#drop(this.#windows.length);
      this.#coming.splice(0, coming);
      this.#coming[0]!.at = at - (at % this.geometry.minimum);
      found = 0;
    }
    this.#drop(found);
    this.#ask(this.#windows.length === 0);
    const window = this.#windows[0]!;
    if (this.client.wait(window.slot)) {
      this.#drop(1);
      return 0;
    }
    const count = Math.min(into.length, window.end - at);
    const place = this.geometry.start(window.slot) + at - window.at;
    into.set(this.client.memory.subarray(place, place + count));
    if (at + count === window.end) this.#drop(1);
    this.#ask(false);
    return count;
  }

  /**
   * One request of these bytes, whole minimum blocks and at most `unit`.
   * @param use is given them
   * @returns why there are none
   */
  alone(at: number, length: number, use: (bytes: Uint8Array) => void): Problem | undefined {
    if (this.#free.length === 0) this.#drop(1);
    const slot = this.#free.pop()!;
    const place = this.geometry.start(slot);
    this.client.ask(slot, place, at, length);
    this.asked(length);
    const problem = this.client.wait(slot);
    if (!problem) use(this.client.memory.subarray(place, place + length));
    this.client.free(slot);
    this.#free.push(slot);
    return problem;
  }

  /** The first `count` windows are not needed any more. */
  #drop(count: number): void {
    for (const { slot } of this.#windows.splice(0, count)) {
      // Its memory is the server's still.
      if (this.client.isAsked(slot)) this.client.wait(slot);
      this.client.free(slot);
      this.#free.push(slot);
    }
  }

  /** @param now somebody waits: at least one request is made */
  #ask(now: boolean): void {
    const { unit } = this.geometry;
    let must = now;
    let bytes = 0;
    for (const window of this.#windows) if (this.client.isAsked(window.slot)) bytes += unit;
    while (this.#free.length > 0) {
      const first = this.#coming[0];
      if (!first) return;
      const length = Math.min(unit, first.end - first.at);
      const room = bytes + unit <= MOST_BYTES && bytes / unit < MOST_REQUESTS;
      if (!must && !room) return;
      must = false;
      const slot = this.#free.pop()!;
      this.client.ask(slot, this.geometry.start(slot), first.at, length);
      this.asked(length);
      this.#windows.push({ at: first.at, end: first.at + length, slot });
      bytes += unit;
      first.at += length;
      if (first.at === first.end) this.#coming.shift();
    }
  }
}
