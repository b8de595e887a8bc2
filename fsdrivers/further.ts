/**
 * The drivers that most guests never need, in the order in which they are asked: after ext and FAT, before ISO 9660.
 * Magic numbers that cannot be mistaken come first; archives, which are filesystems only by courtesy, last. The list is
 * a chunk of its own, loaded when neither of the first two knows a volume.
 */
import { bytesAt, type Registered } from './index';

export const further: readonly Registered[] = [
  {
    name: 'xfs',
    looksLike: (source) => bytesAt(source, 0, 4)?.toString('latin1') === 'XFSB',
    load: () => (require('./xfs/driver') as typeof import('./xfs/driver')).driver,
  },
  {
    // `hsqs`, and `sqsh` of the big-endian versions before 4.
    name: 'squashfs',
    looksLike: (source) => /^(hsqs|sqsh)$/.test(bytesAt(source, 0, 4)?.toString('latin1') ?? ''),
    load: () => (require('./squashfs/driver') as typeof import('./squashfs/driver')).driver,
  },
];
