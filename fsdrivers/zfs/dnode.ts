/** Objects: a dnode, and the tree of block pointers below it. */
import { corrupt, within } from '../../lib/bytes/errors';
import { type BlockPointer, blockPointer } from './blockpointer';
import {
  BLKPTR_SIZE,
  BLOCK_MOST,
  type Block,
  DNODE_CORE,
  DNODE_SIZE,
  DNODE_SPILL,
  INDIRECT_SHIFT,
  LEVELS_MOST,
  OBJSET_LEAST,
  OS_TYPE_AT,
  SECTOR,
} from './layout';
import type { Pool } from './pool';

/** Blocks of dnodes that an object set keeps, of 16 KiB each. */
const KEPT = 64;

export class Dnode {
  readonly type: number;
  readonly bonusType: number;
  /** Bytes. */
  readonly blockSize: number;
  readonly lastBlock: number;
  readonly bonus: Block;
  readonly spill: BlockPointer | undefined;
  readonly #levels: number;
  readonly #pointers: number;
  readonly #shift: number;
  /** The indirect block that the last pointer was found in: the next one's, too, most of the time. */
  #last: { group: number; block: Block } | undefined;

  constructor(
    readonly pool: Pool,
    /** From the dnode's first byte on. */
    readonly raw: Block,
  ) {
    const d = pool.of(raw.big).Dnode.read(raw.bytes);
    this.type = d.dn_type;
    if (d.dn_type === 0) throw corrupt('a freed object');
    const size = DNODE_SIZE * (d.dn_extra_slots + 1);
    const end = size - (d.dn_flags & DNODE_SPILL ? BLKPTR_SIZE : 0);
    const bonusAt = DNODE_CORE + d.dn_nblkptr * BLKPTR_SIZE;
    if (size > raw.bytes.length || d.dn_nblkptr < 1 || bonusAt + d.dn_bonuslen > end)
      throw corrupt(`${d.dn_nblkptr} block pointers and ${d.dn_bonuslen} bytes in a dnode of ${size}`);
    if (d.dn_nlevels < 1 || d.dn_nlevels > LEVELS_MOST) throw corrupt(`${d.dn_nlevels} levels of blocks`);
    if (
      d.dn_nlevels > 1 &&
      (d.dn_indblkshift < INDIRECT_SHIFT.least || d.dn_indblkshift > INDIRECT_SHIFT.most)
    )
      throw corrupt(`indirect blocks of 2^${d.dn_indblkshift} bytes`);
    this.blockSize = d.dn_datablkszsec * SECTOR;
    if (this.blockSize === 0 || this.blockSize > BLOCK_MOST)
      throw corrupt(`blocks of ${this.blockSize} bytes`);
    this.bonusType = d.dn_bonustype;
    this.bonus = { bytes: raw.bytes.subarray(bonusAt, bonusAt + d.dn_bonuslen), big: raw.big };
    this.spill = d.dn_flags & DNODE_SPILL ? blockPointer(raw, size - BLKPTR_SIZE) : undefined;
    this.lastBlock = d.dn_maxblkid;
    this.#levels = d.dn_nlevels;
    this.#pointers = d.dn_nblkptr;
    this.#shift = d.dn_indblkshift - 7;
  }

  #checked(pointer: BlockPointer | undefined, level: number): BlockPointer | undefined {
    if (!pointer) return undefined;
    const size = level === 0 ? this.blockSize : 2 ** (this.#shift + 7);
    if (pointer.level !== level || pointer.size > size)
      throw corrupt(
        `a block of level ${pointer.level} and ${pointer.size} bytes where level ${level} belongs`,
      );
    return pointer;
  }

