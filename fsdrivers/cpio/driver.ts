import { corrupt, GuestError } from '../../lib/bytes/errors';
import { ArchiveFileSystem, Window } from '../../lib/fs/archive';
import type { FileSystemDriver } from '../../lib/fs/types';
import { CpioArchive } from './archive';
import { type Format, formatAt, isKind, readHeader } from './header';
import { TRAILER } from './layout';

/**
 * The format of the archive that begins here. Two bytes tell the old binary ones, so more is asked of them: the first
 * header must make sense, and lead to another.
 */
function formatOf(window: Window): Format | undefined {
  const format = formatAt(window, 0);
  if (!format) return undefined;
  try {
    const { name, mode, next } = readHeader(window, format, 0);
    if (name === TRAILER) return format;
    if (!isKind(mode)) return undefined;
    if (format.startsWith('binary') && (!name || formatAt(window, next) !== format)) return undefined;
    return format;
  } catch (error) {
    if (error instanceof GuestError && error.code === 'corrupt') return undefined;
    throw error;
  }
}

/** cpio archives: newc, crc, odc, old binary in either byte order. */
export const driver: FileSystemDriver = {
  name: 'cpio',

  probe: (source, ctx) => formatOf(new Window(source, ctx)) && { type: 'cpio' },

  open(members, ctx) {
    const source = members[0]!;
    const format = formatOf(new Window(source, ctx));
    if (!format) throw corrupt('no cpio archive');
    return new ArchiveFileSystem(new CpioArchive(source, format, ctx), ctx);
  },
};
