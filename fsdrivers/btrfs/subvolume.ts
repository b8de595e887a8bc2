/** One tree of files: inodes, names, extents, and over them what its log says. */
import { corrupt } from '../../lib/bytes/errors';
import { type ByteString, toBytes } from '../../lib/bytes/text';
import type { NodeKind } from '../../lib/fs/types';
import { DirItem, FT, INODE_NODATASUM, InodeExtref, InodeItem, InodeRef, KEY } from './layout';
import type { Log } from './log';
import { overlaid, type Run, runsOf } from './runs';
import type { Cursor, Item, Tree } from './tree';

export interface Inode {
  readonly size: number;
  readonly mode: number;
  readonly links: number;
  readonly mtime: number;
  /** False: its data has no checksums. */
  readonly summed: boolean;
  /** 0: the log only says that it exists. */
  readonly generation: bigint;
}

export interface Entry {
  readonly name: ByteString;
  readonly kind: NodeKind | undefined;
  /** Another subvolume's number, or an inode's. */
  readonly subvolume: boolean;
  readonly target: number;
}

export function readInode(item: Item): Inode {
  if (item.size < InodeItem.size) throw corrupt(`inode item of ${item.size} bytes`, `inode ${item.objectid}`);
  const raw = InodeItem.read(item.bytes, item.at);
  return {
    size: raw.size,
    mode: raw.mode,
    links: raw.nlink,
    mtime: raw.mtime_sec,
    summed: (raw.flags & INODE_NODATASUM) === 0n,
    generation: raw.generation,
  };
}

function kindOf(type: number): NodeKind | undefined {
  switch (type) {
    case FT.file:
      return 'file';
    case FT.directory:
      return 'directory';
    case FT.symlink:
      return 'symlink';
    case 0:
      return undefined;
    default:
      return 'other';
  }
}

/** The names of one item: several, where their hashes are the same. @throws GuestError `corrupt` */
export function* dirItems(item: Item): Generator<Entry> {
  const { bytes } = item;
  const end = item.at + item.size;
  for (let p = item.at; p < end; ) {
    if (p + DirItem.size > end)
      throw corrupt(`directory item of ${item.size} bytes`, `inode ${item.objectid}`);
    const raw = DirItem.read(bytes, p);
    const from = p + DirItem.size;
    const next = from + raw.name_len + raw.data_len;
    if (next > end || raw.name_len === 0)
      throw corrupt(`name of ${raw.name_len} bytes in an item of ${item.size}`, `inode ${item.objectid}`);
    p = next;
    if (raw.type === FT.xattr) continue;
    if (raw.location_type !== KEY.inodeItem && raw.location_type !== KEY.rootItem)
      throw corrupt(`a name that leads to an item of kind ${raw.location_type}`, `inode ${item.objectid}`);
    yield {
      name: bytes.toString('latin1', from, from + raw.name_len),
      kind: kindOf(raw.type),
      subvolume: raw.location_type === KEY.rootItem,
      target: raw.location,
    };
  }
}

/** Names that an inode says it has: in which directory, at which index. @throws GuestError `corrupt` */
export function* refsIn(item: Item): Generator<{ dir: number; index: number; name: ByteString }> {
  const { bytes } = item;
  const end = item.at + item.size;
  const long = item.type === KEY.inodeExtref;
  const head = long ? InodeExtref : InodeRef;
  for (let p = item.at; p < end; ) {
    if (p + head.size > end) throw corrupt(`reference item of ${item.size} bytes`, `inode ${item.objectid}`);
    const raw = head.read(bytes, p) as { index: number; name_len: number; parent_objectid?: number };
    const from = p + head.size;
    p = from + raw.name_len;
    if (p > end) throw corrupt(`name of ${raw.name_len} bytes`, `inode ${item.objectid}`);
    yield {
      dir: raw.parent_objectid ?? item.offset,
      index: raw.index,
      name: bytes.toString('latin1', from, p),
    };
  }
}

export class Subvolume {
  constructor(
    readonly id: number,
    readonly tree: Tree,
    /** Inode of its root directory. */
    readonly top: number,
    readonly log: Log | undefined,
    private readonly hash: (name: Buffer) => number,
  ) {}

  /** Undefined: there is none. */
  inode(number: number): Inode | undefined {
    const item = this.tree.find(number, KEY.inodeItem, 0);
    const inode = item && readInode(item);
    return this.log ? this.log.inode(number, inode) : inode;
  }

  lookup(dir: number, name: ByteString): Entry | undefined {
    const added = this.log?.added(dir, name);
    if (added) return added;
    const item = this.tree.find(dir, KEY.dirItem, this.hash(toBytes(name)));
    if (!item) return undefined;
    for (const entry of dirItems(item)) {
      if (entry.name !== name) continue;
      if (this.log?.changes(dir) && !entry.subvolume) {
        const index = this.#index(entry.target, dir, name);
        if (index !== undefined && this.log.removed(dir, index, entry)) return undefined;
      }
      return entry;
    }
    return undefined;
  }

  /** Which index the name has in its directory, as its inode says. */
  #index(inode: number, dir: number, name: ByteString): number | undefined {
    const near = this.tree.find(inode, KEY.inodeRef, dir);
    if (near) for (const ref of refsIn(near)) if (ref.name === name) return ref.index;
    const cursor = this.tree.from(inode, KEY.inodeExtref, 0);
    for (let item = cursor.of(inode, KEY.inodeExtref); item; item = cursor.of(inode, KEY.inodeExtref)) {
      for (const ref of refsIn(item)) if (ref.dir === dir && ref.name === name) return ref.index;
      cursor.next();
    }
    return undefined;
  }

  *entries(dir: number): Generator<Entry> {
    const cursor: Cursor = this.tree.from(dir, KEY.dirIndex, 0);
    const changed = this.log?.changes(dir) ? this.log : undefined;
    for (let item = cursor.of(dir, KEY.dirIndex); item; item = cursor.of(dir, KEY.dirIndex)) {
      const index = item.offset;
      for (const entry of dirItems(item)) {
        if (changed && (changed.added(dir, entry.name) || changed.removed(dir, index, entry))) continue;
        yield entry;
      }
      cursor.next();
    }
    if (changed) yield* changed.addedIn(dir);
  }

  /** Where the bytes of a file are, in order. */
  runs(inode: number, sectorSize: number): Iterable<Run> {
    const own = runsOf(this.tree.from(inode, KEY.extentData, 0), inode, sectorSize);
    const logged = this.log?.runs(inode, sectorSize);
    return logged ? overlaid(own, logged) : own;
  }
}
