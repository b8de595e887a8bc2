/** Trees of names ("dtree"): the root in the inode, further pages in blocks, entries in slots of 32 bytes. */
import { corrupt } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import {
  BT,
  DEPTH_MOST,
  DT_SLOT,
  DTROOT_SLOTS,
  DtPage,
  DtRoot,
  DtSlot,
  IDt,
  InodeExtent,
  LDt,
  PAGE,
  SLOT_END,
} from './layout';
import { compare, spellings, toUtf8, upper } from './names';
import type { JfsInode, JfsVolume } from './volume';

/** JFS_NAME_MAX, in characters. */
const NAME_MOST = 255;

interface DtNode {
  readonly bytes: Buffer;
  readonly leaf: boolean;
  readonly slots: number;
  /** Slots of the entries, in the order of their names. */
  readonly sorted: Buffer;
}

export interface Entry {
  readonly name: ByteString;
  readonly inode: number;
}

export class Directory {
  readonly #root: DtNode;
  readonly #characters: number;

  /** @throws GuestError `corrupt` */
  constructor(
    readonly volume: JfsVolume,
    inode: JfsInode,
  ) {
    this.#characters = volume.geometry.dirIndex ? LDt.characters : LDt.charactersLegacy;
    const { flag, nextindex, stbl } = DtRoot.read(inode.root);
    if (nextindex >= DTROOT_SLOTS) throw corrupt(`a directory's root with ${nextindex} entries`);
    this.#root = node(inode.root, flag, true, DTROOT_SLOTS, stbl.subarray(0, nextindex));
  }

  /** The inode of a name. @throws GuestError `corrupt` */
  find(name: ByteString): number | undefined {
    for (const spelling of spellings(name)) {
      const found = this.#search(this.volume.geometry.ignoresCase ? spelling.map(upper) : spelling);
      if (found !== undefined) return found;
    }
    // The table of capitals by which OS/2 sorts is not quite Unicode's.
    if (this.volume.geometry.ignoresCase && /[^\x00-\x7f]/.test(name)) {
      const wanted = spellings(name).map((spelling) => toUtf8(spelling.map(upper)));
      for (const { name: there, inode } of this.entries())
        if (spellings(there).some((s) => wanted.includes(toUtf8(s.map(upper))))) return inode;
    }
    return undefined;
  }

  /** All entries in the order of their names. @throws GuestError `corrupt`, `limit` */
  *entries(): Generator<Entry> {
    /** By block: none belongs to a tree twice. */
    const seen = new Set<number>();
    const stack: { node: DtNode; next: number }[] = [{ node: this.#root, next: 0 }];
    let count = 0;
    while (stack.length > 0) {
      this.volume.ctx.budget.step();
      const top = stack[stack.length - 1]!;
      if (top.next >= top.node.sorted.length) {
        stack.pop();
        continue;
      }
      const slot = top.node.sorted[top.next++]!;
      if (top.node.leaf) {
        this.volume.ctx.budget.most('directoryEntries', ++count, 'directory entries');
        const characters = this.#key(top.node, slot);
        const name = toUtf8(characters);
        if (characters.length > 0 && !/[/\0]/.test(name))
          yield { name, inode: top.node.bytes.readUInt32LE(slot * DT_SLOT) };
        continue;
      }
      if (stack.length >= DEPTH_MOST) throw corrupt(`a directory of more than ${DEPTH_MOST} levels`);
      const child = this.#child(top.node, slot);
      if (seen.has(child.block)) throw corrupt(`the directory's page at block ${child.block} is met twice`);
      seen.add(child.block);
      stack.push({ node: child.node, next: 0 });
    }
  }

  #search(wanted: readonly number[]): number | undefined {
    const fold = this.volume.geometry.ignoresCase;
    let current = this.#root;
    for (let depth = 1; ; depth++) {
      const { sorted, leaf } = current;
      let low = 0;
      let high = sorted.length;
      // The first entry that is greater.
      while (low < high) {
        const middle = (low + high) >>> 1;
        let key = this.#key(current, sorted[middle]!);
        if (fold) key = key.map(upper);
        const order = compare(wanted, key);
        if (leaf && order === 0) return current.bytes.readUInt32LE(sorted[middle]! * DT_SLOT);
        if (order < 0) high = middle;
        else low = middle + 1;
      }
      if (leaf) return undefined;
      if (depth >= DEPTH_MOST) throw corrupt(`a directory of more than ${DEPTH_MOST} levels`);
      current = this.#child(current, sorted[Math.max(0, low - 1)]!).node;
    }
  }

  #child(parent: DtNode, slot: number): { node: DtNode; block: number } {
    const { blockSize } = this.volume.geometry;
    const { address: block, length } = InodeExtent.read(parent.bytes, slot * DT_SLOT).pxd;
    const size = length * blockSize;
    // A directory's first page grows from a block to 4 KiB.
    if (size === 0 || size > PAGE || PAGE % size !== 0)
      throw corrupt(`a directory's page of ${length} blocks`);
    const bytes = this.volume.page(block, length);
    const { flag, nextindex, maxslot, stblindex } = DtPage.read(bytes);
    const slots = size / DT_SLOT;
    const table = stblindex * DT_SLOT;
    if (maxslot !== slots || stblindex === 0 || table + nextindex > size)
      throw corrupt(
        `${nextindex} entries, listed in slot ${stblindex} of ${maxslot}`,
        `directory page ${block}`,
      );
    return { block, node: node(bytes, flag, false, slots, bytes.subarray(table, table + nextindex)) };
  }

  /** The characters of an entry, gathered from its slots. */
  #key({ bytes, leaf, slots }: DtNode, first: number): number[] {
    const { budget } = this.volume.ctx;
    budget.step();
    if (first === 0 || first >= slots) throw corrupt(`an entry in slot ${first} of ${slots}`);
    const head = leaf ? LDt : IDt;
    let at = first * DT_SLOT;
    const length = bytes[at + head.length]!;
    if (length > NAME_MOST) throw corrupt(`a name of ${length} characters`);
    const out: number[] = [];
    let next = bytes[at + head.next]!;
    let room: number = leaf ? this.#characters : IDt.characters;
    at += head.name;
    for (;;) {
      for (let i = 0; i < room && out.length < length; i++, at += 2) out.push(bytes.readUInt16LE(at));
      if (out.length === length) return out;
      // A chain of slots ends with the name, so it cannot go round for ever.
      if (next === SLOT_END || next === 0 || next >= slots)
        throw corrupt(`a name of ${length} characters that goes on in slot ${next} of ${slots}`);
      at = next * DT_SLOT;
      next = bytes[at + DtSlot.next]!;
      room = DtSlot.characters;
      at += DtSlot.name;
    }
  }
}

function node(bytes: Buffer, flag: number, root: boolean, slots: number, sorted: Buffer): DtNode {
  const leaf = (flag & BT.leaf) !== 0;
  if (leaf === ((flag & BT.internal) !== 0) || root !== ((flag & BT.root) !== 0))
    throw corrupt(`a directory's page with flags 0x${flag.toString(16)}`);
  if (!leaf && sorted.length === 0) throw corrupt('an inner page of a directory without entries');
  return { bytes, leaf, slots, sorted };
}
