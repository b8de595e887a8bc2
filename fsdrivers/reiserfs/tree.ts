/** The one tree of everything: nodes by block number, items in the order of their keys. The door to the disk. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { BlockHead, DISK_CHILD_SIZE, ItemHead, KEY_SIZE, LEAF_LEVEL, TYPE, UNIQUENESS } from './layout';
import type { Geometry } from './superblock';

export interface Key {
  /** Object id of the directory that it was made in, and its own. */
  readonly dir: number;
  readonly object: number;
  /** 0 for stat data; from 1 on for bytes of a file; hashes of names. */
  readonly offset: number;
  readonly type: number;
}

export interface Item {
  readonly key: Key;
  /** Entries of a directory's item. */
  readonly entries: number;
  readonly body: Buffer;
}

export const compareKeys = (a: Key, b: Key): number =>
  a.dir - b.dir || a.object - b.object || a.offset - b.offset || a.type - b.type;

interface Node {
  readonly block: number;
  readonly bytes: Buffer;
  readonly level: number;
  readonly count: number;
}

/** Nodes that are kept: the paths to a few leaves. */
const KEPT = 64;

export class ReiserTree {
  readonly #nodes = new Map<number, Node>();

  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {}

  /**
   * Items from the last one that is not after `from` on, in order.
   * @throws GuestError `corrupt`, for keys that do not grow too: so no node counts twice
   */
  *items(from: Key): Generator<Item> {
    const path: { node: Node; next: number }[] = [];
    let last: Key | undefined;
    /** Down from a block, by `from` at first, then by the first child each. */
    const descend = (block: number, level: number): void => {
      for (let b = block, l = level; ; l--) {
        this.ctx.budget.step();
        const node = this.#node(b, l);
        const leaf = l === LEAF_LEVEL;
        const next = last ? 0 : Math.max(0, leaf ? after(node, from) - 1 : after(node, from));
        path.push({ node, next });
        if (leaf) return;
        path[path.length - 1]!.next++;
        b = child(node, next);
      }
    };
    descend(this.geometry.root, this.geometry.level);
    while (path.length > 0) {
      this.ctx.budget.step();
      const top = path[path.length - 1]!;
      const { node } = top;
      if (node.level === LEAF_LEVEL) {
        if (top.next < node.count) {
          const item = itemAt(node, top.next++);
          if (last && compareKeys(item.key, last) <= 0)
            throw corrupt('keys that do not grow', `node at block ${node.block}`);
          last = item.key;
          yield item;
          continue;
        }
      } else if (top.next <= node.count) {
        // An empty leaf before the first item: whatever comes is after `from`.
        last ??= { dir: 0, object: 0, offset: -1, type: 0 };
        descend(child(node, top.next++), node.level - 1);
        continue;
      }
      path.pop();
    }
  }

  /** The item that has this key. */
  item(key: Key): Item | undefined {
    for (const item of this.items(key)) {
      const order = compareKeys(item.key, key);
      if (order === 0) return item;
      if (order > 0) break;
    }
    return undefined;
  }

  /** @throws GuestError `corrupt` */
  #node(block: number, level: number): Node {
    const { blockSize, blocks } = this.geometry;
    const place = `node at block ${block}`;
    const kept = this.#nodes.get(block);
    if (kept) {
      if (kept.level !== level) throw corrupt(`of level ${kept.level}, ${level} expected`, place);
      return kept;
    }
    if (block === 0 || block >= blocks) throw corrupt(`there are ${blocks} blocks`, place);
    const bytes = readBytes(this.source, block * blockSize, blockSize, this.ctx);
    const { blk_level, blk_nr_item: count } = BlockHead.read(bytes);
    if (blk_level !== level) throw corrupt(`of level ${blk_level}, ${level} expected`, place);
    const size =
      level === LEAF_LEVEL ? count * ItemHead.size : count * KEY_SIZE + (count + 1) * DISK_CHILD_SIZE;
    if (BlockHead.size + size > blockSize) throw corrupt(`${count} items in ${blockSize} bytes`, place);
    const node = { block, bytes, level, count };
    if (this.#nodes.size >= KEPT) this.#nodes.clear();
    this.#nodes.set(block, node);
    return node;
  }
}

/** Keys of 3.6 have the type in the upper 4 bits, where those of 3.5 have 0 or 15. */
function keyAt(bytes: Buffer, at: number, version?: number): Key {
  const low = bytes.readUInt32LE(at + 8);
  const high = bytes.readUInt32LE(at + 12);
  const type = high >>> 28;
  const isNew =
    version === undefined
      ? type === TYPE.indirect || type === TYPE.direct || type === TYPE.entries
      : version === 1;
  return {
    dir: bytes.readUInt32LE(at),
    object: bytes.readUInt32LE(at + 4),
    offset: isNew ? (high & 0x0fffffff) * 2 ** 32 + low : low,
    type: isNew ? type : (UNIQUENESS[high] ?? 15),
  };
}

/** How many of a node's keys are not after `key`. */
function after({ bytes, level, count }: Node, key: Key): number {
  const size = level === LEAF_LEVEL ? ItemHead.size : KEY_SIZE;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = BlockHead.size + middle * size;
    const version = level === LEAF_LEVEL ? ItemHead.fields.ih_version.read(bytes, at) & 0xfff : undefined;
    if (compareKeys(keyAt(bytes, at, version), key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

const child = ({ bytes, count }: Node, i: number): number =>
  bytes.readUInt32LE(BlockHead.size + count * KEY_SIZE + i * DISK_CHILD_SIZE);

function itemAt({ block, bytes, count }: Node, i: number): Item {
  const at = BlockHead.size + i * ItemHead.size;
  const h = ItemHead.read(bytes, at);
  const end = h.ih_item_location + h.ih_item_len;
  if (h.ih_item_location < BlockHead.size + count * ItemHead.size || end > bytes.length)
    throw corrupt(`item ${i} of ${h.ih_item_len} bytes at ${h.ih_item_location}`, `node at block ${block}`);
  return {
    key: keyAt(bytes, at, h.ih_version & 0xfff),
    entries: h.ih_entry_count,
    body: bytes.subarray(h.ih_item_location, end),
  };
}
