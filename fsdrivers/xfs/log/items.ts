/** What a transaction's items change: buffers, inodes, new inodes (`xlog_recover_items_pass2` and what it calls). */
import { corrupt } from '../../../lib/bytes/errors';
import {
  BMBT,
  DA,
  DInode,
  DInode3,
  DIR_BLOCK,
  DIR_DATA,
  FORMAT,
  INODE_MAGIC,
  SB_MAGIC,
  SYMLINK,
} from '../layout';
import type { XfsVolume } from '../volume';
import {
  BUFFER,
  BufferFormat,
  CORE_FIELDS,
  CORE_SIZE,
  CORE3_FIELDS,
  INODE_FIELD,
  INODE_FORMAT_SIZE,
  INTENTS,
  InodeCreate,
  InodeFormat,
  ITEM,
} from './layout';
import type { Overlay } from './overlay';
import type { Item, Transaction } from './transactions';

const typeOf = (item: Item): number => item[0]!.readUInt16LE(0);

interface Change {
  readonly item: Item;
  readonly flags: number;
  readonly at: number;
  readonly length: number;
}

function bufferChange(item: Item): Change {
  const f = BufferFormat.read(item[0]!);
  // Signed 48 bits are more than any disk has.
  const block = (f.blf_blkno_high & 0xffff) * 2 ** 32 + f.blf_blkno_low;
  return { item, flags: f.blf_flags, at: block * 512, length: f.blf_len * 512 };
}

const keyOf = (c: Change): string => `${c.at}+${c.length}`;

/** Buffers that were freed later on: nothing that was logged for them before counts. */
export class Cancelled {
  readonly #counts = new Map<string, number>();
  readonly #places = new Map<number, number>();

  note(t: Transaction): void {
    for (const item of t.items) {
      if (typeOf(item) !== ITEM.buffer) continue;
      const change = bufferChange(item);
      if (!(change.flags & BUFFER.cancel)) continue;
      this.#counts.set(keyOf(change), (this.#counts.get(keyOf(change)) ?? 0) + 1);
      this.#places.set(change.at, (this.#places.get(change.at) ?? 0) + 1);
    }
  }

  has(change: Change): boolean {
    return this.#counts.has(keyOf(change));
  }

