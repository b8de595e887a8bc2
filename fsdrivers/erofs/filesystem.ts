/** An erofs as the shared walk and copy see it. */
import { corrupt, limit, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes, toBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { find, list } from './directory';
import { extentsOf, InodeBytes } from './extents';
import { type ErofsNode, readInode } from './inode';
import { FILE_TYPE } from './layout';
import type { Volume } from './superblock';

export class ErofsFileSystem implements FileSystem {
  readonly type = 'erofs';
  readonly grubName = 'erofs';
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: ErofsNode;
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
    const { uuid, label } = volume.identity;
    if (uuid !== undefined) this.uuid = uuid;
    if (label !== undefined) this.label = label;
    this.root = readInode(volume, volume.rootNid);
    if (this.root.kind !== 'directory') throw corrupt('the root is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const node = directory(dir);
    if (name.length > LIMITS.nameBytes) return undefined;
    const entry = find(this.#volume, node, toBytes(name));
    return entry && readInode(this.#volume, entry.nid, node);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    const node = directory(dir);
    for (const { name: bytes, nid, type } of list(this.#volume, node)) {
      const name = fromBytes(bytes);
      // What no path can name.
      if (name === '.' || name === '..' || /[/\0]/.test(name)) continue;
      const kind = kindOf(type);
      yield { name, ...(kind ? { kind } : {}), node: () => readInode(this.#volume, nid, node) };
    }
  }

  readlink(link: FsNode): ByteString {
    const node = link as ErofsNode;
    if (node.kind !== 'symlink') throw corrupt(`${node.id} is not a symbolic link`);
    if (node.size > LIMITS.pathBytes) throw limit(`link of ${node.size} bytes, maximum ${LIMITS.pathBytes}`);
    return within(`inode ${node.id}`, () => {
      const target = new InodeBytes(this.#volume, node).read(0, node.size);
      if (target.includes(0)) throw corrupt('a link with a zero byte in it');
      return fromBytes(target);
    });
  }

  *extents(file: FsNode): Generator<Extent> {
    const node = file as ErofsNode;
    if (node.kind !== 'file') throw corrupt(`${node.id} is not a regular file`);
    const extents = extentsOf(this.#volume, node, 0, node.size, false);
    for (;;) {
      const next = within(`inode ${node.id}`, () => extents.next());
      if (next.done) return;
      yield next.value;
    }
  }
}

function directory(dir: FsNode): ErofsNode {
  const node = dir as ErofsNode;
  if (node.kind !== 'directory') throw corrupt(`${node.id} is not a directory`);
  return node;
}

function kindOf(type: number): NodeKind | undefined {
  switch (type) {
    case 0:
      return undefined;
    case FILE_TYPE.file:
      return 'file';
    case FILE_TYPE.directory:
      return 'directory';
    case FILE_TYPE.symlink:
      return 'symlink';
    default:
      return 'other';
  }
}
