/** A squashfs as the shared walk and copy see it. */
import { corrupt, limit, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes, toBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { type Index, Listing, nearest, readIndex } from './directory';
import type { Place } from './disk';
import { type DirectoryNode, type FileNode, readInode, type SquashNode } from './inode';
import { DATA_STORED, FRAGMENTS_PER_BLOCK, FragmentEntry, SymlinkInode, TYPE } from './layout';
import type { Volume } from './superblock';

/** Directories whose index is kept: one large directory has 65,535 entries at most. */
const INDEXES = 4;
/** Block sizes that are read from an inode at once. */
const LIST_PIECE = 512;

export class SquashFileSystem implements FileSystem {
  readonly type = 'squashfs';
  readonly grubName = 'squash4';
  readonly root: DirectoryNode;
  readonly #volume: Volume;
  readonly #indexes = new Map<string, Index>();

  constructor(volume: Volume) {
    this.#volume = volume;
    const root = readInode(volume, volume.root);
    if (root.kind !== 'directory') throw corrupt('the root is not a directory');
    this.root = root;
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const node = directory(dir);
    const index = node.indexes > 0 ? this.#index(node) : undefined;
    const from = index && nearest(index, name);
    const wanted = toBytes(name);
    const listing = new Listing(this.#volume, node, from);
    while (listing.next()) {
      if (listing.name.equals(wanted)) return this.#node(listing.inode, node);
      // Sorted. Linux stops by the first byte alone, and so a maker that sorts otherwise is read as it reads it.
      if (listing.name[0]! > wanted[0]!) return undefined;
    }
    return undefined;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    const node = directory(dir);
    let count = 0;
    const listing = new Listing(this.#volume, node);
    while (listing.next()) {
      this.#volume.disk.ctx.budget.most('directoryEntries', ++count, 'directory entries');
      const name = fromBytes(listing.name);
      // What no path can name.
      if (name === '.' || name === '..' || /[/\0]/.test(name)) continue;
      const { inode } = listing;
      yield { name, kind: kindOf(listing.type), node: () => this.#node(inode, node) };
    }
  }

  readlink(link: FsNode): ByteString {
    const node = link as SquashNode;
    if (node.kind !== 'symlink') throw corrupt(`${node.id} is not a symbolic link`);
    if (node.size > LIMITS.pathBytes) throw limit(`link of ${node.size} bytes, maximum ${LIMITS.pathBytes}`);
    const reader = this.#volume.disk.reader(node.place);
    reader.take(SymlinkInode.size);
    const target = reader.take(node.size);
    if (target.includes(0)) throw corrupt('a link with a zero byte in it', `inode ${node.id}`);
    return fromBytes(target);
  }

  *extents(file: FsNode): Generator<Extent> {
    const node = file as SquashNode;
    if (node.kind !== 'file') throw corrupt(`${node.id} is not a regular file`);
    const { disk } = this.#volume;
    const { blockSize, source } = disk;
    const blocks = node.fragment ? Math.floor(node.size / blockSize) : Math.ceil(node.size / blockSize);
    /** Blocks that are stored as they are and touch become one extent. */
    let run: { offset: number; at: number; length: number } | undefined;
    const data = (r: { offset: number; at: number; length: number }): Extent => ({
      kind: 'data',
      source,
      ...r,
    });
    let at = node.start;
    let offset = 0;
    for (const size of this.#blockSizes(node, blocks)) {
      const length = Math.min(blockSize, node.size - offset);
      const here = { offset, at, length };
      const stored = disk.stored(size);
      // Zeros that take no block.
      if (size !== 0) {
        if (size & DATA_STORED) {
          if (stored !== length)
            throw corrupt(`a block of ${stored} bytes instead of ${length}`, `inode ${node.id}`);
          if (at + stored > disk.size)
            throw corrupt(`a block at ${at}, beyond the filesystem (${disk.size} bytes)`, `inode ${node.id}`);
          if (run && run.at + run.length === at && run.offset + run.length === offset) run.length += length;
          else {
            if (run) yield data(run);
            run = here;
          }
        } else {
          if (run) yield data(run);
          run = undefined;
          yield {
            kind: 'packed',
            offset,
            length,
            unpack: () => within(`inode ${node.id}`, () => disk.data(here.at, size, length)),
          };
        }
      }
      at += stored;
      offset += length;
    }
    if (run) yield data(run);
    if (node.fragment && offset < node.size)
      yield this.#fragment(node, node.fragment.number, node.fragment.offset, offset);
  }

  /** The list of blocks that follows a file's inode. */
  *#blockSizes(node: FileNode, blocks: number): Generator<number> {
    const { disk } = this.#volume;
    const reader = disk.reader(node.place);
    reader.take(node.headSize);
    for (let done = 0; done < blocks; ) {
      const count = Math.min(LIST_PIECE, blocks - done);
      const bytes = reader.take(count * 4);
      disk.ctx.budget.step(count);
      for (let i = 0; i < count; i++) yield bytes.readUInt32LE(i * 4);
      done += count;
    }
  }

  /** The end of a file that shares its block with others. */
  #fragment(node: FileNode, number: number, start: number, offset: number): Extent {
    const { disk, fragmentTable } = this.#volume;
    const length = node.size - offset;
    return within(`inode ${node.id} › fragment ${number}`, () => {
      const pointerAt = fragmentTable + Math.floor(number / FRAGMENTS_PER_BLOCK) * 8;
      const block = disk.pointer(pointerAt);
      const place = { block, offset: (number % FRAGMENTS_PER_BLOCK) * FragmentEntry.size };
      const entry = FragmentEntry.read(disk.read(place, FragmentEntry.size));
      const stored = disk.stored(entry.size);
      const at = entry.start_block;
      if (entry.size & DATA_STORED) {
        if (start + length > stored)
          throw corrupt(`${length} bytes at ${start} of a fragment block of ${stored}`);
        if (at + stored > disk.size) throw corrupt(`a fragment block at ${at}, beyond the filesystem`);
        return { kind: 'data', offset, length, source: disk.source, at: at + start };
      }
      return { kind: 'packed', offset, length, unpack: () => this.#cut(node, at, entry.size, start, length) };
    });
  }

  #cut(node: FileNode, at: number, size: number, start: number, length: number): Uint8Array {
    return within(`inode ${node.id}`, () => {
      const bytes = this.#volume.disk.fragment(at, size);
      if (start + length > bytes.length)
        throw corrupt(`${length} bytes at ${start} of a fragment block of ${bytes.length}`);
      return bytes.subarray(start, start + length);
    });
  }

  #node(inode: Place, parent: DirectoryNode): SquashNode {
    return readInode(this.#volume, inode, parent);
  }

  #index(dir: DirectoryNode): Index {
    const key = `${dir.place.block}+${dir.place.offset}`;
    let index = this.#indexes.get(key);
    if (!index) {
      index = readIndex(this.#volume, dir);
      if (this.#indexes.size >= INDEXES) this.#indexes.clear();
      this.#indexes.set(key, index);
    }
    return index;
  }
}

function directory(dir: FsNode): DirectoryNode {
  const node = dir as SquashNode;
  if (node.kind !== 'directory') throw corrupt(`${node.id} is not a directory`);
  return node;
}

function kindOf(type: number): NodeKind {
  switch (type) {
    case TYPE.directory:
      return 'directory';
    case TYPE.file:
      return 'file';
    case TYPE.symlink:
      return 'symlink';
    default:
      return 'other';
  }
}
