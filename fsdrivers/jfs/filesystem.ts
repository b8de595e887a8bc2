/** A JFS as the shared walk and copy see it. */
import { corrupt, limit, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { Directory } from './directory';
import { runs } from './extents';
import { INLINE_LINK, ROOT_I } from './layout';
import type { identity } from './superblock';
import type { JfsInode, JfsVolume } from './volume';

const KEPT_INODES = 512;

export class JfsFileSystem implements FileSystem {
  readonly type = 'jfs';
  readonly grubName = 'jfs';
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly ignoresCase: boolean;
  readonly root: JfsInode;
  readonly #volume: JfsVolume;
  readonly #inodes = new Map<number, JfsInode>();

  constructor(volume: JfsVolume, { uuid, label }: ReturnType<typeof identity>) {
    this.#volume = volume;
    if (uuid !== undefined) this.uuid = uuid;
    if (label !== undefined) this.label = label;
    this.ignoresCase = volume.geometry.ignoresCase;
    this.root = this.#inode(ROOT_I);
    if (this.root.kind !== 'directory') throw corrupt('the root inode is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): JfsInode | undefined {
    const found = within(`inode ${dir.id}`, () => this.#directory(dir).find(name));
    return found === undefined ? undefined : this.#inode(found);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    const place = `inode ${dir.id}`;
    const entries = within(place, () => this.#directory(dir)).entries();
    for (;;) {
      const next = within(place, () => entries.next());
      if (next.done) return;
      const { name, inode } = next.value;
      yield { name, node: () => this.#inode(inode) };
    }
  }

  readlink(link: FsNode): ByteString {
    const inode = own(link);
    const place = `inode ${inode.id}`;
    if (inode.kind !== 'symlink') throw corrupt('not a symbolic link', place);
    if (inode.size > LIMITS.pathBytes)
      throw limit(`link of ${inode.size} bytes, maximum ${LIMITS.pathBytes}`, place);
    const target =
      inode.size < INLINE_LINK ? inode.inlineLink.subarray(0, inode.size) : this.#contents(inode);
    if (target.includes(0)) throw corrupt('a link with a zero byte in it', place);
    return fromBytes(target);
  }

  *extents(file: FsNode): Generator<Extent> {
    const inode = own(file);
    const place = `inode ${inode.id}`;
    if (inode.kind !== 'file') throw corrupt('not a regular file', place);
    const { source, geometry } = this.#volume;
    const { blockSize } = geometry;
    const all = runs(this.#volume, inode.root);
    let run: { offset: number; at: number; length: number } | undefined;
    for (;;) {
      const next = within(place, () => all.next());
      if (next.done || next.value.offset * blockSize >= inode.size) break;
      const { address } = next.value;
      if (address === undefined) continue;
      const offset = next.value.offset * blockSize;
      const at = address * blockSize;
      const length = Math.min(next.value.length * blockSize, inode.size - offset);
      if (at + length > source.size)
        throw corrupt(`${length} bytes at ${at}, beyond the end (${source.size} bytes)`, place);
      if (run && run.offset + run.length === offset && run.at + run.length === at) run.length += length;
      else {
        if (run) yield { kind: 'data', source, ...run };
        run = { offset, at, length };
      }
    }
    if (run) yield { kind: 'data', source, ...run };
  }

  /** A link that is too long for its inode. */
  #contents(inode: JfsInode): Buffer {
    const { source, geometry, ctx } = this.#volume;
    const into = Buffer.alloc(inode.size);
    within(`inode ${inode.id}`, () => {
      for (const { offset, length, address } of runs(this.#volume, inode.root)) {
        const from = offset * geometry.blockSize;
        if (from >= inode.size) break;
        const count = Math.min(length * geometry.blockSize, inode.size - from);
        if (address !== undefined)
          readBytes(source, address * geometry.blockSize, count, ctx).copy(into, from);
      }
    });
    return into;
  }

  #directory(dir: FsNode): Directory {
    const inode = own(dir);
    if (inode.kind !== 'directory') throw corrupt('not a directory');
    return new Directory(this.#volume, inode);
  }

  #inode(number: number): JfsInode {
    const kept = this.#inodes.get(number);
    if (kept) return kept;
    const inode = this.#volume.inode(number);
    if (this.#inodes.size >= KEPT_INODES) this.#inodes.clear();
    this.#inodes.set(number, inode);
    return inode;
  }
}

const own = (node: FsNode): JfsInode => node as JfsInode;
