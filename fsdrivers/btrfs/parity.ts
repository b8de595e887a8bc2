/**
 * What a missing or damaged stripe of RAID 5 and 6 held. RAID 6 counts in GF(2^8) with the polynomial 0x11d and the generator
 * 2, as md does (H. P. Anvin, "The mathematics of RAID-6").
 */

export class Galois {
  readonly #power = new Uint8Array(512);
  readonly #logarithm = new Uint8Array(256);

  constructor() {
    let value = 1;
    for (let i = 0; i < 255; i++) {
      this.#power[i] = value;
      this.#power[i + 255] = value;
      this.#logarithm[value] = i;
      value = value & 0x80 ? (value << 1) ^ 0x11d : value << 1;
    }
  }

  /** 2^n */
  power(n: number): number {
    return this.#power[n % 255]!;
  }

  inverse(a: number): number {
    return this.#power[255 - this.#logarithm[a]!]!;
  }

  /** `into[i] ^= factor × from[i]` */
  add(into: Uint8Array, from: Uint8Array, factor: number): void {
    const shift = this.#logarithm[factor]!;
    for (let i = 0; i < into.length; i++) {
      const byte = from[i]!;
      if (byte !== 0) into[i]! ^= this.#power[this.#logarithm[byte]! + shift]!;
    }
  }

  /** `bytes[i] *= factor` */
  multiply(bytes: Uint8Array, factor: number): void {
    const shift = this.#logarithm[factor]!;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (byte !== 0) bytes[i] = this.#power[this.#logarithm[byte]! + shift]!;
    }
  }
}

function xor(into: Uint8Array, from: Uint8Array): void {
  for (let i = 0; i < into.length; i++) into[i]! ^= from[i]!;
}

/** Reads the same stretch of a row: of a data stripe by number, or of a parity. */
export interface Row {
  readonly count: number;
  data(i: number): Uint8Array;
  p(): Uint8Array;
  q(): Uint8Array;
}

/** Data stripe `wanted`, by all others and P. */
export function byP(row: Row, wanted: number): Uint8Array {
  const out = row.p();
  for (let i = 0; i < row.count; i++) if (i !== wanted) xor(out, row.data(i));
  return out;
}

/** Data stripe `wanted`, by all others and Q. */
export function byQ(row: Row, wanted: number, galois: Galois): Uint8Array {
  const out = row.q();
  for (let i = 0; i < row.count; i++) if (i !== wanted) galois.add(out, row.data(i), galois.power(i));
  galois.multiply(out, galois.inverse(galois.power(wanted)));
  return out;
}

/** Data stripe `wanted`, by both parities and all others but `other`. */
export function byBoth(row: Row, wanted: number, other: number, galois: Galois): Uint8Array {
  const p = row.p();
  const out = row.q();
  for (let i = 0; i < row.count; i++) {
    if (i === wanted || i === other) continue;
    const bytes = row.data(i);
    xor(p, bytes);
    galois.add(out, bytes, galois.power(i));
  }
  galois.add(out, p, galois.power(other));
  galois.multiply(out, galois.inverse(galois.power(wanted) ^ galois.power(other)));
  return out;
}
