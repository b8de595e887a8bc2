import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { readBoot, readGeometry, serial } from './boot';
import { NtfsFileSystem } from './filesystem';
import { checkState } from './state';
import { NtfsVolume } from './volume';

/** NTFS of Windows NT 3.51 to now. */
export const driver: FileSystemDriver = {
  name: 'ntfs',

  probe(source, ctx) {
    const boot = readBoot(source, 0, ctx);
    return boot && { type: 'ntfs', uuid: serial(boot) };
  },

  open(members, ctx) {
    const source = members[0]!;
    const boot = readBoot(source, 0, ctx);
    if (!boot) throw corrupt('the boot sector is not that of an NTFS');
    const geometry = readGeometry(source, boot, ctx);
    if (geometry.size > source.size)
      ctx.warn(
        `filesystem of ${geometry.size} bytes on a volume of ${source.size}: what lies beyond cannot be read`,
      );
    const volume = new NtfsVolume(source, geometry, ctx);
    const fs = new NtfsFileSystem(volume);
    checkState(volume, fs);
    return fs;
  },
};
