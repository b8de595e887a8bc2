/**
 * CRC-32 as in ISO 3309, zip, GPT: reflected polynomial 0xedb88320, start and end inverted.
 *
 * A GPT's 16 KiB of entries are nearly all zeros, and a program that has just started runs its loops in an interpreter:
 * so the table takes half a byte, and a long run of zeros at the end is one multiplication by a power of x instead of a
 * loop (2 ms less at each start).
 */
const POLYNOMIAL = 0xedb88320;

/** The product of two polynomials modulo the CRC's; bit 31 is x^0. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product;
}

/** x to the power of 8 × `bytes`. */
function power(bytes: number): number {
  let result = 1 << 31;
  let square = 1 << 23;
  for (let n = bytes; n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result = multiply(result, square);
    square = multiply(square, square);
  }
  return result;
}

/** Where the zeros begin that end `bytes`. */
function withoutZeros(bytes: Uint8Array): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const zeros = Buffer.alloc(256);
  let end = bytes.length;
  while (end >= zeros.length && view.compare(zeros, 0, zeros.length, end - zeros.length, end) === 0)
    end -= zeros.length;
  return end;
}

/** @param parts hashed one after the other */
export function crc32(...parts: readonly Uint8Array[]): number {
  const table = Int32Array.from({ length: 16 }, (_, i) => {
    let row = i;
    for (let bit = 0; bit < 4; bit++) row = row & 1 ? (row >>> 1) ^ POLYNOMIAL : row >>> 1;
    return row;
  });
  let sum = -1;
  for (const bytes of parts) {
    const end = withoutZeros(bytes);
    for (let i = 0; i < end; i++) {
      sum ^= bytes[i]!;
      sum = (sum >>> 4) ^ table[sum & 15]!;
      sum = (sum >>> 4) ^ table[sum & 15]!;
    }
    if (end < bytes.length) sum = multiply(sum, power(bytes.length - end));
  }
  return ~sum >>> 0;
}
