/**
 * A pool as the shared walk and copy see it. Paths begin in one dataset, the one that is booted; GRUB's paths are understood
 * beside: `/DATASET/@/FILE`, `/DATASET@SNAPSHOT/FILE`.
 */
import { corrupt, GuestError, notFound } from '../../lib/bytes/errors';
import { type ByteString, printable } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode } from '../../lib/fs/types';
import { tryWalk } from '../../lib/fs/walk';
import type { DatasetDirectory } from './dataset';
import { type FileNode, Files } from './files';
import type { State } from './state';

/** A place in the tree of datasets, and the directory of files that shows there. */
interface DatasetNode extends FsNode {
  readonly datasets: DatasetDirectory;
  readonly shown: FileNode | undefined;
}

type Node = FileNode | DatasetNode;

const isDatasets = (node: Node): node is DatasetNode => 'datasets' in node;

/** Datasets whose files are kept open, and those in which something that boots is looked for. */
const KEPT = 64;
const LOOKED_AT = 64;
/** Directories that a dataset has from which something boots; the first is the surest. */
const SIGNS = [
  '/boot/grub',
  '/boot/grub2',
  '/boot/loader',
  '/boot/extlinux',
  '/boot/syslinux',
  '/platform',
  '/grub',
  '/grub2',
  '/loader',
  '/extlinux',
  '/boot',
];

export class ZfsFileSystem implements FileSystem {
  readonly type = 'zfs_member';
  readonly grubName = 'zfs';
  readonly uuid: string;
  readonly label: ByteString;
  readonly root: FsNode;
  readonly ignoresCase?: boolean;
  readonly bootString?: ByteString;
  readonly #state: State;
  /** By object of the dataset. */
  readonly #files = new Map<number, Files>();

  /** @param named the dataset that the admin wants: `rpool/ROOT/x`, `ROOT/x`, `rpool/ROOT/x@snapshot`, `rpool/56` */
  constructor(state: State, named: ByteString | undefined) {
    this.#state = state;
    // GRUB prints the identifier in hexadecimal, blkid in decimal.
    this.uuid = state.guid.toString(16).padStart(16, '0');
    this.label = state.name;
    const files =
      (named === undefined ? undefined : this.#named(named)) ?? this.#property() ?? this.#likely();
    this.root = datasetNode(state.datasets.root, files?.root);
    if (!files) return;
    files.prefix = '';
    if (files.ignoresCase) this.ignoresCase = true;
    if (this.#holdsSolaris(files)) {
      const { physicalPath: path } = state;
      this.bootString = `zfs-bootfs=${state.name}/${files.id}${path === undefined ? '' : `,bootpath="${path}"`}`;
    }
  }

  /** Only a kernel of Solaris is told what dataset it is from. */
  #holdsSolaris(files: Files): boolean {
    try {
      return files.lookup(files.root, 'platform')?.kind === 'directory';
    } catch (error) {
      // Whoever wants a file of a damaged directory is told.
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      return false;
    }
  }

  /** @throws GuestError `not-found` where the name begins with the pool's and there is no such dataset */
  #named(named: ByteString): Files | undefined {
    const { datasets, name: pool, ctx } = this.#state;
    const inPool = /^[/@]?$/.test(named.slice(pool.length, pool.length + 1)) && named.startsWith(pool);
    const path = inPool ? named.slice(pool.length).replace(/^\//, '') : named;
    if (/^\d{1,15}$/.test(path)) return this.#open(Number(path), path);
    const [dataset = '', snapshot] = path.split('@', 2);
    let directory: DatasetDirectory | undefined = datasets.root;
    for (const name of dataset.split('/'))
      if (name !== '') directory = directory && datasets.child(directory, name);
    const files = directory && this.#at(directory, snapshot ?? '');
    if (files) return files;
    const message = `there is no dataset '${printable(named)}' in pool '${printable(pool)}'`;
    if (inPool) throw notFound(message);
    ctx.warn(message);
    return undefined;
  }

