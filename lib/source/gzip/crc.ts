/** CRC-32 (RFC 1952, section 8) that goes on from what came before: by node:zlib where it has it (Node 22.2), else by eight tables. */

export type Crc = (bytes: Uint8Array, from: number, to: number, before: number) => number;

/** Table k: the CRC of a byte that k zero bytes follow. */
function tables(): Int32Array {
  const all = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let value = n;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    all[n] = value;
  }
  for (let i = 256; i < all.length; i++) all[i] = (all[i - 256]! >>> 8) ^ all[all[i - 256]! & 0xff]!;
  return all;
}

/** @param own for tests: the tables even where Node has the function */
export function makeCrc(own = false): Crc {
  const zlib = require('node:zlib') as { crc32?: (data: Uint8Array, value: number) => number };
  const { crc32 } = zlib;
  if (crc32 && !own) return (bytes, from, to, before) => crc32(bytes.subarray(from, to), before);
  const t = tables();
  return (b, from, to, before) => {
    let crc = ~before;
    let i = from;
    for (; i + 8 <= to; i += 8) {
      const low = crc ^ (b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24));
      crc =
        t[1792 + (low & 0xff)]! ^
        t[1536 + ((low >>> 8) & 0xff)]! ^
        t[1280 + ((low >>> 16) & 0xff)]! ^
        t[1024 + (low >>> 24)]! ^
        t[768 + b[i + 4]!]! ^
        t[512 + b[i + 5]!]! ^
        t[256 + b[i + 6]!]! ^
        t[b[i + 7]!]!;
    }
    for (; i < to; i++) crc = (crc >>> 8) ^ t[(crc ^ b[i]!) & 0xff]!;
    return ~crc >>> 0;
  };
}
