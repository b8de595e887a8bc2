/** Directory hashes, against `debugfs -R 'dx_hash -h VERSION [-s SEED] [-c -e utf8] NAME'` of e2fsprogs 1.47.0. */
import t from 'tap';
import { foldName } from '../../../fsdrivers/ext/casefold';
import { HASH, nameHash } from '../../../fsdrivers/ext/hash';
import { checksums } from '../../../lib/bytes/checksum';

/** 01234567-89ab-cdef-fedc-ba9876543210 */
const SEED = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
const NONE = [0, 0, 0, 0];
const bytes = (name: string) => Buffer.from(name, 'utf8');

const KNOWN = [
  ['legacy', false, 'a', 0xe74b53e2],
  ['legacy', false, 'vmlinuz-6.1.0-18-amd64', 0x2c6c2798],
  ['legacy', false, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 0x4e0d46ea],
  [
    'legacy',
    false,
    'abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abc',
    0x161115be,
  ],
  ['legacy', false, 'köln-äöü€', 0x9552d02e],
  ['legacy', true, 'a', 0xe74b53e2],
  ['legacy', true, 'vmlinuz-6.1.0-18-amd64', 0x2c6c2798],
  ['legacy', true, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 0x4e0d46ea],
  [
    'legacy',
    true,
    'abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abc',
    0x161115be,
  ],
  ['legacy', true, 'köln-äöü€', 0x9552d02e],
  ['half_md4', false, 'a', 0xd5fa7d7a],
  ['half_md4', false, 'vmlinuz-6.1.0-18-amd64', 0x395d5f38],
  ['half_md4', false, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 0xebd0861e],
  [
    'half_md4',
    false,
    'abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abc',
    0xab834c1a,
  ],
  ['half_md4', false, 'köln-äöü€', 0xbf3a2f12],
  ['half_md4', true, 'a', 0xd5fa7d7a],
  ['half_md4', true, 'vmlinuz-6.1.0-18-amd64', 0x395d5f38],
  ['half_md4', true, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 0xebd0861e],
  [
    'half_md4',
    true,
    'abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abc',
    0xab834c1a,
  ],
  ['half_md4', true, 'köln-äöü€', 0xbf3a2f12],
  ['tea', false, 'a', 0x6d0ea4c0],
  ['tea', false, 'vmlinuz-6.1.0-18-amd64', 0x30e1382c],
  ['tea', false, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 0xaeca7924],
  [
    'tea',
    false,
    'abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abc',
    0x747139cc,
  ],
  ['tea', false, 'köln-äöü€', 0xb959feb6],
  ['tea', true, 'a', 0x6d0ea4c0],
  ['tea', true, 'vmlinuz-6.1.0-18-amd64', 0x30e1382c],
  ['tea', true, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 0xaeca7924],
  [
    'tea',
    true,
    'abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abc',
    0x747139cc,
  ],
  ['tea', true, 'köln-äöü€', 0xb959feb6],
] as const;

const FOLDED = [
  ['ABC.txt', 0xe271a5f0],
  ['Straße', 0x7e099ecc],
  ['STRAẞE', 0x7e099ecc],
  ['ÄÖÜ-KÖLN', 0x4d9e453c],
  ['ΣΊΣΥΦΟΣ', 0xfa9ced48],
  ['İstanbul', 0xc067bec],
  ['ılık', 0xd8e0d70],
  ['ﬁle', 0x19ccbc2],
  ['ǅungla', 0x1490f582],
  ['ꭰᏸ', 0x4d1d09f0],
  ['\u212a', 0x79a4493a],
  ['µ', 0x12b6d2c6],
  ['ſ', 0xb31b7842],
  ['ŉ', 0xa15d22c0],
  ['ΐ', 0xf45c067e],
  ['\u00adsoft', 0xb494421c],
  ['Ⅷ', 0x7218e8d8],
  ['ᾳ', 0xc0ad7cba],
  ['ᾼ', 0xc0ad7cba],
  ['Ａ', 0xa8048272],
  ['가', 0xcfa375a0],
  ['𐐀', 0x784acbb0],
] as const;

t.test('hashes', async (t) => {
  for (const [version, seeded, name, hash] of KNOWN)
    t.equal(
      nameHash(bytes(name), HASH[version], true, seeded ? SEED : NONE),
      hash,
      `${version} of ${name.slice(0, 20)}`,
    );
});

t.test('signed and unsigned differ only above 0x7f', async (t) => {
  for (const version of Object.values(HASH)) {
    t.equal(nameHash(bytes('plain'), version, true, SEED), nameHash(bytes('plain'), version, false, SEED));
    t.not(nameHash(bytes('köln'), version, true, SEED), nameHash(bytes('köln'), version, false, SEED));
  }
});

t.test('folded names', async (t) => {
  for (const [name, hash] of FOLDED)
    t.equal(nameHash(foldName(bytes(name).toString('latin1'))!, HASH.half_md4, true, NONE), hash, name);
  t.equal(foldName('\xff'), undefined, 'not UTF-8');
  t.equal(foldName('\xed\xa0\x80'), undefined, 'a surrogate is not UTF-8');
  t.same(foldName('A'.repeat(255)), Buffer.alloc(255, 'a'));
});

t.test('checksums', async (t) => {
  const sums = checksums();
  const check = Buffer.from('123456789');
  // The check values of the catalogue of parametrised CRC algorithms.
  t.equal(~sums.crc32c(0xffffffff, check) >>> 0, 0xe3069283, 'CRC-32/ISCSI');
  t.equal(sums.crc16(0xffff, check), 0x4b37, 'CRC-16/MODBUS');
  t.equal(sums.crc32be(0xffffffff, check), 0x0376e6e7, 'CRC-32/MPEG-2');
  const long = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) & 255));
  for (const cut of [0, 1, 7, 8, 9, 500, 999])
    t.equal(
      sums.crc32c(sums.crc32c(5, long, 0, cut), long, cut),
      sums.crc32c(5, long),
      `parts of ${cut} and ${1000 - cut} bytes chain`,
    );
});
