import { checksums } from '../../lib/bytes/checksum';
import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { F2fsFileSystem } from './filesystem';
import { findSuperblock, identity, readGeometry } from './superblock';
import { F2fsVolume } from './volume';

/** f2fs, the flash-friendly filesystem. */
export const driver: FileSystemDriver = {
  name: 'f2fs',

  probe(source, ctx) {
    const found = findSuperblock(source, { ...ctx, warn: () => {} }, checksums());
    return found && { type: 'f2fs', ...identity(found) };
  },

  open(members, ctx) {
    const source = members[0]!;
    const sums = checksums();
    const found = findSuperblock(source, ctx, sums);
    if (!found) throw corrupt('no f2fs superblock');
    const geometry = readGeometry(source, found, ctx, sums);
    if (geometry.mainEnd * 4096 > source.size)
      ctx.warn(
        `filesystem of ${geometry.mainEnd * 4096} bytes on a volume of ${source.size}: what lies beyond cannot be read`,
      );
    return new F2fsFileSystem(new F2fsVolume(source, geometry, ctx, sums));
  },
};
