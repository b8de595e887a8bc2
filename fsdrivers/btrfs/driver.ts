/** The btrfs driver. What it reads and refuses: README.md. */
import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { Devices } from './devices';
import { BtrfsFileSystem } from './filesystem';
import { Superblock } from './layout';
import { readSuper, superblockBytes, uuidText } from './superblock';
import { Volume } from './volume';

export const driver: FileSystemDriver = {
  name: 'btrfs',

  probe(source, ctx) {
    const bytes = superblockBytes(source, ctx, true);
    if (!bytes) return undefined;
    return {
      type: 'btrfs',
      uuid: uuidText(Superblock.fields.fsid.read(bytes, 0).toString('hex')),
      label: Superblock.fields.label.read(bytes, 0) || undefined,
    };
  },

  open(members, ctx, options) {
    const source = members[0];
    const bytes = source && superblockBytes(source, ctx);
    if (!source || !bytes) throw corrupt('no btrfs superblock');
    let superblock = readSuper(bytes);
    const given = options?.others ?? (() => []);
    const devices = new Devices(source, ctx, function* () {
      yield* members.slice(1);
      yield* given();
    });
    if (superblock.devices > 1) {
      devices.search();
      // A member that was away for a while knows an older state of the trees.
      const newest = devices.newest(superblock.fsid);
      if (newest && newest.generation > superblock.generation) superblock = readSuper(newest.bytes);
    }
    return new BtrfsFileSystem(new Volume(source, ctx, superblock, devices));
  },
};
