/**
 * BLAKE2b with 32 bytes of output and no key (RFC 7693): Node has only the one of 64, and the length goes into the start
 * values. In 32-bit halves: BigInt takes many times as long.
 */

/** Start values of SHA-512: low half, high half. */
const IV = Uint32Array.of(
  0xf3bcc908,
  0x6a09e667,
  0x84caa73b,
  0xbb67ae85,
  0xfe94f82b,
  0x3c6ef372,
  0x5f1d36f1,
  0xa54ff53a,
  0xade682d1,
  0x510e527f,
  0x2b3e6c1f,
  0x9b05688c,
  0xfb41bd6b,
  0x1f83d9ab,
  0x137e2179,
  0x5be0cd19,
);

/** Which words of the message each of the ten rounds takes (section 2.7). */
const SIGMA = Uint8Array.from(
  [
    '0123456789abcdef',
    'ea489fd61c02b753',
    'b8c052fdae367194',
    '7931dcbe265a40f8',
    '905724afe1bc683d',
    '2c6a0b834d75fe19',
    'c51fed4a0763928b',
    'db7ec13950f4862a',
    '6fe9b308c2d714a5',
    'a2847615fb9e3cd0',
  ]
    .join('')
    .split(''),
  (digit) => Number.parseInt(digit, 16) * 2,
);
/** Columns, then diagonals: the four words that each of the eight steps of a round mixes (section 3.2). */
const MIX = Uint8Array.of(
  0,
  8,
  16,
  24,
  2,
  10,
  18,
  26,
  4,
  12,
  20,
  28,
  6,
  14,
  22,
  30,
  0,
  10,
  20,
  30,
  2,
  12,
  22,
  24,
  4,
  14,
  16,
  26,
  6,
  8,
  18,
  28,
);
const ROUNDS = 12;
const BLOCK = 128;
const OUTPUT = 32;

/** All of `data` as 32 bytes. */
export function blake2b256(data: Uint8Array): Buffer {
  const h = Uint32Array.from(IV);
  // One byte each: bytes of output, of key, fanout, depth.
  h[0]! ^= 0x01010000 ^ OUTPUT;
  const v = new Uint32Array(32);
  const m = new Uint32Array(32);
  const last = Math.max(0, Math.ceil(data.length / BLOCK) - 1) * BLOCK;
  for (let at = 0; at <= last; at += BLOCK) {
    const final = at === last;
    let block = data.subarray(at, at + BLOCK);
    if (block.length < BLOCK) {
      const padded = new Uint8Array(BLOCK);
      padded.set(block);
      block = padded;
    }
    for (let i = 0; i < 32; i++) {
      const p = i * 4;
      m[i] = block[p]! | (block[p + 1]! << 8) | (block[p + 2]! << 16) | (block[p + 3]! << 24);
    }
    v.set(h);
    v.set(IV, 16);
    const done = final ? data.length : at + BLOCK;
    v[24]! ^= done % 2 ** 32;
    v[25]! ^= Math.floor(done / 2 ** 32);
    if (final) {
      v[28]! ^= 0xffffffff;
      v[29]! ^= 0xffffffff;
    }
    for (let round = 0; round < ROUNDS; round++) {
      const s = (round % 10) * 16;
      for (let step = 0; step < 8; step++) {
        const a = MIX[step * 4]!;
        const b = MIX[step * 4 + 1]!;
        const c = MIX[step * 4 + 2]!;
        const d = MIX[step * 4 + 3]!;
        let low: number;
        let x: number;
        let y: number;
        // a += b + first word; d = (d ^ a) by 32
        x = SIGMA[s + step * 2]!;
        low = v[a]! + v[b]! + m[x]!;
        v[a + 1] = v[a + 1]! + v[b + 1]! + m[x + 1]! + Math.floor(low / 2 ** 32);
        v[a] = low;
        x = v[d]! ^ v[a]!;
        v[d] = v[d + 1]! ^ v[a + 1]!;
        v[d + 1] = x;
        // c += d; b = (b ^ c) by 24
        low = v[c]! + v[d]!;
        v[c + 1] = v[c + 1]! + v[d + 1]! + (low > 0xffffffff ? 1 : 0);
        v[c] = low;
        x = v[b]! ^ v[c]!;
        y = v[b + 1]! ^ v[c + 1]!;
        v[b] = (x >>> 24) | (y << 8);
        v[b + 1] = (y >>> 24) | (x << 8);
        // a += b + second word; d = (d ^ a) by 16
        x = SIGMA[s + step * 2 + 1]!;
        low = v[a]! + v[b]! + m[x]!;
        v[a + 1] = v[a + 1]! + v[b + 1]! + m[x + 1]! + Math.floor(low / 2 ** 32);
        v[a] = low;
        x = v[d]! ^ v[a]!;
        y = v[d + 1]! ^ v[a + 1]!;
        v[d] = (x >>> 16) | (y << 16);
        v[d + 1] = (y >>> 16) | (x << 16);
        // c += d; b = (b ^ c) by 63
        low = v[c]! + v[d]!;
        v[c + 1] = v[c + 1]! + v[d + 1]! + (low > 0xffffffff ? 1 : 0);
        v[c] = low;
        x = v[b]! ^ v[c]!;
        y = v[b + 1]! ^ v[c + 1]!;
        v[b] = (x << 1) | (y >>> 31);
        v[b + 1] = (y << 1) | (x >>> 31);
      }
    }
    for (let i = 0; i < 16; i++) h[i]! ^= v[i]! ^ v[i + 16]!;
  }
  const out = Buffer.alloc(OUTPUT);
  for (let i = 0; i < OUTPUT / 4; i++) out.writeUInt32LE(h[i]!, i * 4);
  return out;
}
