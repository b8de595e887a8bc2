/**
 * The tree log: what fsync wrote between two commits, one tree for each subvolume. The kernel replays it when it mounts
 * (fs/btrfs/tree-log.c); here it is laid over the subvolume. Only names are held in memory, and only those that it tells of.
 */
import type { ByteString } from '../../lib/bytes/text';
import { DirLogItem, KEY } from './layout';
import { type Run, runsOf } from './runs';
import { dirItems, type Entry, type Inode, readInode, refsIn } from './subvolume';
import type { Tree } from './tree';

/** What a name in memory costs, roughly, in bytes. */
const NAME_COST = 300;

interface Directory {
  /** Names to be there, by name. */
  readonly added: Map<ByteString, Entry>;
  /** Index → name, of those. */
  readonly indexes: Map<number, ByteString>;
  /** What the log tells of these indexes is all there is. */
  readonly ranges: { from: number; to: number }[];
  /** Inodes whose names in this directory are all told. */
  readonly told: Set<number>;
}

export class Log {
  readonly tree: Tree;
  readonly #directories = new Map<number, Directory>();
  /** Inodes without a name left: what the log says of them is not replayed. */
  readonly #ignored = new Set<number>();

  /** @param exists whether the subvolume has the inode already */
  constructor(tree: Tree, exists: (inode: number) => boolean) {
    this.tree = tree;
    const there = (inode: number): boolean =>
      !this.#ignored.has(inode) && (tree.find(inode, KEY.inodeItem, 0) !== undefined || exists(inode));
    const cursor = tree.from(0, 0, 0);
    /** Names by index are taken when all inodes are known. */
    const byIndex: { dir: number; index: number; entry: Entry }[] = [];
    for (let item = cursor.item; item; cursor.next(), item = cursor.item) {
      const { objectid, type } = item;
      if (this.#ignored.has(objectid)) continue;
      switch (type) {
        case KEY.inodeItem: {
          if (readInode(item).links === 0) this.#ignored.add(objectid);
          break;
        }
        case KEY.inodeRef:
        case KEY.inodeExtref:
          for (const { dir, index, name } of refsIn(item)) {
            const directory = this.#directory(dir);
            directory.told.add(objectid);
            this.#add(directory, index, { name, kind: undefined, subvolume: false, target: objectid });
          }
          break;
        case KEY.dirLogIndex:
          this.#directory(objectid).ranges.push({
            from: item.offset,
            to: DirLogItem.read(item.bytes, item.at).end,
          });
          break;
        case KEY.dirIndex:
          for (const entry of dirItems(item)) {
            tree.nodes.ctx.budget.allocate(NAME_COST);
            byIndex.push({ dir: objectid, index: item.offset, entry });
          }
          break;
      }
    }
    for (const { dir, index, entry } of byIndex)
      if (entry.subvolume || there(entry.target)) this.#add(this.#directory(dir), index, entry);
  }

  #directory(inode: number): Directory {
    let directory = this.#directories.get(inode);
    if (!directory) {
      this.tree.nodes.ctx.budget.allocate(NAME_COST);
      directory = { added: new Map(), indexes: new Map(), ranges: [], told: new Set() };
      this.#directories.set(inode, directory);
    }
    return directory;
  }

  #add(directory: Directory, index: number, entry: Entry): void {
    this.tree.nodes.ctx.budget.allocate(NAME_COST);
    directory.added.set(entry.name, entry);
    directory.indexes.set(index, entry.name);
  }

  /** The inode as it is after a replay. */
  inode(number: number, before: Inode | undefined): Inode | undefined {
    if (this.#ignored.has(number)) return before;
    const item = this.tree.find(number, KEY.inodeItem, 0);
    if (!item) return before;
    const logged = readInode(item);
    const directory = (inode: Inode) => (inode.mode & 0xf000) === 0x4000;
    if (!before) return logged;
    // Only its existence was logged, perhaps with a size.
    if (logged.generation === 0n) {
      const file = (inode: Inode) => (inode.mode & 0xf000) === 0x8000;
      return logged.size !== 0 && file(logged) && file(before) ? { ...before, size: logged.size } : before;
    }
    return directory(logged) && directory(before) ? { ...logged, size: before.size } : logged;
  }

  /** Whether it says anything of the directory's names. */
  changes(dir: number): boolean {
    return this.#directories.has(dir);
  }

  added(dir: number, name: ByteString): Entry | undefined {
    return this.#directories.get(dir)?.added.get(name);
  }

  *addedIn(dir: number): Generator<Entry> {
    const directory = this.#directories.get(dir);
    if (directory) yield* directory.added.values();
  }

  /** Whether a name that the subvolume has is gone after a replay. */
  removed(dir: number, index: number, entry: Entry): boolean {
    const directory = this.#directories.get(dir);
    if (!directory) return false;
    if (directory.added.has(entry.name)) return false;
    // Another name has taken its place.
    if (directory.indexes.has(index)) return true;
    // Its inode tells all names that it has here.
    if (directory.told.has(entry.target) && !entry.subvolume) return true;
    return directory.ranges.some(
      ({ from, to }) => index >= from && (to < 0 || index <= to) && !directory.indexes.has(index),
    );
  }

  runs(inode: number, sectorSize: number): Iterable<Run> | undefined {
    if (this.#ignored.has(inode)) return undefined;
    const cursor = this.tree.from(inode, KEY.extentData, 0);
    if (!cursor.of(inode, KEY.extentData)) return undefined;
    return runsOf(cursor, inode, sectorSize);
  }
}
