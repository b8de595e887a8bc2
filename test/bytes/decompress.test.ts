/** The decompressors on what the real tools packed (fixtures/recipes/packed.sh), and on the same with damage. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, deflateSync, gunzipSync } from 'node:zlib';
import t from 'tap';
import { inflateRaw, inflateZlib } from '../../lib/bytes/decompress/inflate';
import { lz4Block } from '../../lib/bytes/decompress/lz4';
import { lzma, microLzma } from '../../lib/bytes/decompress/lzma';
import { lzo1x } from '../../lib/bytes/decompress/lzo';
import { xz } from '../../lib/bytes/decompress/xz';
import { zstd } from '../../lib/bytes/decompress/zstd';
import { GuestError } from '../../lib/bytes/errors';
import { xxh64 } from '../../lib/bytes/xxhash';
import { cpuMs, ROOT, rounds } from '../support';
import { lz4Pieces, lzopPieces, microFrom } from './containers';

type Decompress = (from: Uint8Array, into: Uint8Array) => number;

interface Sample {
  readonly name: string;
  readonly packed: Buffer;
  readonly run: Decompress;
  /** Damage is found in all but a few cases: there is a checksum over the output. */
  readonly checked: boolean;
  /** Its end is known from elsewhere: input that is cut may still give all. */
  readonly sized?: boolean;
}

const FOLDER = join(ROOT, 'fixtures', 'packed');
const plain = gunzipSync(readFileSync(join(FOLDER, 'sample.gz')));
const MEMORY = 1 << 26;
const micro: Decompress = (from, into) => microLzma(from, into);
const lz4: Decompress = (from, into) => lz4Block(from, into);
const ownZstd: Decompress = (from, into) => zstd(from, into, { own: true });
const usualZstd: Decompress = (from, into) => zstd(from, into);

const samples: Sample[] = [
  { name: 'deflate', packed: deflateRawSync(plain), run: (f, i) => inflateRaw(f, i), checked: false },
  { name: 'zlib', packed: deflateSync(plain), run: (f, i) => inflateZlib(f, i), checked: true },
];
for (const file of readdirSync(FOLDER)) {
  const bytes = readFileSync(join(FOLDER, file));
  const kind = file.slice(file.lastIndexOf('.') + 1);
  const one = (name: string, packed: Buffer, run: Decompress, checked: boolean, sized = false) =>
    void samples.push({ name: `${file}${name}`, packed, run, checked, sized });
  if (kind === 'lz4') {
    const [piece] = lz4Pieces(bytes);
    one('', piece!.packed, lz4, false);
  } else if (kind === 'lzo') {
    const [piece] = lzopPieces(bytes);
    one('', piece!.packed, lzo1x, false);
  } else if (kind === 'xz') one('', bytes, (from, into) => xz(from, into, MEMORY), file !== 'check-none.xz');
  else if (kind === 'lzma') {
    one('', bytes, (from, into) => lzma(from, into), false);
    const sized = Buffer.from(bytes);
    sized.writeBigUInt64LE(BigInt(plain.length), 5);
    one(' of known size', sized, (from, into) => lzma(from, into), false, true);
    one(' as MicroLZMA', microFrom(bytes), micro, false, true);
  } else if (kind === 'zst') {
    const checked = file !== 'unchecked.zst';
    one('', bytes, usualZstd, checked);
    one(' by our own', bytes, ownZstd, checked);
  }
}

/** Runs into the middle of a larger buffer, whose edges must stay as they are. */
function run(
  sample: Sample,
  packed: Uint8Array,
  room: number,
): { length: number; bytes: Buffer } | GuestError {
  const around = Buffer.alloc(room + 128, 0xa5);
  try {
    const length = sample.run(packed, around.subarray(64, 64 + room));
    return { length, bytes: around.subarray(64, 64 + room) };
  } catch (error) {
    if (error instanceof GuestError) return error;
    throw error;
  } finally {
    const edges = Buffer.concat([around.subarray(0, 64), around.subarray(64 + room)]);
    if (!edges.equals(Buffer.alloc(128, 0xa5))) t.fail(`${sample.name}: bytes outside of the output`);
  }
}

t.test('there are samples of every kind', async (t) => {
  const kinds = samples.map((s) => s.name.replace(/ .*/, '').replace(/.*\./, ''));
  t.same([...new Set(kinds)].sort(), ['deflate', 'lz4', 'lzma', 'lzo', 'xz', 'zlib', 'zst']);
  t.equal(readdirSync(FOLDER).filter((f) => f.endsWith('.xz')).length, 18, 'every check and filter');
});

