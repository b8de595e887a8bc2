/** The functions by which names are sorted: of the bytes as signed numbers, with 32 bits. */
import type { ByteString } from '../../lib/bytes/text';
import { HASH } from './layout';

/** Names of one hash are told apart by these bits of an entry's offset. */
export const GENERATIONS = 0x7f;
const HASH_BITS = 0x7fffff80;

/** Undefined where the function is not known. */
export function hashOf(code: number, name: ByteString): number | undefined {
  const bytes = Int8Array.from(Buffer.from(name, 'latin1'));
  const hash = code === HASH.r5 ? r5 : code === HASH.tea ? tea : code === HASH.yura ? rupasov : undefined;
  if (!hash) return undefined;
  // 0 would be among `.` and `..`.
  return hash(bytes) & HASH_BITS || 128;
}

function r5(name: Int8Array): number {
  let a = 0;
  for (const byte of name) a = Math.imul(a + (byte << 4) + (byte >> 4), 11);
  return a;
}

/** Digits with weights that fall from left to right, as if all names were as long as the longest. */
function rupasov(name: Int8Array): number {
  const powers = [1];
  for (let i = 1; i < name.length; i++) powers.push(Math.imul(powers[i - 1]!, 10));
  let a = 0;
  for (let i = 0; i < name.length; i++) a = (a + Math.imul(name[i]! - 48, powers[name.length - 1 - i]!)) | 0;
  for (let i = Math.max(40, name.length); i < 256; i++) a = (a + i) | 0;
  return a << 7;
}

const DELTA = 0x9e3779b9;
const KEY = [0x9464a485, 0x542e1a94] as const;

/** TEA in a Davies-Meyer construction: 6 rounds for each 16 bytes, 10 for what is left. */
function tea(name: Int8Array): number {
  let h0: number = KEY[0];
  let h1: number = KEY[1];
  const core = (rounds: number, [a, b, c, d]: readonly number[]): void => {
    let sum = 0;
    let b0 = h0;
    let b1 = h1;
    for (let n = 0; n < rounds; n++) {
      sum = (sum + DELTA) | 0;
      b0 = (b0 + (((b1 << 4) + a!) ^ (b1 + sum) ^ ((b1 >>> 5) + b!))) | 0;
      b1 = (b1 + (((b0 << 4) + c!) ^ (b0 + sum) ^ ((b0 >>> 5) + d!))) | 0;
    }
    h0 = (h0 + b0) | 0;
    h1 = (h1 + b1) | 0;
  };
  // Bytes are extended with their sign, and so reach into those above.
  const word = (i: number): number =>
    name[i]! | (name[i + 1]! << 8) | (name[i + 2]! << 16) | (name[i + 3]! << 24);
  let at = 0;
  for (; name.length - at >= 16; at += 16) core(6, [word(at), word(at + 4), word(at + 8), word(at + 12)]);
  const left = name.length - at;
  // The length of the name, and not of what is left.
  const pad = name.length * 0x01010101;
  const last = [pad, pad, pad, pad];
  const whole = left >> 2;
  for (let i = 0; i < whole; i++) last[i] = word(at + 4 * i);
  let rest = pad;
  for (let i = at + 4 * whole; i < name.length; i++) rest = (rest << 8) | name[i]!;
  last[whole] = rest;
  core(10, last);
  return h0 ^ h1;
}