  within(at: number, length: number): boolean {
    for (const place of this.#places.keys()) if (place >= at && place < at + length) return true;
    return false;
  }

  /** The cancelling itself was reached. */
  passed(change: Change): void {
    const one = <K>(map: Map<K, number>, key: K) => {
      const left = (map.get(key) ?? 1) - 1;
      if (left > 0) map.set(key, left);
      else map.delete(key);
    };
    one(this.#counts, keyOf(change));
    one(this.#places, change.at);
  }
}

/** Intents whose completion the log does not have. */
export class Intents {
  readonly #open = new Map<string, string>();

  note(item: Item): void {
    const kind = INTENTS[typeOf(item)];
    if (!kind || item[0]!.length < 16) return;
    const key = `${kind.name} ${item[0]!.readBigUInt64LE(8)}`;
    if (kind.done) this.#open.delete(key);
    else this.#open.set(key, kind.name);
  }

  /** `2 extent free, 1 block map`; '' when there are none. */
  describe(): string {
    const counts = new Map<string, number>();
    for (const name of this.#open.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
  }
}

/** Applies transactions to an overlay, in order. */
export class Replay {
  readonly intents = new Intents();

  constructor(
    readonly volume: XfsVolume,
    readonly overlay: Overlay,
    readonly cancelled: Cancelled,
  ) {}

  /** @throws GuestError `corrupt`, `limit` */
  apply(t: Transaction): void {
    const { budget } = this.volume.ctx;
    const later: Change[] = [];
    const cancels: Change[] = [];
    const others: Item[] = [];
    // The kernel's order: buffers and new inodes, the rest, buffers of inodes, cancellations.
    for (const item of t.items) {
      budget.step();
      const type = typeOf(item);
      if (type === ITEM.buffer) {
        const change = bufferChange(item);
        if (change.flags & BUFFER.cancel) cancels.push(change);
        else if (change.flags & BUFFER.inodes) later.push(change);
        else this.#buffer(change, t.lsn);
      } else if (type === ITEM.icreate) this.#create(item);
      else others.push(item);
    }
    for (const item of others) {
      if (typeOf(item) === ITEM.inode) this.#inode(item, t.lsn);
      else this.intents.note(item);
    }
    // Those of inodes carry the list of unlinked ones alone, which nobody here needs.
    for (const change of cancels) this.cancelled.passed(change);
  }

  #buffer(change: Change, lsn: bigint): void {
    if (this.cancelled.has(change)) return;
    const { volume, overlay } = this;
    const { at, length, item } = change;
    if (at + length > volume.source.size) throw corrupt(`a logged buffer of ${length} bytes at ${at}`);
    if (volume.geometry.v5 && this.#lsnOf(at, length) >= lsn) return;
    const { blf_map_size } = BufferFormat.read(item[0]!);
    if (blf_map_size > BUFFER.mapMost || BufferFormat.size + blf_map_size * 4 > item[0]!.length)
      throw corrupt(`bitmap of ${blf_map_size} words in a logged buffer`);
    const set = (bit: number): boolean =>
      bit < blf_map_size * 32 &&
      ((item[0]!.readUInt32LE(BufferFormat.size + (bit >>> 5) * 4) >>> (bit & 31)) & 1) === 1;
    let region = 1;
    for (let bit = 0; bit < blf_map_size * 32; ) {
      if (!set(bit)) {
        bit++;
        continue;
      }
      let count = 1;
      while (set(bit + count)) count++;
      const from = item[region++];
      if (!from) throw corrupt('a logged buffer has fewer regions than its bitmap says');
      // A region that was split: its second half is the next one.
      count = Math.min(count, Math.floor(from.length / BUFFER.chunk));
      if (count === 0 || (bit + count) * BUFFER.chunk > Math.ceil(length / BUFFER.chunk) * BUFFER.chunk)
        throw corrupt(`a change of ${from.length} bytes at ${bit * BUFFER.chunk} of a buffer of ${length}`);
      overlay.write(at + bit * BUFFER.chunk, from.subarray(0, count * BUFFER.chunk));
      bit += count;
    }
  }

  /** The newest change that the metadata block has seen; -1 where it cannot be told, so that the log counts. */
  #lsnOf(at: number, length: number): bigint {
    if (length < 512) return -1n;
    const { geometry } = this.volume;
    const head = Buffer.alloc(Math.min(length, 512));
    this.overlay.read(at, head);
    const own = (lsnAt: number, uuidAt: number): bigint =>
      head.subarray(uuidAt, uuidAt + 16).equals(geometry.metaUuid) ? known(head.readBigUInt64BE(lsnAt)) : -1n;
    switch (head.readUInt32BE(0)) {
      case BMBT.magic5:
        return own(32, 40);
      case DIR_BLOCK.magic5:
      case DIR_DATA.magic5:
        return own(16, 24);
      case SYMLINK.magic:
        return own(48, 16);
      case SB_MAGIC:
        return known(head.readBigUInt64BE(240));
    }
    switch (head.readUInt16BE(8)) {
      case DA.node5:
      case DA.leaf1_5:
      case DA.leafN_5:
        return own(24, 32);
    }
    return -1n;
  }

  #create(item: Item): void {
    const { volume, overlay } = this;
    const { geometry } = volume;
    const i = InodeCreate.read(item[0]!);
    const block = i.icl_ag * geometry.groupSpan + i.icl_agbno;
    if (
      i.icl_isize !== geometry.inodeSize ||
      i.icl_count > 4096 ||
      i.icl_count * i.icl_isize > i.icl_length * geometry.blockSize
    )
      throw corrupt(`${i.icl_count} new inodes of ${i.icl_isize} bytes in ${i.icl_length} blocks`);
    const at = volume.byteOf(block, i.icl_length);
    const length = i.icl_length * geometry.blockSize;
    if (this.cancelled.within(at, length)) return;
    const first = block * geometry.inodesPerBlock;
    for (let n = 0; n < i.icl_count; n++) {
      volume.ctx.budget.step();
      const inode = Buffer.alloc(i.icl_isize);
      inode.writeUInt16BE(INODE_MAGIC, 0);
      inode[4] = geometry.v5 ? 3 : 2;
      inode.writeUInt32BE(i.icl_gen, 92);
      inode.writeUInt32BE(0xffffffff, 96);
      if (geometry.v5) {
        inode.writeBigUInt64BE(BigInt(first + n), 152);
        geometry.metaUuid.copy(inode, 160);
      }
      overlay.write(at + n * i.icl_isize, inode);
    }
  }

  #inode(item: Item, lsn: bigint): void {
    const { volume, overlay } = this;
    const { v5, inodeSize } = volume.geometry;
    const f = InodeFormat.read(item[0]!);
    const wide = item[0]!.length >= INODE_FORMAT_SIZE.wide;
    const number = wide
      ? f.ilf_ino_high * 2 ** 32 + f.ilf_ino_low
      : f.ilf_ino32_high * 2 ** 32 + f.ilf_ino32_low;
    const place = `inode ${number} in the log`;
    const at = volume.inodeAt(number);
    const core = item[1];
    if (at === undefined || !core) throw corrupt('a logged inode that cannot be', place);
    // The cluster that it was in has been freed.
    if (this.#clusterCancelled(at)) return;
    const bytes = Buffer.alloc(inodeSize);
    overlay.read(at, bytes);
    if (bytes.readUInt16BE(0) !== INODE_MAGIC) throw corrupt('there is no inode in its place', place);
    const size = v5 ? DInode3.size : CORE_SIZE;
    if (core.length < size || core.readUInt16LE(0) !== INODE_MAGIC)
      throw corrupt(`a core of ${core.length} bytes`, place);
    if (v5) {
      if (known(bytes.readBigUInt64BE(112)) > lsn) return;
    } else if (isOlder(core.readUInt16LE(30), bytes.readUInt16BE(30))) return;
    writeCore(core, bytes, v5, lsn);
    this.#fork(f.ilf_fields, item, bytes, place);
    overlay.write(at, bytes);
  }

  #fork(fields: number, item: Item, bytes: Buffer, place: string): void {
    const source = item[2];
    if (!source || !(fields & (INODE_FIELD.data | INODE_FIELD.extents | INODE_FIELD.root))) return;
    const { v5, inodeSize } = this.volume.geometry;
    const { di_forkoff, di_format } = DInode.read(bytes);
    const start = v5 ? DInode3.size : DInode.size;
    const end = di_forkoff === 0 ? inodeSize : start + di_forkoff * 8;
    if (end > inodeSize) throw corrupt(`attribute fork at ${end}`, place);
    const fork = bytes.subarray(start, end);
    if (!(fields & INODE_FIELD.root)) {
      // Rounded up to words.
      if (source.length > fork.length + 3)
        throw corrupt(`${source.length} bytes for a fork of ${fork.length}`, place);
      source.copy(fork);
      return;
    }
    // A root as it is in memory, with a block's header, becomes one as it is in an inode.
    const head = v5 ? BMBT.head5 : BMBT.head;
    if (di_format !== FORMAT.btree || source.length < head)
      throw corrupt('a root of extents that cannot be', place);
    const count = source.readUInt16BE(6);
    const mostThere = Math.floor((source.length - head) / 16);
    const mostHere = Math.floor((fork.length - 4) / 16);
    if (count > mostThere || count > mostHere) throw corrupt(`a root of ${count} extents`, place);
    source.copy(fork, 0, 4, 8);
    source.copy(fork, 4, head, head + count * 8);
    const pointers = head + mostThere * 8;
    source.copy(fork, 4 + mostHere * 8, pointers, pointers + count * 8);
  }

  #clusterCancelled(at: number): boolean {
    const { inodeSize, blockSize, v5 } = this.volume.geometry;
    const cluster = Math.max(blockSize, v5 ? (8192 * inodeSize) / 256 : 8192);
    const start = at - (at % cluster);
    return this.cancelled.within(start, cluster) && this.cancelled.within(start, at - start + inodeSize);
  }
}

