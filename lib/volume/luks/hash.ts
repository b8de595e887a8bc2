/** Digests by the names that cryptsetup gives them. */
import { createHash, getHashes } from 'node:crypto';
import { corrupt, unsupported } from '../../bytes/errors';
import { printable } from '../../bytes/text';

/** The name that Node's crypto has. @throws GuestError `unsupported` */
export function hashName(name: string): string {
  const lower = name.toLowerCase();
  if (/^(sha(1|224|256|384|512)|sha3-(224|256|384|512)|ripemd160|blake2b-512|blake2s-256|sm3)$/.test(lower)) {
    const own = lower.replace(/^blake2([bs])-/, 'blake2$1');
    if (getHashes().includes(own)) return own;
  }
  throw unsupported(`hash '${printable(name, 40)}'`);
}

export function hashOf(name: string, bytes: Uint8Array): Buffer {
  return createHash(hashName(name)).update(bytes).digest();
}

export function digestSize(name: string): number {
  return createHash(hashName(name)).digest().length;
}

/**
 * The second half of the anti-forensic splitter: stripes of key material → the key (LUKS1 specification, 2.4 "AFmerge").
 * @param material at least `stripes * size` bytes
 * @returns a new buffer, the caller's to wipe
 */
export function mergeStripes(material: Buffer, size: number, stripes: number, hash: string): Buffer {
  if (material.length < size * stripes) throw corrupt('key material is cut off');
  const algorithm = hashName(hash);
  const piece = digestSize(hash);
  const key = Buffer.alloc(size);
  const counted = Buffer.alloc(4 + piece);
  for (let stripe = 0; ; stripe++) {
    const from = stripe * size;
    for (let i = 0; i < size; i++) key[i]! ^= material[from + i]!;
    if (stripe === stripes - 1) break;
    for (let i = 0; i * piece < size; i++) {
      const length = Math.min(piece, size - i * piece);
      counted.writeUInt32BE(i, 0);
      key.copy(counted, 4, i * piece, i * piece + length);
      const digest = createHash(algorithm)
        .update(counted.subarray(0, 4 + length))
        .digest();
      digest.copy(key, i * piece, 0, length);
    }
  }
  counted.fill(0);
  return key;
}
