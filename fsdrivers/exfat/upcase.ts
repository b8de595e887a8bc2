/** The volume's own table of capital letters. */
import { corrupt } from '../../lib/bytes/errors';
import { readBytes } from '../../lib/source/types';
import { UPCASE_MOST, UPCASE_RUN, UpcaseEntry } from './layout';
import type { ExfatVolume } from './volume';

/** a to z alone: what every table maps, and all there is without one. */
export function plainTable(): Uint16Array {
  const table = new Uint16Array(65536);
  for (let i = 0; i < table.length; i++) table[i] = i;
  for (let i = 0x61; i <= 0x7a; i++) table[i] = i - 0x20;
  return table;
}

/**
 * @param entry the root's entry for the table
 * @throws GuestError `corrupt`
 */
export function readUpcase(volume: ExfatVolume, entry: Buffer): Uint16Array {
  const e = UpcaseEntry.read(entry);
  const length = e.DataLength;
  if (length === 0 || length > UPCASE_MOST || length % 2 !== 0)
    throw corrupt(`up-case table of ${length} bytes, allowed 2 to ${UPCASE_MOST}`);
  const parts: Buffer[] = [];
  for (const { at, length: bytes } of volume.regions(
    { firstCluster: e.FirstCluster, noFatChain: false },
    length,
  ))
    parts.push(readBytes(volume.source, at, bytes, volume.ctx));
  const bytes = Buffer.concat(parts);
  if (bytes.length < length) throw corrupt(`up-case table of ${length} bytes in a chain of ${bytes.length}`);
  let sum = 0;
  for (const byte of bytes) sum = (((sum << 31) | (sum >>> 1)) + byte) | 0;
  if (sum >>> 0 !== e.TableChecksum)
    volume.ctx.warn('exFAT up-case table: wrong checksum, used as it stands');
  const table = plainTable();
  for (let i = 0, character = 0; i < length && character < 65536; i += 2) {
    const to = bytes.readUInt16LE(i);
    // Section 7.2.5.1: as many characters as the next number says map to themselves.
    if (to === UPCASE_RUN && i + 2 < length && character !== UPCASE_RUN) {
      const end = Math.min(65536, character + bytes.readUInt16LE(i + 2));
      for (; character < end; character++) table[character] = character;
      i += 2;
    } else table[character++] = to;
  }
  return table;
}
