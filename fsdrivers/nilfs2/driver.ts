import type { Context } from '../../lib/bytes/budget';
import { type Checksums, checksums } from '../../lib/bytes/checksum';
import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import type { BlockSource } from '../../lib/source/types';
import { NilfsFileSystem } from './filesystem';
import { type LogEnd, LogScanner } from './log';
import { findSuperblocks, type Geometry, identity, readGeometry } from './superblock';
import { NilfsVolume } from './volume';

/** NILFS2: the newest checkpoint of a log that is the filesystem. */
export const driver: FileSystemDriver = {
  name: 'nilfs2',

  probe(source, ctx) {
    const [best] = findSuperblocks(source, checksums(), ctx);
    return best && { type: 'nilfs2', ...identity(best) };
  },

  open(members, ctx) {
    const source = members[0]!;
    const sums = checksums();
    const [best, spare] = findSuperblocks(source, sums, ctx);
    if (!best) throw corrupt('no NILFS2 superblock');
    if (best.alone) ctx.warn('nilfs2: the first superblock is damaged: the second is used');
    if (!best.sound) ctx.warn('nilfs2: superblock: wrong checksum, and no other');
    const geometry = readGeometry(best);
    const size = geometry.segments * geometry.blocksPerSegment * geometry.blockSize;
    if (size > source.size)
      ctx.warn(`filesystem of ${size} bytes on a volume of ${source.size}: what lies beyond cannot be read`);
    const end = newest(source, geometry, spare && (() => readGeometry(spare)), sums, ctx);
    return new NilfsFileSystem(new NilfsVolume(source, geometry, end, ctx), identity(best));
  },
};

/**
 * The end of the log: from the place that the superblock knows, else from where the other one knows, as the kernel does;
 * else that place although its checksums are wrong.
 */
function newest(
  source: BlockSource,
  geometry: Geometry,
  spare: (() => Geometry) | undefined,
  sums: Checksums,
  ctx: Context,
): LogEnd {
  const scanner = new LogScanner(source, sums, ctx);
  const found = scanner.find(geometry, geometry.clean);
  if (typeof found !== 'string') return found;
  if (spare) {
    const older = scanner.find({ ...geometry, ...cursor(spare()) }, false);
    if (typeof older !== 'string') {
      ctx.warn(`nilfs2: ${found}; followed from an earlier place`);
      return older;
    }
  }
  const anyway = scanner.findAnyway(geometry);
  if (typeof anyway === 'string') throw corrupt(anyway);
  ctx.warn(`nilfs2: ${found}; read in spite of it`);
  return anyway;
}

const cursor = ({ lastCheckpoint, lastLog, lastSequence }: Geometry) => ({
  lastCheckpoint,
  lastLog,
  lastSequence,
});
