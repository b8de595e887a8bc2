/** B-trees (TN1150): nodes of records in the order of their keys. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, within } from '../../lib/bytes/errors';
import { DEPTH_MOST, HeaderRecord, NODE, NodeDescriptor } from './layout';

export interface Node {
  readonly number: number;
  readonly bytes: Buffer;
  readonly kind: number;
  readonly height: number;
  readonly records: number;
  /** The next one of the same height, 0: none. */
  readonly next: number;
}

export interface Record {
  readonly bytes: Buffer;
  /** Of the key. */
  readonly at: number;
  readonly dataAt: number;
  readonly end: number;
}

/** The key at `at` (its length there) against the one that is wanted: negative, 0, positive. */
export type Compare = (bytes: Buffer, at: number, length: number) => number;

const KEPT = 64;

export class BTree {
  readonly keyCompareType: number;
  readonly #nodeSize: number;
  readonly #nodes: number;
  readonly #root: number;
  readonly #kept = new Map<number, Node>();

  /** @throws GuestError `corrupt` */
  constructor(
    readonly place: string,
    readonly read: (at: number, length: number) => Buffer,
    size: number,
    readonly ctx: Context,
  ) {
    const head = read(0, NodeDescriptor.size + HeaderRecord.size);
    if (NodeDescriptor.read(head).kind !== NODE.header) throw corrupt('no header node');
    const h = HeaderRecord.read(head, NodeDescriptor.size);
    if (h.nodeSize < 512 || h.nodeSize > 32768 || (h.nodeSize & (h.nodeSize - 1)) !== 0)
      throw corrupt(`nodes of ${h.nodeSize} bytes`);
    if (h.totalNodes * h.nodeSize > size)
      throw corrupt(`${h.totalNodes} nodes of ${h.nodeSize} bytes in ${size}`);
    if (h.treeDepth > DEPTH_MOST) throw corrupt(`depth ${h.treeDepth}, maximum ${DEPTH_MOST}`);
    this.keyCompareType = h.keyCompareType;
    this.#nodeSize = h.nodeSize;
    this.#nodes = h.totalNodes;
    this.#root = h.treeDepth === 0 ? 0 : h.rootNode;
  }

  /** The last record whose key is not greater (-1: the one before the first); undefined: the tree is empty. */
  find(compare: Compare): { node: Node; index: number; exact: boolean } | undefined {
    if (this.#root === 0) return undefined;
    return within(this.place, () => {
      let node = this.#node(this.#root);
      if (node.height === 0 || node.height > DEPTH_MOST) throw corrupt(`root of height ${node.height}`);
      for (;;) {
        let low = 0;
        let high = node.records;
        let exact = false;
        while (low < high) {
          this.ctx.budget.step();
          const middle = (low + high) >> 1;
          const { bytes, at } = this.record(node, middle);
          const order = compare(bytes, at, bytes.readUInt16BE(at));
          if (order <= 0) low = middle + 1;
          else high = middle;
          if (order === 0) exact = true;
        }
        if (node.kind === NODE.leaf) return { node, index: low - 1, exact };
        const { bytes, dataAt, end } = this.record(node, Math.max(0, low - 1));
        if (end - dataAt < 4) throw corrupt('an index record without a node', `node ${node.number}`);
        const child = this.#node(bytes.readUInt32BE(dataAt));
        // So that it ends.
        if (child.height !== node.height - 1)
          throw corrupt(`node ${child.number} of height ${child.height} below one of ${node.height}`);
        node = child;
      }
    });
  }

  /** Records from that one on, through all leaves. */
  *from(start: { node: Node; index: number }): Generator<Record> {
    let { node } = start;
    for (let index = Math.max(0, start.index), nodes = 0; ; index++) {
      this.ctx.budget.step();
      if (index < node.records) {
        yield within(this.place, () => this.record(node, index));
        continue;
      }
      if (node.next === 0) return;
      if (++nodes > this.#nodes) throw corrupt('leaves follow themselves', this.place);
      node = within(this.place, () => this.#node(node.next));
      if (node.kind !== NODE.leaf) throw corrupt(`node ${node.number} is no leaf`, this.place);
      index = -1;
    }
  }

  /** @throws GuestError `corrupt` */
  record({ bytes, number, records }: Node, index: number): Record {
    const offset = (i: number) => bytes.readUInt16BE(bytes.length - 2 * (i + 1));
    const at = offset(index);
    const end = offset(index + 1);
    if (at < NodeDescriptor.size || end > bytes.length - 2 * (records + 1) || at + 2 > end)
      throw corrupt(`record ${index} from ${at} to ${end}`, `node ${number}`);
    const key = bytes.readUInt16BE(at);
    const dataAt = at + 2 + key + (key % 2);
    if (dataAt > end) throw corrupt(`record ${index} with a key of ${key} bytes`, `node ${number}`);
    return { bytes, at, dataAt, end };
  }

  #node(number: number): Node {
    const kept = this.#kept.get(number);
    if (kept) return kept;
    if (number === 0 || number >= this.#nodes) throw corrupt(`node ${number} of ${this.#nodes}`);
    const bytes = this.read(number * this.#nodeSize, this.#nodeSize);
    const d = NodeDescriptor.read(bytes);
    if (d.kind !== NODE.index && d.kind !== NODE.leaf) throw corrupt(`node ${number} of kind ${d.kind}`);
    if (NodeDescriptor.size + 2 * (d.numRecords + 1) > this.#nodeSize)
      throw corrupt(`node ${number} of ${d.numRecords} records`);
    const node = { number, bytes, kind: d.kind, height: d.height, records: d.numRecords, next: d.fLink };
    if (this.#kept.size >= KEPT) this.#kept.clear();
    this.#kept.set(number, node);
    return node;
  }
}
