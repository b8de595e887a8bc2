/** Logical addresses → bytes: chunks, their profiles, copies, and missing members. The one door to the disks. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, type GuestError, unsupported, within } from '../../lib/bytes/errors';
import { type BlockSource, readOnce } from '../../lib/source/types';
import { type ChunkMap, type ChunkStripe, chunkSize, readChunk } from './chunks';
import type { Device, Devices } from './devices';
import { id64, KEY, KEY_SIZE, STRIPE_LEN, TREE } from './layout';
import { byBoth, byP, byQ, Galois, type Row } from './parity';
import { type Super, uuidText } from './superblock';
import { Nodes, Tree } from './tree';

/** One way to get the bytes of a piece. */
export type Copy =
  | { readonly kind: 'place'; readonly source: BlockSource; readonly at: number }
  /** By parity. */
  | { readonly kind: 'rebuilt'; read(into: Uint8Array): void };

/** Bytes that lie together on the devices. */
export interface Piece {
  readonly length: number;
  /** The one to try first is the first. */
  readonly copies: readonly Copy[];
  readonly chunk: ChunkMap;
}

/** Chunks kept; there are some hundred in a large filesystem. */
const CHUNKS = 16_384;

export class Volume {
  readonly nodes: Nodes;
  readonly devices: Devices;
  /**
   * A member was stale, a copy was wrong: from here on the checksums of all data are verified, which costs more than the
   * copying itself.
   */
  doubt = false;
  readonly #system: ChunkMap[] = [];
  /** Sorted by start. */
  readonly #known: ChunkMap[] = [];
  readonly #chunkTree: Tree;
  /** The part of a chunk that `plainPlace` found last; add `shift` for the place on the device. */
  #plain: { start: number; end: number; source: BlockSource; shift: number } | undefined;
  readonly #missing = new Set<string>();
  readonly #stale = new Set<string>();
  #galois: Galois | undefined;

  constructor(
    own: BlockSource,
    readonly ctx: Context,
    readonly superblock: Super,
    devices: Devices,
  ) {
    this.devices = devices;
    this.#readSystemChunks();
    this.nodes = new Nodes(this);
    this.#chunkTree = new Tree(this.nodes, superblock.chunkRoot, 'chunk tree', true);
    if (superblock.totalBytes > own.size && superblock.devices === 1)
      ctx.warn(
        `btrfs of ${superblock.totalBytes} bytes on a volume of ${own.size}: what lies beyond cannot be read`,
      );
  }

