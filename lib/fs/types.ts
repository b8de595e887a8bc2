import type { Context } from '../bytes/budget';
import type { ByteString } from '../bytes/text';
import type { BlockSource } from '../source/types';

export type NodeKind = 'file' | 'directory' | 'symlink' | 'other';

/** A file, directory or link of one filesystem. Drivers extend it with what they need to find its bytes. */
export interface FsNode {
  readonly kind: NodeKind;
  /** Bytes of a file or link; what the format says of a directory. */
  readonly size: number;
  /** Inode number, first cluster …: the same for the same file, for loop detection and messages. */
  readonly id: number | string;
  /** Seconds since 1970, where the format has it. */
  readonly mtime?: number;
}

export interface DirEntry {
  readonly name: ByteString;
  /** Where the directory itself says it. */
  readonly kind?: NodeKind;
  node(): FsNode;
}

/** Where a run of a file's bytes is. `offset` and `length` are bytes of the file. */
export type Extent =
  /** At byte `at` of `source`, as they are. */
  | {
      readonly kind: 'data';
      readonly offset: number;
      readonly length: number;
      readonly source: BlockSource;
      readonly at: number;
    }
  /** Zeros that occupy nothing (a hole, or allocated and never written). */
  | { readonly kind: 'hole'; readonly offset: number; readonly length: number }
  /** Kept in the metadata. */
  | { readonly kind: 'inline'; readonly offset: number; readonly length: number; readonly bytes: Uint8Array }
  /** Compressed: `unpack()` gives exactly `length` bytes. */
  | { readonly kind: 'packed'; readonly offset: number; readonly length: number; unpack(): Uint8Array };

export interface FileSystem {
  /** `ext4`, `vfat` …: the name that `blkid` uses; `probe --fs` answers from `grubName`. */
  readonly type: string;
  /** GRUB's name of the driver: `ext2`, `fat`, `xfs` … */
  readonly grubName: string;
  /** As GRUB's `search --fs-uuid` compares it, lower or upper case as the format prints it. */
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: FsNode;
  /** ZFS: what a Solaris kernel must be told of the dataset that it boots from, `zfs-bootfs=rpool/ROOT/x,bootpath="…"`. */
  readonly bootString?: ByteString;
  /** True where names match without regard to case. */
  readonly ignoresCase?: boolean;
  /**
   * btrfs: what GRUB shows when its variables are these (`btrfs_relative_path`, `btrfs_subvol` …); itself where they change
   * nothing.
   */
  seenBy?(
    variable: (name: ByteString) => ByteString | undefined,
    mounts?: readonly SubvolumeMount[],
  ): FileSystem;
  /** One component, never `.` `..` or empty (the shared walk handles those). */
  lookup(dir: FsNode, name: ByteString): FsNode | undefined;
  /** `.` and `..` are left out. */
  readdir(dir: FsNode): Iterable<DirEntry>;
  /** The link's target. */
  readlink(link: FsNode): ByteString;
  /** In file order, without overlap, inside [0, size); a gap reads as zeros. */
  extents(file: FsNode): Iterable<Extent>;
}

/** SUSE's `btrfs-mount-subvol`: the subvolume of this path (from the top level) shows at the directory. */
export interface SubvolumeMount {
  readonly directory: ByteString;
  readonly subvolume: ByteString;
}

/** What `probe` found: this source is (a part of) a filesystem of the driver. */
export interface Member {
  readonly type: string;
  readonly uuid?: string;
  readonly label?: ByteString;
}

export interface FileSystemDriver {
  readonly name: string;
  /** Cheap: a read or two. "Not mine" is `undefined`, never an error. */
  probe(source: BlockSource, ctx: Context): Member | undefined;
  /**
   * @param members the sources that make up the filesystem; one, but for btrfs and the like
   * @param ctx given to everything the filesystem does from here on
   * @throws GuestError `corrupt`, `unsupported`
   */
  open(members: readonly BlockSource[], ctx: Context, options?: OpenOptions): FileSystem;
}

export interface OpenOptions {
  /** All other volumes, for drivers that have parts elsewhere (ext4's external journal, btrfs devices). */
  readonly others?: () => Iterable<BlockSource>;
  /** ZFS: the dataset that the admin named (`zfs-bootfs=` in `--args`), in place of the pool's `bootfs` property. */
  readonly bootfs?: ByteString;
}
