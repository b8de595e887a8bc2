/** Sectors, compared with OpenSSL's own modes, one context a sector; derivation, with published values. */
import { createCipheriv, createHash } from 'node:crypto';
import t from 'tap';
import { argon2 } from '../../../lib/volume/luks/argon2';
import { argon2 as wasm } from '../../../lib/volume/luks/argon2-wasm';
import { BATCH, SectorCipher } from '../../../lib/volume/luks/cipher';
import { mergeStripes } from '../../../lib/volume/luks/hash';
import { context } from '../../support';

const pattern = (length: number) =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8) * 13) & 0xff).buffer);

type Iv = (sector: number, key: Buffer) => Buffer;
const plain64: Iv = (sector) => {
  const iv = Buffer.alloc(16);
  iv.writeBigUInt64LE(BigInt(sector));
  return iv;
};
const ivs: Record<string, Iv> = {
  plain64,
  plain: (sector) => plain64(sector % 2 ** 32, Buffer.alloc(0)),
  plain64be: (sector) => {
    const iv = Buffer.alloc(16);
    iv.writeBigUInt64BE(BigInt(sector), 8);
    return iv;
  },
  null: () => Buffer.alloc(16),
  'essiv:sha256': (sector, key) => {
    const c = createCipheriv('aes-256-ecb', createHash('sha256').update(key).digest(), null).setAutoPadding(
      false,
    );
    return c.update(plain64(sector, key));
  },
};

for (const [mode, keys, names] of [
  ['xts', [32, 64], ['plain', 'plain64', 'plain64be', 'null']],
  ['cbc', [16, 24, 32], ['plain', 'plain64', 'essiv:sha256']],
] as const)
  for (const size of keys)
    for (const name of names)
      t.test(`aes-${mode}-${name}, ${size} bytes`, async (t) => {
        const key = pattern(size + 5).subarray(5);
        const bits = (mode === 'xts' ? size / 2 : size) * 8;
        const ours = new SectorCipher(`aes-${mode}-${name}`, key);
        for (const sectorSize of [512, 1024, 4096])
          for (const first of [0, 8, 2 ** 32 - 8, 2 ** 41 + 16, 8]) {
            const clear = pattern(sectorSize * 5);
            const secret = Buffer.concat(
              Array.from({ length: 5 }, (_, i) => {
                const iv = ivs[name]!(first + (i * sectorSize) / 512, key);
                const c = createCipheriv(`aes-${bits}-${mode}`, key, iv).setAutoPadding(false);
                return c.update(clear.subarray(i * sectorSize, (i + 1) * sectorSize));
              }),
            );
            const data = Buffer.from(Uint8Array.from(secret).buffer);
            ours.decrypt(data, first, sectorSize);
            if (!data.equals(clear)) t.fail(`sectors of ${sectorSize} from ${first} on`);
          }
        t.pass();
      });

t.test('a batch and the next', async (t) => {
  const key = pattern(64);
  const once = new SectorCipher('aes-xts-plain64', key);
  const twice = new SectorCipher('aes-xts-plain64', key);
  const data = pattern(BATCH);
  const halves = Buffer.from(Uint8Array.from(data).buffer);
  once.decrypt(data, 0, 512);
  twice.decrypt(halves.subarray(0, BATCH / 2), 0, 512);
  twice.decrypt(halves.subarray(BATCH / 2), BATCH / 1024, 512);
  t.same(halves, data);
});

t.test('names that are none', async (t) => {
  for (const spec of [
    'aes',
    'aes-ecb',
    'aes-xts-random',
    'aes-xts-essiv:',
    'AES-xts-plain64',
    'aes-xts-plain64\n',
    'null-xts-plain64',
  ])
    t.throws(() => new SectorCipher(spec, Buffer.alloc(32)), { code: 'unsupported' }, spec);
  for (const size of [0, 1, 31, 33, 512])
    t.throws(
      () => new SectorCipher('aes-xts-plain64', Buffer.alloc(size)),
      { name: 'GuestError' },
      String(size),
    );
});

// phc-winner-argon2, src/test.c: version 0x13, t=2, m=2^16, p=1.
const VALUES = {
  argon2id: '09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7',
  argon2i: 'c1628832147d9720c5bd1cfd61367078729f6dfb6f8fea9ff98158e0d7816ed0',
} as const;

for (const type of ['argon2id', 'argon2i'] as const)
  t.test(type, async (t) => {
    const password = Buffer.from('password');
    const salt = Buffer.from('somesalt');
    t.equal((await wasm(type, password, salt, 2, 65536, 1, 32)).toString('hex'), VALUES[type]);
    const how = { type, salt, passes: 2, memory: 65536, lanes: 1 };
    t.equal(
      (await argon2(password, how, 32, context())).toString('hex'),
      VALUES[type],
      'the runtime’s, where it has one',
    );
  });

t.test('stripes that are too few', async (t) => {
  t.throws(() => mergeStripes(Buffer.alloc(100), 32, 4, 'sha256'), { code: 'corrupt' });
  t.same(mergeStripes(Buffer.from('0123'), 4, 1, 'sha256'), Buffer.from('0123'), 'one stripe is the key');
});

t.test('memory of Argon2 is given back', async (t) => {
  const how = { type: 'argon2id', salt: Buffer.alloc(16), passes: 1, memory: 256 * 1024, lanes: 1 } as const;
  const before = process.memoryUsage.rss();
  await argon2(Buffer.from('x'), how, 32, context());
  const kept = process.memoryUsage.rss() - before;
  t.ok(kept < 64 * 1024 ** 2, `${kept} of ${256 * 1024 ** 2} bytes are kept`);
});
