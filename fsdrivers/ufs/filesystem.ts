/** A UFS as the shared walk and copy see it. */
import { corrupt, limit } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { DIR_BLOCK, DIR_MOST, DT, ROOT_INODE } from './layout';
import type { UfsInode, UfsVolume } from './volume';

const KINDS: Readonly<Record<number, NodeKind>> = {
  [DT.directory]: 'directory',
  [DT.file]: 'file',
  [DT.link]: 'symlink',
};
const KEPT_INODES = 512;
/** Bytes of a directory that are read at once. */
const PIECE = 65536;

interface RawEntry {
  readonly name: ByteString;
  readonly inode: number;
  readonly kind?: NodeKind;
}

export class UfsFileSystem implements FileSystem {
  readonly type = 'ufs';
  readonly grubName: string;
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: UfsInode;
  readonly #volume: UfsVolume;
  readonly #inodes = new Map<number, UfsInode>();
  /** 4.2BSD and Solaris on little-endian machines: the name's length takes the place of the type. */
  readonly #oldEntries: boolean;

  constructor(volume: UfsVolume) {
    const { version, big, uuid, label } = volume.geometry;
    this.#volume = volume;
    this.grubName = version === 1 ? (big ? 'ufs1_be' : 'ufs1') : 'ufs2';
    if (uuid !== undefined) this.uuid = uuid;
    if (label !== undefined) this.label = label;
    this.root = this.#inode(ROOT_INODE);
    if (this.root.kind !== 'directory') throw corrupt('the root inode is not a directory');
    // The entry for `.`: type and length in two bytes, or a length of 16 bits. Big-endian ones are alike.
    const [first] = this.#pieces(this.root);
    this.#oldEntries = !big && first !== undefined && first[6] === 1 && first[7] === 0;
  }

  lookup(dir: FsNode, name: ByteString): UfsInode | undefined {
    for (const entry of this.#entries(own(dir))) if (entry.name === name) return this.#inode(entry.inode);
    return undefined;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const entry of this.#entries(own(dir))) {
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries', `inode ${dir.id}`);
      yield {
        name: entry.name,
        ...(entry.kind ? { kind: entry.kind } : {}),
        node: () => this.#inode(entry.inode),
      };
    }
  }

  readlink(link: FsNode): ByteString {
    const inode = own(link);
    const place = `inode ${inode.id}`;
    if (inode.kind !== 'symlink') throw corrupt('not a symbolic link', place);
    if (inode.size > LIMITS.pathBytes)
      throw limit(`link of ${inode.size} bytes, maximum ${LIMITS.pathBytes}`, place);
    const target =
      inode.blocks === 0 && inode.size <= inode.pointers.length
        ? inode.pointers.subarray(0, inode.size)
        : Buffer.concat([...this.#pieces(inode)]);
    if (target.includes(0)) throw corrupt('a link with a zero byte in it', place);
    return fromBytes(target);
  }

  *extents(file: FsNode): Generator<Extent> {
    const inode = own(file);
    if (inode.kind !== 'file') throw corrupt('not a regular file', `inode ${inode.id}`);
    const { blockSize } = this.#volume.geometry;
    const { source } = this.#volume;
    let run: { offset: number; at: number; length: number } | undefined;
    for (const { block, count, at } of this.#volume.blocks(inode)) {
      if (at === undefined) continue;
      const offset = block * blockSize;
      const length = Math.min(count * blockSize, inode.size - offset);
      if (at + length > source.size)
        throw corrupt(`a block at ${at}, beyond the end (${source.size} bytes)`, `inode ${inode.id}`);
      if (run && run.offset + run.length === offset && run.at + run.length === at) run.length += length;
      else {
        if (run) yield { kind: 'data', source, ...run };
        run = { offset, at, length };
      }
    }
    if (run) yield { kind: 'data', source, ...run };
  }

  /** The bytes of a directory or link, piece by piece. */
  *#pieces(inode: UfsInode): Generator<Buffer> {
    const { blockSize } = this.#volume.geometry;
    const { source, ctx } = this.#volume;
    for (const { block, count, at } of this.#volume.blocks(inode)) {
      if (at === undefined) throw corrupt(`a hole in block ${block}`, `inode ${inode.id}`);
      const length = Math.min(count * blockSize, inode.size - block * blockSize);
      for (let done = 0; done < length; done += PIECE)
        yield readBytes(source, at + done, Math.min(PIECE, length - done), ctx);
    }
  }

  *#entries(dir: UfsInode): Generator<RawEntry> {
    const place = `inode ${dir.id}`;
    if (dir.kind !== 'directory') throw corrupt('not a directory', place);
    if (dir.size > DIR_MOST) throw limit(`directory of ${dir.size} bytes, maximum ${DIR_MOST}`, place);
    const { Entry } = this.#volume.geometry.structures;
    const { d_ino, d_reclen } = Entry.fields;
    const { budget } = this.#volume.ctx;
    for (const bytes of this.#pieces(dir)) {
      for (let at = 0; at + Entry.size <= bytes.length; ) {
        budget.step();
        const inode = d_ino.read(bytes, at);
        const length = d_reclen.read(bytes, at);
        const type = this.#oldEntries ? 0 : bytes[at + 6]!;
        const nameLength = this.#oldEntries ? bytes[at + 6]! : bytes[at + 7]!;
        if (
          length < Entry.size ||
          length % 4 !== 0 ||
          at + length > bytes.length ||
          Entry.size + nameLength > length
        )
          throw corrupt(
            `entry of ${length} bytes at ${at % DIR_BLOCK} of a directory block, name of ${nameLength}`,
            place,
          );
        if (inode !== 0 && nameLength > 0 && type !== DT.whiteout) {
          const name = fromBytes(bytes.subarray(at + Entry.size, at + Entry.size + nameLength));
          const kind = KINDS[type];
          if (name !== '.' && name !== '..' && !/[/\0]/.test(name))
            yield { name, inode, ...(kind ? { kind } : {}) };
        }
        at += length;
      }
    }
  }

  #inode(number: number): UfsInode {
    const kept = this.#inodes.get(number);
    if (kept) return kept;
    const inode = this.#volume.inode(number);
    if (this.#inodes.size >= KEPT_INODES) this.#inodes.clear();
    this.#inodes.set(number, inode);
    return inode;
  }
}

const own = (node: FsNode): UfsInode => node as UfsInode;