/** 0 and -1 stand for "none". */
const known = (lsn: bigint): bigint => (lsn === 0xffffffffffffffffn || lsn === 0n ? -1n : lsn);

/** `di_flushiter` counts how often an inode went to the disk, and starts again at 0. */
function isOlder(logged: number, onDisk: number): boolean {
  if (logged >= onDisk) return false;
  return !(onDisk === 0xffff && logged < 0x7fff);
}

/** `xfs_log_dinode_to_disk` */
function writeCore(core: Buffer, into: Buffer, v5: boolean, lsn: bigint): void {
  const unlinked = into.readUInt32BE(96);
  core.copy(into, 0, 0, v5 ? DInode3.size : CORE_SIZE);
  const swap = (at: number, size: number) => {
    into.subarray(at, at + size).reverse();
  };
  for (const [at, size] of CORE_FIELDS) swap(at, size);
  const flags2 = v5 ? core.readBigUInt64LE(120) : 0n;
  const times = v5 ? [32, 40, 48, 144] : [32, 40, 48];
  for (const at of times) {
    // Seconds and nanoseconds, or one number (bigtime).
    if (flags2 & 0x8n) swap(at, 8);
    else {
      swap(at, 4);
      swap(at + 4, 4);
    }
  }
  if (flags2 & 0x10n) {
    // nrext64: one count of 64 bits where padding was, and no 16-bit one: 76 and 80 are a count and padding.
    swap(24, 8);
  } else swap(30, 2);
  if (v5) {
    for (const [at, size] of CORE3_FIELDS) swap(at, size);
    into.writeBigUInt64BE(lsn, 112);
  }
  into.writeUInt32BE(unlinked, 96);
}