  #readSystemChunks(): void {
    const { systemChunks, stripeTree } = this.superblock;
    within('system chunk array', () => {
      for (let at = 0; at < systemChunks.length; ) {
        this.ctx.budget.step();
        if (at + KEY_SIZE > systemChunks.length || systemChunks[at + 8] !== KEY.chunkItem)
          throw corrupt(`no chunk at byte ${at}`);
        const start = id64(9).read(systemChunks, at);
        at += KEY_SIZE;
        this.#system.push(readChunk(start, systemChunks, at, systemChunks.length, stripeTree));
        at += chunkSize(systemChunks, at);
      }
    });
  }

  /** @throws GuestError `corrupt` when nothing is there */
  #chunk(logical: number, system: boolean): ChunkMap {
    for (const chunk of this.#system)
      if (logical >= chunk.start && logical < chunk.start + chunk.length) return chunk;
    if (system) throw corrupt(`no system chunk holds ${logical}`);
    const known = this.#known;
    let low = 0;
    let high = known.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (known[middle]!.start <= logical) low = middle + 1;
      else high = middle;
    }
    const before = known[low - 1];
    if (before && logical < before.start + before.length) return before;
    const item = this.#chunkTree.last(TREE.firstChunk, KEY.chunkItem, logical);
    if (item) {
      const chunk = readChunk(
        item.offset,
        item.bytes,
        item.at,
        item.at + item.size,
        this.superblock.stripeTree,
      );
      if (logical >= chunk.start && logical < chunk.start + chunk.length) {
        this.ctx.budget.allocate(200);
        if (known.length >= CHUNKS) known.length = 0;
        known.splice(Math.min(low, known.length), 0, chunk);
        return chunk;
      }
    }
    throw corrupt(`no chunk holds the address ${logical}`);
  }

  /**
   * Where [logical, logical + length) lies, when it is one stretch of an up-to-date device: `pieces` without the choice, for
   * files in thousands of extents.
   */
  plainPlace(logical: number, length: number): { source: BlockSource; at: number } | undefined {
    this.ctx.budget.step();
    const last = this.#plain;
    if (last && logical >= last.start && logical + length <= last.end)
      return { source: last.source, at: logical + last.shift };
    const chunk = this.#chunk(logical, false);
    const [stripe] = chunk.stripes;
    if (chunk.layout.kind !== 'copies' || !stripe || logical + length > chunk.start + chunk.length)
      return undefined;
    const device = this.#device(stripe);
    const at = stripe.offset + (logical - chunk.start);
    if (!device || at + length > device.source.size || this.#isStale(stripe, device)) return undefined;
    const { start } = chunk;
    const shift = stripe.offset - start;
    const end = Math.min(start + chunk.length, device.source.size - shift);
    this.#plain = { start, end, source: device.source, shift };
    return { source: device.source, at };
  }

  /** The pieces of [logical, logical + length), in order. */
  *pieces(logical: number, length: number, system = false): Generator<Piece> {
    let at = logical;
    const end = logical + length;
    while (at < end) {
      this.ctx.budget.step();
      const chunk = this.#chunk(at, system);
      const most = Math.min(end, chunk.start + chunk.length) - at;
      const piece = this.#piece(chunk, at - chunk.start, most);
      yield piece;
      at += piece.length;
    }
  }

  #piece(chunk: ChunkMap, offset: number, most: number): Piece {
    const { layout, stripes } = chunk;
    if (layout.kind === 'copies') {
      const copies = this.#places(
        stripes.map((stripe) => ({ stripe, at: stripe.offset + offset })),
        most,
      );
      return { length: most, copies, chunk };
    }
    const number = Math.floor(offset / STRIPE_LEN);
    const inside = offset % STRIPE_LEN;
    const length = Math.min(most, STRIPE_LEN - inside);
    if (layout.kind === 'striped') {
      const groups = stripes.length / layout.copies;
      const first = (number % groups) * layout.copies;
      const down = Math.floor(number / groups) * STRIPE_LEN + inside;
      const copies = this.#places(
        stripes.slice(first, first + layout.copies).map((stripe) => ({ stripe, at: stripe.offset + down })),
        length,
      );
      return { length, copies, chunk };
    }
    return { length, copies: this.#parity(chunk, layout.parities, number, inside, length), chunk };
  }

  /** Those of the places that can be read, up-to-date members first. */
  #places(places: readonly { stripe: ChunkStripe; at: number }[], length: number): Copy[] {
    const fresh: Copy[] = [];
    const stale: Copy[] = [];
    for (const { stripe, at } of places) {
      const device = this.#device(stripe);
      if (!device || at + length > device.source.size) continue;
      const copy: Copy = { kind: 'place', source: device.source, at };
      (this.#isStale(stripe, device) ? stale : fresh).push(copy);
    }
    return [...fresh, ...stale];
  }

  #isStale(stripe: ChunkStripe, device: Device): boolean {
    if (this.#stale.has(stripe.deviceUuid)) return true;
    const { superblock } = this;
    if (device.fsid !== superblock.fsid || device.generation >= superblock.generation) return false;
    this.#stale.add(stripe.deviceUuid);
    this.doubt = true;
    this.ctx.warn(
      `btrfs device ${stripe.devid} is older (generation ${device.generation}) than the others (${superblock.generation})`,
    );
    return true;
  }

  #device(stripe: ChunkStripe): Device | undefined {
    const device = this.devices.get(stripe.deviceUuid);
    if (!device && !this.#missing.has(stripe.deviceUuid)) {
      this.#missing.add(stripe.deviceUuid);
      this.ctx.warn(
        `btrfs device ${stripe.devid} (${uuidText(stripe.deviceUuid)}) of ${this.superblock.devices} is missing`,
      );
    }
    return device;
  }

  #parity(chunk: ChunkMap, parities: number, number: number, inside: number, length: number): Copy[] {
    const { stripes } = chunk;
    const all = stripes.length;
    const count = all - parities;
    if (count < 1) throw corrupt(`${chunk.profile} of ${all} stripes`, `chunk ${chunk.start}`);
    const row = Math.floor(number / count);
    const wanted = number % count;
    // Turns by one stripe from row to row; P and Q come after the data.
    const place = (i: number) => {
      const stripe = stripes[(row + i) % all]!;
      return this.#places([{ stripe, at: stripe.offset + row * STRIPE_LEN + inside }], length)[0];
    };
    const places = Array.from({ length: all }, (_, i) => place(i));
    const bytes = (i: number): Uint8Array => {
      const from = places[i];
      if (from?.kind !== 'place') throw corrupt('a stripe is missing');
      this.ctx.budget.allocate(length);
      const into = Buffer.allocUnsafeSlow(length);
      this.#fetch(from.source, from.at, into);
      return into;
    };
    const from: Row = { count, data: bytes, p: () => bytes(count), q: () => bytes(count + 1) };
    const there = (i: number): boolean => places[i] !== undefined;
    const othersThere = (except: number): boolean => {
      for (let i = 0; i < count; i++) if (i !== wanted && i !== except && !there(i)) return false;
      return true;
    };
    const copies: Copy[] = [];
    const rebuilt = (build: (galois: Galois) => Uint8Array) =>
      copies.push({
        kind: 'rebuilt',
        read: (into) => {
          this.#galois ??= new Galois();
          into.set(build(this.#galois));
        },
      });
    if (places[wanted]) copies.push(places[wanted]);
    if (there(count) && othersThere(-1)) rebuilt(() => byP(from, wanted));
    if (parities < 2 || !there(count + 1)) return copies;
    if (othersThere(-1)) rebuilt((galois) => byQ(from, wanted, galois));
    if (!there(count)) return copies;
    for (let other = 0; other < count; other++)
      if (other !== wanted && othersThere(other)) rebuilt((galois) => byBoth(from, wanted, other, galois));
    return copies;
  }

  #fetch(source: BlockSource, at: number, into: Uint8Array): void {
    this.ctx.budget.step();
    this.ctx.budget.read(into.length);
    readOnce(source, at, into);
  }

  /** @throws GuestError when no copy of a piece can be had */
  noCopy(piece: Piece, logical: number): GuestError {
    const missing = piece.chunk.stripes.filter((stripe) => !this.devices.get(stripe.deviceUuid));
    if (missing.length === 0)
      return corrupt(`address ${logical} of ${piece.chunk.profile} lies beyond the end of the device`);
    const names = missing.map((stripe) => {
      const seed =
        this.devices.newest(this.superblock.fsid)?.seeding === false &&
        stripe.devid !== this.superblock.devid;
      return `${seed ? 'device (or seed)' : 'device'} ${stripe.devid} (${uuidText(stripe.deviceUuid)})`;
    });
    return unsupported(`${piece.chunk.profile} without ${names.join(', ')}`);
  }

  /** How many copies of [logical, logical + length) there are to try; 0 when a part has none. */
  copies(logical: number, length: number, system = false): number {
    let most = 0;
    for (const piece of this.pieces(logical, length, system)) {
      if (piece.copies.length === 0) throw this.noCopy(piece, logical);
      most = Math.max(most, piece.copies.length);
    }
    return most;
  }

  /**
   * Fills `into` from copy number `copy`; a piece that has fewer gives its last.
   * @param cached small and wanted again: by way of the cache below
   */
  read(logical: number, into: Uint8Array, copy: number, cached = false, system = false): void {
    let done = 0;
    for (const piece of this.pieces(logical, into.length, system)) {
      const part = into.subarray(done, done + piece.length);
      const from = piece.copies[Math.min(copy, piece.copies.length - 1)];
      if (!from) throw this.noCopy(piece, logical + done);
      if (from.kind === 'rebuilt') from.read(part);
      else if (cached) {
        this.ctx.budget.step();
        this.ctx.budget.read(part.length);
        from.source.read(from.at, part);
      } else this.#fetch(from.source, from.at, part);
      done += piece.length;
    }
  }

  #fsids: Set<string> | undefined;

  /** Whether a tree block may carry this: ours, or a seed's. */
  knowsFsid(hex: string): boolean {
    if (hex === this.superblock.metadataUuid || hex === this.superblock.fsid) return true;
    if (!this.#fsids) {
      this.devices.search();
      this.#fsids = new Set(this.devices.fsids());
    }
    return this.#fsids.has(hex);
  }
}
