/** An exFAT as the shared walk and copy see it. */
import { corrupt, GuestError } from '../../lib/bytes/errors';
import { type ByteString, printable } from '../../lib/bytes/text';
import { fromUtf16, toUtf16 } from '../../lib/bytes/utf16';
import type { DirEntry, Extent, FileSystem, FsNode } from '../../lib/fs/types';
import { type EntrySet, entrySets, FileSet, nameHash, unixTime } from './directory';
import {
  ATTRIBUTE_DIRECTORY,
  DIRECTORY_MOST,
  ENTRY_SIZE,
  LABEL_AT,
  LABEL_MOST,
  LabelEntry,
  NAME_MOST,
  NO_FAT_CHAIN,
  StreamEntry,
  TYPE,
} from './layout';
import { plainTable, readUpcase } from './upcase';
import type { Allocation, ExfatVolume } from './volume';

interface ExfatNode extends FsNode, Allocation {
  /** Bytes that were written; behind them the file is zeros. */
  readonly valid: number;
}

export class ExfatFileSystem implements FileSystem {
  readonly type = 'exfat';
  readonly grubName = 'exfat';
  readonly ignoresCase = true;
  readonly root: ExfatNode;
  readonly #volume: ExfatVolume;
  #label: { readonly text: ByteString | undefined } | undefined;
  #upcase: Uint16Array | undefined;

  constructor(
    volume: ExfatVolume,
    readonly uuid: string,
  ) {
    this.#volume = volume;
    const firstCluster = volume.geometry.rootCluster;
    // It has no length but that of its chain. One cluster more than allowed: then it is seen to be too large.
    const size = DIRECTORY_MOST + volume.geometry.clusterBytes;
    this.root = { kind: 'directory', size, id: firstCluster, firstCluster, noFatChain: false, valid: size };
  }

  /** Of the root directory; read when asked for. */
  get label(): ByteString | undefined {
    this.#label ??= { text: this.#readLabel() };
    return this.#label.text;
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const wanted = toUtf16(name);
    if (!wanted || wanted.length > NAME_MOST) return undefined;
    // Before the directory: the table may lie between its pieces in the cache.
    this.#upcase ??= this.#readUpcase();
    const upcase = this.#upcase;
    const folded = wanted.map((unit) => upcase[unit]!);
    const hash = nameHash(folded);
    // A wrong hash, by a table that is damaged now or was then, does not hide a name: it is looked for without.
    return (
      this.#find(dir, wanted, folded, upcase, hash) ?? this.#find(dir, wanted, folded, upcase, undefined)
    );
  }

