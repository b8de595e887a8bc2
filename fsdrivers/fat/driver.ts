import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { readGeometry } from './boot';
import { FatFileSystem } from './filesystem';

/** FAT12, FAT16 and FAT32 with long names. */
export const driver: FileSystemDriver = {
  name: 'fat',

  probe(source, ctx) {
    const geometry = readGeometry(source, ctx);
    return geometry && { type: 'vfat', uuid: geometry.uuid };
  },

  open(members, ctx) {
    const source = members[0];
    const geometry = source && readGeometry(source, ctx);
    if (!geometry) throw corrupt('the boot sector is not that of a FAT filesystem');
    return new FatFileSystem(source, geometry, ctx);
  },
};
