/** An HFS Plus as the shared walk and copy see it. */
import { corrupt, limit, unsupported, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes, printable } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import type { Record } from './btree';
import {
  BINARY_COMPARE,
  CatalogFile,
  CatalogFolder,
  CatalogKey,
  CNID,
  COMPRESSED,
  EPOCH,
  HARD_LINK,
  NAME_MOST,
  PRIVATE_DIRECTORY,
  RECORD,
} from './layout';
import { binaryCompare, type CompareNames, caseFolding, fromDisk, toDisk } from './names';
import { type Fork, type HfsVolume, readFork } from './volume';

interface HfsNode extends FsNode {
  readonly id: number;
  readonly fork?: Fork;
  readonly compressed?: boolean;
}

const KINDS: Readonly<{ [format: number]: NodeKind }> = {
  // Written by something that knows no Unix.
  0: 'file',
  8: 'file',
  10: 'symlink',
};

export class HfsPlusFileSystem implements FileSystem {
  readonly type = 'hfsplus';
  readonly grubName = 'hfsplus';
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: HfsNode;
  readonly ignoresCase: boolean;
  readonly #volume: HfsVolume;
  readonly #compareNames: CompareNames;
  /** Number of the directory that hard links point into, -1: there is none. */
  #privateDirectory: number | undefined;

  constructor(volume: HfsVolume) {
    const { geometry, catalog } = volume;
    this.#volume = volume;
    this.ignoresCase = !(geometry.extended && catalog.keyCompareType === BINARY_COMPARE);
    this.#compareNames = this.ignoresCase ? caseFolding() : binaryCompare;
    if (geometry.uuid !== undefined) this.uuid = geometry.uuid;
    // The root directory's name, under the root's parent.
    const [root] = this.#children(CNID.rootParent);
    if (!root) throw corrupt('no root directory', 'catalog file');
    const label = fromDisk(root.name)
      .replace(/\0.*$/s, '')
      .replace(/[ \t\n\v\f\r]+$/, '');
    if (label !== '') this.label = label;
    this.root = this.#node(root.record, 'root directory');
    if (this.root.kind !== 'directory' || this.root.id !== CNID.root)
      throw corrupt('it is none', 'root directory');
  }

  lookup(dir: FsNode, name: ByteString): HfsNode | undefined {
    const { id } = directory(dir);
    for (const form of toDisk(name)) {
      const record = this.#record(id, form);
      if (record && kindOf(record)) return this.#node(record, `'${printable(name)}'`);
    }
    return undefined;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const { name: onDisk, record } of this.#children(directory(dir).id)) {
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries', `inode ${dir.id}`);
      const name = fromDisk(onDisk);
      // The private directory has a name with zeros.
      if (name === '' || name === '.' || name === '..' || name.includes('\0')) continue;
      // Not the whole node of the tree.
      const bytes = Buffer.from(record.bytes.subarray(record.dataAt, record.end));
      const kept = { bytes, at: 0, dataAt: 0, end: bytes.length };
      yield { name, node: () => this.#node(kept, `'${printable(name)}'`) };
    }
  }

