/**
 * Checksums of blocks: four 64-bit words, here as eight 32-bit ones, upper half first. Sources: OpenZFS' zfs_fletcher.c,
 * zio_checksum.c, sha2_zfs.c. Skein, Edon-R and BLAKE3 are not computed.
 */
import { CHECKSUM } from './layout';

export type Words = Uint32Array;

const TWO32 = 2 ** 32;

/** Sums of 64 words of 32 bits, and sums of sums to the fourth degree, stay below 2^53. */
const CHUNK = 64;

/** A 64-bit number in two doubles below 2^32, to which exact sums below 2^53 are added. */
class Sum {
  h = 0;
  l = 0;

  /** `h` and `l` are of the summands. */
  add(h: number, l: number): void {
    const sum = this.l + l;
    const carry = Math.floor(sum / TWO32);
    this.l = sum - carry * TWO32;
    this.h = (this.h + h + carry) % TWO32;
  }
}

/** Aligned 32-bit words in the order of the machine; a copy where that is needed. */
function words(data: Buffer, big: boolean): Uint32Array {
  let bytes = data;
  if (big || data.byteOffset % 4 !== 0) {
    bytes = Buffer.allocUnsafeSlow(data.length);
    bytes.set(data);
    if (big) bytes.swap32();
  }
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

/**
 * a += word, b += a, c += b, d += c over 32-bit words, each sum of 64 bits. A chunk's own sums are exact in doubles, and what
 * came before contributes by binomials.
 */
export function fletcher4(data: Buffer, big: boolean): Words {
  const w = words(data, big);
  const A = new Sum();
  const B = new Sum();
  const C = new Sum();
  const D = new Sum();
  for (let p = 0; p < w.length; ) {
    const end = Math.min(w.length, p + CHUNK);
    const k = end - p;
    const k2 = (k * (k + 1)) / 2;
    const k3 = (k2 * (k + 2)) / 3;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (; p < end; p++) {
      a += w[p]!;
      b += a;
      c += b;
      d += c;
    }
    D.add(k * C.h + k2 * B.h + k3 * A.h, k * C.l + k2 * B.l + k3 * A.l);
    D.add(0, d);
    C.add(k * B.h + k2 * A.h, k * B.l + k2 * A.l);
    C.add(0, c);
    B.add(k * A.h, k * A.l);
    B.add(0, b);
    A.add(0, a);
  }
  return Uint32Array.of(A.h, A.l, B.h, B.l, C.h, C.l, D.h, D.l);
}

/** Even and odd 64-bit words apart: a += word, b += a. */
export function fletcher2(data: Buffer, big: boolean): Words {
  const w = words(data, big);
  const [upper, lower] = big ? [0, 1] : [1, 0];
  const result = new Uint32Array(8);
  for (const stream of [0, 1]) {
    const A = new Sum();
    const B = new Sum();
    for (let p = 2 * stream; p < w.length; ) {
      const k = Math.min(512, Math.ceil((w.length - p) / 4));
      let al = 0;
      let ah = 0;
      let bl = 0;
      let bh = 0;
      for (let i = 0; i < k; i++, p += 4) {
        al += w[p + lower]!;
        ah += w[p + upper]!;
        bl += al;
        bh += ah;
      }
      B.add(k * A.h, k * A.l);
      B.add(bh % TWO32, bl);
      A.add(ah % TWO32, al);
    }
    result.set([A.h, A.l], 2 * stream);
    result.set([B.h, B.l], 4 + 2 * stream);
  }
  return result;
}

/** The digest's bytes as words, most significant byte first. */
function digest(algorithm: string, data: Uint8Array): Words {
  const { createHash } = require('node:crypto') as typeof import('node:crypto');
  const bytes = createHash(algorithm).update(data).digest();
  return Uint32Array.from({ length: 8 }, (_, i) => bytes.readUInt32BE(4 * i));
}

export const sha256 = (data: Uint8Array): Words => digest('sha256', data);

/** SHA-512/256: unlike SHA-256, the digest's bytes are the words' in the writer's memory. */
function sha512(data: Uint8Array, big: boolean): Words {
  const { createHash } = require('node:crypto') as typeof import('node:crypto');
  const bytes = createHash('sha512-256').update(data).digest();
  if (!big) bytes.swap64();
  return Uint32Array.from({ length: 8 }, (_, i) => bytes.readUInt32BE(4 * i));
}

const NAMES: Readonly<Record<number, string>> = {
  [CHECKSUM.skein]: 'skein',
  [CHECKSUM.edonr]: 'edonr',
  [CHECKSUM.blake3]: 'blake3',
};

export const checksumName = (kind: number): string => NAMES[kind] ?? `checksum ${kind}`;

/** undefined: there is none, or none that is computed here. */
export function checksumOf(kind: number, data: Buffer, big: boolean): Words | undefined {
  switch (kind) {
    case CHECKSUM.fletcher2:
      return fletcher2(data, big);
    case CHECKSUM.fletcher4:
      return fletcher4(data, big);
    case CHECKSUM.sha256:
      return sha256(data);
    case CHECKSUM.sha512:
      return sha512(data, big);
    default:
      return undefined;
  }
}

export const sameWords = (a: Words, b: Words): boolean => a.every((word, i) => word === b[i]);
