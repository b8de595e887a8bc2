/** An open ext2, ext3 or ext4 filesystem: the driver's pieces behind the interface that all drivers share. */
import { corrupt, GuestError, limit, unsupported } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import type { ByteString } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { foldingMatcher, foldName } from './casefold';
import { dataExtents, runs } from './data';
import { exactMatcher, findLinear, listEntries, type RawEntry } from './directory';
import { findHashed } from './htree';
import { ExtInode, readInode } from './inode';
import type { FastCommits } from './journal/fastcommit';
import { BLOCK_MAP_SIZE, COMPAT, ENCODING_UTF8, FLAG, ROOT_INODE } from './layout';
import type { ExtVolume } from './volume';
import { inlineAttribute } from './xattr';

/** Inodes kept: enough for every directory that a search for a configuration passes through. */
const KEPT_INODES = 512;

/** `file_type` of a directory entry (Documentation/filesystems/ext4/directory.rst). */
const KINDS: readonly (NodeKind | undefined)[] = [
  undefined,
  'file',
  'directory',
  'other',
  'other',
  'other',
  'other',
  'symlink',
];

export class ExtFileSystem implements FileSystem {
  readonly type: string;
  readonly grubName = 'ext2';
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: ExtInode;
  readonly #volume: ExtVolume;
  readonly #inodes = new Map<number, ExtInode>();