  readlink(link: FsNode): ByteString {
    const { kind, size, fork, id } = link as HfsNode;
    if (kind !== 'symlink' || !fork) throw corrupt('not a symbolic link', `file ${id}`);
    if (size > LIMITS.pathBytes)
      throw limit(`link of ${size} bytes, maximum ${LIMITS.pathBytes}`, `file ${id}`);
    const { source } = this.#volume.geometry;
    const parts = [...this.#volume.runs(fork)].map((r) =>
      readBytes(source, r.at, r.length, this.#volume.ctx),
    );
    const target = Buffer.concat(parts);
    if (target.includes(0)) throw corrupt('a link with a zero byte in it', `file ${id}`);
    return fromBytes(target);
  }

  *extents(file: FsNode): Generator<Extent> {
    const { kind, fork, id, compressed } = file as HfsNode;
    if (kind !== 'file' || !fork) throw corrupt('not a regular file', `file ${id}`);
    // Its bytes are in an attribute or in the resource fork.
    if (compressed) throw unsupported('a file that is compressed (decmpfs)', `file ${id}`);
    const { source } = this.#volume.geometry;
    for (const run of this.#volume.runs(fork)) yield { kind: 'data', source, ...run };
  }

  /** Entries of a directory in the order of the catalog; not the thread that it begins with. */
  *#children(id: number): Generator<{ name: Buffer; record: Record }> {
    const { catalog } = this.#volume;
    const start = this.#find(id, Buffer.alloc(0));
    if (!start) return;
    for (const record of catalog.from(start)) {
      const { parentID, nameLength } = keyOf(record.bytes, record.at, record.dataAt - record.at);
      if (parentID < id) continue;
      if (parentID > id) return;
      if (!kindOf(record)) continue;
      yield { name: record.bytes.subarray(record.at + 8, record.at + 8 + 2 * nameLength), record };
    }
  }

  #find(parent: number, name: Buffer) {
    return this.#volume.catalog.find((b, at, length) => {
      const { parentID, nameLength } = keyOf(b, at, length + 2);
      return parentID - parent || this.#compareNames(b, at + 8, nameLength, name);
    });
  }

  #record(parent: number, name: Buffer): Record | undefined {
    if (name.length === 0 || name.length > 2 * NAME_MOST) return undefined;
    const found = this.#find(parent, name);
    return found?.exact ? this.#volume.catalog.record(found.node, found.index) : undefined;
  }

  #node(record: Record, place: string): HfsNode {
    return within(place, () => {
      const data = record.bytes.subarray(record.dataAt, record.end);
      if (kindOf(record) === RECORD.folder) {
        const { folderID, contentModDate } = CatalogFolder.read(data);
        return { kind: 'directory', id: folderID, size: 0, mtime: contentModDate - EPOCH };
      }
      const f = CatalogFile.read(data);
      if (f.fdType === HARD_LINK.type && f.fdCreator === HARD_LINK.creator) return this.#linked(f.iNodeNum);
      return fileNode(f);
    });
  }

  /** What a hard link stands for. */
  #linked(number: number): HfsNode {
    if (this.#privateDirectory === undefined) {
      const record = this.#record(CNID.root, toDisk(PRIVATE_DIRECTORY)[0]!);
      this.#privateDirectory =
        record && kindOf(record) === RECORD.folder
          ? CatalogFolder.read(record.bytes.subarray(record.dataAt, record.end)).folderID
          : -1;
    }
    const name = `iNode${number}`;
    const record =
      this.#privateDirectory < 0 ? undefined : this.#record(this.#privateDirectory, toDisk(name)[0]!);
    if (!record || kindOf(record) !== RECORD.file)
      throw corrupt(`a hard link to '${name}', which is not there`);
    return fileNode(CatalogFile.read(record.bytes.subarray(record.dataAt, record.end)));
  }
}

/** Folder or file; undefined: a thread. */
function kindOf({ bytes, dataAt, end }: Record): number | undefined {
  const kind = end - dataAt >= 2 ? bytes.readUInt16BE(dataAt) : 0;
  if (kind === RECORD.folder || kind === RECORD.file) return kind;
  if (kind === 0 || kind > 4) throw corrupt(`record of kind ${kind}`, 'catalog file');
  return undefined;
}

function keyOf(bytes: Buffer, at: number, length: number) {
  if (length < CatalogKey.size) throw corrupt(`key of ${length} bytes`);
  const parentID = CatalogKey.fields.parentID.read(bytes, at);
  const nameLength = CatalogKey.fields.nameLength.read(bytes, at);
  if (CatalogKey.size + 2 * nameLength > length)
    throw corrupt(`name of ${nameLength} characters in a key of ${length} bytes`);
  return { parentID, nameLength };
}

function fileNode(f: ReturnType<typeof CatalogFile.read>): HfsNode {
  const fork = readFork(f.fileID, f.dataFork);
  return {
    kind: KINDS[f.fileMode >> 12] ?? 'other',
    id: f.fileID,
    size: fork.size,
    mtime: f.contentModDate - EPOCH,
    fork,
    compressed: (f.ownerFlags & COMPRESSED) !== 0,
  };
}

function directory(node: FsNode): HfsNode {
  if (node.kind !== 'directory') throw corrupt('not a directory', `file ${node.id}`);
  return node as HfsNode;
}
