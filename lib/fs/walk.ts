/** Path walk, shared by all drivers. Semantics of Linux' path_resolution(7), confined to one filesystem. */
import { GuestError, limit, notFound } from '../bytes/errors';
import { LIMITS } from '../bytes/limits';
import { type ByteString, printable } from '../bytes/text';
import type { FileSystem, FsNode } from './types';

/**
 * Follows `path` from the root; symbolic links too (absolute ones start at the root of this same filesystem, as in
 * GRUB), the last component's as well unless `followLast` is false.
 * @throws GuestError `not-found` naming the component that is missing, `limit` for too many links or too long a path
 */
export function walk(fs: FileSystem, path: ByteString, followLast = true): FsNode {
  if (path.length > LIMITS.pathBytes)
    throw limit(`path of ${path.length} bytes, maximum ${LIMITS.pathBytes}`);
  /** Directories from the root to where we are; `..` pops. */
  const chain: FsNode[] = [fs.root];
  const todo = path.split('/').reverse();
  let links = 0;
  while (todo.length > 0) {
    const name = todo.pop()!;
    if (name === '' || name === '.') continue;
    const here = chain[chain.length - 1]!;
    if (here.kind !== 'directory')
      throw notFound(
        `${printable(path)}: not found ('${printable(name)}' is wanted inside something that is not a directory)`,
      );
    if (name === '..') {
      if (chain.length > 1) chain.pop();
      continue;
    }
    const next = fs.lookup(here, name);
    if (!next) throw notFound(`${printable(path)}: not found`);
    const last = todo.every((part) => part === '' || part === '.');
    if (next.kind === 'symlink' && (followLast || !last)) {
      if (++links > LIMITS.symlinks)
        throw limit(`${printable(path)}: more than ${LIMITS.symlinks} symbolic links`);
      const target = fs.readlink(next);
      if (target === '') throw notFound(`${printable(path)}: empty symbolic link`);
      if (target.length > LIMITS.pathBytes) throw limit(`${printable(path)}: symbolic link too long`);
      if (target.startsWith('/')) chain.length = 1;
      todo.push(...target.split('/').reverse());
      continue;
    }
    chain.push(next);
  }
  return chain[chain.length - 1]!;
}

/** `walk`, but `undefined` where nothing is there. Other errors (damage, limits) still propagate. */
export function tryWalk(fs: FileSystem, path: ByteString, followLast = true): FsNode | undefined {
  try {
    return walk(fs, path, followLast);
  } catch (error) {
    if (error instanceof GuestError && error.code === 'not-found') return undefined;
    throw error;
  }
}
