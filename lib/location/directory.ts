/**
 * A tree in a directory of this host: a mounted ISO image, a mirror. Whoever made the image may have put links into it: a file counts
 * where it really lies inside the directory.
 */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { GuestError, hostError } from '../bytes/errors';
import { type Body, type Files, shown } from './tree';

const PIECE = 1024 * 1024;
const ABSENT = ['ENOENT', 'ENOTDIR', 'ELOOP'];

export class DirectoryFiles implements Files {
  readonly local = true;
  readonly base: string;
  readonly #root: string;

  /** @throws GuestError `io` where it is no directory */
  constructor(directory: string) {
    try {
      this.#root = realpathSync(directory);
    } catch (error) {
      throw hostError(`cannot open ${shown(directory)}`, error);
    }
    if (!statSync(this.#root).isDirectory())
      throw new GuestError(
        'unsupported',
        `${shown(directory)} is no directory; an ISO image is a disk: name it without --location, or mount it`,
      );
    this.base = `${shown(directory).replace(/\/+$/, '')}/`;
  }

  async exists(path: string): Promise<boolean> {
    return this.#place(path) !== undefined;
  }

  async open(path: string): Promise<Body | undefined> {
    const place = this.#place(path);
    if (place === undefined) return undefined;
    const what = `cannot read ${shown(place)}`;
    let fd: number;
    try {
      // A fifo must not be waited for.
      fd = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      throw hostError(what, error);
    }
    const status = fstatSync(fd);
    if (!status.isFile()) {
      closeSync(fd);
      throw new GuestError('io', `${shown(place)} is no regular file`);
    }
    async function* pieces(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          const piece = Buffer.allocUnsafeSlow(PIECE);
          const count = readSync(fd, piece, 0, PIECE, null);
          if (count === 0) return;
          yield piece.subarray(0, count);
        }
      } catch (error) {
        if (error instanceof GuestError) throw error;
        throw hostError(what, error);
      } finally {
        closeSync(fd);
      }
    }
    return { length: status.size, pieces: pieces() };
  }

  close(): void {}

  /** The file's real place, undefined where there is none. @throws GuestError where it lies outside the directory */
  #place(path: string): string | undefined {
    let real: string;
    try {
      real = realpathSync(join(this.#root, path));
    } catch (error) {
      if (ABSENT.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw hostError(`cannot open ${shown(path)}`, error);
    }
    const inside = this.#root.endsWith(sep) ? this.#root : this.#root + sep;
    if (!real.startsWith(inside))
      throw new GuestError(
        'corrupt',
        `${shown(path)} is a link that leads out of the tree, to ${shown(real)}`,
      );
    return real;
  }
}
