import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { MinixFileSystem } from './filesystem';
import { findSuperblock, readGeometry } from './superblock';
import { MinixVolume } from './volume';

/** MINIX's filesystem, versions 1 to 3, in either byte order. It has neither UUID nor label. */
export const driver: FileSystemDriver = {
  name: 'minix',

  probe(source, ctx) {
    return findSuperblock(source, ctx) && { type: 'minix' };
  },

  open(members, ctx) {
    const source = members[0]!;
    const found = findSuperblock(source, ctx);
    if (!found) throw corrupt('no MINIX superblock');
    const geometry = readGeometry(found);
    const size = geometry.zones * geometry.zoneSize;
    if (size > source.size)
      ctx.warn(`filesystem of ${size} bytes on a volume of ${source.size}: what lies beyond cannot be read`);
    return new MinixFileSystem(new MinixVolume(source, geometry, ctx));
  },
};
