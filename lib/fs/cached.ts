/** Remembers what names lead to: a boot walks `/boot` and `/boot/grub` a dozen times. */
import type { ByteString } from '../bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode } from './types';

/** Names remembered; a configuration that looks for more is hostile or huge, and only loses speed. */
const MOST = 4096;

export class CachedFileSystem implements FileSystem {
  readonly #inner: FileSystem;
  /** By directory, then by name; undefined is remembered too. */
  readonly #known = new Map<FsNode['id'], Map<ByteString, FsNode | undefined>>();
  #count = 0;

  readonly type: string;
  readonly grubName: string;
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: FsNode;
  readonly ignoresCase?: boolean;
  readonly bootString?: ByteString;
  readonly seenBy?: NonNullable<FileSystem['seenBy']>;

  constructor(inner: FileSystem) {
    this.#inner = inner;
    this.type = inner.type;
    this.grubName = inner.grubName;
    this.root = inner.root;
    if (inner.uuid !== undefined) this.uuid = inner.uuid;
    if (inner.label !== undefined) this.label = inner.label;
    if (inner.bootString !== undefined) this.bootString = inner.bootString;
    if (inner.seenBy)
      this.seenBy = (variable, mounts) => {
        const seen = inner.seenBy!(variable, mounts);
        return seen === inner ? this : seen;
      };
    if (inner.ignoresCase !== undefined) this.ignoresCase = inner.ignoresCase;
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    let names = this.#known.get(dir.id);
    if (names?.has(name)) return names.get(name);
    const node = this.#inner.lookup(dir, name);
    if (this.#count < MOST) {
      this.#count++;
      if (!names) {
        names = new Map();
        this.#known.set(dir.id, names);
      }
      names.set(name, node);
    }
    return node;
  }

  readdir(dir: FsNode): Iterable<DirEntry> {
    return this.#inner.readdir(dir);
  }

  readlink(link: FsNode): ByteString {
    return this.#inner.readlink(link);
  }

  extents(file: FsNode): Iterable<Extent> {
    return this.#inner.extents(file);
  }
}
