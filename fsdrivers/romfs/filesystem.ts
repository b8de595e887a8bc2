/** A romfs as the shared walk and copy see it. */
import { corrupt, limit } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import { NameTable, NONE } from '../../lib/fs/name-table';
import type { DirEntry, Extent, FileSystem, FsNode } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { TYPE } from './layout';
import type { Header, RomNode, RomVolume } from './volume';

/** Directories whose names are kept: the format has no index. */
const INDEXES = 8;

export class RomFileSystem implements FileSystem {
  readonly type = 'romfs';
  readonly grubName = 'romfs';
  readonly label?: ByteString;
  readonly root: RomNode;
  readonly #volume: RomVolume;
  readonly #indexes = new Map<number, NameTable>();

  constructor(volume: RomVolume) {
    this.#volume = volume;
    if (volume.label !== '') this.label = volume.label;
    this.root = volume.node(volume.root);
    if (this.root.kind !== 'directory') throw corrupt('the root is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const index = this.#index(own(dir));
    const entry = index.find(0, name);
    return entry === NONE ? undefined : this.#volume.node(index.place(entry));
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    for (const { at, header } of this.#headers(own(dir)))
      yield {
        name: header.name,
        ...(header.type === TYPE.file ? { kind: 'file' } : {}),
        node: () => this.#volume.node(at),
      };
  }

  readlink(link: FsNode): ByteString {
    const node = own(link);
    const place = `file header at ${node.id}`;
    if (node.kind !== 'symlink') throw corrupt('not a symbolic link', place);
    if (node.size > LIMITS.pathBytes)
      throw limit(`link of ${node.size} bytes, maximum ${LIMITS.pathBytes}`, place);
    this.#check(node);
    const target = readBytes(this.#volume.source, node.dataAt, node.size, this.#volume.ctx);
    if (target.includes(0)) throw corrupt('a link with a zero byte in it', place);
    return fromBytes(target);
  }

  *extents(file: FsNode): Generator<Extent> {
    const node = own(file);
    if (node.kind !== 'file') throw corrupt('not a regular file', `file header at ${node.id}`);
    this.#check(node);
    if (node.size > 0)
      yield {
        kind: 'data',
        offset: 0,
        length: node.size,
        source: this.#volume.source,
        at: node.dataAt,
      };
  }

  #check({ id, size, dataAt }: RomNode): void {
    if (dataAt + size > this.#volume.size)
      throw corrupt(
        `${size} bytes at ${dataAt} reach beyond the filesystem (${this.#volume.size} bytes)`,
        `file header at ${id}`,
      );
  }

  #index(dir: RomNode): NameTable {
    const kept = this.#indexes.get(dir.id);
    if (kept) return kept;
    const index = new NameTable(this.#volume.ctx);
    for (const { at, header } of this.#headers(dir)) {
      // Of two of the same name the first one counts, as in Linux and GRUB.
      const entry = index.add(0, header.name);
      if (index.place(entry) === NONE) index.set(entry, 'other', at);
    }
    if (this.#indexes.size >= INDEXES) this.#indexes.clear();
    this.#indexes.set(dir.id, index);
    return index;
  }

  /** A chain; one that comes back to where it was is refused (Brent's algorithm: no list of places is kept). */
  *#headers(dir: RomNode): Generator<{ at: number; header: Header }> {
    if (dir.kind !== 'directory') throw corrupt('not a directory', `file header at ${dir.id}`);
    let mark = 0;
    let power = 1;
    let steps = 0;
    for (let at = dir.first; at !== 0; ) {
      this.#volume.ctx.budget.step();
      const header = this.#volume.header(at);
      const { name, next } = header;
      if (name !== '.' && name !== '..' && name !== '' && !name.includes('/')) yield { at, header };
      if (next === mark && next !== 0)
        throw corrupt(
          `the files of the directory go round in a circle at ${next}`,
          `file header at ${dir.id}`,
        );
      if (++steps === power) {
        mark = next;
        power *= 2;
        steps = 0;
      }
      at = next;
    }
  }
}

const own = (node: FsNode): RomNode => node as RomNode;
