/** B-trees: blocks that have been checked, search, and walking on from there. Source: Linux, fs/btrfs/{disk-io,tree-checker}.c. */
import { corrupt, GuestError, within } from '../../lib/bytes/errors';
import { Header, ITEM_SIZE, id64, idAt, KEY_SIZE, PTR_SIZE } from './layout';
import type { TreeRoot } from './superblock';
import type { Volume } from './volume';

/** Bytes of tree blocks that are kept. */
const KEPT = 4 * 1024 * 1024;

const objectidAt = id64(0);
const offsetAt = id64(9);
const u64At = id64(0);

export interface Node {
  readonly bytes: Buffer;
  /** Of the bytes. */
  readonly view: DataView;
  readonly count: number;
  readonly level: number;
}

/** Unsigned order of numbers that are negative from 2^63 on. */
function order(a: number, b: number): number {
  if (a === b) return 0;
  if (a < 0 !== b < 0) return a < 0 ? 1 : -1;
  return a < b ? -1 : 1;
}

/** The key at `p` against another one: negative when it comes before. */
function compare(bytes: Buffer, p: number, objectid: number, type: number, offset: number): number {
  return (
    order(objectidAt.read(bytes, p), objectid) ||
    bytes[p + 8]! - type ||
    order(offsetAt.read(bytes, p), offset)
  );
}

const sizeOfEntry = (level: number): number => (level === 0 ? ITEM_SIZE : PTR_SIZE);

/** What a parent says of its child. */
interface Wanted {
  readonly level: number;
  readonly generation: number;
  /** The parent's bytes and the place of the key in them. */
  readonly key?: { readonly bytes: Buffer; readonly at: number };
}

export class Nodes {
  readonly #kept = new Map<number, Node>();
  readonly #most: number;
  readonly #volume: Volume;
  #warned = false;

  constructor(volume: Volume) {
    this.#volume = volume;
    this.#most = Math.max(8, Math.floor(KEPT / volume.superblock.nodeSize));
  }

  get ctx() {
    return this.#volume.ctx;
  }

  /** @throws GuestError `corrupt` when no copy is what the parent says */
  read(logical: number, wanted: Wanted, system: boolean): Node {
    const kept = this.#kept.get(logical);
    if (kept && !this.#differs(kept, wanted)) {
      // The one that was used last goes last.
      this.#kept.delete(logical);
      this.#kept.set(logical, kept);
      this.ctx.budget.step();
      return kept;
    }
    const node = within(`tree block ${logical}`, () => this.#load(logical, wanted, system));
    if (this.#kept.size >= this.#most) this.#kept.delete(this.#kept.keys().next().value as number);
    this.#kept.set(logical, node);
    return node;
  }

  #load(logical: number, wanted: Wanted, system: boolean): Node {
    const volume = this.#volume;
    const { nodeSize, sectorSize } = volume.superblock;
    if (logical % sectorSize !== 0) throw corrupt(`not a multiple of ${sectorSize}`);
    const copies = volume.copies(logical, nodeSize, system);
    let unsound: Node | undefined;
    let reason: string | undefined;
    for (let copy = 0; copy < copies; copy++) {
      this.ctx.budget.allocate(nodeSize);
      const bytes = Buffer.allocUnsafeSlow(nodeSize);
      const view = new DataView(bytes.buffer, bytes.byteOffset, nodeSize);
      let problem: string | undefined;
      try {
        volume.read(logical, bytes, copy, true, system);
        problem = this.#problem(bytes, view, logical, wanted);
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        problem = error.message;
      }
      if (problem === undefined) {
        const node = { bytes, view, count: bytes.readUInt32LE(96), level: bytes[100]! };
        if (volume.superblock.sums.match(bytes.subarray(32), bytes, 0)) {
          if (copy > 0)
            this.#warn(`tree block ${logical}: ${reason ?? 'wrong checksum'}, another copy is used`);
          return node;
        }
        unsound ??= node;
      }
      reason ??= problem;
      volume.doubt = true;
    }
    if (unsound) {
      this.#warn(`tree block ${logical}: wrong checksum`);
      return unsound;
    }
    throw corrupt(reason ?? 'no copy');
  }

  #warn(message: string): void {
    if (this.#warned) return;
    this.#warned = true;
    this.ctx.warn(`btrfs ${message}`);
  }

  #differs(node: Node, wanted: Wanted): string | undefined {
    const { bytes } = node;
    if (node.level !== wanted.level) return `level ${node.level} instead of ${wanted.level}`;
    const generation = u64At.read(bytes, 80);
    if (generation !== wanted.generation) return `generation ${generation} instead of ${wanted.generation}`;
    const { key } = wanted;
    if (key && bytes.compare(key.bytes, key.at, key.at + KEY_SIZE, Header.size, Header.size + KEY_SIZE) !== 0)
      return 'begins with another key than its parent says';
    return undefined;
  }

