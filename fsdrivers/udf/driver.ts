import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError } from '../../lib/bytes/errors';
import type { FileSystem, FileSystemDriver } from '../../lib/fs/types';
import type { BlockSource } from '../../lib/source/types';
import { Bridge } from './bridge';
import { readLogicalVolume } from './descriptors';
import { UdfFileSystem } from './filesystem';
import { anchors, isBridge } from './recognition';
import { UdfVolume } from './volume';

/** Universal Disk Format 1.02 to 2.60. */
export const driver: FileSystemDriver = {
  name: 'udf',

  probe(source, ctx) {
    if (anchors(source, ctx).next().done) return undefined;
    if (isBridge(source, ctx))
      try {
        // What there is to say is said when it is opened.
        udf(source, { budget: ctx.budget, warn: () => {} });
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        ctx.warn(`the UDF of the disc cannot be read (${error.describe()}), its ISO 9660 is used`);
        return undefined;
      }
    return { type: 'udf' };
  },

  open(members, ctx) {
    const source = members[0]!;
    const fs = udf(source, ctx);
    if (!fs) throw corrupt('no UDF anchor');
    return isBridge(source, ctx) ? Bridge.over(fs, source, ctx) : fs;
  },
};

function udf(source: BlockSource, ctx: Context): FileSystem | undefined {
  const logical = readLogicalVolume(source, ctx);
  return logical && new UdfFileSystem(new UdfVolume(source, logical, ctx));
}
