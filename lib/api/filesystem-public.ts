/** A filesystem as the library shows it: declarations alone (public.ts). */

/** A file, directory or link. */
export interface Stats {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** Bytes of a file or link; what the format says of a directory. */
  readonly size: number;
  /** Inode number, first cluster …: the same for the same file. A tree walk compares it, or a loop of directories may hold it for ever. */
  readonly id: number | string;
  /** Seconds since 1970; null where the format has none. */
  readonly mtime: number | null;
}

/**
 * A name in a directory. `name` is decoded: UTF-8 where it is valid, else each byte as that code point, which may not lead back to the
 * file; `bytes` always does. Names are the guest's own and may hold anything but a slash: `printable()` before they are shown.
 */
export interface DirectoryEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What the directory itself says of it; null where its format says nothing: `stat()` knows. */
  readonly kind: Stats['kind'] | null;
  /** Of the entry itself: a link is not followed. */
  stat(): Stats;
}

/** Where a run of a file's bytes is. Gaps between extents do not occur: they are holes. */
export interface FileExtent {
  /** `data`: as they are on the disk; `hole`: zeros; `inline`: in the metadata; `packed`: compressed. */
  readonly kind: 'data' | 'hole' | 'inline' | 'packed';
  /** Byte of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Byte of the volume where `data` begins; null for the other kinds, and where it does not lie on the volume as such (an overlay). */
  readonly at: number | null;
}

/** A path from the filesystem's root. Symbolic links are followed within the filesystem, as Linux does after chroot(2). */
export type GuestPath = string | Uint8Array;

/**
 * One filesystem of a guest's, read-only.
 *
 * All methods throw a `GuestError`: `not-found` (`exists()` does not), `corrupt`, `unsupported` (compression or encryption of one
 * file), `limit`, `io`.
 */
export interface FileSystem {
  /** blkid's name: `ext4`, `vfat`, `btrfs` … */
  readonly type: string;
  readonly uuid: string | null;
  readonly label: string | null;
  /** True where names match without regard to case. */
  readonly ignoresCase: boolean;
  /** Whether the path leads to something. */
  exists(path: GuestPath): boolean;
  /** Links are followed. */
  stat(path: GuestPath): Stats;
  /** Of the link itself. */
  lstat(path: GuestPath): Stats;
  /** In the order of the disk, without `.` and `..`. */
  readdir(path: GuestPath): DirectoryEntry[];
  /** A link's target, decoded as names are. */
  readlink(path: GuestPath): string;
  /**
   * A whole regular file.
   * @param most bytes above which it is a `limit` error; default 32 MiB. The memory is taken before the file is read.
   */
  readFile(path: GuestPath, most?: number): Uint8Array;
  /**
   * The same in pieces of at most 1 MiB, read when they are asked for: `Readable.from(fs.chunks(path))` is a stream of them. Zeros of
   * holes are handed out; `extents()` says where they are.
   */
  chunks(path: GuestPath): IterableIterator<Uint8Array>;
  /** In the file's order, from byte 0 to its end. */
  extents(path: GuestPath): FileExtent[];
}

/** One entry of a boot menu, evaluated. */
export interface Entry {
  /** What `BootOptions.entry` takes. */
  readonly index: number;
  /** GRUB's `1>0`. */
  readonly path: string;
  readonly title: string;
  /** Of the submenus around it, its own last. */
  readonly titles: readonly string[];
  readonly id: string;
  /** The volume that paths without a device are on. */
  readonly root: string;
  readonly kernel: string | null;
  readonly initrd: readonly string[];
  readonly args: string;
  /** Why it cannot boot; null: it can. */
  readonly problem: string | null;
}
