/** The JFS driver. What it reads and refuses: README.md. */
import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { JfsFileSystem } from './filesystem';
import { STATE } from './layout';
import { replay } from './log/replay';
import { findSuperblock, identity, readGeometry } from './superblock';
import { JfsVolume } from './volume';

export const driver: FileSystemDriver = {
  name: 'jfs',

  probe(source, ctx) {
    const found = findSuperblock(source, ctx);
    return found && { type: 'jfs', ...identity(found.raw) };
  },

  open(members, ctx, options) {
    const source = members[0]!;
    const found = findSuperblock(source, ctx);
    if (!found) throw corrupt('no JFS superblock');
    if (found.secondary) ctx.warn('the primary superblock is damaged; the secondary one is read');
    const geometry = readGeometry(found.raw);
    const size = geometry.blocks * geometry.blockSize;
    if (size > source.size)
      ctx.warn(`filesystem of ${size} bytes on a volume of ${source.size}: what lies beyond cannot be read`);
    // The secondary superblock is not told of mounts; the log knows whether it has been replayed.
    const dirty = geometry.state !== STATE.clean || found.secondary;
    const replayed = dirty ? replay(source, geometry, ctx, options?.others ?? (() => [])) : undefined;
    const volume = new JfsVolume(replayed?.source ?? source, geometry, ctx, replayed?.moved);
    return new JfsFileSystem(volume, identity(found.raw));
  },
};
