/** Is this LUKS? Small, for those who only want to know. */
import { GuestError } from '../../bytes/errors';
import type { BlockSource } from '../../source/types';

/** The version that the first header claims, or undefined where there is none, or it cannot be read. */
export function luksVersion(source: BlockSource): number | undefined {
  if (source.size < 8) return undefined;
  const into = Buffer.allocUnsafeSlow(8);
  try {
    source.read(0, into);
  } catch (error) {
    // An array without its members. Whoever reads it for its files says so.
    if (!(error instanceof GuestError)) throw error;
    return undefined;
  }
  return into.toString('latin1', 0, 6) === 'LUKS\xba\xbe' ? into.readUInt16BE(6) : undefined;
}
