/**
 * Where the bytes of a striped array lie, and how those are made that a missing member held. The layouts are those of Linux
 * (drivers/md/raid5.c raid5_compute_sector, raid10.c __raid10_find_phys, raid0.c map_sector; include in raid5.h), which LVM has too.
 */
import type { Context } from '../../bytes/budget';
import { corrupt, GuestError, unsupported } from '../../bytes/errors';
import type { BlockSource } from '../../source/types';
import { add, inverse, power, scale } from './gf256';
import { type How, MappedSource, type Run, RunSource } from './mapped';

/** A member of an array: its data area, or undefined when it is missing. */
export type Members = readonly (BlockSource | undefined)[];

/** Bytes that one reconstruction handles at once. */
const MOST = 64 * 1024;

/** Copies of the same: the first that can be read. */
export class MirrorSource extends MappedSource {
  constructor(
    label: string,
    size: number,
    readonly legs: readonly BlockSource[],
    ctx: Context,
  ) {
    super(label, size, ctx);
  }

  protected piece(at: number, into: Uint8Array, how: How): number {
    let first: GuestError | undefined;
    for (const leg of this.legs) {
      this.ctx.budget.step();
      try {
        how(leg, at, into);
        return into.length;
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        first ??= error;
      }
    }
    throw first ?? corrupt('a mirror without legs', this.label);
  }
}

/** RAID 0 over members of one size. */
export class StripedSource extends MappedSource {
  constructor(
    label: string,
    size: number,
    readonly members: readonly BlockSource[],
    readonly chunk: number,
    ctx: Context,
    /** The array's number of the first chunk: the original layout of a further zone of unequal members counts on. */
    readonly turn = 0,
    /** Byte of the members at which the stripes begin. */
    readonly start = 0,
  ) {
    super(label, size, ctx);
  }

  protected piece(at: number, into: Uint8Array, how: How): number {
    const { chunk, members } = this;
    const number = Math.floor(at / chunk);
    const inside = at - number * chunk;
    const count = Math.min(into.length, chunk - inside);
    const member = members[(number + this.turn) % members.length]!;
    how(member, this.start + Math.floor(number / members.length) * chunk + inside, into.subarray(0, count));
    return count;
  }
}

/**
 * RAID 0 over members of any sizes: zones, each striped over the members that are long enough.
 * @param original as before Linux 3.14: the turn of the members goes on from zone to zone
 */
export function zoned(
  label: string,
  members: readonly BlockSource[],
  chunk: number,
  original: boolean,
  ctx: Context,
): BlockSource {
  const sizes = members.map((m) => Math.floor(m.size / chunk) * chunk);
  const runs: Run[] = [];
  let start = 0;
  let turn = 0;
  for (const end of [...new Set(sizes)].sort((a, b) => a - b)) {
    const long = members.filter((_, i) => sizes[i]! > start);
    if (end === 0 || long.length === 0) continue;
    const length = (end - start) * long.length;
    const source = new StripedSource(
      label,
      length,
      long,
      chunk,
      ctx,
      original ? turn % long.length : 0,
      start,
    );
    runs.push({ length, source, at: 0 });
    turn += length / chunk;
    start = end;
  }
  const [only] = runs;
  return runs.length === 1 ? only!.source! : new RunSource(label, runs, ctx);
}

/** Kernel's numbers of the layouts (drivers/md/raid5.h). */
export const Layout = {
  leftAsymmetric: 0,
  rightAsymmetric: 1,
  leftSymmetric: 2,
  rightSymmetric: 3,
  parity0: 4,
  parityN: 5,
  rotatingZeroRestart: 8,
  rotatingNRestart: 9,
  rotatingNContinue: 10,
  leftAsymmetric6: 16,
  rightAsymmetric6: 17,
  leftSymmetric6: 18,
  rightSymmetric6: 19,
  parity06: 20,
} as const;

/** Which members hold the parities of a stripe, and its data in order. */
export interface Stripe {
  readonly p: number;
  /** -1: one parity only. */
  readonly q: number;
  /** Member of the stripe's data chunk. */
  data(index: number): number;
}

