/** crypt(3)'s `$5$` and `$6$`, after Ulrich Drepper's specification (SHA-crypt.txt, version 0.6). */
import { createHash } from 'node:crypto';
import { cryptDigits } from './encoding';

export type ShaName = 'sha256' | 'sha512';

/** Where the digits come from: triples a third of the digest apart, turned by one place each time. */
function groups(name: ShaName): number[][] {
  const third = name === 'sha256' ? 10 : 21;
  const turn = name === 'sha256' ? 2 : 1;
  const made = Array.from({ length: third }, (_, i) =>
    [0, 1, 2].map((place) => i + third * ((place + turn * i) % 3)),
  );
  return [...made, name === 'sha256' ? [31, 30] : [63]];
}

/** The digest over and over, `length` bytes of it. */
const stretched = (digest: Buffer, length: number) => Buffer.alloc(length, digest);

/** @returns the 43 or 86 digits behind the salt; @param salt at most 16 bytes */
export function shaCrypt(name: ShaName, password: Buffer, salt: Buffer, rounds: number): string {
  const sha = (bytes: Uint8Array) => createHash(name).update(bytes).digest();
  const { length } = password;
  const inner = sha(Buffer.concat([password, salt, password]));
  const first = [password, salt, stretched(inner, length)];
  // For each bit of the length, the lowest first.
  for (let bits = length; bits > 0; bits >>= 1) first.push(bits & 1 ? inner : password);
  let digest = sha(Buffer.concat(first));
  const p = stretched(sha(stretched(password, length * length)), length);
  const s = stretched(sha(stretched(salt, salt.length * (16 + digest[0]!))), salt.length);
  // One update for each round: calls take longer than bytes.
  const round = Buffer.alloc(digest.length + 2 * length + salt.length);
  for (let i = 0; i < rounds; i++) {
    const odd = i % 2 === 1;
    let end = 0;
    const add = (bytes: Buffer) => {
      round.set(bytes, end);
      end += bytes.length;
    };
    add(odd ? p : digest);
    if (i % 3) add(s);
    if (i % 7) add(p);
    add(odd ? digest : p);
    digest = sha(round.subarray(0, end));
  }
  return cryptDigits(digest, groups(name));
}
