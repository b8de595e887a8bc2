/**
 * The directory hash of names. Source: Documentation/filesystems/ext4/directory.rst; fs/ext4/hash.c for the three
 * functions, of which half-MD4 is the usual one.
 */

/** `hash_version` of a hash tree's root. */
export const HASH = { legacy: 0, half_md4: 1, tea: 2 } as const;

/** The end marker of a listing; a name never hashes to it. */
const END_OF_TREE = 0xfffffffe;

/**
 * @param version one of `HASH`
 * @param signed bytes above 0x7f count as negative numbers, as on the machine that wrote the directory
 * @param seed four words of the superblock
 */
export function nameHash(name: Buffer, version: number, signed: boolean, seed: readonly number[]): number {
  let hash: number;
  if (version === HASH.legacy) hash = legacy(name, signed);
  else {
    const state = seed.some((word) => word !== 0)
      ? Int32Array.from(seed)
      : Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
    const words = new Int32Array(version === HASH.tea ? 4 : 8);
    // The empty name never comes here, so there is one turn at least; names have 255 bytes at most.
    for (let at = 0; at < name.length; at += 4 * words.length) {
      pack(name, at, signed, words);
      if (version === HASH.tea) tea(state, words);
      else halfMd4(state, words);
    }
    hash = version === HASH.tea ? state[0]! : state[1]!;
  }
  const even = (hash & ~1) >>> 0;
  return even === END_OF_TREE ? END_OF_TREE - 2 : even;
}

const byteOf = (name: Buffer, at: number, signed: boolean) => (signed ? (name[at]! << 24) >> 24 : name[at]!);

function legacy(name: Buffer, signed: boolean): number {
  let current = 0x12a3fe2d;
  let before = 0x37abe8f9;
  for (let i = 0; i < name.length; i++) {
    let next = (before + (current ^ Math.imul(byteOf(name, i, signed), 7152373))) >>> 0;
    if (next & 0x80000000) next = (next - 0x7fffffff) >>> 0;
    before = current;
    current = next;
  }
  return current << 1;
}

/** The bytes from `at` as big-endian words; what is missing is filled with the length of the rest. */
function pack(name: Buffer, at: number, signed: boolean, words: Int32Array): void {
  const rest = name.length - at;
  const fill = rest | (rest << 8) | (rest << 16) | (rest << 24);
  const used = Math.min(rest, 4 * words.length);
  for (let w = 0; w < words.length; w++) {
    let value = fill;
    for (let i = 4 * w; i < Math.min(4 * w + 4, used); i++)
      value = (byteOf(name, at + i, signed) + (value << 8)) | 0;
    words[w] = value;
  }
}

/** Sixteen rounds of the Tiny Encryption Algorithm, added to the first half of the state. */
function tea(state: Int32Array, key: Int32Array): void {
  let x = state[0]!;
  let y = state[1]!;
  let sum = 0;
  for (let round = 0; round < 16; round++) {
    sum = (sum + 0x9e3779b9) | 0;
    x = (x + (((y << 4) + key[0]!) ^ (y + sum) ^ ((y >>> 5) + key[1]!))) | 0;
    y = (y + (((x << 4) + key[2]!) ^ (x + sum) ^ ((x >>> 5) + key[3]!))) | 0;
  }
  state[0] = (state[0]! + x) | 0;
  state[1] = (state[1]! + y) | 0;
}

/** MD4's three round functions over half of its message: word order, and the rotations that repeat every four steps. */
const ROUNDS = [
  { add: 0, order: [0, 1, 2, 3, 4, 5, 6, 7], turns: [3, 7, 11, 19] },
  { add: 0x5a827999, order: [1, 3, 5, 7, 0, 2, 4, 6], turns: [3, 5, 9, 13] },
  { add: 0x6ed9eba1, order: [3, 7, 2, 6, 1, 5, 0, 4], turns: [3, 9, 11, 15] },
] as const;

function halfMd4(state: Int32Array, words: Int32Array): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  for (const [index, round] of ROUNDS.entries())
    for (const [step, word] of round.order.entries()) {
      const mixed = index === 0 ? d ^ (b & (c ^ d)) : index === 1 ? (b & c) + ((b ^ c) & d) : b ^ c ^ d;
      const sum = (a + mixed + words[word]! + round.add) | 0;
      const turn = round.turns[step % 4]!;
      [a, b, c, d] = [d, (sum << turn) | (sum >>> (32 - turn)), b, c];
    }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
}
