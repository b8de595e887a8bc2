/**
 * Decryption of whole sectors, many in one call. Node has no way to give a cipher a new IV: an object a sector decrypts 40 MB/s, so
 * XTS is made of two calls of ECB over a batch (tweaks, data) and two passes of XOR, and CBC is one stream whose sectors' first
 * blocks are put right afterwards. That is about 1 GB/s.
 *
 * IVs as dm-crypt's (Documentation/admin-guide/device-mapper/dm-crypt.rst; drivers/md/dm-crypt.c): sectors count in 512 bytes
 * whatever their size is. XTS: IEEE 1619-2007, 5.1; the kernel takes the second half of the key for the tweak.
 */
import { type Cipher, createCipheriv, createDecipheriv, type Decipher, getCiphers } from 'node:crypto';
import { corrupt, unsupported } from '../../bytes/errors';
import { printable } from '../../bytes/text';
import { hashOf } from './hash';

const BLOCK = 16;
/** Bytes that are decrypted in one call: larger ones are mapped and unmapped by malloc each time. */
export const BATCH = 64 * 1024;

type Ivs = (into: Buffer, at: number, sector: number) => void;

/** Ciphers of 16-byte blocks whose names mean the same to the kernel and to OpenSSL. */
const CIPHERS = ['aes', 'camellia', 'aria', 'sm4'];

const low = (n: number): number => n % 0x1_0000_0000;
const high = (n: number): number => Math.floor(n / 0x1_0000_0000);

const PLAIN: Record<string, Ivs> = {
  plain: (into, at, sector) => into.writeUInt32LE(low(sector), at),
  plain64: (into, at, sector) => {
    into.writeUInt32LE(low(sector), at);
    into.writeUInt32LE(high(sector), at + 4);
  },
  plain64be: (into, at, sector) => {
    into.writeUInt32BE(high(sector), at + 8);
    into.writeUInt32BE(low(sector), at + 12);
  },
  null: () => {},
};

function ecb(cipher: string, key: Uint8Array): string {
  const name = `${cipher}-${key.length * 8}-ecb`;
  const own = cipher === 'sm4' ? 'sm4-ecb' : name;
  if (!getCiphers().includes(own) || ![16, 24, 32].includes(key.length))
    throw unsupported(`${cipher} with a key of ${key.length * 8} bits`);
  return own;
}

function encrypter(cipher: string, key: Uint8Array): Cipher {
  return createCipheriv(ecb(cipher, key), key, null).setAutoPadding(false);
}

/** What turns sectors of ciphertext into plaintext. */
export class SectorCipher {
  readonly #mode: 'xts' | 'cbc';
  readonly #plain: Ivs;
  /** ESSIV's: encrypts the sector's number. */
  readonly #essiv: Cipher | undefined;
  /** XTS: encrypts the IV. */
  readonly #tweak: Cipher | undefined;
  readonly #data: Decipher;
  /** CBC: the ciphertext block that the stream has seen last. */
  readonly #last = Buffer.alloc(BLOCK);
  readonly #tweaks: Int32Array | undefined;

  /**
   * @param spec `aes-xts-plain64`, `aes-cbc-essiv:sha256`
   * @param key not kept; the caller's to wipe
   * @throws GuestError `unsupported`, `corrupt`
   */
  constructor(spec: string, key: Uint8Array) {
    const match = /^([a-z0-9]+)-(xts|cbc)-(plain|plain64|plain64be|null|essiv:[a-z0-9-]+)$/.exec(spec);
    const [, cipher = '', mode = '', iv = ''] = match ?? [];
    if (!match || !CIPHERS.includes(cipher)) throw unsupported(`encryption '${printable(spec, 60)}'`);
    const half = mode === 'xts' ? key.length / 2 : key.length;
    if (!Number.isInteger(half)) throw corrupt(`a key of ${key.length} bytes for XTS`);
    this.#mode = mode as 'xts' | 'cbc';
    const dataKey = key.subarray(0, half);
    if (mode === 'xts') {
      this.#data = createDecipheriv(ecb(cipher, dataKey), dataKey, null).setAutoPadding(false);
      this.#tweak = encrypter(cipher, key.subarray(half));
      this.#tweaks = new Int32Array(BATCH / 4);
    } else {
      const name = ecb(cipher, dataKey).replace('-ecb', '-cbc');
      this.#data = createDecipheriv(name, dataKey, this.#last).setAutoPadding(false);
    }
    if (iv.startsWith('essiv:')) {
      const salt = hashOf(iv.slice('essiv:'.length), key);
      this.#essiv = encrypter(cipher, salt);
      salt.fill(0);
    }
    this.#plain = PLAIN[iv] ?? PLAIN.plain64!;
  }

  /**
   * Decrypts in place.
   * @param data whole sectors, at most BATCH bytes, in a buffer that is aligned to 4 bytes
   * @param first number of the first sector for its IV, in 512 bytes
   */
  decrypt(data: Buffer, first: number, sectorSize: number): void {
    const count = data.length / sectorSize;
    let ivs: Buffer = Buffer.alloc(count * BLOCK);
    for (let i = 0; i < count; i++) this.#plain(ivs, i * BLOCK, first + (i * sectorSize) / 512);
    if (this.#essiv) ivs = this.#essiv.update(ivs);
    if (this.#mode === 'xts') this.#xts(data, words(this.#tweak!.update(ivs)), sectorSize);
    else this.#cbc(data, words(ivs), sectorSize);
  }

  #xts(data: Buffer, first: Int32Array, sectorSize: number): void {
    const mask = this.#tweaks!;
    const x = words(data);
    const each = sectorSize / 4;
    for (let s = 0, at = 0; at < x.length; s += 4) {
      let a = first[s]!;
      let b = first[s + 1]!;
      let c = first[s + 2]!;
      let d = first[s + 3]!;
      for (const end = at + each; at < end; at += 4) {
        mask[at] = a;
        mask[at + 1] = b;
        mask[at + 2] = c;
        mask[at + 3] = d;
        x[at]! ^= a;
        x[at + 1]! ^= b;
        x[at + 2]! ^= c;
        x[at + 3]! ^= d;
        // Times x in GF(2^128), modulo x^128 + x^7 + x^2 + x + 1.
        const carry = (d >> 31) & 0x87;
        d = (d << 1) | (c >>> 31);
        c = (c << 1) | (b >>> 31);
        b = (b << 1) | (a >>> 31);
        a = (a << 1) ^ carry;
      }
    }
    const y = words(this.#data.update(data));
    for (let i = 0; i < x.length; i++) x[i] = y[i]! ^ mask[i]!;
  }

  #cbc(data: Buffer, ivs: Int32Array, sectorSize: number): void {
    const x = words(data);
    const plain = words(this.#data.update(data));
    const each = sectorSize / 4;
    // The stream has XORed the last block of the sector before: out with that, in with the IV.
    let before = words(this.#last);
    let from = 0;
    for (let s = 0, at = 0; at < x.length; s += 4, at += each) {
      for (let i = 0; i < 4; i++) plain[at + i]! ^= before[from + i]! ^ ivs[s + i]!;
      before = x;
      from = at + each - 4;
    }
    data.copy(this.#last, 0, data.length - BLOCK);
    x.set(plain);
  }
}

/** The bytes as 32-bit words in the machine's order, which XOR does not mind; XTS's doubling needs a little-endian one, as are all of Node's but s390x. */
function words(bytes: Buffer): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Buffer.from(Uint8Array.from(bytes).buffer);
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}