  constructor(volume: ExtVolume) {
    this.#volume = volume;
    this.type = volume.geometry.type;
    this.uuid = volume.geometry.uuid;
    this.label = volume.geometry.label;
    this.root = this.#inode(ROOT_INODE);
    if (this.root.kind !== 'directory') throw corrupt('the root inode is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): ExtInode | undefined {
    const inode = this.#own(dir);
    if (inode.kind !== 'directory' || name.length === 0 || name.length > LIMITS.nameBytes) return undefined;
    this.#needsNoKey(inode);
    const fast = this.#volume.fastCommits;
    const number =
      (fast && this.#fastName(fast, inode, name)) ?? (fast?.made.has(inode.id) ? 0 : this.#find(inode, name));
    return number === 0 ? undefined : this.#inode(number);
  }

  /** What fast commits say of a name: an inode number, 0 for gone, undefined for nothing. */
  #fastName(fast: FastCommits, dir: ExtInode, name: ByteString): number | undefined {
    const names = fast.names.get(dir.id);
    if (!names || !this.#ignoresCase(dir)) return names?.get(name);
    const { matches } = foldingMatcher(name);
    let found: number | undefined;
    for (const [other, inode] of names) {
      const bytes = Buffer.from(other, 'latin1');
      // A name that came counts more than one that went: they may differ in case alone.
      if (matches(bytes, 0, bytes.length)) found = found || inode;
    }
    return found;
  }

  #find(dir: ExtInode, name: ByteString): number {
    const volume = this.#volume;
    const folds = this.#ignoresCase(dir);
    const matcher = folds ? foldingMatcher(name) : exactMatcher(name);
    if (dir.flags & FLAG.index && volume.geometry.compat & COMPAT.dir_index && !dir.isInline) {
      try {
        const hashed = (folds ? foldName(name) : undefined) ?? Buffer.from(name, 'latin1');
        const number = findHashed(volume, dir, hashed, matcher);
        // Where the superblock does not say how it hashes bytes above 0x7f, "no" is not certain.
        // Nor where folding might differ from that of the Unicode version the directory was made with.
        const certain = /^[\x00-\x7f]*$/.test(name) || (volume.geometry.hashSigned !== undefined && !folds);
        if (number !== 0 || certain) return number;
      } catch (error) {
        // The hash tree is an index; the blocks below it hold the names all the same.
        if (!(error instanceof GuestError) || (error.code !== 'corrupt' && error.code !== 'unsupported'))
          throw error;
        if (error.code === 'corrupt')
          volume.warnOnce('htree damage', `${error.message}; reading the whole directory`);
      }
    }
    return findLinear(volume, dir, matcher);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    const inode = this.#own(dir);
    if (inode.kind !== 'directory') throw corrupt(`inode ${inode.id} is not a directory`);
    this.#needsNoKey(inode);
    let count = 0;
    for (const entry of this.#entries(inode)) {
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries', `inode ${inode.id}`);
      yield { name: entry.name, kind: KINDS[entry.type], node: () => this.#inode(entry.inode) };
    }
  }

  *#entries(dir: ExtInode): Generator<RawEntry> {
    const fast = this.#volume.fastCommits;
    const names = fast?.names.get(dir.id);
    if (!fast?.made.has(dir.id))
      for (const entry of listEntries(this.#volume, dir)) if (!names?.has(entry.name)) yield entry;
    for (const [name, inode] of names ?? []) if (inode !== 0) yield { name, inode, type: 0 };
  }

  #ignoresCase(dir: ExtInode): boolean {
    return (dir.flags & FLAG.casefold) !== 0 && this.#volume.geometry.encoding === ENCODING_UTF8;
  }

  readlink(link: FsNode): ByteString {
    const inode = this.#own(link);
    if (inode.kind !== 'symlink') throw corrupt(`inode ${inode.id} is not a symbolic link`);
    this.#needsNoKey(inode);
    if (inode.size > LIMITS.pathBytes)
      throw limit(`inode ${inode.id}: symbolic link of ${inode.size} bytes, maximum ${LIMITS.pathBytes}`);
    const target = this.#linkBytes(inode).toString('latin1');
    const end = target.indexOf('\0');
    return end < 0 ? target : target.slice(0, end);
  }

  extents(file: FsNode): Iterable<Extent> {
    const inode = this.#own(file);
    if (inode.kind !== 'file') throw corrupt(`inode ${inode.id} is not a regular file`);
    this.#needsNoKey(inode);
    if (!inode.isInline) return dataExtents(this.#volume, inode);
    // A file that was made longer without being written keeps its inline part (kernels before 6.8).
    const bytes = this.#inlineBytes(inode);
    return bytes.length > 0 ? [{ kind: 'inline', offset: 0, length: bytes.length, bytes }] : [];
  }

  #linkBytes(inode: ExtInode): Buffer {
    if (inode.isInline) return this.#inlineBytes(inode);
    if (inode.size < BLOCK_MAP_SIZE && !inode.hasExtents) return inode.map.subarray(0, inode.size);
    // The kernel keeps a link in one block; the loop is for 1-KiB blocks made by others.
    const { blockSize } = this.#volume.geometry;
    const target = Buffer.alloc(inode.size);
    for (const run of runs(this.#volume, inode)) {
      const from = run.logical * blockSize;
      if (from >= inode.size) break;
      if (run.physical === 0) continue;
      const part = target.subarray(from, Math.min(inode.size, from + run.count * blockSize));
      this.#volume.ctx.budget.read(part.length);
      this.#volume.source.read(run.physical * blockSize, part);
    }
    return target;
  }

  #inlineBytes(inode: ExtInode): Buffer {
    const head = inode.map.subarray(0, Math.min(BLOCK_MAP_SIZE, inode.size));
    if (inode.size <= BLOCK_MAP_SIZE) return head;
    const rest = inlineAttribute(inode) ?? Buffer.alloc(0);
    return Buffer.concat([head, rest.subarray(0, inode.size - BLOCK_MAP_SIZE)]);
  }

  #needsNoKey(inode: ExtInode): void {
    if (inode.isEncrypted)
      throw unsupported(`encrypted ${inode.kind} (inode ${inode.id}, ext4 feature encrypt): it needs a key`);
  }

  #inode(number: number): ExtInode {
    const kept = this.#inodes.get(number);
    if (kept) return kept;
    const inode = readInode(this.#volume, number);
    if (this.#inodes.size >= KEPT_INODES) this.#inodes.clear();
    this.#inodes.set(number, inode);
    return inode;
  }

  #own(node: FsNode): ExtInode {
    if (!(node instanceof ExtInode)) throw new TypeError('a node of another filesystem');
    return node;
  }
}