  /** What the pool's property `bootfs` names. */
  #property(): Files | undefined {
    const { bootfs, datasets } = this.#state;
    if (bootfs === undefined) return undefined;
    try {
      return this.#open(bootfs, `${datasets.nameOf(bootfs)}@`);
    } catch (error) {
      this.#note('the dataset that the pool boots (bootfs) cannot be read', error);
      return undefined;
    }
  }

  /** The dataset that looks most as if something booted from it. */
  #likely(): Files | undefined {
    const { datasets } = this.#state;
    let best: { files: Files; rank: number } | undefined;
    let looked = 0;
    try {
      for (const directory of datasets.all()) {
        if (++looked > LOOKED_AT) break;
        try {
          const files = this.#at(directory, '');
          if (!files) continue;
          const sign = SIGNS.findIndex((path) => tryWalk(files, path)?.kind === 'directory');
          const rank = sign < 0 ? SIGNS.length : sign;
          if (!best || rank < best.rank) best = { files, rank };
        } catch (error) {
          this.#note('a dataset is left out', error);
        }
      }
    } catch (error) {
      this.#note('not all datasets can be found', error);
    }
    return best?.files;
  }

  #note(what: string, error: unknown): void {
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    this.#state.ctx.warn(`${what}: ${error.describe()}`);
  }

  #open(object: number, name: ByteString): Files {
    let files = this.#files.get(object);
    if (!files) {
      files = new Files(this.#state.datasets.objset(object, name), object, `/${name}`);
      if (this.#files.size >= KEPT) this.#files.clear();
      this.#files.set(object, files);
    }
    return files;
  }

  /** The head of a dataset, or its snapshot of that name. */
  #at(directory: DatasetDirectory, snapshot: ByteString): Files | undefined {
    const object = snapshot === '' ? directory.head : this.#state.datasets.snapshot(directory, snapshot);
    return object ? this.#open(object, `${directory.name}@${snapshot}`) : undefined;
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const node = dir as Node;
    if (!isDatasets(node)) return node.files.lookup(node, name);
    const at = name.indexOf('@');
    if (at >= 0) {
      const directory =
        at === 0 ? node.datasets : this.#state.datasets.child(node.datasets, name.slice(0, at));
      const files = directory && this.#at(directory, name.slice(at + 1));
      if (files) return files.root;
    }
    const { shown } = node;
    return this.#joined(node, name, shown?.files.lookup(shown, name));
  }

  /** Where a directory's path is that of a dataset, too, both are there. */
  #joined(dir: DatasetNode, name: ByteString, file: FileNode | undefined): FsNode | undefined {
    if (file && file.kind !== 'directory') return file;
    const child = this.#state.datasets.child(dir.datasets, name);
    return child ? datasetNode(child, file) : file;
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    const node = dir as Node;
    if (!isDatasets(node)) {
      yield* node.files.readdir(node);
      return;
    }
    const { shown, datasets } = node;
    if (shown) {
      for (const entry of shown.files.readdir(shown))
        yield { ...entry, node: () => this.#joined(node, entry.name, entry.node() as FileNode)! };
      return;
    }
    // As GRUB lists it.
    for (const name of this.#state.datasets.childNames(datasets))
      yield { name, kind: 'directory', node: () => this.#joined(node, name, undefined)! };
    if (datasets.head !== 0) yield { name: '@', kind: 'directory', node: () => this.lookup(node, '@')! };
    for (const snapshot of this.#state.datasets.snapshotNames(datasets)) {
      const name = `@${snapshot}`;
      yield { name, kind: 'directory', node: () => this.lookup(node, name)! };
    }
  }

  readlink(link: FsNode): ByteString {
    return fileNode(link).files.readlink(fileNode(link));
  }

  *extents(file: FsNode): Generator<Extent> {
    yield* fileNode(file).files.extents(fileNode(file));
  }
}

function datasetNode(datasets: DatasetDirectory, shown: FileNode | undefined): DatasetNode {
  const id = `datasets ${datasets.object}`;
  return { kind: 'directory', size: 0, id: shown ? `${id} ${shown.id}` : id, datasets, shown };
}

function fileNode(node: FsNode): FileNode {
  if (isDatasets(node as Node)) throw corrupt('a directory of datasets is no file');
  return node as FileNode;
}
