/**
 * Is what a person typed the password that the guest's configuration keeps? Nothing here throws or takes long, whatever
 * the configuration says: a value that is malformed, or that would take more than about two seconds, matches nothing.
 */
import { createHash, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import type { Password } from '../../lib/boot/model';
import { type ByteString, fromBytes, toBytes } from '../../lib/bytes/text';
import { md5crypt } from './md5crypt';
import { shaCrypt } from './shacrypt';

/** Bytes of a password that is hashed; GRUB reads no more either. */
const TYPED_BYTES = 1024;

/** PBKDF2's iterations of all blocks of 64 bytes: half a microsecond each. GRUB's own tool makes 10,000. */
const PBKDF2_WORK = 3_000_000;

/**
 * SHA-crypt's rounds, each worth its bytes and 1,000 more for the call: 900,000 with a short password. The usual
 * number is 5,000; passlib's, the highest in use, 656,000.
 */
const CRYPT_WORK = 1_000_000_000;

/** Takes as long for different texts as for equal ones. */
function same(a: ByteString, b: ByteString): boolean {
  const digest = (text: ByteString) => createHash('sha256').update(toBytes(text)).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** What follows the hash after another `$` is ignored, as syslinux does. */
function checkCrypt(value: ByteString, typed: ByteString): boolean {
  const md5 = /^\$1\$([^$]{0,8})\$([./0-9A-Za-z]{22})(?:\$|$)/.exec(value);
  if (md5) return same(md5[2]!, md5crypt(toBytes(typed), toBytes(md5[1]!)));
  // The C library writes numbers of rounds without leading zeros and from 1,000 up; no other value equals its own.
  const sha =
    /^\$([56])\$(?:rounds=([1-9]\d{3,8})\$)?(?!rounds=)([^$]{0,16})\$([./0-9A-Za-z]{43}|[./0-9A-Za-z]{86})(?:\$|$)/.exec(
      value,
    );
  if (!sha) return false;
  const [, id, given, salt, hash] = sha;
  const rounds = Number(given ?? 5000);
  if (rounds * (1000 + 2 * typed.length + 80) > CRYPT_WORK) return false;
  return same(hash!, shaCrypt(id === '5' ? 'sha256' : 'sha512', toBytes(typed), toBytes(salt!), rounds));
}

/** GRUB's `grub.pbkdf2.sha512.ITERATIONS.SALT.HASH`, salt and hash in hexadecimal digits. */
function checkPbkdf2(value: ByteString, typed: ByteString): boolean {
  const [, count, salt, hash] =
    /^grub\.pbkdf2\.sha512\.([1-9]\d*)\.((?:[0-9a-f]{2})*)\.((?:[0-9a-f]{2})+)$/i.exec(value) ?? [];
  if (count === undefined || salt === undefined || hash === undefined) return false;
  const length = hash.length / 2;
  // Each block begins with the salt, 128 bytes of which take as long as an iteration, and takes a moment itself.
  const work = Math.ceil(length / 64) * (Number(count) + salt.length / 256 + 2);
  if (work > PBKDF2_WORK) return false;
  const made = pbkdf2Sync(toBytes(typed), Buffer.from(salt, 'hex'), Number(count), length, 'sha512');
  return same(made.toString('hex'), hash.toLowerCase());
}

/** Syslinux' `$4$SALT$BASE64` and `$4$BASE64`: SHA-1 of the salt as it is written and the password. */
function checkSha1(value: ByteString, typed: ByteString): boolean {
  const [, salt, hash] = /^\$4\$(?:([^$]*)\$)?([+/0-9A-Za-z]{27})=?(?:\$|$)/.exec(value) ?? [];
  if (hash === undefined) return false;
  const made = createHash('sha1')
    .update(toBytes((salt ?? '') + typed))
    .digest();
  return same(fromBytes(made), fromBytes(Buffer.from(hash, 'base64')));
}

/** @param typed as bytes of the terminal */
export function checkPassword(password: Password, typed: ByteString): boolean {
  const { scheme, value } = password;
  if (scheme === 'plain') return same(value, typed);
  if (typed.length > TYPED_BYTES) return false;
  try {
    if (scheme === 'crypt') return checkCrypt(value, typed);
    return scheme === 'pbkdf2' ? checkPbkdf2(value, typed) : checkSha1(value, typed);
  } catch {
    // OpenSSL of a host that is set up for FIPS has no MD5.
    return false;
  }
}
