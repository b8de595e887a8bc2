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

/** Rows of the table of products, which never change; each is made when it is first wanted. */
const rows: Uint8Array[] = [];

function row(factor: number): Uint8Array {
  let made = rows[factor];
  if (!made) {
    made = Uint8Array.from({ length: 256 }, (_, i) => times(i, factor));
    rows[factor] = made;
  }
  return made;
}

/** 1/a. `a` is not 0. */
export const inverse = (a: number): number => row(a).indexOf(1);

const inWords = (bytes: Uint8Array): boolean => bytes.byteOffset % 4 === 0;
const words = (bytes: Uint8Array): Uint32Array =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);

/** into ^= factor·bytes */
export function add(into: Uint8Array, bytes: Uint8Array, factor = 1): void {
  if (factor !== 1) {
    const table = row(factor);
    for (let i = 0; i < into.length; i++) into[i]! ^= table[bytes[i]!]!;
    return;
  }
  let done = 0;
  if (inWords(into) && inWords(bytes)) {
    const [to, from] = [words(into), words(bytes)];
    for (let i = 0; i < to.length; i++) to[i]! ^= from[i]!;
    done = to.length * 4;
  }
  for (let i = done; i < into.length; i++) into[i]! ^= bytes[i]!;
}

/** bytes *= factor */
export function scale(bytes: Uint8Array, factor: number): void {
  if (factor === 1) return;
  const table = row(factor);
  for (let i = 0; i < bytes.length; i++) bytes[i] = table[bytes[i]!]!;
}
