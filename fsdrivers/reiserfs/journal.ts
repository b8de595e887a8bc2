/**
 * The journal → the disk as it will be once it is replayed, as Linux does it (`journal_read` in fs/reiserfs/journal.c):
 * transactions of the newest mount from the first one on that was not flushed, as long as each is whole.
 */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, notFound, unsupported } from '../../lib/bytes/errors';
import { OverlaySource } from '../../lib/source/overlay';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { Commit, DESC_MAGIC, DESC_MAGIC_AT, Desc, JOURNAL_MOST, JournalHeader } from './layout';
import type { Geometry } from './superblock';

interface Transaction {
  /** Its description's block in the journal. */
  readonly at: number;
  readonly id: number;
  readonly mount: number;
  readonly length: number;
  readonly description: Buffer;
  readonly commit: Buffer;
}

/** @returns the source itself where there is nothing to replay, or, after a warning, where it cannot be done */
export function replay(
  source: BlockSource,
  geometry: Geometry,
  ctx: Context,
  others: () => Iterable<BlockSource>,
): BlockSource {
  try {
    const journal = new Journal(findDevice(source, geometry, ctx, others), geometry, ctx);
    const replaced = journal.replay(journal.source !== source);
    return replaced.size === 0
      ? source
      : new OverlaySource(source, journal.source, geometry.blockSize, replaced);
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    if (error.code !== 'not-found' || !geometry.journal.isDone)
      ctx.warn(`journal: ${error.describe()}; it is not replayed, the disk is read as it stands`);
    return source;
  }
}

function header(source: BlockSource, { journal, blockSize }: Geometry, ctx: Context) {
  const at = (journal.first + journal.size) * blockSize;
  return JournalHeader.read(readBytes(source, at, JournalHeader.size, ctx));
}

/** A relocated journal is known by its number, on whatever device it is. @throws GuestError `not-found` */
function findDevice(
  source: BlockSource,
  geometry: Geometry,
  ctx: Context,
  others: () => Iterable<BlockSource>,
): BlockSource {
  const { journal, blockSize } = geometry;
  if (!journal.relocated) return source;
  function* candidates(): Generator<BlockSource> {
    yield source;
    yield* others();
  }
  for (const candidate of candidates()) {
    if ((journal.first + journal.size + 1) * blockSize > candidate.size) continue;
    try {
      if (header(candidate, geometry, ctx).jp_journal_magic === journal.magic) return candidate;
    } catch (error) {
      // Another volume that cannot be read is not ours to complain about.
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    }
  }
  throw notFound(`its device (number 0x${journal.magic.toString(16)}) is not among the volumes`);
}

class Journal {
  readonly #first: number;
  readonly #size: number;

  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {
    this.#first = geometry.journal.first;
    this.#size = geometry.journal.size;
    if (this.#size === 0 || this.#size > JOURNAL_MOST)
      throw unsupported(`a journal of ${this.#size} blocks, maximum ${JOURNAL_MOST}`);
    if ((this.#first + this.#size + 1) * geometry.blockSize > source.size)
      throw corrupt(`${this.#size} blocks at ${this.#first}, beyond the end (${source.size} bytes)`);
  }

  /**
   * @param external another device holds it, so that none of its blocks is one of the filesystem's
   * @returns block → byte of its newest copy
   */
  replay(external: boolean): Map<number, number> {
    const { blockSize, blocks } = this.geometry;
    const { start, oldest, mount } = this.#start();
    const replaced = new Map<number, number>();
    let at = start;
    let id = oldest;
    for (let used = 0; used < this.#size; ) {
      this.ctx.budget.step();
      const t = this.#transaction(at);
      if (!t || t.id < id || t.mount !== mount) break;
      for (const [i, block] of this.#blocks(t).entries()) {
        this.ctx.budget.step();
        const inside = !external && block >= this.#first && block <= this.#first + this.#size;
        if (block === 0 || block >= blocks || inside)
          throw corrupt(`transaction ${t.id} holds block ${block} of ${blocks}`);
        replaced.set(block, (this.#first + ((t.at + 1 + i) % this.#size)) * blockSize);
      }
      id = t.id + 1;
      used += t.length + 2;
      at = (t.at + t.length + 2) % this.#size;
    }
    return replaced;
  }

  /** Where the first transaction to replay should be, and what it must be. */
  #start(): { start: number; oldest: number; mount: number } {
    const h = header(this.source, this.geometry, this.ctx);
    if (h.j_first_unflushed_offset < this.#size && h.j_last_flush_trans_id > 0)
      return { start: h.j_first_unflushed_offset, oldest: h.j_last_flush_trans_id + 1, mount: h.j_mount_id };
    // It was never flushed: the oldest one, of all there are, and the newest mount.
    let first: Transaction | undefined;
    let mount = 0;
    for (let at = 0; at < this.#size; at++) {
      this.ctx.budget.step();
      const t = this.#transaction(at);
      if (!t) continue;
      if (!first || t.id < first.id) first = t;
      mount = Math.max(mount, t.mount);
      at += t.length + 1;
    }
    return { start: first?.at ?? 0, oldest: first?.id ?? 0, mount };
  }

  /** Undefined where none is whole. */
  #transaction(at: number): Transaction | undefined {
    const description = this.#read(at);
    const magic = description.toString('latin1', description.length - DESC_MAGIC_AT, description.length - 4);
    if (magic !== DESC_MAGIC) return undefined;
    const { j_trans_id: id, j_len: length, j_mount_id: mount } = Desc.read(description);
    if (id === 0 || length === 0 || length > this.#size - 2 || length > 2 * this.#half) return undefined;
    const commit = this.#read((at + length + 1) % this.#size);
    const c = Commit.read(commit);
    return c.j_trans_id === id && c.j_len === length
      ? { at, id, mount, length, description, commit }
      : undefined;
  }

  /** Numbers of blocks in a description; as many fit into a commit block. */
  get #half(): number {
    return (this.geometry.blockSize - Desc.size - DESC_MAGIC_AT) / 4;
  }

  #blocks({ length, description, commit }: Transaction): number[] {
    const half = this.#half;
    return Array.from({ length }, (_, i) =>
      i < half
        ? description.readUInt32LE(Desc.size + 4 * i)
        : commit.readUInt32LE(Commit.size + 4 * (i - half)),
    );
  }

  #read(block: number): Buffer {
    return readBytes(
      this.source,
      (this.#first + block) * this.geometry.blockSize,
      this.geometry.blockSize,
      this.ctx,
    );
  }
}
