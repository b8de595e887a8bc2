/** The ext2/3/4 driver. What it reads and refuses: README.md. */

import { checksums } from '../../lib/bytes/checksum';
import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { ExtFileSystem } from './filesystem';
import { Superblock } from './layout';
import { readGeometry, superblockBytes, typeOf, uuidText } from './superblock';
import { ExtVolume } from './volume';

export const driver: FileSystemDriver = {
  name: 'ext',

  probe(source, ctx) {
    const bytes = superblockBytes(source, ctx);
    if (!bytes) return undefined;
    return {
      type: typeOf(bytes),
      uuid: uuidText(Superblock.fields.s_uuid.read(bytes, 0)),
      label: Superblock.fields.s_volume_name.read(bytes, 0) || undefined,
    };
  },

  open(members, ctx, options) {
    const source = members[0]!;
    const bytes = superblockBytes(source, ctx);
    if (!bytes) throw corrupt('no ext superblock');
    const sums = checksums();
    const geometry = readGeometry(bytes, sums, ctx.warn);
    const size = geometry.blockCount * geometry.blockSize;
    if (size > source.size)
      ctx.warn(`filesystem of ${size} bytes on a volume of ${source.size}: what lies beyond cannot be read`);
    const volume = new ExtVolume(source, ctx, geometry, sums);
    if (!geometry.needsRecovery) return new ExtFileSystem(volume);
    // Seldom needed, so a chunk of its own.
    const { replay } = require('./journal/replay') as typeof import('./journal/replay');
    const replayed = replay(volume, options?.others ?? (() => []));
    if (!replayed) return new ExtFileSystem(volume);
    // The superblock may be among the blocks that the journal replaces.
    const newer = superblockBytes(replayed.source, ctx);
    const now = newer && !newer.equals(bytes) ? readGeometry(newer, sums, ctx.warn) : geometry;
    return new ExtFileSystem(new ExtVolume(replayed.source, ctx, now, sums, replayed.fastCommits));
  },
};
