import { corrupt } from '../../lib/bytes/errors';
import type { FileSystemDriver } from '../../lib/fs/types';
import { readTrees } from './descriptors';
import { IsoFileSystem } from './filesystem';
import { chooseRoot } from './root';

/** ISO 9660 with Rock Ridge, Joliet, zisofs. */
export const driver: FileSystemDriver = {
  name: 'iso9660',

  probe(source, ctx) {
    const trees = readTrees(source, ctx);
    const tree = trees?.primary ?? trees?.Joliet ?? trees?.enhanced;
    if (!tree) return undefined;
    return {
      type: 'iso9660',
      ...(tree.uuid === undefined ? {} : { uuid: tree.uuid }),
      ...(tree.label === undefined ? {} : { label: tree.label }),
    };
  },

  open(members, ctx) {
    const source = members[0];
    const trees = source && readTrees(source, ctx);
    if (!trees) throw corrupt('no volume descriptor of an ISO 9660 filesystem');
    return new IsoFileSystem(chooseRoot(source, trees, ctx));
  },
};
