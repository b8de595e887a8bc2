/**
 * A disc with a UDF and an ISO 9660 over the same files. GRUB with all its drivers, and blkid, take the UDF; it is what
 * has the right sizes of large files. But genisoimage's has no symbolic links, FIFOs and devices (they are empty files in it), and what
 * isolinux and a GRUB without UDF read is the other tree: so both are looked at.
 */
import type { Context } from '../../lib/bytes/budget';
import { GuestError, limit } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FileSystemDriver, FsNode } from '../../lib/fs/types';
import type { BlockSource } from '../../lib/source/types';

/** Of one directory, held while it is listed. */
const NAMES_MOST = 200_000;

/** The same name in one or both trees. */
interface Both extends FsNode {
  readonly udf?: FsNode;
  readonly iso?: FsNode;
}

export class Bridge implements FileSystem {
  readonly type = 'udf';
  readonly grubName = 'udf';
  readonly uuid?: string;
  readonly label?: ByteString;
  readonly root: Both;

  private constructor(
    readonly udf: FileSystem,
    readonly iso: FileSystem,
  ) {
    if (udf.uuid !== undefined) this.uuid = udf.uuid;
    if (udf.label !== undefined) this.label = udf.label;
    this.root = both(udf.root, iso.root);
  }

  /** The UDF alone where the ISO 9660 cannot be read. */
  static over(udf: FileSystem, source: BlockSource, ctx: Context): FileSystem {
    const { driver } = require('../iso9660/driver') as { driver: FileSystemDriver };
    try {
      return new Bridge(udf, driver.open([source], ctx));
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      ctx.warn(`the ISO 9660 of the disc cannot be read (${error.describe()}), its UDF is used`);
      return udf;
    }
  }

  lookup(dir: FsNode, name: ByteString): Both | undefined {
    const { udf, iso } = dir as Both;
    const first = udf && this.udf.lookup(udf, name);
    return this.#with(first, iso && (() => this.iso.lookup(iso, name)));
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    const { udf, iso } = dir as Both;
    /** Names of the other tree; what is not a file there may count. Not kept: a node for each file. */
    const others = new Map<ByteString, DirEntry | undefined>();
    // Names that match without regard to case are the same ones in another form.
    if (iso && !(udf && this.iso.ignoresCase))
      for (const entry of this.iso.readdir(iso)) {
        if (others.size === NAMES_MOST) throw limit(`directory ${dir.id}: more than ${NAMES_MOST} names`);
        others.set(entry.name, entry.kind === 'file' ? undefined : entry);
      }
    if (udf)
      for (const entry of this.udf.readdir(udf)) {
        const other = others.get(entry.name);
        others.delete(entry.name);
        yield { name: entry.name, node: () => this.#with(entry.node(), other && (() => other.node()))! };
      }
    if (others.size > 0)
      for (const entry of this.iso.readdir(iso!))
        if (others.has(entry.name)) yield { ...entry, node: () => both(undefined, entry.node()) };
  }

  readlink(link: FsNode): ByteString {
    const { udf, iso } = link as Both;
    return iso?.kind === 'symlink' ? this.iso.readlink(iso) : this.udf.readlink(udf!);
  }

  extents(file: FsNode): Iterable<Extent> {
    const { udf, iso } = file as Both;
    return udf ? this.udf.extents(udf) : this.iso.extents(iso!);
  }

  /** The other tree is asked where it matters: for what is missing, directories, and empty files, which may be something else. */
  #with(udf: FsNode | undefined, iso: (() => FsNode | undefined) | undefined): Both | undefined {
    const asked = !udf || (!this.iso.ignoresCase && (udf.kind === 'directory' || udf.size === 0));
    const other = asked ? iso?.() : undefined;
    return udf || other ? both(udf, other) : undefined;
  }
}

function both(udf: FsNode | undefined, iso: FsNode | undefined): Both {
  const shown = iso?.kind === 'symlink' || iso?.kind === 'other' ? iso : (udf ?? iso!);
  const pair = shown.kind === 'directory';
  return {
    kind: shown.kind,
    size: shown.size,
    id: shown === iso ? `iso ${shown.id}` : shown.id,
    ...(shown.mtime === undefined ? {} : { mtime: shown.mtime }),
    // Where the trees disagree of what it is, the other one's has no part in it.
    ...(udf && (shown === udf || (pair && udf.kind === 'directory')) ? { udf } : {}),
    ...(iso && (shown === iso || (pair && iso.kind === 'directory')) ? { iso } : {}),
  };
}
