/** An XFS as the shared walk and copy see it. */
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { findEntry, listEntries } from './directory';
import { mappings } from './extents';
import { readInode, XfsInode } from './inode';
import { FORMAT, SYMLINK, SymlinkHeader } from './layout';
import type { XfsVolume } from './volume';

/** Inodes kept: enough for every directory that a search for a configuration passes through. */
const KEPT_INODES = 512;

export class XfsFileSystem implements FileSystem {
  readonly type = 'xfs';
  readonly grubName = 'xfs';
  readonly uuid: string;
  readonly label?: ByteString;
  readonly ignoresCase: boolean;
  readonly root: XfsInode;
  readonly #volume: XfsVolume;
  readonly #inodes = new Map<number, XfsInode>();

  constructor(volume: XfsVolume) {
    const { uuid, label, asciiCi, rootInode } = volume.geometry;
    this.#volume = volume;
    this.uuid = uuid;
    if (label !== undefined) this.label = label;
    this.ignoresCase = asciiCi;
    this.root = this.#inode(rootInode);
    if (this.root.kind !== 'directory') throw corrupt('the root inode is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): XfsInode | undefined {
    if (name.length === 0 || name.length > LIMITS.nameBytes) return undefined;
    const found = findEntry(this.#volume, directory(dir), name);
    return found && this.#inode(found.inode);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const entry of listEntries(this.#volume, directory(dir))) {
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
    if (inode.size > SYMLINK.most)
      throw corrupt(`link of ${inode.size} bytes, maximum ${SYMLINK.most}`, place);
    const target = inode.format === FORMAT.local ? inode.fork.subarray(0, inode.size) : this.#remote(inode);
    if (target.includes(0)) throw corrupt('a link with a zero byte in it', place);
    return fromBytes(target);
  }

  *extents(file: FsNode): Generator<Extent> {
    const inode = own(file);
    const place = `inode ${inode.id}`;
    if (inode.kind !== 'file') throw corrupt('not a regular file', place);
    if (inode.isRealtime) throw unsupported('a file on the realtime device', place);
    if (inode.format === FORMAT.local) {
      // Allowed by the format, written by nobody.
      yield { kind: 'inline', offset: 0, length: inode.size, bytes: inode.fork.subarray(0, inode.size) };
      return;
    }
    const { blockSize } = this.#volume.geometry;
    const { source } = this.#volume;
    let run: { offset: number; at: number; length: number } | undefined;
    for (const mapped of mappings(this.#volume, inode)) {
      const offset = mapped.offset * blockSize;
      if (offset >= inode.size) break;
      if (mapped.unwritten) continue;
      const at = this.#volume.byteOf(mapped.block, mapped.count);
      const length = Math.min(mapped.count * blockSize, inode.size - offset);
      if (at + length > source.size)
        throw corrupt(`an extent at ${at}, beyond the end (${source.size} bytes)`, place);
      if (run && run.offset + run.length === offset && run.at + run.length === at) run.length += length;
      else {
        if (run) yield { kind: 'data', source, ...run };
        run = { offset, at, length };
      }
    }
    if (run) yield { kind: 'data', source, ...run };
  }

  /** A link in blocks; each extent has a header of its own in version 5. */
  #remote(inode: XfsInode): Buffer {
    const volume = this.#volume;
    const { v5, blockSize } = volume.geometry;
    const pieces: Buffer[] = [];
    let left = inode.size;
    for (const mapped of mappings(volume, inode)) {
      if (left === 0) break;
      const at = volume.byteOf(mapped.block, mapped.count);
      const length = Math.min(mapped.count * blockSize, SYMLINK.most * 4 + blockSize);
      const bytes = readBytes(volume.metadata, at, length, volume.ctx);
      let start = 0;
      if (v5) {
        volume.check(bytes, SYMLINK.crcAt, `link ${inode.id}`, [[at, length]]);
        const head = SymlinkHeader.read(bytes);
        if (head.sl_magic !== SYMLINK.magic)
          throw corrupt(`link magic 0x${head.sl_magic.toString(16)}`, `inode ${inode.id}`);
        start = SymlinkHeader.size;
      }
      const piece = bytes.subarray(start, start + Math.min(left, bytes.length - start));
      pieces.push(piece);
      left -= piece.length;
    }
    if (left > 0) throw corrupt(`link of ${inode.size} bytes, ${left} of them nowhere`, `inode ${inode.id}`);
    return Buffer.concat(pieces);
  }

  #inode(number: number): XfsInode {
    const kept = this.#inodes.get(number);
    if (kept) return kept;
    const inode = readInode(this.#volume, number);
    if (this.#inodes.size >= KEPT_INODES) this.#inodes.clear();
    this.#inodes.set(number, inode);
    return inode;
  }
}

function own(node: FsNode): XfsInode {
  if (!(node instanceof XfsInode)) throw new TypeError('a node of another filesystem');
  return node;
}

function directory(node: FsNode): XfsInode {
  const inode = own(node);
  if (inode.kind !== 'directory') throw corrupt('not a directory', `inode ${inode.id}`);
  return inode;
}
