/** Three tries, then a delay that grows. Pure: the caller has the clock. */

const FREE = 3;
const FIRST_DELAY = 2000;
const LONGEST_DELAY = 60_000;

export class Attempts {
  #wrong = 0;
  #until = 0;

  /** @param now milliseconds */
  failed(now: number): void {
    this.#wrong++;
    if (this.#wrong >= FREE)
      this.#until = now + Math.min(FIRST_DELAY * 2 ** (this.#wrong - FREE), LONGEST_DELAY);
  }

  succeeded(): void {
    this.#wrong = 0;
    this.#until = 0;
  }

  /** Milliseconds until the next try is heard. */
  waitUntil(now: number): number {
    return Math.max(this.#until - now, 0);
  }
}
