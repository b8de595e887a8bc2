/**
 * crypt(3)'s digests of passwords: MD5 (`$1$`, Poul-Henning Kamp's), SHA-256 (`$5$`) and SHA-512 (`$6$`, Ulrich
 * Drepper's "Unix crypt using SHA-256 and SHA-512").
 */
import { createHash } from 'node:crypto';

const LETTERS = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Rounds that are computed; the specification allows 999,999,999, which takes an hour. 500,000 take some 2 s. */
const MOST_ROUNDS = 500_000;
const DEFAULT_ROUNDS = 5000;

const digest = (name: string, ...parts: Uint8Array[]): Buffer => {
  const hash = createHash(name);
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** Three bytes (the first is the highest) as `count` letters, low bits first. */
function letters(high: number, middle: number, low: number, count: number): string {
  let value = (high << 16) | (middle << 8) | low;
  let out = '';
  for (let i = 0; i < count; i++, value >>>= 6) out += LETTERS[value & 63];
  return out;
}

/** `unit` again and again, cut at `length` bytes. */
function repeated(unit: Buffer, length: number): Buffer {
  const out = Buffer.alloc(length);
  for (let at = 0; at < length; at += unit.length) unit.copy(out, at);
  return out;
}

function md5(password: Buffer, salt: Buffer): string {
  const alternate = digest('md5', password, salt, password);
  const bits: Buffer[] = [];
  for (let length = password.length; length > 0; length >>= 1)
    bits.push(length & 1 ? Buffer.alloc(1) : password.subarray(0, 1));
  let f = digest('md5', password, Buffer.from('$1$'), salt, repeated(alternate, password.length), ...bits);
  for (let round = 0; round < 1000; round++) {
    const odd = (round & 1) === 1;
    const parts = [odd ? password : f];
    if (round % 3 > 0) parts.push(salt);
    if (round % 7 > 0) parts.push(password);
    parts.push(odd ? f : password);
    f = digest('md5', ...parts);
  }
  let out = '';
  for (const [a, b, c] of [
    [0, 6, 12],
    [1, 7, 13],
    [2, 8, 14],
    [3, 9, 15],
    [4, 10, 5],
  ] as const)
    out += letters(f[a]!, f[b]!, f[c]!, 4);
  return out + letters(0, 0, f[11]!, 2);
}

/** Step from one group of three bytes to the next, for the 32 and the 64 bytes of a digest. */
function shaLetters(f: Buffer): string {
  const third = f.length === 32 ? 10 : 21;
  let out = '';
  for (let group = 0, at = [0, third, 2 * third]; group < third; group++) {
    out += letters(f[at[0]!]!, f[at[1]!]!, f[at[2]!]!, 4);
    const [a, b, c] = at as [number, number, number];
    // SHA-256 turns the three to the right each time, SHA-512 to the left.
    at = f.length === 32 ? [c + 1, a + 1, b + 1] : [b + 1, c + 1, a + 1];
  }
  return out + (f.length === 32 ? letters(0, f[31]!, f[30]!, 3) : letters(0, 0, f[63]!, 2));
}

function sha(name: 'sha256' | 'sha512', password: Buffer, salt: Buffer, rounds: number): string {
  const alternate = digest(name, password, salt, password);
  const bits: Buffer[] = [];
  for (let length = password.length; length > 0; length >>= 1) bits.push(length & 1 ? alternate : password);
  let f = digest(name, password, salt, repeated(alternate, password.length), ...bits);
  const passwords = createHash(name);
  for (let i = 0; i < password.length; i++) passwords.update(password);
  const p = repeated(passwords.digest(), password.length);
  const salts = createHash(name);
  for (let i = 0; i < 16 + f[0]!; i++) salts.update(salt);
  const s = repeated(salts.digest(), salt.length);
  for (let round = 0; round < rounds; round++) {
    const odd = (round & 1) === 1;
    const parts = [odd ? p : f];
    if (round % 3 > 0) parts.push(s);
    if (round % 7 > 0) parts.push(p);
    parts.push(odd ? f : p);
    f = digest(name, ...parts);
  }
  return shaLetters(f);
}

/**
 * @param setting `$1$salt$…`, `$5$salt$…`, `$6$rounds=N$salt$…`
 * @returns the letters behind the last `$`, of the setting and of the typed password; undefined where the setting is
 *   none of these or asks for too much
 */
export function cryptLetters(setting: string, typed: Buffer): { wanted: string; got: string } | undefined {
  const old = /^\$1\$([^$]{0,8})[^$]*\$([./0-9A-Za-z]{22})$/.exec(setting);
  if (old) return { wanted: old[2]!, got: md5(typed, Buffer.from(old[1]!, 'latin1')) };
  const parts =
    /^\$([56])\$(?:rounds=(\d{1,12})\$)?([^$]{0,16})[^$]*\$([./0-9A-Za-z]{43}|[./0-9A-Za-z]{86})$/.exec(
      setting,
    );
  if (!parts) return undefined;
  const [, kind, given, salt, wanted] = parts;
  const rounds = given === undefined ? DEFAULT_ROUNDS : Math.max(Number(given), 1000);
  // A long password makes its own square of work.
  if (rounds > MOST_ROUNDS || typed.length > 1024) return undefined;
  const name = kind === '5' ? 'sha256' : 'sha512';
  return { wanted: wanted!, got: sha(name, typed, Buffer.from(salt!, 'latin1'), rounds) };
}
