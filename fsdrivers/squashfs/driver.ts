import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { SquashFileSystem } from './filesystem';
import { readVersion, readVolume } from './superblock';

/** Squashfs 4.0. */
export const driver: FileSystemDriver = {
  name: 'squashfs',

  probe(source, ctx) {
    const version = readVersion(source, ctx);
    if (!version) return undefined;
    // blkid has a name of its own for the older ones.
    return { type: version.major < 4 ? 'squashfs3' : 'squashfs' };
  },

  open(members, ctx) {
    const source = members[0];
    if (!source) throw corrupt('no squashfs superblock');
    return new SquashFileSystem(readVolume(source, ctx));
  },
};
