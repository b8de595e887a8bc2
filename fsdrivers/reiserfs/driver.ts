/** The ReiserFS driver. What it reads and refuses: README.md. */
import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { ReiserFileSystem } from './filesystem';
import { replay } from './journal';
import { findSuperblock, identity, readGeometry } from './superblock';
import { ReiserTree } from './tree';

export const driver: FileSystemDriver = {
  name: 'reiserfs',

  probe(source, ctx) {
    const raw = findSuperblock(source, ctx);
    return raw && { type: 'reiserfs', ...identity(raw) };
  },

  open(members, ctx, options) {
    const source = members[0]!;
    const raw = findSuperblock(source, ctx);
    if (!raw) throw corrupt('no ReiserFS superblock');
    // Whether the filesystem was unmounted or not, the journal tells what is left to do.
    const replayed = replay(source, readGeometry(raw), ctx, options?.others ?? (() => []));
    // The superblock, with the tree's root, is among the blocks that are replaced.
    const now = replayed === source ? raw : (findSuperblock(replayed, ctx) ?? raw);
    const geometry = readGeometry(now);
    if (geometry.broken) ctx.warn('the filesystem is marked as damaged: reiserfsck is wanted');
    const size = geometry.blocks * geometry.blockSize;
    if (size > source.size)
      ctx.warn(`filesystem of ${size} bytes on a volume of ${source.size}: what lies beyond cannot be read`);
    return new ReiserFileSystem(new ReiserTree(replayed, geometry, ctx), identity(now));
  },
};
