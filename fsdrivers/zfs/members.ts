/** The members of a pool, found among the guest's other volumes when they are wanted. */
import type { Context } from '../../lib/bytes/budget';
import type { BlockSource } from '../../lib/source/types';
import { bestLabel, type Label } from './label';
import { count, listsOf, type Nvlist } from './nvlist';
import type { Member } from './vdev';

/** Volumes that are looked at; a guest has a few. */
const MOST = 4096;

interface Found extends Member {
  readonly label: Label;
}

/** Members in a tree of disks. */
export function leaves(tree: Nvlist): number {
  const children = listsOf(tree, 'children');
  return children.length === 0 ? 1 : children.reduce((sum, child) => sum + leaves(child), 0);
}

/** By their own identifiers. */
export class Members {
  readonly #found = new Map<bigint, Found>();
  readonly #ctx: Context;
  readonly #pool: bigint;
  #others: (() => Iterable<BlockSource>) | undefined;

  constructor(own: BlockSource, label: Label, ctx: Context, others: () => Iterable<BlockSource>) {
    this.#ctx = ctx;
    this.#pool = label.pool;
    this.#others = others;
    this.#add(own, label);
  }

  #add(source: BlockSource, label: Label): void {
    const known = this.#found.get(label.guid)?.label;
    // The same member twice: a disk whose last partition ends with it has that partition's last labels; or a clone.
    if (
      known &&
      (known.index < 2 || label.index >= 2) &&
      (known.index < 2 !== label.index < 2 || known.txg >= label.txg)
    )
      return;
    this.#found.set(label.guid, { source, txg: label.txg, label });
  }

  /** Looks at the other volumes, once. */
  search(): void {
    const others = this.#others;
    if (!others) return;
    this.#others = undefined;
    let looked = 0;
    for (const source of others()) {
      this.#ctx.budget.step();
      if (++looked > MOST) return;
      const label = bestLabel(source, this.#ctx);
      if (label && label.pool === this.#pool) this.#add(source, label);
    }
  }

  find(guid: bigint): Member | undefined {
    if (!this.#found.has(guid)) this.search();
    return this.#found.get(guid);
  }

  get newest(): Label {
    return [...this.#found.values()].map((found) => found.label).reduce((a, b) => (b.txg > a.txg ? b : a));
  }

  /** Where uberblocks are. */
  rings(): { source: BlockSource; ashift: number }[] {
    return [...this.#found.values()].map(({ source, label }) => ({
      source,
      ashift: count(label.tree, 'ashift') ?? 9,
    }));
  }

  /** Top-level vdevs by their numbers, each as its newest member knows it. */
  trees(): Map<number, Nvlist> {
    const trees = new Map<number, Nvlist>();
    const sorted = [...this.#found.values()].sort((a, b) => a.txg - b.txg);
    for (const { label } of sorted) {
      const id = count(label.tree, 'id');
      if (id !== undefined) trees.set(id, label.tree);
    }
    return trees;
  }
}
