/** Numbers that are the same for the same seed, target and round. */
export class Random {
  #state: number;

  constructor(seed: string) {
    // FNV-1a, then the generator's own mixing.
    let h = 0x811c9dc5;
    for (let i = 0; i < seed.length; i++) h = Math.imul(h ^ seed.charCodeAt(i), 0x01000193);
    this.#state = h | 0;
    this.below(2);
  }

  /** In [0, n), a whole number (mulberry32). */
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % n;
  }

  chance(p: number): boolean {
    return this.below(1 << 20) < p * (1 << 20);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** Small numbers more often than large ones, below `n`. */
  skewed(n: number): number {
    return this.below(this.below(n) + 1);
  }
}
