/** A btrfs as the shared walk and copy see it. */
import { checksums } from '../../lib/bytes/checksum';
import { corrupt, GuestError, limit } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes, toBytes } from '../../lib/bytes/text';
import { readWhole } from '../../lib/fs/file';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind, SubvolumeMount } from '../../lib/fs/types';
import { Data } from './data';
import { KEY, MAX_LEVEL, RootItem, TREE } from './layout';
import { Log } from './log';
import { dirItems, type Entry, type Inode, Subvolume } from './subvolume';
import type { TreeRoot } from './superblock';
import { type Item, Tree } from './tree';
import { type Subvolumes, Views } from './view';
import type { Volume } from './volume';

/** Subvolumes whose roots are kept. */
const SUBVOLUMES = 256;

interface BtrfsNode extends FsNode {
  readonly subvolume: Subvolume | undefined;
  readonly inode: number;
  readonly summed: boolean;
}

export class BtrfsFileSystem implements Subvolumes {
  readonly type = 'btrfs';
  readonly grubName = 'btrfs';
  readonly uuid: string;
  readonly label?: ByteString;
  /** Of the top level, whose number is 5, as GRUB opens it. */
  readonly root: FsNode;
  readonly #volume: Volume;
  readonly #roots: Tree;
  readonly #subvolumes = new Map<number, Subvolume | undefined>();
  readonly #data: Data;
  readonly #hash: (name: Buffer) => number;
  readonly #views = new Views(this);
  #logRoots: Tree | undefined;
  #sums: Tree | undefined | null = null;

  constructor(volume: Volume) {
    const { superblock } = volume;
    this.#volume = volume;
    this.uuid = superblock.uuid;
    if (superblock.label !== '') this.label = superblock.label;
    const { crc32c } = checksums();
    this.#hash = (name) => crc32c(0xfffffffe, name);
    this.#roots = new Tree(volume.nodes, superblock.root, 'root tree');
    this.#data = new Data(volume, () => this.#sumTree());
    if (superblock.logRoot) this.#logRoots = this.#openLog(superblock.logRoot);
    const top = this.#subvolume(TREE.fs);
    if (!top) throw corrupt('there is no top-level subvolume');
    const root = this.#top(top);
    if (root?.kind !== 'directory') throw corrupt('the root is not a directory');
    this.root = root;
  }

  #openLog(root: TreeRoot): Tree | undefined {
    try {
      const tree = new Tree(this.#volume.nodes, root, 'log root tree');
      tree.from(0, 0, 0);
      return tree;
    } catch (error) {
      this.#noLog(error);
      return undefined;
    }
  }

