import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { CramFileSystem } from './filesystem';
import { findSuperblock, readGeometry } from './superblock';
import { CramVolume } from './volume';

/** Linux' compressed ROM filesystem, in either byte order. */
export const driver: FileSystemDriver = {
  name: 'cramfs',

  probe: (source, ctx) => findSuperblock(source, ctx) && { type: 'cramfs' },

  open(members, ctx) {
    const source = members[0]!;
    const found = findSuperblock(source, ctx);
    if (!found) throw corrupt('no cramfs superblock');
    return new CramFileSystem(new CramVolume(source, readGeometry(found, source, ctx), ctx));
  },
};
