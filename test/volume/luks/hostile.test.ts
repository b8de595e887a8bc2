/** Headers that were written to do harm: each ends at once, with the reason, and asks for no more than the limits allow. */
import t from 'tap';
import { GuestError } from '../../../lib/bytes/errors';
import { MemorySource } from '../../../lib/source/types';
import { openVolume, readHeader } from '../../../lib/volume/luks/luks';
import { context, image } from '../../support';
import { changed, type Json, jsonOf, KEY, luks2, PASSPHRASE, resum, writeText } from './samples';

const slot = (change: (slot: Json) => void) => luks2((json) => change(json.keyslots[0]));
const kdf = (change: object) => slot((s) => Object.assign(s.kdf, change));
const segment = (change: object) => luks2((json) => Object.assign(json.segments[0], change));
const text = (words: string) => changed('luks-2.img', (b) => writeText(b, words));
const luks1 = (at: number, value: number) => changed('luks-1.img', (b) => b.writeUInt32BE(value >>> 0, at));
const name1 = (at: number, value: string) =>
  changed('luks-1.img', (b) => {
    b.fill(0, at, at + 32);
    b.write(value, at);
  });
/** The slot in use: the recipe made the first one. */
const SLOT1 = 208;

const samples: [name: string, at: MemorySource, code: string, words: RegExp][] = [
  ['argon2: 4 TiB', kdf({ memory: 0xffffffff }), 'limit', /work|memory/],
  [
    'argon2: 2 GiB',
    kdf({ memory: 2 * 1024 ** 2, time: 4 }),
    'limit',
    /at most 1073741824 \(NODEGRUB_MAX_KEY_MEMORY\)/,
  ],
  ['argon2: days', kdf({ time: 0xffffffff }), 'limit', /NODEGRUB_MAX_KEY_WORK/],
  ['argon2: no passes', kdf({ time: 0 }), 'corrupt', /0 passes/],
  ['argon2: no memory', kdf({ memory: 0 }), 'corrupt', /0 KiB/],
  ['argon2: no lanes', kdf({ cpus: 0 }), 'corrupt', /0 lanes/],
  ['argon2: more lanes than memory', kdf({ cpus: 0xffffff }), 'corrupt', /lanes/],
  ['argon2: no salt', kdf({ salt: '' }), 'corrupt', /salt/],
  ['argon2: a salt of one byte', kdf({ salt: 'AA==' }), 'corrupt', /1 bytes of salt/],
  ['argon2: negative', kdf({ memory: -1 }), 'corrupt', /memory/],
  ['argon2: half', kdf({ time: 1.5 }), 'corrupt', /time/],
  ['another kdf', kdf({ type: 'scrypt' }), 'unsupported', /'scrypt'/],
  ['a kdf with controls', kdf({ type: '\x1b[2J\nRuntimeError: x' }), 'unsupported', /\\x1b/],
  [
    'pbkdf2: hours',
    kdf({ type: 'pbkdf2', hash: 'sha256', iterations: 0xffffffff }),
    'limit',
    /4294968295.*KEY_WORK/,
  ],
  ['pbkdf2: none', kdf({ type: 'pbkdf2', hash: 'sha256', iterations: 0 }), 'corrupt', /without iterations/],
  ['pbkdf2: another hash', kdf({ type: 'pbkdf2', hash: 'md5', iterations: 1000 }), 'unsupported', /'md5'/],
  [
    'digest: hours',
    luks2((j) => Object.assign(j.digests[0], { iterations: 0xffffffff })),
    'limit',
    /KEY_WORK/,
  ],
  [
    'digest: huge',
    luks2((j) => Object.assign(j.digests[0], { digest: 'A'.repeat(4000) })),
    'corrupt',
    /digest/,
  ],
  [
    'digest: for nothing',
    luks2((j) => Object.assign(j.digests[0], { segments: [] })),
    'corrupt',
    /no digest/,
  ],
  ['stripes: none', slot((s) => Object.assign(s.af, { stripes: 0 })), 'corrupt', /0 stripes/],
  [
    'stripes: huge',
    slot((s) => Object.assign(s.af, { stripes: 0xffffffff })),
    'corrupt',
    /4294967295 stripes/,
  ],
  [
    'stripes: beyond the area',
    slot((s) => Object.assign(s.af, { stripes: 5000 })),
    'corrupt',
    /in an area of/,
  ],
  ['key: none', slot((s) => Object.assign(s, { key_size: 0 })), 'corrupt', /a key of 0 bytes/],
  [
    'key: huge',
    slot((s) => Object.assign(s, { key_size: 0x7fffffff })),
    'corrupt',
    /a key of 2147483647 bytes/,
  ],
  ['key: of another length', slot((s) => Object.assign(s, { key_size: 31 })), 'none', /^/],
  [
    'area: outside',
    slot((s) => Object.assign(s.area, { offset: '99999999999' })),
    'corrupt',
    /beyond the end/,
  ],
  ['area: at 2^60', slot((s) => Object.assign(s.area, { offset: String(2 ** 60) })), 'corrupt', /offset/],
  ['area: a number', slot((s) => Object.assign(s.area, { offset: 32768 })), 'corrupt', /offset/],
  [
    'area: a key of one byte',
    slot((s) => Object.assign(s.area, { key_size: 1 })),
    'corrupt',
    /for XTS|bytes/,
  ],
  [
    'area: cipher',
    slot((s) => Object.assign(s.area, { encryption: 'serpent-xts-plain64' })),
    'unsupported',
    /serpent/,
  ],
  [
    'area: nothing',
    slot((s) => {
      s.area = undefined;
    }),
    'corrupt',
    /area/,
  ],
  ['slot: another type', slot((s) => Object.assign(s, { type: 'reencrypt' })), 'unsupported', /'reencrypt'/],
  [
    'slots: a list',
    luks2((j) => {
      j.keyslots = [];
    }),
    'corrupt',
    /no JSON object/,
  ],
  [
    'slots: 33',
    luks2((j) => {
      for (let i = 0; i < 33; i++) j.keyslots[i] = { type: 'luks2' };
    }),
    'limit',
    /33 keyslots, at most 32/,
  ],
  [
    'slots: __proto__',
    text('{"config":{},"segments":{"__proto__":{}},"keyslots":{},"digests":{}}'),
    'corrupt',
    /no number/,
  ],
  [
    'segment: none',
    luks2((j) => {
      j.segments = {};
    }),
    'unsupported',
    /0 segments/,
  ],
  ['segment: sectors', segment({ sector_size: 3000 }), 'corrupt', /sectors of 3000/],
  ['segment: sectors of none', segment({ sector_size: 0 }), 'corrupt', /sectors of 0/],
  ['segment: beyond', segment({ offset: '99999999999' }), 'corrupt', /segment of all/],
  ['segment: larger', segment({ size: '99999999999' }), 'corrupt', /segment of 99999999999/],
  ['segment: half a sector', segment({ size: '4097' }), 'corrupt', /segment of 4097/],
  ['segment: cipher', segment({ encryption: 'aes-xts' }), 'unsupported', /'aes-xts'/],
  ['segment: integrity', segment({ integrity: { type: 'hmac(sha256)' } }), 'unsupported', /hmac/],
  ['segment: linear', segment({ type: 'linear' }), 'unsupported', /'linear'/],
  [
    'reencryption',
    luks2((j) => {
      j.config.requirements = { mandatory: ['online-reencrypt-v2'] };
    }),
    'unsupported',
    /being changed/,
  ],
  [
    'requirement',
    luks2((j) => {
      j.config.requirements = { mandatory: ['opal'] };
    }),
    'unsupported',
    /needs 'opal'/,
  ],
  ['JSON: cut off', text('{"config":{"json_size":"12288"'), 'corrupt', /cannot be parsed/],
  ['JSON: a list', text('[]'), 'corrupt', /no JSON object/],
  ['JSON: empty', text(''), 'corrupt', /cannot be parsed/],
  ['JSON: deep', text('['.repeat(12000)), 'limit', /deeper than 16/],
  ['JSON: not UTF-8', text('{"\xff":1,"config":{}}'), 'corrupt', /segments/],
  [
    'header: hash',
    changed('luks-2.img', (b) => {
      for (const at of [0, 0x4000]) b.write('nohash\0', at + 72);
    }),
    'unsupported',
    /'nohash'/,
  ],
  ['header: version 3', changed('luks-2.img', (b) => b.writeUInt16BE(3, 6)), 'unsupported', /version 3/],
  ['luks1: hours', luks1(SLOT1 + 4, 0xffffffff), 'limit', /4294968295/],
  ['luks1: digest for hours', luks1(164, 0xffffffff), 'limit', /KEY_WORK/],
  ['luks1: no iterations', luks1(SLOT1 + 4, 0), 'corrupt', /without iterations/],
  ['luks1: material outside', luks1(SLOT1 + 40, 0xffffffff), 'corrupt', /beyond the end/],
  ['luks1: stripes', luks1(SLOT1 + 44, 0xffffffff), 'corrupt', /4294967295 stripes/],
  ['luks1: key', luks1(108, 0xffffffff), 'corrupt', /a key of 4294967295/],
  ['luks1: payload outside', luks1(104, 0xffffffff), 'corrupt', /segment of all/],
  ['luks1: cipher', name1(8, 'twofish'), 'unsupported', /twofish/],
  ['luks1: hash', name1(72, 'whirlpool'), 'unsupported', /whirlpool/],
  [
    'luks1: cut off',
    new MemorySource(image('luks-1.img').subarray(0, 512), 'cut'),
    'corrupt',
    /beyond the end/,
  ],
  [
    'luks2: cut off',
    new MemorySource(image('luks-2.img').subarray(0, 5000), 'cut'),
    'corrupt',
    /beyond the end/,
  ],
];