/** @returns undefined for a layout that there is not */
export function stripeOf(
  level: 4 | 5 | 6,
  layout: number,
  disks: number,
  stripe: number,
): Stripe | undefined {
  const L = Layout;
  /** Data in the members' order, the parities passed over. */
  const plain = (p: number, q: number): Stripe => ({
    p,
    q,
    data: (i) => {
      let at = i;
      for (const parity of [p, q].filter((x) => x >= 0).sort((a, b) => a - b)) if (at >= parity) at++;
      return at;
    },
  });
  /** Data beginning behind the parities, around. */
  const around = (p: number, q: number, from: number, count = disks): Stripe => ({
    p,
    q,
    data: (i) => (from + i) % count,
  });
  const left = (count: number, n = stripe) => count - 1 - (n % count);
  const right = (count: number) => stripe % count;
  if (level === 4) return plain(disks - 1, -1);
  if (level === 5) {
    const p = layout % 2 === 0 ? left(disks) : right(disks);
    if (layout === L.leftAsymmetric || layout === L.rightAsymmetric) return plain(p, -1);
    if (layout === L.leftSymmetric || layout === L.rightSymmetric) return around(p, -1, p + 1);
    if (layout === L.parity0) return plain(0, -1);
    if (layout === L.parityN) return plain(disks - 1, -1);
    return undefined;
  }
  const next = (p: number) => plain(p, (p + 1) % disks);
  const one = disks - 1;
  switch (layout) {
    case L.leftAsymmetric:
      return next(left(disks));
    case L.rightAsymmetric:
    case L.rotatingZeroRestart:
      return next(right(disks));
    case L.leftSymmetric:
    case L.rightSymmetric: {
      const p = layout === L.leftSymmetric ? left(disks) : right(disks);
      return around(p, (p + 1) % disks, p + 2);
    }
    case L.parity0:
      return plain(0, 1);
    case L.parityN:
      return plain(disks - 2, disks - 1);
    case L.rotatingNRestart:
      return next(left(disks, stripe + 1));
    case L.rotatingNContinue: {
      const p = left(disks);
      return around(p, (p + disks - 1) % disks, p + 1);
    }
    case L.leftAsymmetric6:
      return plain(left(one), one);
    case L.rightAsymmetric6:
      return plain(right(one), one);
    case L.leftSymmetric6:
      return around(left(one), one, left(one) + 1, one);
    case L.rightSymmetric6:
      return around(right(one), one, right(one) + 1, one);
    case L.parity06:
      return plain(0, one);
  }
  return undefined;
}

/** RAID 4, 5 and 6. */
export class ParitySource extends MappedSource {
  readonly #data: number;

  /**
   * @param size bytes of the array
   * @throws GuestError `unsupported`: too many members are missing, no such layout
   */
  constructor(
    label: string,
    size: number,
    readonly level: 4 | 5 | 6,
    readonly layout: number,
    readonly members: Members,
    readonly chunk: number,
    ctx: Context,
  ) {
    super(label, size, ctx);
    const parities = level === 6 ? 2 : 1;
    this.#data = members.length - parities;
    if (this.#data < 1) throw corrupt(`raid${level} of ${members.length} members`, label);
    if (!stripeOf(level, layout, members.length, 0))
      throw unsupported(`raid${level} with layout ${layout}`, label);
    tooFew(label, members, parities);
  }

  protected piece(at: number, into: Uint8Array, how: How): number {
    const { chunk, members } = this;
    const number = Math.floor(at / chunk);
    const inside = at - number * chunk;
    const row = Math.floor(number / this.#data);
    const stripe = stripeOf(this.level, this.layout, members.length, row)!;
    const wanted = stripe.data(number % this.#data);
    const place = row * chunk + inside;
    let part = into.subarray(0, Math.min(into.length, chunk - inside));
    const member = members[wanted];
    if (member) {
      how(member, place, part);
      return part.length;
    }
    part = part.subarray(0, MOST);
    this.#recover(stripe, wanted, place, part, how);
    return part.length;
  }

  /** The exponent of the generator in Q for a member. */
  #exponents(stripe: Stripe): Map<number, number> {
    const { layout, members } = this;
    const found = new Map<number, number>();
    const ddf = layout >= Layout.rotatingZeroRestart && layout <= Layout.rotatingNContinue;
    let next = 0;
    // DDF counts members as they stand; Linux counts data from behind Q, around.
    for (let i = 0; i < members.length; i++) {
      const member = ddf ? i : (stripe.q + 1 + i) % members.length;
      const data = member !== stripe.p && member !== stripe.q;
      if (data) found.set(member, next);
      if (data || ddf) next++;
    }
    return found;
  }

  #recover(stripe: Stripe, wanted: number, place: number, into: Uint8Array, how: How): void {
    const { members, ctx } = this;
    const scratch = Buffer.allocUnsafe(into.length);
    ctx.budget.step(members.length);
    const get = (member: number): Buffer => {
      how(members[member]!, place, scratch);
      return scratch;
    };
    const data = members.map((_, i) => i).filter((i) => i !== stripe.p && i !== stripe.q);
    const others = data.filter((i) => i !== wanted);
    const lost = others.find((i) => !members[i]);
    // P = the sum of all data
    if (lost === undefined && members[stripe.p]) {
      into.fill(0);
      for (const i of [...others, stripe.p]) add(into, get(i));
      return;
    }
    // Q = the sum of 2^k·data
    const k = this.#exponents(stripe);
    const known = others.filter((i) => i !== lost);
    const q = Buffer.from(get(stripe.q));
    const p = lost === undefined ? undefined : Buffer.from(get(stripe.p));
    for (const i of known) {
      const bytes = get(i);
      add(q, bytes, power(k.get(i)!));
      if (p) add(p, bytes);
    }
    const x = power(k.get(wanted)!);
    if (!p) {
      scale(q, inverse(x));
      into.set(q);
      return;
    }
    // X + Y = p, x·X + y·Y = q
    const y = power(k.get(lost!)!);
    add(q, p, y);
    scale(q, inverse(x ^ y));
    into.set(q);
  }
}

function tooFew(label: string, members: Members, spare: number): void {
  const missing = members.flatMap((m, i) => (m ? [] : [i]));
  if (missing.length > spare)
    throw unsupported(
      `${missing.length} of ${members.length} members are missing (${missing.slice(0, 8).join(', ')}), ${spare} may be`,
      label,
    );
}

/** RAID 10: near, far and offset copies. */
export class Raid10Source extends MappedSource {
  readonly #near: number;
  readonly #far: number;
  readonly #offset: boolean;
  readonly #set: number;
  readonly #stride: number;

