/**
 * Signatures in a file beside what they sign: CMS (`openssl cms -sign -binary -outform DER|PEM`, PKCS #7 alike), or the bare
 * bytes that `openssl dgst -sha256 -sign` writes.
 */
import { corrupt, GuestError } from '../../bytes/errors';
import type { Content } from '../content';
import { verifies } from './algorithms';
import { checkSigned, DATA, readSignedData } from './cms';
import { type Certificate, pemBlocks } from './x509';

/** Bytes of a signature file; one of CMS with its certificates has 2 kB. */
export const MOST_SIGNATURE = 64 * 1024;

/** @throws GuestError that says why it does not count */
export function checkCms(file: Content, signature: Buffer, trusted: readonly Certificate[]): void {
  const what = 'CMS signature';
  const armour = signature.toString('latin1', 0, 11) === '-----BEGIN ';
  const bytes = armour ? pemBlocks(signature.toString('latin1'))[0]?.bytes : signature;
  if (!bytes) throw corrupt(`${what}: damaged PEM`);
  const data = readSignedData(bytes, what);
  if (data.content) throw corrupt(`${what}: holds its content instead of signing a file`);
  checkSigned(
    data,
    {
      contentType: DATA,
      digest: (hash) => {
        const { createHash } = require('node:crypto') as typeof import('node:crypto');
        const sum = createHash(hash);
        file.all((piece) => void sum.update(piece));
        return sum.digest();
      },
    },
    trusted,
    what,
  );
}

/** A signature without a word of who made it: one of the trusted keys must have, with SHA-256. @throws GuestError */
export function checkRaw(file: Content, signature: Buffer, trusted: readonly Certificate[]): void {
  for (const { key } of trusted) if (verifies(key, 'sha256', (update) => file.all(update), signature)) return;
  throw new GuestError('corrupt', 'raw signature: no trusted key has made it over this content');
}
