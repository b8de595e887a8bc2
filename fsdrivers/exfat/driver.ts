import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { findBoot, readGeometry, serial } from './boot';
import { ExfatFileSystem } from './filesystem';
import { ExfatVolume } from './volume';

/** exFAT, TexFAT by its active FAT. */
export const driver: FileSystemDriver = {
  name: 'exfat',

  probe(source, ctx) {
    const boot = findBoot(source, ctx);
    return boot && { type: 'exfat', uuid: serial(boot.bytes) };
  },

  open(members, ctx) {
    const source = members[0]!;
    const boot = findBoot(source, ctx);
    if (!boot) throw corrupt('the boot sector is not that of an exFAT filesystem');
    if (boot.warning) ctx.warn(boot.warning);
    const geometry = readGeometry(boot.bytes);
    if (geometry.size > source.size)
      ctx.warn(
        `filesystem of ${geometry.size} bytes on a volume of ${source.size}: what lies beyond cannot be read`,
      );
    return new ExfatFileSystem(new ExfatVolume(source, geometry, ctx), serial(boot.bytes));
  },
};