  /** The disk is then read as it stands, as GRUB does. */
  #noLog(error: unknown): void {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    this.#volume.ctx.warn(`btrfs log cannot be replayed, the disk is read as it stands: ${error.describe()}`);
  }

  /** Where a root item says that its tree begins. */
  #treeRoot(item: Item): TreeRoot & { top: number } {
    if (item.size < RootItem.size) throw corrupt(`root item of ${item.size} bytes`, `tree ${item.objectid}`);
    const raw = RootItem.read(item.bytes, item.at);
    if (raw.level >= MAX_LEVEL) throw corrupt(`level ${raw.level}`, `tree ${item.objectid}`);
    return { logical: raw.bytenr, level: raw.level, generation: raw.generation, top: raw.root_dirid };
  }

  #subvolume(id: number): Subvolume | undefined {
    if (this.#subvolumes.has(id)) return this.#subvolumes.get(id);
    // A snapshot's item has the generation in which it was made behind its number.
    const item = this.#roots.last(id, KEY.rootItem, -1);
    let subvolume: Subvolume | undefined;
    if (item) {
      const { top, ...root } = this.#treeRoot(item);
      const tree = new Tree(this.#volume.nodes, root, `subvolume ${id}`);
      subvolume = new Subvolume(id, tree, top === 0 ? TREE.firstFree : top, this.#log(id, tree), this.#hash);
    }
    if (this.#subvolumes.size >= SUBVOLUMES) this.#subvolumes.clear();
    this.#subvolumes.set(id, subvolume);
    return subvolume;
  }

  #log(id: number, tree: Tree): Log | undefined {
    if (!this.#logRoots) return undefined;
    try {
      const item = this.#logRoots.find(TREE.log, KEY.rootItem, id);
      if (!item) return undefined;
      const { top: _, ...root } = this.#treeRoot(item);
      return new Log(
        new Tree(this.#volume.nodes, root, `log of subvolume ${id}`),
        (inode) => tree.find(inode, KEY.inodeItem, 0) !== undefined,
      );
    } catch (error) {
      this.#noLog(error);
      return undefined;
    }
  }

  #sumTree(): Tree | undefined {
    if (this.#sums === null) {
      this.#sums = undefined;
      const item = this.#roots.find(TREE.csum, KEY.rootItem, 0);
      if (item) this.#sums = new Tree(this.#volume.nodes, this.#treeRoot(item), 'checksum tree');
    }
    return this.#sums;
  }

  #top(subvolume: Subvolume): BtrfsNode | undefined {
    const inode = subvolume.inode(subvolume.top);
    return inode && this.#node(subvolume, subvolume.top, inode);
  }

  #node(subvolume: Subvolume, number: number, inode: Inode): BtrfsNode {
    return {
      kind: kindOf(inode.mode),
      size: inode.size,
      id: `${subvolume.id}/${number}`,
      mtime: inode.mtime,
      subvolume,
      inode: number,
      summed: inode.summed,
    };
  }

  #target(subvolume: Subvolume, dir: number, entry: Entry): BtrfsNode {
    if (entry.subvolume) {
      const other = this.#subvolume(entry.target);
      const top = other && this.#top(other);
      // What is left in a snapshot of a subvolume that is gone: Linux shows an empty directory.
      return (
        top ?? {
          kind: 'directory',
          size: 0,
          id: `${subvolume.id}/${dir}/${entry.target}`,
          subvolume: undefined,
          inode: 0,
          summed: false,
        }
      );
    }
    const inode = subvolume.inode(entry.target);
    if (!inode) throw corrupt('a name without an inode', `inode ${entry.target}`);
    return this.#node(subvolume, entry.target, inode);
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const { subvolume, inode } = directory(dir);
    if (!subvolume) return undefined;
    const entry = subvolume.lookup(inode, name);
    return entry && this.#target(subvolume, inode, entry);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    const { subvolume, inode } = directory(dir);
    if (!subvolume) return;
    let count = 0;
    for (const entry of subvolume.entries(inode)) {
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries');
      const { name, kind } = entry;
      // What no path can name.
      if (name === '.' || name === '..' || /[/\0]/.test(name)) continue;
      const node = () => this.#target(subvolume, inode, entry);
      yield kind === undefined ? { name, node } : { name, kind, node };
    }
  }

  readlink(link: FsNode): ByteString {
    const node = link as BtrfsNode;
    if (node.kind !== 'symlink') throw corrupt(`${node.id} is not a symbolic link`);
    if (node.size > LIMITS.pathBytes) throw limit(`link of ${node.size} bytes, maximum ${LIMITS.pathBytes}`);
    const asFile: BtrfsNode = { ...node, kind: 'file' };
    const target = fromBytes(readWhole(this, asFile, 'pathBytes', this.#volume.ctx));
    if (target.includes('\0')) throw corrupt('a link with a zero byte in it', `inode ${node.id}`);
    return target;
  }

  extents(file: FsNode): Iterable<Extent> {
    const { kind, size, id, subvolume, inode, summed } = file as BtrfsNode;
    if (kind !== 'file' || !subvolume) throw corrupt(`${id} is not a regular file`);
    const name = `inode ${id}`;
    const { sectorSize } = this.#volume.superblock;
    return this.#data.extents(subvolume.runs(inode, sectorSize), size, {
      name,
      summed,
      logged: subvolume.log ? [subvolume.log.tree] : [],
    });
  }

  seenBy(
    variable: (name: ByteString) => ByteString | undefined,
    mounts: readonly SubvolumeMount[] = [],
  ): FileSystem {
    return this.#views.seenBy(variable, mounts);
  }

  subvolumeRoot(id: number): FsNode | undefined {
    const subvolume = this.#subvolume(id);
    return subvolume && this.#top(subvolume);
  }

  /** The root of the default subvolume, where it is not the top level. */
  get defaultRoot(): FsNode | undefined {
    const item = this.#roots.find(TREE.rootDir, KEY.dirItem, this.#hash(toBytes('default')));
    if (!item) return undefined;
    for (const entry of dirItems(item)) {
      if (entry.name !== 'default' || !entry.subvolume || entry.target === TREE.fs) continue;
      const top = this.subvolumeRoot(entry.target);
      if (!top) throw corrupt(`default subvolume ${entry.target} is not there`);
      return top;
    }
    return undefined;
  }
}

function directory(dir: FsNode): BtrfsNode {
  const node = dir as BtrfsNode;
  if (node.kind !== 'directory') throw corrupt(`${node.id} is not a directory`);
  return node;
}

function kindOf(mode: number): NodeKind {
  switch (mode & 0xf000) {
    case 0x4000:
      return 'directory';
    case 0x8000:
      return 'file';
    case 0xa000:
      return 'symlink';
    default:
      return 'other';
  }
}