for (const sample of samples)
  t.test(sample.name, async (t) => {
    const { packed } = sample;
    for (const room of sample.name.endsWith('MicroLZMA')
      ? [plain.length]
      : [plain.length, plain.length + 1, plain.length + 999]) {
      const got = run(sample, packed, room);
      if (got instanceof GuestError) throw got;
      t.equal(got.length, plain.length);
      t.ok(got.bytes.subarray(0, got.length).equals(plain), `into ${room} bytes`);
    }

    // Too little room is refused, at every distance from the end.
    if (!sample.name.endsWith('MicroLZMA'))
      for (const room of [0, 1, 100, plain.length >> 1, plain.length - 1]) {
        const got = run(sample, packed, room);
        t.equal(got instanceof GuestError && got.code, 'corrupt', `into ${room} bytes`);
      }

    // An input that ends early.
    let all = 0;
    for (
      let length = 0;
      length < packed.length;
      length += length < 40 || length > packed.length - 40 ? 1 : 13
    ) {
      const got = run(sample, packed.subarray(0, length), plain.length);
      if (!(got instanceof GuestError) && got.length === plain.length) {
        all++;
        t.ok(got.bytes.equals(plain), `cut to ${length}`);
      }
    }
    // The last bytes of a range coder, an end marker, or frames that hold nothing.
    t.ok(all <= (sample.sized || /frames/.test(sample.name) ? 40 : 0), `${all} cut inputs gave all`);

    // Bits that are flipped, bytes that are changed, stretches that are zeroed.
    let state = 12345;
    const random = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    let refused = 0;
    let wrong = 0;
    const start = cpuMs();
    const count = rounds(120);
    for (let round = 0; round < count; round++) {
      const bytes = Buffer.from(packed);
      const place = random(bytes.length);
      if (round % 3 === 0) bytes[place]! ^= 1 << random(8);
      else if (round % 3 === 1) for (let i = 0; i < 8; i++) bytes[random(bytes.length)] = random(256);
      else bytes.fill(random(2) * 255, place, place + 1 + random(40));
      if (bytes.equals(packed)) continue;
      const got = run(sample, bytes, plain.length);
      if (got instanceof GuestError) {
        refused++;
        t.match(got.code, /^(corrupt|unsupported|limit)$/);
      } else if (!got.bytes.equals(plain)) wrong++;
    }
    t.ok(refused > 0 && (!sample.checked || wrong === 0), `${refused} refused, ${wrong} gave something else`);
    t.ok(cpuMs() - start < 1500, `${cpuMs() - start} ms`);
  });

t.test('the beginning alone', async (t) => {
  const partial: [string, (from: Uint8Array, into: Uint8Array) => number][] = [
    ['deflate', (f, i) => inflateRaw(f, i, true)],
    ['zlib', (f, i) => inflateZlib(f, i, true)],
    ['best.lz4', (f, i) => lz4Block(f, i, undefined, true)],
    ['plain.lzma as MicroLZMA', (f, i) => microLzma(f, i, true)],
    ['usual.zst', (f, i) => zstd(f, i, { partial: true })],
    ['frames.zst', (f, i) => zstd(f, i, { partial: true })],
  ];
  for (const [name, run] of partial) {
    const { packed } = samples.find((s) => s.name === name)!;
    for (const size of [1, 2, 77, 1000, 4096, plain.length - 1, plain.length]) {
      const into = Buffer.alloc(size);
      t.equal(run(packed, into), size, `${name}, ${size} bytes`);
      t.ok(into.equals(plain.subarray(0, size)), `${name}, ${size} bytes`);
    }
  }
});

t.test('lz4 with a dictionary', async (t) => {
  // Two literals, then six bytes from four before the output, then a last literal.
  const block = Buffer.from([0x22, 0x41, 0x42, 0x06, 0x00, 0x10, 0x43]);
  const into = Buffer.alloc(9);
  t.equal(lz4Block(block, into, Buffer.from('xxxWXYZ')), 9);
  t.equal(into.toString(), 'ABWXYZABC');
  t.throws(() => lz4Block(block, into, Buffer.from('XYZ')), { code: 'corrupt' });
  t.throws(() => lz4Block(block, into), { code: 'corrupt' });
  t.throws(() => lz4Block(Buffer.alloc(0), into), { code: 'corrupt' });
  const nothing = Buffer.alloc(0);
  t.equal(lz4Block(Buffer.from([0]), nothing), 0, 'an empty output is one token');
});

