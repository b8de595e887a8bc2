/** The ZFS driver. What it reads and refuses: README.md. */
import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { ZfsFileSystem } from './filesystem';
import { bestLabel } from './label';
import { Members } from './members';
import { openState } from './state';

export const driver: FileSystemDriver = {
  name: 'zfs',

  probe(source, ctx) {
    const label = bestLabel(source, ctx);
    if (!label) return undefined;
    return { type: 'zfs_member', uuid: label.pool.toString(16).padStart(16, '0'), label: label.name };
  },

  open(members, ctx, options) {
    const source = members[0];
    const own = source && bestLabel(source, ctx);
    if (!source || !own) throw corrupt('no ZFS label');
    if (!own.sound) ctx.warn('the checksums of the labels are wrong');
    const found = new Members(source, own, ctx, function* () {
      yield* members.slice(1);
      yield* options?.others?.() ?? [];
    });
    return new ZfsFileSystem(openState(own, found, ctx), options?.bootfs);
  },
};
