/**
 * Arithmetic in GF(2^8) with the polynomial x^8+x^4+x^3+x^2+1 (0x11d) and the generator 2, as RAID 6 has it: H. P. Anvin,
 * "The mathematics of RAID-6".
 */

/** a·b, bit by bit: for the few factors that are not in a table. */
export function times(a: number, b: number): number {
  let product = 0;
  for (let x = a, y = b; y > 0; y >>= 1) {
    if (y & 1) product ^= x;
    x = (x << 1) ^ (x & 0x80 ? 0x11d : 0);
  }
  return product;
}

/** 2^n */
export function power(n: number): number {
  let value = 1;
  for (let i = 0; i < n % 255; i++) value = (value << 1) ^ (value & 0x80 ? 0x11d : 0);
  return value;
}

/** 1/a: a^254. `a` is not 0. */
export function inverse(a: number): number {
  let value = 1;
  for (let i = 0; i < 254; i++) value = times(value, a);
  return value;
}

/** into ^= factor·bytes */
export function add(into: Uint8Array, bytes: Uint8Array, factor = 1): void {
  if (factor === 1) {
    for (let i = 0; i < into.length; i++) into[i]! ^= bytes[i]!;
    return;
  }
  const table = new Uint8Array(256);
  for (let i = 0; i < 256; i++) table[i] = times(i, factor);
  for (let i = 0; i < into.length; i++) into[i]! ^= table[bytes[i]!]!;
}

/** bytes *= factor */
export function scale(bytes: Uint8Array, factor: number): void {
  if (factor === 1) return;
  const table = new Uint8Array(256);
  for (let i = 0; i < 256; i++) table[i] = times(i, factor);
  for (let i = 0; i < bytes.length; i++) bytes[i] = table[bytes[i]!]!;
}
