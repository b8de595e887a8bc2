/** RAID of mainboards and controllers: named, not read. */
import type { Context } from '../../bytes/budget';
import { type BlockSource, readBytes } from '../../source/types';

/** SNIA's DDF: the anchor header in the last sector. */
const DDF = 0xde11de11;
/** Intel's IMSM: in the last sector but one. */
const IMSM = 'Intel Raid ISM Cfg Sig. ';

/** @returns what it is called, or undefined */
export function foreignRaid(source: BlockSource, ctx: Context): string | undefined {
  const end = Math.floor(source.size / 512) * 512;
  if (end < 1024) return undefined;
  const last = readBytes(source, end - 1024, 1024, ctx);
  if (last.readUInt32BE(512) === DDF) return 'DDF';
  if (last.toString('latin1', 0, IMSM.length) === IMSM) return 'IMSM (Intel Matrix Storage)';
  return undefined;
}
