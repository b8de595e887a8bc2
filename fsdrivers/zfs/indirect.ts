/** What was on a vdev that was removed: a sorted table says where each stretch is now. Source: vdev_indirect_mapping.h. */
import { corrupt, within } from '../../lib/bytes/errors';
import type { Dnode, Objset } from './dnode';
import { high, low, SECTOR } from './layout';
import type { Pool } from './pool';
import type { Vdev } from './vdev';

/** `vdev_indirect_mapping_entry_phys` */
const ENTRY = 24;
/** Stretches that one block may be in. */
const PIECES_MOST = 4096;
/** A vdev that was removed may have been copied to one that was removed later. */
const DEPTH_MOST = 16;

interface Piece {
  readonly vdev: number;
  readonly offset: number;
  readonly length: number;
}

class Indirect implements Vdev {
  #table: { dnode: Dnode; entries: number } | undefined;
  #depth = 0;

  constructor(
    readonly pool: Pool,
    readonly mos: () => Objset,
    readonly object: number,
  ) {}

  #entry(index: number): { from: number; length: number; vdev: number; to: number } {
    const { dnode } = this.#table!;
    const block = dnode.read(index * ENTRY, ENTRY);
    const place = (at: number) => ((high(block, at) & 0x7fffffff) * 2 ** 32 + low(block, at)) * SECTOR;
    return {
      from: place(0),
      length: (low(block, 8) & 0xffffff) * SECTOR,
      vdev: high(block, 8) & 0xffffff,
      to: place(16),
    };
  }

  #pieces(offset: number, size: number): Piece[] {
    const { ctx } = this.pool;
    if (!this.#table) {
      const dnode = this.mos().dnode(this.object);
      const entries = dnode.pool.of(dnode.bonus.big).Mapping.read(dnode.bonus.bytes).vimp_num_entries;
      this.#table = { dnode, entries };
    }
    // The last entry that begins at or before the place.
    let from = 0;
    let to = this.#table.entries;
    while (to - from > 1) {
      ctx.budget.step();
      const middle = Math.floor((from + to) / 2);
      if (this.#entry(middle).from <= offset) from = middle;
      else to = middle;
    }
    const pieces: Piece[] = [];
    for (let done = 0; done < size; from++) {
      ctx.budget.step();
      if (from >= this.#table.entries || pieces.length >= PIECES_MOST)
        throw corrupt(`${size} bytes at ${offset} are not in the table`);
      const entry = this.#entry(from);
      const skip = offset + done - entry.from;
      if (skip < 0 || skip >= entry.length) throw corrupt(`${offset + done} is not in the table`);
      const length = Math.min(entry.length - skip, size - done);
      pieces.push({ vdev: entry.vdev, offset: entry.to + skip, length });
      done += length;
    }
    return pieces;
  }

  *attempts(offset: number, size: number): Generator<Buffer> {
    if (this.#depth >= DEPTH_MOST) throw corrupt('removed vdevs that lead to each other');
    this.#depth++;
    try {
      const rows = within(`removed vdev, object ${this.object}`, () =>
        this.#pieces(offset, size).map((piece) => {
          const vdev = this.pool.vdevs.get(piece.vdev);
          if (!vdev) throw corrupt(`vdev ${piece.vdev} is missing`);
          return vdev.attempts(piece.offset, piece.length);
        }),
      );
      if (rows.length === 1) {
        yield* rows[0]!;
        return;
      }
      // All pieces' first copies, all their second ones …; one that has no more gives its last again.
      const last: (Buffer | undefined)[] = rows.map(() => undefined);
      for (;;) {
        let any = false;
        for (const [i, row] of rows.entries()) {
          const next = row.next();
          if (next.done) continue;
          last[i] = next.value;
          any = true;
        }
        if (!any || last.includes(undefined)) return;
        this.pool.ctx.budget.allocate(size);
        yield Buffer.concat(last as Buffer[]);
      }
    } finally {
      this.#depth--;
    }
  }
}

export const openMapping = (pool: Pool, mos: () => Objset, object: number): Vdev =>
  new Indirect(pool, mos, object);
