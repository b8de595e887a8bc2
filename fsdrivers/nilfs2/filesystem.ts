/** A NILFS2 as the shared walk and copy see it. */
import { corrupt, limit } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { DIR_MOST, DirectoryEntry, FILE_TYPE, MAX_REC_LEN, ROOT_INODE } from './layout';
import type { NilfsInode, NilfsVolume } from './volume';

const KINDS: Readonly<Record<number, NodeKind>> = {
  [FILE_TYPE.directory]: 'directory',
  [FILE_TYPE.file]: 'file',
  [FILE_TYPE.link]: 'symlink',
};
const KEPT_INODES = 512;

interface RawEntry {
  readonly name: ByteString;
  readonly inode: number;
  readonly kind?: NodeKind;
}

export class NilfsFileSystem implements FileSystem {
  readonly type = 'nilfs2';
  readonly grubName = 'nilfs2';
  readonly uuid: string;
  readonly label?: ByteString;
  readonly root: NilfsInode;
  readonly #volume: NilfsVolume;
  readonly #inodes = new Map<number, NilfsInode>();

  constructor(volume: NilfsVolume, { uuid, label }: { uuid: string; label?: ByteString }) {
    this.#volume = volume;
    this.uuid = uuid;
    if (label !== undefined) this.label = label;
    this.root = this.#inode(ROOT_INODE);
    if (this.root.kind !== 'directory') throw corrupt('the root inode is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): NilfsInode | undefined {
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
    const target = Buffer.concat([...this.#pieces(inode)]);
    if (target.includes(0)) throw corrupt('a link with a zero byte in it', place);
    return fromBytes(target);
  }

  *extents(file: FsNode): Generator<Extent> {
    const inode = own(file);
    const place = `inode ${inode.id}`;
    if (inode.kind !== 'file') throw corrupt('not a regular file', place);
    const { source, ctx } = this.#volume;
    const { blockSize } = this.#volume.geometry;
    let run: { offset: number; at: number; length: number } | undefined;
    for (const { index, block, count } of this.#volume.runs(inode)) {
      ctx.budget.step();
      const at = this.#volume.byteOf(block, place);
      this.#volume.byteOf(block + count - 1, place);
      const offset = index * blockSize;
      const length = Math.min(count * blockSize, inode.size - offset);
      if (run && run.offset + run.length === offset && run.at + run.length === at) run.length += length;
      else {
        if (run) yield { kind: 'data', source, ...run };
        run = { offset, at, length };
      }
    }
    if (run) yield { kind: 'data', source, ...run };
  }

  /** The bytes of a directory or link, block by block. */
  *#pieces(inode: NilfsInode): Generator<Buffer> {
    const place = `inode ${inode.id}`;
    const { source, ctx } = this.#volume;
    const { blockSize } = this.#volume.geometry;
    let next = 0;
    for (const { index, block, count } of this.#volume.runs(inode)) {
      if (index !== next) break;
      for (let i = 0; i < count; i++, next++) {
        const length = Math.min(blockSize, inode.size - next * blockSize);
        yield readBytes(source, this.#volume.byteOf(block + i, place), length, ctx);
      }
    }
    if (next * blockSize < inode.size) throw corrupt(`a hole in block ${next}`, place);
  }

  *#entries(dir: NilfsInode): Generator<RawEntry> {
    const place = `inode ${dir.id}`;
    if (dir.kind !== 'directory') throw corrupt('not a directory', place);
    if (dir.size > DIR_MOST) throw limit(`directory of ${dir.size} bytes, maximum ${DIR_MOST}`, place);
    const { budget } = this.#volume.ctx;
    const { inode: number, rec_len, name_len, file_type } = DirectoryEntry.fields;
    const header = DirectoryEntry.size;
    for (const bytes of this.#pieces(dir)) {
      for (let at = 0; at + header <= bytes.length; ) {
        budget.step();
        const said = rec_len.read(bytes, at);
        const length = said === MAX_REC_LEN ? 65536 : said;
        const nameLength = name_len.read(bytes, at);
        if (length < header + nameLength || length < 16 || length % 8 !== 0 || at + length > bytes.length)
          throw corrupt(`entry of ${length} bytes at ${at} of a block, name of ${nameLength}`, place);
        // Zero is an entry that was deleted: the number's bits matter only then.
        if (bytes.readUInt32LE(at) !== 0 || bytes.readUInt32LE(at + 4) !== 0) {
          const name = fromBytes(bytes.subarray(at + header, at + header + nameLength));
          const kind = KINDS[file_type.read(bytes, at) & 7];
          if (name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name))
            yield { name, inode: number.read(bytes, at), ...(kind ? { kind } : {}) };
        }
        at += length;
      }
    }
  }

  #inode(number: number): NilfsInode {
    const kept = this.#inodes.get(number);
    if (kept) return kept;
    const inode = this.#volume.inode(number);
    if (this.#inodes.size >= KEPT_INODES) this.#inodes.clear();
    this.#inodes.set(number, inode);
    return inode;
  }
}

const own = (node: FsNode): NilfsInode => node as NilfsInode;
