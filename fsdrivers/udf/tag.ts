/** Descriptor tags (3/7.2): what a descriptor is, and whether it arrived whole. */
import { Tag } from './layout';

/** CRC-16 of ITU-T V.41, most significant bit first, from 0. */
function crcTable(): Uint16Array {
  const table = new Uint16Array(256);
  for (let b = 0; b < 256; b++) {
    let crc = b << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    table[b] = crc;
  }
  return table;
}

export class Tags {
  readonly #table = crcTable();

  /**
   * What is wrong with the tag at `at` of a descriptor, in words; undefined: nothing.
   * @param location the block or sector at which it was read
   */
  wrong(b: Buffer, at: number, location: number): string | undefined {
    const t = Tag.read(b, at);
    if (!checksumFits(b, at)) return `tag checksum 0x${t.TagChecksum.toString(16)} does not fit`;
    if (t.TagLocation !== location) return `the tag's location is ${t.TagLocation}`;
    const from = at + Tag.size;
    // A descriptor that goes on beyond what was read is not verified.
    if (from + t.DescriptorCRCLength > b.length) return undefined;
    let crc = 0;
    for (let p = from; p < from + t.DescriptorCRCLength; p++)
      crc = ((crc << 8) & 0xffff) ^ this.#table[(crc >> 8) ^ b[p]!]!;
    return crc === t.DescriptorCRC ? undefined : `CRC 0x${t.DescriptorCRC.toString(16)} does not fit`;
  }
}

/** The sum of the tag's other fifteen bytes. */
export function checksumFits(b: Buffer, at = 0): boolean {
  let sum = 0;
  for (let i = 0; i < Tag.size; i++) if (i !== 4) sum += b[at + i]!;
  return (sum & 0xff) === b[at + 4];
}