  #find(
    dir: FsNode,
    wanted: Uint16Array,
    folded: Uint16Array,
    upcase: Uint16Array,
    hash: number | undefined,
  ): ExfatNode | undefined {
    let same: ExfatNode | undefined;
    const { NameHash } = StreamEntry.fields;
    for (const set of this.#sets(dir)) {
      if (set.type !== TYPE.file) continue;
      if (hash !== undefined && NameHash.read(set.bytes, set.at + ENTRY_SIZE) !== hash) continue;
      const file = new FileSet(set);
      // Characters map to characters one by one: names of other lengths are others.
      if (file.nameLength !== wanted.length) continue;
      let exact = true;
      let i = 0;
      for (; i < wanted.length; i++) {
        const unit = file.unit(i);
        if (unit === wanted[i]) continue;
        exact = false;
        if (upcase[unit] !== folded[i]) break;
      }
      if (i < wanted.length) continue;
      if (exact) return this.#node(dir, file);
      // The format allows no two names that differ in case alone; other writers may: the exact one goes first.
      same ??= this.#node(dir, file);
    }
    return same;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const set of this.#sets(dir)) {
      if (set.type !== TYPE.file) continue;
      const file = new FileSet(set);
      if (file.nameLength === 0) {
        this.#volume.warnOnce(
          'set',
          `exFAT directory ${dir.id}: entry set without its stream and name at byte ${file.offset}, not shown`,
        );
        continue;
      }
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries');
      const { name } = file;
      // What no path can name.
      if (name === '.' || name === '..' || /[/\0]/.test(name)) continue;
      const node = this.#node(dir, file);
      yield { name, kind: node.kind, node: () => node };
    }
  }

  readlink(link: FsNode): ByteString {
    throw corrupt(`${link.id} is no symbolic link; exFAT has none`);
  }

  *extents(file: FsNode): Generator<Extent> {
    const { kind, id, size, valid, firstCluster, noFatChain } = file as ExfatNode;
    if (kind !== 'file') throw corrupt('not a regular file', `file ${id}`);
    if (valid > size) throw corrupt(`${valid} valid bytes of a file of ${size}`, `file ${id}`);
    const { source } = this.#volume;
    let offset = 0;
    if (valid > 0)
      for (const { at, length } of this.#volume.regions({ firstCluster, noFatChain }, valid)) {
        yield { kind: 'data', offset, length, source, at };
        offset += length;
      }
    if (offset < valid)
      throw corrupt(`the cluster chain ends after ${offset} bytes of ${valid} that are valid`, `file ${id}`);
  }

  *#sets(dir: FsNode): Generator<EntrySet> {
    const node = dir as ExfatNode;
    if (node.kind !== 'directory') throw corrupt(`${node.id} is not a directory`);
    const place = `directory ${node.id}`;
    if (node !== this.root && node.size > DIRECTORY_MOST)
      throw corrupt(`${node.size} bytes, the format's maximum is ${DIRECTORY_MOST}`, place);
    if (node.size > 0) yield* entrySets(this.#volume, this.#volume.regions(node, node.size), place);
  }

  #node(dir: FsNode, file: FileSet): ExfatNode {
    const place = `entry at ${file.offset} of directory ${dir.id}`;
    if (!file.isSound)
      this.#volume.warnOnce(
        'checksum',
        `exFAT ${place} (${printable(file.name)}): wrong checksum, used as it stands`,
      );
    const entry = file.file;
    const { GeneralSecondaryFlags, FirstCluster, DataLength, ValidDataLength } = file.stream;
    const mtime = unixTime(entry.LastModifiedTimestamp, entry.LastModifiedUtcOffset);
    return {
      kind: entry.FileAttributes & ATTRIBUTE_DIRECTORY ? 'directory' : 'file',
      size: DataLength,
      // An empty file has no cluster: its entry's place tells it from others.
      id: FirstCluster === 0 ? place : FirstCluster,
      ...(mtime === undefined ? {} : { mtime }),
      firstCluster: FirstCluster,
      noFatChain: (GeneralSecondaryFlags & NO_FAT_CHAIN) !== 0,
      valid: ValidDataLength,
    };
  }

  /** The root directory's first entry of a type. */
  #rootEntry(type: number): Buffer | undefined {
    for (const set of this.#sets(this.root))
      if (set.type === type) return Buffer.from(set.bytes.subarray(set.at, set.at + set.length));
    return undefined;
  }

  #readLabel(): ByteString | undefined {
    try {
      const entry = this.#rootEntry(TYPE.label);
      if (!entry) return undefined;
      const count = LabelEntry.fields.CharacterCount.read(entry, 0);
      // libblkid leaves white space at the end out.
      const text = fromUtf16(entry, LABEL_AT, Math.min(count, LABEL_MOST)).replace(/[\0 \t\n\v\f\r]+$/, '');
      return text === '' ? undefined : text;
    } catch (error) {
      // A damaged root directory is told when it is walked; a label is not worth an error.
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      return undefined;
    }
  }

  #readUpcase(): Uint16Array {
    try {
      const entry = this.#rootEntry(TYPE.upcase);
      if (!entry) throw corrupt('no entry in the root directory');
      return readUpcase(this.#volume, entry);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      this.#volume.ctx.warn(`exFAT up-case table: ${error.describe()}; only a to z are the same as A to Z`);
      return plainTable();
    }
  }
}
