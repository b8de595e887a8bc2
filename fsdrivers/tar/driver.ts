import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError } from '../../lib/bytes/errors';
import { ArchiveFileSystem } from '../../lib/fs/archive';
import type { FileSystemDriver } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { TarArchive } from './archive';
import { readHeader, sumIsRight } from './header';
import { BLOCK } from './layout';

/** A block whose sum is right and whose fields are what they should be; the oldest archives have no magic number. */
function begins(source: BlockSource, ctx: Context): boolean {
  if (source.size < BLOCK) return false;
  const block = readBytes(source, 0, BLOCK, ctx);
  if (!sumIsRight(block)) return false;
  try {
    const { name, type, ustar } = readHeader(block);
    return name !== '' && (ustar || /[\x000-7A-Zgx]/.test(type));
  } catch (error) {
    if (error instanceof GuestError) return false;
    throw error;
  }
}

/** tar archives: v7, ustar, GNU, pax. */
export const driver: FileSystemDriver = {
  name: 'tar',

  probe: (source, ctx) => (begins(source, ctx) ? { type: 'tar' } : undefined),

  open(members, ctx) {
    const source = members[0]!;
    if (!begins(source, ctx)) throw corrupt('no tar archive');
    return new ArchiveFileSystem(new TarArchive(source, ctx), ctx);
  },
};
