/** Is what was typed the password that the configuration has? */
import { createHash, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import type { Password } from '../../lib/boot/model';
import type { ByteString } from '../../lib/bytes/text';
import { cryptLetters } from './crypt';

/** Iterations that are computed, some 2 s of work; grub-mkpasswd-pbkdf2 makes 10,000. A configuration that asks for more has no password. */
const MOST_ITERATIONS = 2_000_000;

/** Bytes of a key that are derived; each 64 cost all iterations again. */
const LONGEST_KEY = 1024;

/** In a time that does not tell where they differ, or how long they are. */
function same(a: Uint8Array | string, b: Uint8Array | string): boolean {
  const [x, y] = [a, b].map((value) => createHash('sha256').update(value).digest());
  return timingSafeEqual(x!, y!);
}

/** GRUB's `grub.pbkdf2.sha512.ITERATIONS.SALT.HASH`, both in hexadecimal. */
function pbkdf2(value: ByteString, typed: Buffer): boolean {
  const parts = /^grub\.pbkdf2\.sha512\.(\d{1,12})\.((?:[0-9a-f]{2})*)\.((?:[0-9a-f]{2})+)$/i.exec(value);
  if (!parts) return false;
  const iterations = Number(parts[1]);
  const [salt, wanted] = [Buffer.from(parts[2]!, 'hex'), Buffer.from(parts[3]!, 'hex')];
  const work = iterations * Math.ceil(wanted.length / 64);
  if (iterations < 1 || work > MOST_ITERATIONS || wanted.length > LONGEST_KEY) return false;
  return same(pbkdf2Sync(typed, salt, iterations, wanted.length, 'sha512'), wanted);
}

/** syslinux' `$4$SALT$BASE64$`: SHA-1 of salt and password (syslinux' sha1pass). */
function sha1(value: ByteString, typed: Buffer): boolean {
  const parts = /^\$4\$([^$]*)\$([A-Za-z0-9+/_-]{27})=?\$?$/.exec(value);
  if (!parts) return false;
  const got = createHash('sha1').update(parts[1]!, 'latin1').update(typed).digest();
  return same(got, Buffer.from(parts[2]!, 'base64'));
}

/**
 * A value that is no password of its scheme is matched by nothing. Takes at most some 2 s, whatever the value says.
 * @param typed bytes
 */
export function checkPassword(password: Password, typed: ByteString): boolean {
  const bytes = Buffer.from(typed, 'latin1');
  switch (password.scheme) {
    case 'plain':
      return same(Buffer.from(password.value, 'latin1'), bytes);
    case 'pbkdf2':
      return pbkdf2(password.value, bytes);
    case 'sha1':
      return sha1(password.value, bytes);
    default: {
      const letters = cryptLetters(password.value, bytes);
      return letters !== undefined && same(letters.wanted, letters.got);
    }
  }
}
