import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { ErofsFileSystem } from './filesystem';
import { identity, readSuperblock, readVolume } from './superblock';

/** erofs, the read-only filesystem of Android and of many live and container images. */
export const driver: FileSystemDriver = {
  name: 'erofs',

  probe(source, ctx) {
    const superblock = readSuperblock(source, ctx);
    return superblock && { type: 'erofs', ...identity(superblock) };
  },

  open(members, ctx) {
    const source = members[0];
    if (!source) throw corrupt('no erofs superblock');
    return new ErofsFileSystem(readVolume(source, ctx));
  },
};
