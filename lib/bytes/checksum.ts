/**
 * CRC-32C (Castagnoli) and CRC-16 (ANSI, reflected) as the kernel's crc32c_le() and crc16() compute them: the caller
 * gives the start value, and the result is not inverted, so that calls chain.
 */

/** Tables are made at the first use and belong to whoever verifies: no state in the module. */
export interface Checksums {
  /** @param seed the value so far, as an unsigned 32-bit number */
  crc32c(seed: number, data: Uint8Array, from?: number, to?: number): number;
  /** crc32_le() of the kernel: Ethernet's CRC, reflected, neither inverted before nor after. */
  crc32(seed: number, data: Uint8Array, from?: number, to?: number): number;
  crc16(seed: number, data: Uint8Array, from?: number, to?: number): number;
  /** The CRC of Ethernet, most significant bit first: crc32_be(), in the journal's first kind of checksums. */
  crc32be(seed: number, data: Uint8Array): number;
}

/** Eight tables of 256: `table[256 * k + b]` is byte `b` followed by `k` zero bytes. */
function slicedTable(polynomial: number): Int32Array {
  const table = new Int32Array(8 * 256);
  // Eight of them are worked out, the others are their sums: a CRC is linear.
  for (let bit = 128, crc = 1; bit > 0; bit >>= 1) {
    crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    for (let b = 0; b < 256; b += 2 * bit) table[b + bit] = crc ^ table[b]!;
  }
  for (let i = 256; i < table.length; i++) {
    const shorter = table[i - 256]!;
    table[i] = (shorter >>> 8) ^ table[shorter & 0xff]!;
  }
  return table;
}

function forwardTable(polynomial: number): Int32Array {
  const table = new Int32Array(256);
  for (let b = 0; b < 256; b++) {
    let crc = b << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ polynomial : crc << 1;
    table[b] = crc;
  }
  return table;
}

function update(t: Int32Array, seed: number, data: Uint8Array, from: number, to: number): number {
  let crc = seed | 0;
  let p = from;
  for (const last = to - 8; p <= last; p += 8) {
    const low = crc ^ (data[p]! | (data[p + 1]! << 8) | (data[p + 2]! << 16) | (data[p + 3]! << 24));
    crc =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + data[p + 4]!]! ^
      t[512 + data[p + 5]!]! ^
      t[256 + data[p + 6]!]! ^
      t[data[p + 7]!]!;
  }
  for (; p < to; p++) crc = (crc >>> 8) ^ t[(crc ^ data[p]!) & 0xff]!;
  return crc >>> 0;
}

export function checksums(): Checksums {
  let castagnoli: Int32Array | undefined;
  let reflected: Int32Array | undefined;
  let ansi: Int32Array | undefined;
  let ethernet: Int32Array | undefined;
  return {
    crc32c(seed, data, from = 0, to = data.length) {
      castagnoli ??= slicedTable(0x82f63b78);
      return update(castagnoli, seed, data, from, to);
    },
    crc32(seed, data, from = 0, to = data.length) {
      reflected ??= slicedTable(0xedb88320);
      return update(reflected, seed, data, from, to);
    },
    crc16(seed, data, from = 0, to = data.length) {
      ansi ??= slicedTable(0xa001);
      let crc = seed & 0xffff;
      for (let p = from; p < to; p++) crc = (crc >>> 8) ^ ansi[(crc ^ data[p]!) & 0xff]!;
      return crc;
    },
    crc32be(seed, data) {
      ethernet ??= forwardTable(0x04c11db7);
      let crc = seed | 0;
      for (let p = 0; p < data.length; p++) crc = (crc << 8) ^ ethernet[(crc >>> 24) ^ data[p]!]!;
      return crc >>> 0;
    },
  };
}

/** A number as the four bytes that checksums are seeded with. */
export function le32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