  /** undefined: a hole, or beyond the end. */
  pointer(id: number): BlockPointer | undefined {
    if (id > this.lastBlock) return undefined;
    const top = this.#levels - 1;
    let block: Block = { bytes: this.raw.bytes.subarray(DNODE_CORE), big: this.raw.big };
    let entries = this.#pointers;
    let level = top;
    const group = Math.floor(id / 2 ** this.#shift);
    if (this.#last?.group === group && top > 0) {
      block = this.#last.block;
      entries = block.bytes.length / BLKPTR_SIZE;
      level = 0;
    }
    for (; ; level--) {
      const index =
        Math.floor(id / 2 ** (this.#shift * level)) % (level === top ? Infinity : 2 ** this.#shift);
      if (index >= entries) return undefined;
      const pointer = this.#checked(blockPointer(block, index * BLKPTR_SIZE), level);
      if (!pointer || level === 0) return pointer;
      block = this.pool.kept(pointer);
      entries = block.bytes.length / BLKPTR_SIZE;
      if (level === 1) this.#last = { group, block };
    }
  }

  /** Blocks that there are, in order. */
  *pointers(): Generator<{ id: number; pointer: BlockPointer }> {
    yield* this.#below(
      { bytes: this.raw.bytes.subarray(DNODE_CORE), big: this.raw.big },
      this.#pointers,
      this.#levels - 1,
      0,
    );
  }

  *#below(
    block: Block,
    entries: number,
    level: number,
    first: number,
  ): Generator<{ id: number; pointer: BlockPointer }> {
    const span = 2 ** (this.#shift * level);
    for (let i = 0; i < entries; i++) {
      const id = first + i * span;
      if (id > this.lastBlock) return;
      this.pool.ctx.budget.step();
      const pointer = this.#checked(blockPointer(block, i * BLKPTR_SIZE), level);
      if (!pointer) continue;
      if (level === 0) yield { id, pointer };
      else {
        const inner = this.pool.kept(pointer);
        yield* this.#below(inner, inner.bytes.length / BLKPTR_SIZE, level - 1, id);
      }
    }
  }

  /** A block of a metadata object. @throws GuestError `corrupt` for a hole */
  block(id: number): Block {
    const pointer = this.pointer(id);
    if (!pointer) throw corrupt(`block ${id} is not there`);
    return this.pool.kept(pointer);
  }

  /** [at, at+length) of a metadata object, which may lie in several blocks. */
  read(at: number, length: number): Block {
    const parts: Buffer[] = [];
    let big = this.raw.big;
    for (let done = 0; done < length; ) {
      const id = Math.floor((at + done) / this.blockSize);
      const block = this.block(id);
      const start = at + done - id * this.blockSize;
      const part = block.bytes.subarray(start, start + length - done);
      if (part.length === 0) throw corrupt(`block ${id} of ${block.bytes.length} bytes`);
      parts.push(part);
      done += part.length;
      big = block.big;
    }
    return { bytes: parts.length === 1 ? parts[0]! : Buffer.concat(parts), big };
  }
}

/** A set of objects by number: a dataset, or the pool's own (MOS). */
export class Objset {
  readonly type: number;
  readonly #objects: Dnode;
  /** Blocks of dnodes by number. */
  readonly #kept = new Map<number, Block>();

  constructor(
    readonly pool: Pool,
    pointer: BlockPointer,
  ) {
    if (pointer.level !== 0) throw corrupt(`an object set at level ${pointer.level}`);
    const block = pool.kept(pointer);
    if (block.bytes.length < OBJSET_LEAST) throw corrupt(`an object set of ${block.bytes.length} bytes`);
    this.type = pool.of(block.big).u64.read(block.bytes, OS_TYPE_AT);
    this.#objects = within('object set', () => new Dnode(pool, block));
  }

  /** @throws GuestError `corrupt` */
  dnode(number: number): Dnode {
    return within(`object ${number}`, () => {
      const at = number * DNODE_SIZE;
      const id = Math.floor(at / this.#objects.blockSize);
      let block = this.#kept.get(id);
      if (!block) {
        block = this.#objects.block(id);
        if (this.#kept.size >= KEPT) this.#kept.clear();
        this.#kept.set(id, block);
      }
      return new Dnode(this.pool, {
        bytes: block.bytes.subarray(at - id * this.#objects.blockSize),
        big: block.big,
      });
    });
  }
}
