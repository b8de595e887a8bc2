/**
 * CRC-32 as in ISO 3309, zip, GPT: reflected polynomial 0xedb88320, start and end inverted.
 * @param parts hashed one after the other
 */
export function crc32(...parts: readonly Uint8Array[]): number {
  // Built for each call: 256 rows cost less than the 16 KiB they are used for, and nothing is kept at start-up.
  const table = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let row = i;
    for (let bit = 0; bit < 8; bit++) row = row & 1 ? (row >>> 1) ^ 0xedb88320 : row >>> 1;
    table[i] = row;
  }
  let sum = -1;
  for (const bytes of parts)
    for (let i = 0; i < bytes.length; i++) sum = (sum >>> 8) ^ table[(sum ^ bytes[i]!) & 0xff]!;
  return ~sum >>> 0;
}
