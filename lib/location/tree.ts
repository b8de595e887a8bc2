/** What the kinds of trees are told of a distribution's tree, and what they find in it. */
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import type { LimitName } from '../bytes/limits';
import { fromHost, printable } from '../bytes/text';
import type { Checksum } from './sums';

/** A file of the tree while it is read. */
export interface Body {
  /** Bytes, where the server says so. */
  readonly length: number | undefined;
  /** Ends, or throws GuestError `io`; leaving the loop early closes it. */
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Where the files come from. Paths are relative, and were checked (`safePath`). */
export interface Files {
  /** As messages and arguments name the tree: a URL (without user and password) or a directory, `/` at its end. */
  readonly base: string;
  /** A directory of this host: the guest cannot reach it under this name. */
  readonly local: boolean;
  /** Undefined: there is no such file. @throws GuestError `io` */
  open(path: string): Promise<Body | undefined>;
  /** @throws GuestError `io` */
  exists(path: string): Promise<boolean>;
  close(): void;
}

/** Kernel and ramdisk of an installer. */
export interface Installer {
  /** For the log: `Debian's installer`. */
  readonly what: string;
  /** Paths in the tree. */
  readonly kernel: string;
  readonly ramdisk: string | undefined;
  /** What the index says of a path. */
  sum(path: string): Promise<Checksum | undefined>;
  /** Arguments without which this installer does not find its tree. */
  readonly args: readonly string[];
  /** Things to tell the admin. Printable. */
  readonly notes: readonly string[];
}

export interface TreeKind {
  readonly name: string;
  /** Undefined: not of this kind. @throws GuestError where it is and cannot be used */
  find(tree: Tree): Promise<Installer | undefined>;
}

export const shown = (text: string, most = 512): string => printable(fromHost(text), most);

/**
 * A path that an index or an option names, made relative to the tree; a leading `./` goes.
 * @throws GuestError `corrupt` for what leads out of the tree: `..`, an absolute path, a URL
 */
export function safePath(path: string, what: string): string {
  const inner = path.replace(/^(\.\/)+/, '');
  const bad =
    inner === '' ||
    inner.length > 1024 ||
    /^\/|^[a-z][a-z0-9+.-]*:|[\\?#\x00-\x1f\x7f]/i.test(inner) ||
    inner.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (bad) throw new GuestError('corrupt', `${what} names a path outside the tree: '${shown(path, 100)}'`);
  return inner;
}

/** The tree with its small files, each read once. */
export class Tree {
  readonly #texts = new Map<string, string | undefined>();

  constructor(
    readonly files: Files,
    readonly ctx: Context,
  ) {}

  get base(): string {
    return this.files.base;
  }

  exists(path: string): Promise<boolean> {
    return this.files.exists(path);
  }

  /** All of a small file, undefined where there is none. @throws GuestError `limit` when it is not small */
  async text(path: string, most: LimitName = 'smallFileBytes'): Promise<string | undefined> {
    if (!this.#texts.has(path)) this.#texts.set(path, await this.#read(path, most));
    return this.#texts.get(path);
  }

  async #read(path: string, most: LimitName): Promise<string | undefined> {
    const body = await this.files.open(path);
    if (!body) return undefined;
    const { budget } = this.ctx;
    const what = `${shown(path)}: bytes`;
    budget.most(most, body.length ?? 0, what);
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of body.pieces) {
      size += piece.length;
      budget.most(most, size, what);
      budget.allocate(2 * piece.length);
      pieces.push(piece);
    }
    return Buffer.concat(pieces, size).toString('latin1');
  }
}

/** The first pair of which both files are there. */
export async function firstPair(
  tree: Tree,
  pairs: readonly (readonly [string, string])[],
): Promise<readonly [string, string] | undefined> {
  for (const pair of pairs) if ((await tree.exists(pair[0])) && (await tree.exists(pair[1]))) return pair;
  return undefined;
}

/** What an installer that was started from a medium's files needs of it. */
export const MEDIUM =
  'the installer looks for its packages on the medium itself: give the guest the ISO image as a disk';

/** Debian's and Linux' names of this machine's processor. */
export const ARCHITECTURES: readonly (readonly [string, string])[] =
  process.arch === 'arm64' ? [['arm64', 'aarch64']] : [['amd64', 'x86_64']];
