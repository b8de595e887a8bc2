/** A cramfs as the shared walk and copy see it. */
import { corrupt, limit } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import { NameTable, NONE } from '../../lib/fs/name-table';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { INODE_SIZE } from './layout';
import { type CramNode, type CramVolume, inNode } from './volume';

/** Directories whose names are kept. */
const INDEXES = 8;

interface RawEntry {
  readonly name: ByteString;
  readonly kind: NodeKind;
  /** Place of the inode. */
  readonly at: number;
}

export class CramFileSystem implements FileSystem {
  readonly type = 'cramfs';
  /** GRUB has no driver for it. */
  readonly grubName = 'cramfs';
  readonly label?: ByteString;
  readonly root: CramNode;
  readonly #volume: CramVolume;
  readonly #indexes = new Map<string, NameTable>();

  constructor(volume: CramVolume) {
    const { label, rootAt } = volume.geometry;
    this.#volume = volume;
    if (label !== '') this.label = label;
    this.root = volume.inode(rootAt);
    if (this.root.kind !== 'directory') throw corrupt('the root is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const index = this.#index(own(dir));
    const entry = index.find(0, name);
    return entry === NONE ? undefined : this.#volume.inode(index.place(entry));
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    for (const { name, kind, at } of this.#entries(own(dir)))
      yield { name, kind, node: () => this.#volume.inode(at) };
  }

  readlink(link: FsNode): ByteString {
    const node = own(link);
    return inNode(node, () => {
      if (node.kind !== 'symlink') throw corrupt('not a symbolic link');
      if (node.size > LIMITS.pathBytes)
        throw limit(`link of ${node.size} bytes, maximum ${LIMITS.pathBytes}`);
      const target = Buffer.alloc(node.size);
      for (const block of this.#volume.blocks(node))
        if (block.stored > 0)
          target.set(
            block.packed ? this.#volume.unpack(block) : this.#volume.read(block.at, block.length),
            block.offset,
          );
      if (target.includes(0)) throw corrupt('a link with a zero byte in it');
      return fromBytes(target);
    });
  }

  *extents(file: FsNode): Generator<Extent> {
    const node = own(file);
    if (node.kind !== 'file') throw corrupt(`${node.id} is not a regular file`);
    const { source } = this.#volume;
    let run: { offset: number; at: number; length: number } | undefined;
    for (const block of this.#volume.blocks(node)) {
      const { offset, at, length, stored, packed } = block;
      if (stored === 0) continue;
      if (!packed && run && run.offset + run.length === offset && run.at + run.length === at) {
        run.length += length;
        continue;
      }
      if (run) yield { kind: 'data', source, ...run };
      run = undefined;
      if (packed)
        yield {
          kind: 'packed',
          offset,
          length,
          unpack: () => inNode(node, () => this.#volume.unpack(block)),
        };
      else run = { offset, at, length };
    }
    if (run) yield { kind: 'data', source, ...run };
  }

  #index(dir: CramNode): NameTable {
    const key = `${dir.id}+${dir.size}`;
    const kept = this.#indexes.get(key);
    if (kept) return kept;
    const index = new NameTable(this.#volume.ctx);
    for (const { name, at } of this.#entries(dir)) {
      const entry = index.add(0, name);
      if (index.place(entry) === NONE) index.set(entry, 'other', at);
    }
    if (this.#indexes.size >= INDEXES) this.#indexes.clear();
    this.#indexes.set(key, index);
    return index;
  }

  *#entries(dir: CramNode): Generator<RawEntry> {
    const place = `directory at ${dir.dataAt}`;
    if (dir.kind !== 'directory') throw corrupt('not a directory', `inode of ${dir.id}`);
    if (dir.size === 0) return;
    // 16 MiB at most: sizes have 24 bits.
    const bytes = this.#volume.read(dir.dataAt, dir.size);
    for (let at = 0; at < bytes.length; ) {
      this.#volume.ctx.budget.step();
      if (at + INODE_SIZE > bytes.length) throw corrupt(`an entry at ${at} of ${bytes.length} bytes`, place);
      const { kind, nameUnits } = this.#volume.decode(bytes, at, dir.dataAt + at);
      const end = at + INODE_SIZE + 4 * nameUnits;
      if (nameUnits === 0 || end > bytes.length)
        throw corrupt(`an entry at ${at} of ${bytes.length} bytes, name of ${4 * nameUnits}`, place);
      const field = bytes.subarray(at + INODE_SIZE, end);
      const zero = field.indexOf(0);
      const name = fromBytes(zero < 0 ? field : field.subarray(0, zero));
      if (name !== '' && name !== '.' && name !== '..' && !name.includes('/'))
        yield { name, kind, at: dir.dataAt + at };
      at = end;
    }
  }
}

const own = (node: FsNode): CramNode => node as CramNode;