  /** Why the bytes are not the block that is wanted, or cannot be used. */
  #problem(bytes: Buffer, view: DataView, logical: number, wanted: Wanted): string | undefined {
    const at = u64At.read(bytes, 48);
    if (at !== logical) return `it says that it is ${at}`;
    if (!this.#volume.knowsFsid(bytes.toString('hex', 32, 48))) return 'it belongs to another filesystem';
    const count = bytes.readUInt32LE(96);
    const level = bytes[100]!;
    const room = bytes.length - Header.size;
    const entry = sizeOfEntry(level);
    if (count * entry > room) return `${count} items`;
    const differs = this.#differs({ bytes, view, count, level }, wanted);
    if (differs) return differs;
    if (count === 0 && (level > 0 || wanted.key)) return 'empty';
    let end = room;
    let objectid = 0;
    let type = 0;
    let offset = 0;
    for (let i = 0, p = Header.size; i < count; i++, p += entry) {
      const before = objectid;
      objectid = idAt(view, p);
      const kind = bytes[p + 8]!;
      const at = idAt(view, p + 9);
      const inOrder = i === 0 || (order(before, objectid) || type - kind || order(offset, at)) < 0;
      if (!inOrder) return `item ${i} is out of order`;
      type = kind;
      offset = at;
      if (level > 0) continue;
      // The data of a leaf lies from the end downwards, without gaps.
      const from = view.getUint32(p + KEY_SIZE, true);
      if (from + view.getUint32(p + KEY_SIZE + 4, true) !== end || from < count * entry)
        return `item ${i} lies at ${from}, ${end} is where it must end`;
      end = from;
    }
    return undefined;
  }
}

/** An item as it lies in its leaf. Good until the next call of its cursor. */
export interface Item {
  readonly objectid: number;
  readonly type: number;
  readonly offset: number;
  readonly bytes: Buffer;
  /** Of all the bytes. */
  readonly view: DataView;
  readonly at: number;
  readonly size: number;
}

export class Tree {
  constructor(
    readonly nodes: Nodes,
    readonly root: TreeRoot,
    readonly name: string,
    private readonly system = false,
  ) {}

  /** At the first item that does not come before the key. */
  from(objectid: number, type: number, offset: number): Cursor {
    return new Cursor(this.nodes, this.#descend(objectid, type, offset), this.name, this.system);
  }

  /** The item of exactly this key. */
  find(objectid: number, type: number, offset: number): Item | undefined {
    const item = this.from(objectid, type, offset).item;
    return item && item.objectid === objectid && item.type === type && item.offset === offset
      ? item
      : undefined;
  }

  /** The last item of the object and kind whose offset is `offset` or less. */
  last(objectid: number, type: number, offset: number): Item | undefined {
    const cursor = this.from(objectid, type, offset);
    const here = cursor.item;
    if (here && here.objectid === objectid && here.type === type && here.offset === offset) return here;
    cursor.back();
    const item = cursor.item;
    return item && item.objectid === objectid && item.type === type ? item : undefined;
  }

  #descend(objectid: number, type: number, offset: number): Step[] {
    return within(this.name, () => {
      const path: Step[] = [];
      let { logical, level, generation } = this.root;
      let key: Wanted['key'];
      for (;;) {
        const node = this.nodes.read(
          logical,
          key ? { level, generation, key } : { level, generation },
          this.system,
        );
        const entry = sizeOfEntry(level);
        let low = 0;
        let high = node.count;
        while (low < high) {
          const middle = (low + high) >>> 1;
          if (compare(node.bytes, Header.size + middle * entry, objectid, type, offset) < 0) low = middle + 1;
          else high = middle;
        }
        if (level === 0) {
          path.push({ node, slot: low });
          return path;
        }
        // The child that begins at the key, or else the one before it.
        if (
          low > 0 &&
          (low === node.count || compare(node.bytes, Header.size + low * entry, objectid, type, offset) !== 0)
        )
          low--;
        path.push({ node, slot: low });
        const at = Header.size + low * entry;
        key = { bytes: node.bytes, at };
        logical = u64At.read(node.bytes, at + KEY_SIZE);
        generation = u64At.read(node.bytes, at + KEY_SIZE + 8);
        level--;
      }
    });
  }
}

