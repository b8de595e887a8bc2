import type { Context } from '../../lib/bytes/budget';
import { checksums } from '../../lib/bytes/checksum';
import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { XfsFileSystem } from './filesystem';
import { SuperBlock } from './layout';
import { isXfs, labelOf, readGeometry, uuidText } from './superblock';
import { XfsVolume } from './volume';

/** The superblock's sector; its checksum covers all of it. */
function firstSector(source: BlockSource, ctx: Context): Buffer | undefined {
  if (source.size < 512) return undefined;
  const bytes = readBytes(source, 0, 512, ctx);
  if (!isXfs(bytes)) return undefined;
  const size = SuperBlock.fields.sb_sectsize.read(bytes, 0);
  return size > 512 && size <= 32768 && size <= source.size ? readBytes(source, 0, size, ctx) : bytes;
}

/** XFS of versions 4 and 5. */
export const driver: FileSystemDriver = {
  name: 'xfs',

  probe(source, ctx) {
    const bytes = firstSector(source, ctx);
    if (!bytes) return undefined;
    const label = labelOf(SuperBlock.fields.sb_fname.read(bytes, 0));
    return {
      type: 'xfs',
      uuid: uuidText(SuperBlock.fields.sb_uuid.read(bytes, 0)),
      ...(label === undefined ? {} : { label }),
    };
  },

  open(members, ctx, options) {
    const source = members[0]!;
    const bytes = firstSector(source, ctx);
    if (!bytes) throw corrupt('no XFS superblock');
    const sums = checksums();
    const geometry = readGeometry(bytes, sums, ctx.warn);
    const size = geometry.blocks * geometry.blockSize;
    if (size > source.size)
      ctx.warn(`filesystem of ${size} bytes on a volume of ${source.size}: what lies beyond cannot be read`);
    const volume = new XfsVolume(source, geometry, ctx, sums);
    const { replayLog } = require('./log/replay') as typeof import('./log/replay');
    const replayed = replayLog(volume, options?.others ?? (() => []));
    if (!replayed) return new XfsFileSystem(volume);
    // A growfs may be in the log.
    const newer = firstSector(replayed.source, ctx);
    const now =
      newer && !newer.equals(bytes)
        ? readGeometry(newer, { ...sums, crc32c: sums.crc32c }, () => {})
        : geometry;
    return new XfsFileSystem(new XfsVolume(source, now, ctx, sums, replayed));
  },
};