  /**
   * @param length bytes used of each member
   * @throws GuestError `corrupt`, `unsupported`
   */
  constructor(
    label: string,
    readonly members: Members,
    readonly chunk: number,
    layout: number,
    length: number,
    ctx: Context,
  ) {
    const disks = members.length;
    const near = layout & 0xff;
    const far = (layout >>> 8) & 0xff;
    if (near * far < 1 || near * far > disks || layout >>> 19 !== 0)
      throw corrupt(`raid10 with layout 0x${layout.toString(16)} over ${disks} members`, label);
    const chunks = Math.floor((Math.floor(Math.floor(length / chunk) / far) * disks) / near);
    super(label, chunks * chunk, ctx);
    this.#near = near;
    this.#far = far;
    this.#offset = (layout & 0x1_0000) !== 0;
    const sets = layout >>> 17;
    this.#set = sets === 1 ? Math.floor(disks / far) : sets === 2 ? far * near : disks;
    if (sets > 2 || this.#set < 1) throw unsupported(`raid10 with layout 0x${layout.toString(16)}`, label);
    this.#stride = this.#offset ? chunk : Math.floor(Math.ceil((chunks * near * far) / disks) / far) * chunk;
    tooFew(label, members, disks - 1);
    for (let i = 0; i < disks; i++)
      if (!this.#copies(i * chunk).some(([m]) => members[m]))
        throw unsupported(
          `of some data no copy is there: ${members.filter((m) => !m).length} of ${disks} members are missing`,
          label,
        );
  }

  /** Members and places of the copies of what is at `at`. */
  #copies(at: number): [number, number][] {
    const { chunk, members } = this;
    const disks = members.length;
    const number = Math.floor(at / chunk) * this.#near;
    let dev = number % disks;
    let place = Math.floor(number / disks) * (this.#offset ? this.#far : 1) * chunk + (at % chunk);
    const lastStart = (Math.floor(disks / this.#set) - 1) * this.#set;
    const lastSize = this.#set + (disks % this.#set);
    const found: [number, number][] = [];
    for (let n = 0; n < this.#near; n++) {
      let d = dev;
      let s = place;
      found.push([d, s]);
      for (let f = 1; f < this.#far; f++) {
        const set = Math.floor(d / this.#set);
        d += this.#near;
        if (disks % this.#set !== 0 && d > lastStart) d = lastStart + ((d - lastStart) % lastSize);
        else d = (d % this.#set) + this.#set * set;
        s += this.#stride;
        found.push([d, s]);
      }
      if (++dev >= disks) {
        dev = 0;
        place += chunk;
      }
    }
    return found;
  }

  protected piece(at: number, into: Uint8Array, how: How): number {
    const part = into.subarray(0, Math.min(into.length, this.chunk - (at % this.chunk)));
    let first: GuestError | undefined;
    for (const [index, place] of this.#copies(at)) {
      const member = this.members[index];
      this.ctx.budget.step();
      if (!member) continue;
      try {
        how(member, place, part);
        return part.length;
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        first ??= error;
      }
    }
    throw first ?? unsupported('no copy of this is there', this.label);
  }
}