interface Step {
  readonly node: Node;
  slot: number;
}

export class Cursor {
  readonly #path: Step[];
  readonly #nodes: Nodes;
  readonly #name: string;
  readonly #system: boolean;

  constructor(nodes: Nodes, path: Step[], name: string, system: boolean) {
    this.#nodes = nodes;
    this.#path = path;
    this.#name = name;
    this.#system = system;
    this.#settle();
  }

  /** Undefined behind the last one. */
  get item(): Item | undefined {
    const leaf = this.#path[this.#path.length - 1]!;
    if (leaf.slot >= leaf.node.count) return undefined;
    const { bytes, view } = leaf.node;
    const p = Header.size + leaf.slot * ITEM_SIZE;
    return {
      objectid: idAt(view, p),
      type: bytes[p + 8]!,
      offset: idAt(view, p + 9),
      bytes,
      view,
      at: Header.size + view.getUint32(p + KEY_SIZE, true),
      size: view.getUint32(p + KEY_SIZE + 4, true),
    };
  }

  /** The item, when it is of this object and kind. */
  of(objectid: number, type: number): Item | undefined {
    const { item } = this;
    return item && item.objectid === objectid && item.type === type ? item : undefined;
  }

  next(): void {
    this.#nodes.ctx.budget.step();
    this.#path[this.#path.length - 1]!.slot++;
    this.#settle();
  }

  /** To the item before; before the first one there is none, and the cursor then stands behind the last of its leaf. */
  back(): void {
    const path = this.#path;
    for (let i = path.length - 1; i >= 0; i--) {
      if (path[i]!.slot === 0) continue;
      path[i]!.slot--;
      this.#down(i, true);
      return;
    }
    const leaf = path[path.length - 1]!;
    leaf.slot = leaf.node.count;
  }

  /** Out of a leaf that has been read to its end. Keys rise from leaf to leaf, because each begins as its parent says. */
  #settle(): void {
    const path = this.#path;
    const leaf = path[path.length - 1]!;
    if (leaf.slot < leaf.node.count) return;
    for (let i = path.length - 2; i >= 0; i--) {
      if (path[i]!.slot + 1 >= path[i]!.node.count) continue;
      path[i]!.slot++;
      this.#down(i, false);
      return;
    }
  }

  /** From the node at depth `i` down to a leaf, at its first or last item. */
  #down(i: number, last: boolean): void {
    const path = this.#path;
    within(this.#name, () => {
      for (let depth = i; depth < path.length - 1; depth++) {
        const { node, slot } = path[depth]!;
        const at = Header.size + slot * PTR_SIZE;
        const child = this.#nodes.read(
          u64At.read(node.bytes, at + KEY_SIZE),
          {
            level: node.level - 1,
            generation: u64At.read(node.bytes, at + KEY_SIZE + 8),
            key: { bytes: node.bytes, at },
          },
          this.#system,
        );
        path[depth + 1] = { node: child, slot: last ? child.count - 1 : 0 };
      }
    });
  }
}