t.test('lzo with runs of zeros', async (t) => {
  // By hand, from lzo.rst: version 1; "abcd"; a run of 4 + 3 + 8 × 2 zeros with one literal behind it; the end.
  const run = [0x1b, 0xfd, 0xff, 2, 0x65];
  const stream = Buffer.from([17, 1, 21, 0x61, 0x62, 0x63, 0x64, ...run, 17, 0, 0]);
  const into = Buffer.alloc(100, 1);
  const size = lzo1x(stream, into);
  t.equal(into.toString('latin1', 0, size), `abcd${'\0'.repeat(23)}e`);
  t.throws(() => lzo1x(stream, Buffer.alloc(20)), { code: 'corrupt' });
  stream[1] = 2;
  t.throws(() => lzo1x(stream, into), { code: 'corrupt', message: /version 2/ });
  t.throws(() => lzo1x(Buffer.from([17, 0, 0, 0]), into), { code: 'corrupt', message: /follow/ });
  t.equal(lzo1x(Buffer.from([17, 0, 0]), into), 0, 'nothing but the end');
});

t.test('xz: limits and newer formats', async (t) => {
  const bytes = readFileSync(join(FOLDER, 'check-crc32.xz'));
  const into = Buffer.alloc(plain.length);
  t.throws(() => xz(bytes, into, 1000), { code: 'limit' });
  t.equal(xz(Buffer.concat([bytes, Buffer.alloc(8)]), into, MEMORY), plain.length, 'padding');
  t.throws(() => xz(Buffer.concat([bytes, Buffer.alloc(7)]), into, MEMORY), { code: 'corrupt' });
  t.throws(() => xz(Buffer.concat([bytes, Buffer.from('xxxx')]), into, MEMORY), { code: 'corrupt' });
  const twice = Buffer.alloc(2 * plain.length);
  t.equal(xz(Buffer.concat([bytes, Buffer.alloc(4), bytes]), twice, MEMORY), 2 * plain.length);
  t.ok(twice.equals(Buffer.concat([plain, plain])), 'two streams');
});

t.test('zstd: dictionaries and windows are refused by name', async (t) => {
  const into = Buffer.alloc(10);
  const frame = (...more: number[]) => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...more]);
  const one = [0x09, 0, 0, 0x41]; // a last raw block of one byte
  t.equal(zstd(frame(0x20, 1, ...one), into), 1);
  t.throws(() => zstd(frame(0x21, 7, 1, ...one), into), { code: 'unsupported', message: /dictionary/ });
  t.throws(() => zstd(frame(0x00, 0xf8, ...one), into), { code: 'unsupported', message: /window/ });
  t.throws(() => zstd(frame(0x28, 1, ...one), into), { code: 'corrupt', message: /reserved/ });
  t.throws(() => zstd(Buffer.from('no frame'), into), { code: 'corrupt' });
  t.throws(() => zstd(Buffer.alloc(0), into), { code: 'corrupt' });
  t.equal(
    zstd(Buffer.concat([frame(0x20, 1, ...one), Buffer.alloc(50)]), into),
    1,
    'sectors are filled with zeros',
  );
});

t.test('zstd: a block whose sequences ask for more than a block takes no time', async (t) => {
  // 65,535 + 0x7f00 sequences, each of the longest match (code 52 with 16 more bits), all tables of one symbol.
  const body = [0x00, 0xff, 0xff, 0xff, 0x54, 0, 0, 52, ...new Array<number>(120_000).fill(0xff)];
  const header = (body.length << 3) | 5;
  const block = [header & 0xff, (header >> 8) & 0xff, header >> 16, ...body];
  const bytes = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, ...block]);
  const start = cpuMs();
  t.throws(() => zstd(bytes, Buffer.alloc(1 << 20), { own: true }), { code: 'corrupt' });
  t.ok(cpuMs() - start < 200, `${cpuMs() - start} ms`);
});

t.test('XXH64', async (t) => {
  const hex = (text: string, seed?: number) => {
    const { high, low } = xxh64(Buffer.from(text), seed);
    return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
  };
  // Of the reference implementation's command line (xxhsum -H64).
  t.equal(hex(''), 'ef46db3751d8e999');
  t.equal(hex('a'), 'd24ec4f1a98c6e5b');
  t.equal(hex('abc'), '44bc2cf5ad770999');
  t.equal(hex('The quick brown fox jumps over the lazy dog'), '0b242d361fda71bc');
});
