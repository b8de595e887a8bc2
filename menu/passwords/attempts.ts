/** How long a person waits who types wrong passwords. Times are of a clock that never goes back, in milliseconds. */

/** Wrong ones that cost nothing. */
const FREE = 3;
const FIRST_DELAY = 2000;
const LONGEST_DELAY = 60_000;

/** Three tries, then a delay that doubles with every further wrong one: 2 s, 4 s … 60 s. */
export class Attempts {
  #failures = 0;
  #next = 0;

  failed(now: number): void {
    this.#failures++;
    const doublings = this.#failures - FREE;
    if (doublings >= 0) this.#next = now + Math.min(FIRST_DELAY * 2 ** doublings, LONGEST_DELAY);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#next = 0;
  }

  /** @returns milliseconds until the next try is accepted, 0 if it is at once */
  waitUntil(now: number): number {
    return Math.max(0, this.#next - now);
  }
}
