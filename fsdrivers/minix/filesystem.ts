/** A MINIX filesystem as the shared walk and copy see it. */
import { corrupt, limit } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { DIR_MOST, ROOT_INODE } from './layout';
import type { MinixInode, MinixVolume } from './volume';

const KEPT_INODES = 512;
/** Bytes of a directory that are read at once; a multiple of every entry's size. */
const PIECE = 65536;

interface RawEntry {
  readonly name: ByteString;
  readonly inode: number;
}

export class MinixFileSystem implements FileSystem {
  readonly type = 'minix';
  readonly grubName: string;
  readonly root: MinixInode;
  readonly #volume: MinixVolume;
  readonly #inodes = new Map<number, MinixInode>();

  constructor(volume: MinixVolume) {
    const { version, big } = volume.geometry;
    this.#volume = volume;
    this.grubName = `minix${version === 1 ? '' : version}${big ? '_be' : ''}`;
    this.root = this.#inode(ROOT_INODE);
    if (this.root.kind !== 'directory') throw corrupt('the root inode is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): MinixInode | undefined {
    for (const entry of this.#entries(own(dir))) if (entry.name === name) return this.#inode(entry.inode);
    return undefined;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const entry of this.#entries(own(dir))) {
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries', `inode ${dir.id}`);
      yield { name: entry.name, node: () => this.#inode(entry.inode) };
    }
  }

  readlink(link: FsNode): ByteString {
    const inode = own(link);
    const place = `inode ${inode.id}`;
    if (inode.kind !== 'symlink') throw corrupt('not a symbolic link', place);
    if (inode.size > LIMITS.pathBytes)
      throw limit(`link of ${inode.size} bytes, maximum ${LIMITS.pathBytes}`, place);
    const target = Buffer.concat([...this.#pieces(inode)]);
    if (target.includes(0)) throw corrupt('a link with a zero byte in it', place);
    return fromBytes(target);
  }

  *extents(file: FsNode): Generator<Extent> {
    const inode = own(file);
    if (inode.kind !== 'file') throw corrupt('not a regular file', `inode ${inode.id}`);
    const { zoneSize } = this.#volume.geometry;
    const { source } = this.#volume;
    let run: { offset: number; at: number; length: number } | undefined;
    for (const { index, count, at } of this.#volume.runs(inode)) {
      const offset = index * zoneSize;
      const length = Math.min(count * zoneSize, inode.size - offset);
      if (at + length > source.size)
        throw corrupt(`a zone at ${at}, beyond the end (${source.size} bytes)`, `inode ${inode.id}`);
      if (run && run.offset + run.length === offset && run.at + run.length === at) run.length += length;
      else {
        if (run) yield { kind: 'data', source, ...run };
        run = { offset, at, length };
      }
    }
    if (run) yield { kind: 'data', source, ...run };
  }

  /** The bytes of a directory or link, piece by piece. */
  *#pieces(inode: MinixInode): Generator<Buffer> {
    const { zoneSize } = this.#volume.geometry;
    const { source, ctx } = this.#volume;
    let next = 0;
    for (const { index, count, at } of this.#volume.runs(inode)) {
      if (index !== next) break;
      next += count;
      const length = Math.min(count * zoneSize, inode.size - index * zoneSize);
      for (let done = 0; done < length; done += PIECE)
        yield readBytes(source, at + done, Math.min(PIECE, length - done), ctx);
    }
    if (next * zoneSize < inode.size) throw corrupt(`a hole in zone ${next}`, `inode ${inode.id}`);
  }

  *#entries(dir: MinixInode): Generator<RawEntry> {
    const place = `inode ${dir.id}`;
    if (dir.kind !== 'directory') throw corrupt('not a directory', place);
    if (dir.size > DIR_MOST) throw limit(`directory of ${dir.size} bytes, maximum ${DIR_MOST}`, place);
    const { structures, nameLength, version } = this.#volume.geometry;
    const nameAt = version === 3 ? 4 : 2;
    const entrySize = nameAt + nameLength;
    const { budget } = this.#volume.ctx;
    for (const bytes of this.#pieces(dir)) {
      for (let at = 0; at + entrySize <= bytes.length; at += entrySize) {
        budget.step();
        const inode = version === 3 ? structures.u32(bytes, at) : structures.u16(bytes, at);
        if (inode === 0) continue;
        const field = bytes.subarray(at + nameAt, at + entrySize);
        const end = field.indexOf(0);
        const name = fromBytes(end < 0 ? field : field.subarray(0, end));
        if (name !== '' && name !== '.' && name !== '..' && !name.includes('/')) yield { name, inode };
      }
    }
  }

  #inode(number: number): MinixInode {
    const kept = this.#inodes.get(number);
    if (kept) return kept;
    const inode = this.#volume.inode(number);
    if (this.#inodes.size >= KEPT_INODES) this.#inodes.clear();
    this.#inodes.set(number, inode);
    return inode;
  }
}

const own = (node: FsNode): MinixInode => node as MinixInode;
