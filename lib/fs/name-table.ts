/**
 * Names below directories as a few arrays instead of an object each: 100,000 take about 6 MB. For drivers whose format has no
 * index of its own.
 */
import type { Context } from '../bytes/budget';
import { limit } from '../bytes/errors';
import type { ByteString } from '../bytes/text';
import type { NodeKind } from './types';

/** Entries of one table: names of 20 bytes then take 60 MB. */
const MOST = 1_000_000;
const FIRST_ROOM = 64;
/** What an entry takes in the arrays, without its name. */
const ENTRY_COST = 5 * 4 + 8 + 1 + 8;
const KINDS: readonly NodeKind[] = ['directory', 'file', 'symlink', 'other'];
export const NONE = -1;

export class NameTable {
  readonly #ctx: Context;
  readonly #most: number;
  #count = 0;
  #room = 0;
  #parents = new Int32Array(0);
  #first = new Int32Array(0);
  #last = new Int32Array(0);
  #next = new Int32Array(0);
  /** Where a name ends in `names`; it begins where the one before ends. */
  #ends = new Int32Array(0);
  #places = new Float64Array(0);
  #kinds = new Uint8Array(0);
  /** Open addressing, at most half full: entry + 1, or 0. */
  #slots = new Int32Array(0);
  #names = Buffer.alloc(0);
  /** Another one in each table, so that no image can hold names that are made to collide. */
  readonly #multiplier = (Math.random() * 0x1_0000_0000) | 1;

  /** Entry 0 is the directory that all begins in. */
  constructor(ctx: Context, most = MOST) {
    this.#ctx = ctx;
    this.#most = most;
    this.#grow();
    this.#append(NONE, '');
  }

  /** The entry of this name; a new one is a directory at no place. @throws GuestError `limit` */
  add(parent: number, name: ByteString): number {
    const slot = this.#slot(parent, name);
    if (this.#slots[slot] !== 0) return this.#slots[slot]! - 1;
    if (this.#count >= this.#most) throw limit(`more than ${this.#most} names`);
    if (this.#count === this.#room) {
      this.#grow();
      return this.add(parent, name);
    }
    this.#slots[slot] = this.#count + 1;
    const last = this.#last[parent]!;
    if (last === NONE) this.#first[parent] = this.#count;
    else this.#next[last] = this.#count;
    this.#last[parent] = this.#count;
    return this.#append(parent, name);
  }

  /** `NONE` where there is no such name. */
  find(parent: number, name: ByteString): number {
    return this.#slots[this.#slot(parent, name)]! - 1;
  }

  set(entry: number, kind: NodeKind, place: number): void {
    this.#kinds[entry] = KINDS.indexOf(kind);
    this.#places[entry] = place;
  }

  kind(entry: number): NodeKind {
    return KINDS[this.#kinds[entry]!]!;
  }

  /** What `set` said; `NONE`: nothing was said. */
  place(entry: number): number {
    return this.#places[entry]!;
  }

  parent(entry: number): number {
    return this.#parents[entry]!;
  }

  name(entry: number): ByteString {
    return this.#names.toString('latin1', this.#start(entry), this.#ends[entry]);
  }

  hasChildren(entry: number): boolean {
    return this.#first[entry] !== NONE;
  }

  /** In the order in which they were added. */
  *children(entry: number): Generator<number> {
    for (let child = this.#first[entry]!; child !== NONE; child = this.#next[child]!) {
      this.#ctx.budget.step();
      yield child;
    }
  }

  #start(entry: number): number {
    return entry === 0 ? 0 : this.#ends[entry - 1]!;
  }

  #append(parent: number, name: ByteString): number {
    const entry = this.#count++;
    const start = this.#start(entry);
    const end = start + name.length;
    if (end > this.#names.length) {
      const larger = Math.max(1024, 2 * this.#names.length, end);
      this.#ctx.budget.allocate(larger);
      const names = Buffer.alloc(larger);
      names.set(this.#names);
      this.#names = names;
    }
    this.#names.write(name, start, 'latin1');
    this.#ends[entry] = end;
    this.#parents[entry] = parent;
    this.#first[entry] = NONE;
    this.#last[entry] = NONE;
    this.#next[entry] = NONE;
    this.set(entry, 'directory', NONE);
    return entry;
  }

  #hash(parent: number, name: ByteString): number {
    let hash = Math.imul(parent + 1, this.#multiplier);
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name.charCodeAt(i), this.#multiplier);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  /** Where the name is, or would be. */
  #slot(parent: number, name: ByteString): number {
    const mask = this.#slots.length - 1;
    for (let slot = this.#hash(parent, name) & mask; ; slot = (slot + 1) & mask) {
      this.#ctx.budget.step();
      const entry = this.#slots[slot]! - 1;
      if (entry < 0 || (this.#parents[entry] === parent && this.#is(entry, name))) return slot;
    }
  }

  #is(entry: number, name: ByteString): boolean {
    const start = this.#start(entry);
    if (this.#ends[entry]! - start !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (this.#names[start + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  #grow(): void {
    const room = Math.max(FIRST_ROOM, 2 * this.#room);
    this.#ctx.budget.allocate(room * ENTRY_COST);
    const ints = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(room);
      to.set(from);
      return to;
    };
    this.#parents = ints(this.#parents);
    this.#first = ints(this.#first);
    this.#last = ints(this.#last);
    this.#next = ints(this.#next);
    this.#ends = ints(this.#ends);
    const places = new Float64Array(room);
    places.set(this.#places);
    this.#places = places;
    const kinds = new Uint8Array(room);
    kinds.set(this.#kinds);
    this.#kinds = kinds;
    this.#room = room;
    this.#slots = new Int32Array(2 * room);
    for (let entry = 1; entry < this.#count; entry++)
      this.#slots[this.#slot(this.#parents[entry]!, this.name(entry))] = entry + 1;
  }
}
