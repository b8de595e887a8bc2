import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { UfsFileSystem } from './filesystem';
import { findSuperblock, identity, readGeometry } from './superblock';
import { UfsVolume } from './volume';

/** UFS1 and UFS2 of the BSDs, in either byte order. */
export const driver: FileSystemDriver = {
  name: 'ufs',

  probe(source, ctx) {
    const found = findSuperblock(source, ctx);
    return found && { type: 'ufs', ...identity(found) };
  },

  open(members, ctx) {
    const source = members[0]!;
    const found = findSuperblock(source, ctx);
    if (!found) throw corrupt('no UFS superblock');
    const geometry = readGeometry(found);
    const size = geometry.fragments * geometry.fragmentSize;
    if (size > source.size)
      ctx.warn(`filesystem of ${size} bytes on a volume of ${source.size}: what lies beyond cannot be read`);
    return new UfsFileSystem(new UfsVolume(source, geometry, ctx));
  },
};