for (const [name, at, code, words] of samples)
  t.test(name, async (t) => {
    const began = process.cpuUsage().user;
    let error: unknown;
    let opened: unknown;
    try {
      opened = await openVolume(at, [PASSPHRASE], context());
    } catch (thrown) {
      error = thrown;
    }
    t.notOk(opened);
    // Nothing was begun that takes long: a slot of the fixtures takes 10 ms.
    t.ok(process.cpuUsage().user - began < 2e6, 'at once');
    if (code === 'none') return t.notOk(error);
    if (!(error instanceof GuestError)) throw error;
    t.equal(error.code, code, error.describe());
    t.match(error.describe(), words);
    t.notMatch(error.describe(), /[\x00-\x1f\x7f]/);
  });

t.test('JSON of many parts', async (t) => {
  // Needs a header of 64 KiB.
  const bytes = Buffer.alloc(0x20000);
  image('luks-2.img').copy(bytes, 0, 0, 4096);
  bytes.writeUInt32BE(0x10000, 12);
  bytes.write(`[${'[],'.repeat(15000)}[]]`, 4096);
  t.throws(() => readHeader(new MemorySource(bytes, 'many'), context()), { code: 'limit' });
});

t.test('limits are the admin’s', async (t) => {
  const at = luks2(() => {});
  await t.rejects(openVolume(at, [PASSPHRASE], context(undefined, { keyMemory: 1024 * 1024 })), {
    code: 'limit',
  });
  await t.rejects(openVolume(at, [PASSPHRASE], context(undefined, { keyWork: 1000 })), { code: 'limit' });
  t.ok(await openVolume(at, [PASSPHRASE], context(undefined, { keyWork: 200_000 })));
});

