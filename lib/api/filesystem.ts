/** A filesystem of a guest's with paths, over the readers' nodes. */
import type { Context } from '../bytes/budget';
import { GuestError, within } from '../bytes/errors';
import { type ByteString, fromBytes, fromHost, printable, toBytes, toUnicode } from '../bytes/text';
import { fileExtents, readWhole } from '../fs/file';
import type { FileSystem as Driver, Extent, FsNode } from '../fs/types';
import { walk } from '../fs/walk';
import { type BlockSource, readOnce } from '../source/types';
import type { DirectoryEntry, FileExtent, FileSystem, GuestPath, Stats } from './public';

/** Bytes that `chunks` hands out at a time. */
const CHUNK = 1024 * 1024;

const byteString = (path: GuestPath): ByteString =>
  typeof path === 'string' ? fromHost(path) : fromBytes(path);

const statsOf = ({ kind, size, id, mtime }: FsNode): Stats => ({ kind, size, id, mtime: mtime ?? null });

export class GuestFileSystem implements FileSystem {
  readonly type: string;
  readonly uuid: string | null;
  readonly label: string | null;
  readonly ignoresCase: boolean;
  readonly #driver: Driver;
  readonly #volume: { readonly name: string; readonly source: BlockSource };
  readonly #ctx: Context;
  readonly #enter: () => void;

  /** @param enter begins a call, or throws because the disk is closed */
  constructor(
    driver: Driver,
    volume: { readonly name: string; readonly source: BlockSource },
    ctx: Context,
    enter: () => void,
  ) {
    this.#driver = driver;
    this.#volume = volume;
    this.#ctx = ctx;
    this.#enter = enter;
    this.type = driver.type;
    this.uuid = driver.uuid ?? null;
    this.label = driver.label === undefined ? null : toUnicode(driver.label);
    this.ignoresCase = driver.ignoresCase ?? false;
  }

  #call<T>(body: () => T): T {
    this.#enter();
    return within(this.#volume.name, body);
  }

  #walk(path: GuestPath, followLast = true): FsNode {
    return walk(this.#driver, byteString(path), followLast);
  }

  #file(path: GuestPath): FsNode {
    const node = this.#walk(path);
    if (node.kind !== 'file') throw new GuestError('unsupported', `${shown(path)}: not a regular file`);
    return node;
  }

  exists(path: GuestPath): boolean {
    try {
      this.stat(path);
      return true;
    } catch (error) {
      if (error instanceof GuestError && error.code === 'not-found') return false;
      throw error;
    }
  }

  stat(path: GuestPath): Stats {
    return this.#call(() => statsOf(this.#walk(path)));
  }

  lstat(path: GuestPath): Stats {
    return this.#call(() => statsOf(this.#walk(path, false)));
  }

  readdir(path: GuestPath): DirectoryEntry[] {
    return this.#call(() => {
      const { budget } = this.#ctx;
      const directory = this.#walk(path);
      if (directory.kind !== 'directory')
        throw new GuestError('unsupported', `${shown(path)}: not a directory`);
      const found: DirectoryEntry[] = [];
      for (const entry of this.#driver.readdir(directory)) {
        budget.step();
        budget.most('directoryEntries', found.length + 1, `${shown(path)}: names`);
        found.push({
          name: toUnicode(entry.name),
          get bytes() {
            return toBytes(entry.name);
          },
          kind: entry.kind ?? null,
          stat: () => this.#call(() => statsOf(entry.node())),
        });
      }
      return found;
    });
  }

  readlink(path: GuestPath): string {
    return this.#call(() => {
      const node = this.#walk(path, false);
      if (node.kind !== 'symlink') throw new GuestError('unsupported', `${shown(path)}: not a symbolic link`);
      return toUnicode(this.#driver.readlink(node));
    });
  }

  readFile(path: GuestPath, most: number = this.#ctx.budget.limits.configBytes): Uint8Array {
    return this.#call(() => {
      const node = this.#file(path);
      if (node.size > most)
        throw new GuestError('limit', `${shown(path)}: ${node.size} bytes, at most ${most} were asked for`);
      return readWhole(this.#driver, node, most, this.#ctx);
    });
  }

  *chunks(path: GuestPath): Generator<Uint8Array, void, undefined> {
    const extents = this.#call(() => clipped(this.#driver, this.#file(path), this.#ctx));
    for (;;) {
      const extent = this.#call(() => extents.next());
      if (extent.done) return;
      const { value } = extent;
      // Unpacked once for all its pieces.
      const bytes = this.#call(() => bytesOf(value));
      for (let done = 0; done < value.length; done += CHUNK) {
        const length = Math.min(CHUNK, value.length - done);
        yield this.#call(() => this.#piece(value, bytes, done, length));
      }
    }
  }

  #piece(extent: Extent, bytes: Uint8Array | undefined, from: number, length: number): Uint8Array {
    this.#ctx.budget.step();
    if (bytes) return bytes.slice(from, from + length);
    this.#ctx.budget.allocate(length);
    const into = new Uint8Array(length);
    if (extent.kind === 'data') {
      this.#ctx.budget.read(length);
      readOnce(extent.source, extent.at + from, into);
    }
    return into;
  }

  extents(path: GuestPath): FileExtent[] {
    return this.#call(() => {
      const found: FileExtent[] = [];
      for (const extent of clipped(this.#driver, this.#file(path), this.#ctx)) {
        const { kind, offset, length } = extent;
        const direct = extent.kind === 'data' && extent.source === this.#volume.source;
        found.push({ kind, offset, length, at: direct ? extent.at : null });
        this.#ctx.budget.allocate(64);
      }
      return found;
    });
  }
}

const shown = (path: GuestPath): string => printable(byteString(path));

/** None reaches beyond the file's end. */
function* clipped(fs: Driver, node: FsNode, ctx: Context): Generator<Extent> {
  for (const extent of fileExtents(fs, node, ctx)) {
    const length = Math.min(extent.length, node.size - extent.offset);
    yield length === extent.length ? extent : { ...extent, length };
  }
}

/** What does not lie on a disk as it is. @throws GuestError `corrupt` when there is less of it than promised */
function bytesOf(extent: Extent): Uint8Array | undefined {
  if (extent.kind === 'data' || extent.kind === 'hole') return undefined;
  const bytes = extent.kind === 'inline' ? extent.bytes : extent.unpack();
  if (bytes.length < extent.length)
    throw new GuestError('corrupt', `${bytes.length} bytes where ${extent.length} are promised`);
  return bytes;
}
