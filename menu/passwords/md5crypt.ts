/** crypt(3)'s `$1$`, after Poul-Henning Kamp's description of his algorithm for FreeBSD. */
import { createHash } from 'node:crypto';
import { cryptDigits } from './encoding';

const ROUNDS = 1000;

const md5 = (...parts: Uint8Array[]) => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** @returns the 22 digits behind the salt; @param salt at most 8 bytes */
export function md5crypt(password: Buffer, salt: Buffer): string {
  const inner = md5(password, salt, password);
  const first = [password, Buffer.from('$1$'), salt];
  for (let left = password.length; left > 0; left -= 16) first.push(inner.subarray(0, left));
  // One byte for each bit of the length, the lowest first: a NUL for 1, the password's first byte for 0.
  for (let bits = password.length; bits > 0; bits >>= 1)
    first.push(bits & 1 ? Buffer.alloc(1) : password.subarray(0, 1));
  let digest = md5(...first);
  const none = Buffer.alloc(0);
  for (let i = 0; i < ROUNDS; i++) {
    const odd = i % 2 === 1;
    digest = md5(
      odd ? password : digest,
      i % 3 ? salt : none,
      i % 7 ? password : none,
      odd ? digest : password,
    );
  }
  return cryptDigits(digest, [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5], [11]]);
}