t.test('bit flips: the right answer, none, or a reason', async (t) => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48271) % 0x7fffffff;
    return seed % below;
  };
  const seen = { opened: 0, none: 0, refused: 0 };
  for (let i = 0; i < 120; i++) {
    const name = ['luks-1.img', 'luks-2.img', 'luks-2-essiv.img'][i % 3]!;
    const bytes = Buffer.from(image(name));
    if (i % 3 === 0) bytes[random(592)]! ^= 1 << random(8);
    else {
      const end = 4096 + JSON.stringify(jsonOf(bytes)).length;
      const at = i % 2 ? random(512) : 4096 + random(end - 4096);
      const bit = 1 << random(8);
      for (const copy of [0, 0x4000]) {
        bytes[copy + at]! ^= bit;
        if (i % 4 < 2) resum(bytes, copy);
      }
    }
    try {
      const opened = await openVolume(
        new MemorySource(bytes, 'x'),
        [name.includes('essiv') ? KEY : PASSPHRASE],
        context(),
      );
      if (opened) {
        seen.opened++;
        opened.read(0, Buffer.alloc(Math.min(8192, opened.size)));
      } else seen.none++;
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      seen.refused++;
    }
  }
  t.ok(seen.opened > 10 && seen.none > 5 && seen.refused > 25, JSON.stringify(seen));
});
