/** A ReiserFS as the shared walk and copy see it. */
import { corrupt, limit, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { GENERATIONS, hashOf } from './hash';
import { DEH_VISIBLE, EntryHead, ROOT, StatData, StatDataV1, TYPE } from './layout';
import type { identity } from './superblock';
import type { Item, ReiserTree } from './tree';

const KINDS: Readonly<Record<number, NodeKind>> = { 4: 'directory', 8: 'file', 10: 'symlink' };
const KEPT_NODES = 512;
const ATTRIBUTES = '.reiserfs_priv';

export interface ReiserNode extends FsNode {
  readonly dir: number;
  readonly object: number;
}

interface RawEntry {
  readonly offset: number;
  readonly name: ByteString;
  readonly dir: number;
  readonly object: number;
}

export class ReiserFileSystem implements FileSystem {
  readonly type = 'reiserfs';
  readonly grubName = 'reiserfs';
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: ReiserNode;
  readonly #tree: ReiserTree;
  readonly #nodes = new Map<string, ReiserNode>();

  constructor(tree: ReiserTree, { uuid, label }: ReturnType<typeof identity>) {
    this.#tree = tree;
    if (uuid !== undefined) this.uuid = uuid;
    if (label !== undefined) this.label = label;
    this.root = this.#node(ROOT.dir, ROOT.object);
    if (this.root.kind !== 'directory') throw corrupt('the root is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): ReiserNode | undefined {
    const hash = hashOf(this.#tree.geometry.hash, name);
    for (const entry of this.#entries(own(dir), hash ?? 0)) {
      if (hash !== undefined && entry.offset > hash + GENERATIONS) break;
      if (entry.name === name) return this.#node(entry.dir, entry.object);
    }
    return undefined;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const { name, dir: locality, object } of this.#entries(own(dir), 0)) {
      this.#tree.ctx.budget.most('directoryEntries', ++count, 'directory entries', `object ${dir.id}`);
      yield { name, node: () => this.#node(locality, object) };
    }
  }

  readlink(link: FsNode): ByteString {
    const node = own(link);
    const place = `object ${node.id}`;
    if (node.kind !== 'symlink') throw corrupt('not a symbolic link', place);
    if (node.size > LIMITS.pathBytes)
      throw limit(`link of ${node.size} bytes, maximum ${LIMITS.pathBytes}`, place);
    const into = Buffer.alloc(node.size);
    for (const extent of this.#runs(node))
      if (extent.kind === 'inline') into.set(extent.bytes, extent.offset);
      else if (extent.kind === 'data')
        readBytes(extent.source, extent.at, extent.length, this.#tree.ctx).copy(into, extent.offset);
    if (into.includes(0)) throw corrupt('a link with a zero byte in it', place);
    return fromBytes(into);
  }

  extents(file: FsNode): Iterable<Extent> {
    const node = own(file);
    if (node.kind !== 'file') throw corrupt('not a regular file', `object ${node.id}`);
    return this.#runs(node);
  }

  /** Blocks that indirect items name, joined where they lie together, and bytes that direct items hold. */
  *#runs(node: ReiserNode): Generator<Extent> {
    const { source, ctx } = this.#tree;
    const { blockSize, blocks } = this.#tree.geometry;
    const place = `object ${node.id}`;
    let run: { offset: number; at: number; length: number } | undefined;
    let end = 0;
    for (const { key, body } of this.#items(node, 1)) {
      if (key.type !== TYPE.indirect && key.type !== TYPE.direct) continue;
      const first = key.offset - 1;
      if (first < 0) continue;
      if (first >= node.size) break;
      if (first < end) throw corrupt(`bytes from ${first} on, after those up to ${end}`, place);
      if (key.type === TYPE.direct) {
        if (run) yield { kind: 'data', source, ...run };
        run = undefined;
        // The length is rounded up.
        const length = Math.min(body.length, node.size - first);
        end = first + length;
        if (length > 0) yield { kind: 'inline', offset: first, length, bytes: body.subarray(0, length) };
        continue;
      }
      if (body.length % 4 !== 0) throw corrupt(`an indirect item of ${body.length} bytes`, place);
      for (let i = 0; i < body.length; i += 4) {
        ctx.budget.step();
        const offset = first + (i / 4) * blockSize;
        if (offset >= node.size) break;
        const block = body.readUInt32LE(i);
        const length = Math.min(blockSize, node.size - offset);
        end = offset + length;
        if (block === 0) continue;
        if (block >= blocks) throw corrupt(`block ${block} of ${blocks}`, place);
        const at = block * blockSize;
        if (at + length > source.size)
          throw corrupt(`${length} bytes at ${at}, beyond the end (${source.size} bytes)`, place);
        if (run && run.offset + run.length === offset && run.at + run.length === at) run.length += length;
        else {
          if (run) yield { kind: 'data', source, ...run };
          run = { offset, at, length };
        }
      }
    }
    if (run) yield { kind: 'data', source, ...run };
  }

  /** Entries from the one with this offset on, without `.` and `..`, and without those that were unlinked while open. */
  *#entries(dir: ReiserNode, from: number): Generator<RawEntry> {
    const place = `object ${dir.id}`;
    if (dir.kind !== 'directory') throw corrupt('not a directory', place);
    const f = EntryHead.fields;
    for (const { key, entries, body } of this.#items(dir, Math.max(1, from))) {
      if (key.type !== TYPE.entries) continue;
      if (entries * EntryHead.size > body.length)
        throw corrupt(`${entries} entries in an item of ${body.length} bytes`, place);
      let end = body.length;
      for (let i = 0; i < entries; i++) {
        this.#tree.ctx.budget.step();
        const at = i * EntryHead.size;
        const location = f.deh_location.read(body, at);
        if (location < entries * EntryHead.size || location >= end)
          throw corrupt(`entry ${i} of ${entries} with a name at ${location}, before ${end}`, place);
        const offset = f.deh_offset.read(body, at);
        const stop = end;
        end = location;
        if (offset < from || !(f.deh_state.read(body, at) & DEH_VISIBLE)) continue;
        const zero = body.indexOf(0, location);
        const name = fromBytes(body.subarray(location, zero < 0 || zero > stop ? stop : zero));
        if (name === '' || name === '.' || name === '..' || name.includes('/')) continue;
        // Linux' extended attributes: it shows them to nobody.
        if (name === ATTRIBUTES && dir.id === this.root.id) continue;
        yield { offset, name, dir: f.deh_dir_id.read(body, at), object: f.deh_objectid.read(body, at) };
      }
    }
  }

  /** Items of one object, from the one that holds this offset on. */
  *#items({ dir, object }: ReiserNode, offset: number): Generator<Item> {
    // The last item that is not after the offset, of whatever type it is.
    for (const item of this.#tree.items({ dir, object, offset, type: 15 })) {
      const { key } = item;
      if (key.dir > dir || (key.dir === dir && key.object > object)) return;
      if (key.dir === dir && key.object === object && key.type !== TYPE.stat) yield item;
    }
  }

  #node(dir: number, object: number): ReiserNode {
    const id = `${dir}/${object}`;
    const kept = this.#nodes.get(id);
    if (kept) return kept;
    const place = `object ${id}`;
    const item = within(place, () => this.#tree.item({ dir, object, offset: 0, type: TYPE.stat }));
    if (!item) throw corrupt('it has no stat data', place);
    const { body } = item;
    if (body.length !== StatData.size && body.length !== StatDataV1.size)
      throw corrupt(`stat data of ${body.length} bytes`, place);
    const s = body.length === StatData.size ? StatData.read(body) : StatDataV1.read(body);
    const node: ReiserNode = {
      id,
      dir,
      object,
      kind: KINDS[s.sd_mode >> 12] ?? 'other',
      size: s.sd_size,
      mtime: s.sd_mtime,
    };
    if (this.#nodes.size >= KEPT_NODES) this.#nodes.clear();
    this.#nodes.set(id, node);
    return node;
  }
}

const own = (node: FsNode): ReiserNode => node as ReiserNode;
