/** Which bytes of a request have come: ranges in order, joined where they touch. */
export class Coverage {
  /** Starts and ends in turn. */
  readonly #edges: number[] = [];
  /** Bytes. */
  total = 0;

  /** @returns false, and nothing is added, where [from, to) meets what was added before */
  add(from: number, to: number): boolean {
    const edges = this.#edges;
    // The first range that ends at or behind `from`.
    let low = 0;
    for (let high = edges.length / 2; low < high; ) {
      const middle = (low + high) >>> 1;
      if (edges[2 * middle + 1]! < from) low = middle + 1;
      else high = middle;
    }
    let i = 2 * low;
    const joinsLeft = i < edges.length && edges[i + 1] === from;
    if (joinsLeft) i += 2;
    if (i < edges.length && edges[i]! < to) return false;
    this.total += to - from;
    const joinsRight = i < edges.length && edges[i] === to;
    if (joinsLeft && joinsRight) edges.splice(i - 1, 2);
    else if (joinsLeft) edges[i - 1] = to;
    else if (joinsRight) edges[i] = from;
    else edges.splice(i, 0, from, to);
    return true;
  }
}
