import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { HfsPlusFileSystem } from './filesystem';
import { readGeometry, unwrapped } from './header';
import { HfsVolume } from './volume';

/** HFS Plus and HFSX of Mac OS, alone or in an HFS. */
export const driver: FileSystemDriver = {
  name: 'hfsplus',

  probe(source, ctx) {
    return unwrapped(source, ctx) && { type: 'hfsplus' };
  },

  open(members, ctx) {
    const source = unwrapped(members[0]!, ctx);
    if (!source) throw corrupt('no HFS+ volume header');
    return new HfsPlusFileSystem(new HfsVolume(readGeometry(source, ctx), ctx));
  },
};
