import type { Checksums } from '../../lib/bytes/checksum';

const ZEROS = Buffer.alloc(4);

/** CRC-32C of a structure whose sum, little-endian unlike all the rest, stands in it at `at` and counts as zeros. */
export function crcMatches(sums: Checksums, bytes: Buffer, at: number): boolean {
  let crc = sums.crc32c(0xffffffff, bytes, 0, at);
  crc = sums.crc32c(crc, ZEROS);
  crc = sums.crc32c(crc, bytes, at + 4);
  return ~crc >>> 0 === bytes.readUInt32LE(at);
}
