/** Is this LUKS? Small, for those who only want to know. */
import type { BlockSource } from '../../source/types';

/** The version that the first header claims, or undefined where there is none. Never throws for what a guest wrote. */
export function luksVersion(source: BlockSource): number | undefined {
  if (source.size < 8) return undefined;
  const into = Buffer.allocUnsafeSlow(8);
  source.read(0, into);
  return into.toString('latin1', 0, 6) === 'LUKS\xba\xbe' ? into.readUInt16BE(6) : undefined;
}
