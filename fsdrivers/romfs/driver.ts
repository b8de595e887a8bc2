import type { FileSystemDriver } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { RomFileSystem } from './filesystem';
import { MAGIC, SuperBlock } from './layout';
import { RomVolume } from './volume';

/** Linux' romfs, as boot floppies and firmware have it. */
export const driver: FileSystemDriver = {
  name: 'romfs',

  probe(source, ctx) {
    if (source.size < SuperBlock.size) return undefined;
    const { magic } = SuperBlock.read(readBytes(source, 0, SuperBlock.size, ctx));
    return magic === MAGIC ? { type: 'romfs' } : undefined;
  },

  open: (members, ctx) => new RomFileSystem(new RomVolume(members[0]!, ctx)),
};
