/**
 * A btrfs as SUSE's and Fedora's GRUB shows it when `btrfs_relative_path` begins with `1` or `y`: paths begin in a subvolume
 * (`btrfs_subvol`, `btrfs_subvolid`, else the default one), and `btrfs-mount-subvol` has put others into it.
 */
import type { ByteString } from '../../lib/bytes/text';
import { CachedFileSystem } from '../../lib/fs/cached';
import type { DirEntry, Extent, FileSystem, FsNode, SubvolumeMount } from '../../lib/fs/types';
import { tryWalk } from '../../lib/fs/walk';

/** Views kept: a configuration changes the variables a few times at most. */
const VIEWS = 16;

class View implements FileSystem {
  readonly type: string;
  readonly grubName: string;
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly #inner: FileSystem;
  /** By directory, then by name. */
  readonly #mounts = new Map<FsNode['id'], Map<ByteString, FsNode>>();

  constructor(
    inner: FileSystem,
    readonly root: FsNode,
    mounts: readonly SubvolumeMount[],
  ) {
    this.#inner = inner;
    this.type = inner.type;
    this.grubName = inner.grubName;
    if (inner.uuid !== undefined) this.uuid = inner.uuid;
    if (inner.label !== undefined) this.label = inner.label;
    for (const { directory, subvolume } of mounts) {
      const path = directory.replace(/\/+$/, '');
      const cut = path.lastIndexOf('/');
      const parent = tryWalk(this, path.slice(0, cut + 1));
      const target = tryWalk(inner, subvolume);
      if (parent?.kind !== 'directory' || target?.kind !== 'directory' || cut < 0) continue;
      const names = this.#mounts.get(parent.id) ?? new Map<ByteString, FsNode>();
      this.#mounts.set(parent.id, names.set(path.slice(cut + 1), target));
    }
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    return this.#mounts.get(dir.id)?.get(name) ?? this.#inner.lookup(dir, name);
  }

  readdir(dir: FsNode): Iterable<DirEntry> {
    return this.#inner.readdir(dir);
  }

  readlink(link: FsNode): ByteString {
    return this.#inner.readlink(link);
  }

  extents(file: FsNode): Iterable<Extent> {
    return this.#inner.extents(file);
  }
}

/** What the views need of a filesystem. */
export interface Subvolumes extends FileSystem {
  readonly defaultRoot: FsNode | undefined;
  subvolumeRoot(id: number): FsNode | undefined;
}

export class Views {
  readonly #fs: Subvolumes;
  readonly #known = new Map<string, FileSystem>();

  constructor(fs: Subvolumes) {
    this.#fs = fs;
  }

  /** @throws GuestError when the subvolume is there and damaged */
  seenBy(
    variable: (name: ByteString) => ByteString | undefined,
    mounts: readonly SubvolumeMount[],
  ): FileSystem {
    if (!/^[1y]/.test(variable('btrfs_relative_path') ?? '')) return this.#fs;
    const path = variable('btrfs_subvol') ?? '';
    const number = variable('btrfs_subvolid') ?? '';
    const key = JSON.stringify([path, number, mounts.map((m) => [m.directory, m.subvolume])]);
    let view = this.#known.get(key);
    if (!view) {
      const named = path !== '' ? tryWalk(this.#fs, path) : undefined;
      const root =
        (named?.kind === 'directory' ? named : undefined) ??
        (/^\d{1,15}$/.test(number) && Number(number) > 0
          ? this.#fs.subvolumeRoot(Number(number))
          : undefined) ??
        this.#fs.defaultRoot ??
        this.#fs.root;
      view =
        root.id === this.#fs.root.id && mounts.length === 0
          ? this.#fs
          : new CachedFileSystem(new View(this.#fs, root, mounts));
      if (this.#known.size >= VIEWS) this.#known.clear();
      this.#known.set(key, view);
    }
    return view;
  }
}
