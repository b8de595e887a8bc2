/**
 * fixtures/malformed/FORMAT-*: what each must give stands in its name: an error's code, or `warned`. And sound images with damage
 * at random: nothing is thrown but a GuestError, in bounded time and memory.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { crc32 } from '../../lib/bytes/crc32';
import { GuestError } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { formats } from '../../lib/source';
import { makeCrc } from '../../lib/source/gzip/crc';
import { generator } from '../boot/dialect';
import { context, cpuMs, image, ROOT, rounds } from '../support';
import { hashOf, openBytes, patches } from './images';

const ROUNDS = Number(process.env.ROUNDS ?? rounds(40));
const names = formats.map((f) => f.name);

function samples(): Map<string, () => Buffer> {
  const all = new Map<string, () => Buffer>();
  for (const format of names)
    for (const [name, make] of Object.entries(patches(format))) all.set(`${format}-${name}`, make);
  for (const file of readdirSync(join(ROOT, 'fixtures/malformed'))) {
    const name = /^(.*)\.img\.gz$/.exec(file)?.[1];
    if (name && names.includes(name.replace(/-.*/, '')))
      all.set(name, () => image(`${name}.img`, 'malformed'));
  }
  return all;
}

/** Opened by name and read to its end. */
function outcome(bytes: Buffer, format: string, snapshot?: string) {
  const ctx = context(2_000_000, { runBytesAllocated: 128 * 1024 ** 2, runBytesRead: 256 * 1024 ** 2 });
  try {
    const { disk } = openBytes(bytes, `x.${format}`, { format, snapshot }, ctx);
    hashOf(disk, 0, Math.min(disk.size, 8 * 1024 ** 2));
    return { code: ctx.warnings.length > 0 ? 'warned' : 'sound', said: ctx.warnings.join() };
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return { code: error.code, said: error.describe() };
  }
}

t.test('each sample gives what its name says', async (t) => {
  const all = samples();
  t.ok(all.size > 80, `${all.size} samples`);
  for (const [name, make] of all) {
    const [, format, code] = /^([^-]+)-([^-]+)/.exec(name)!;
    const { code: got, said } = outcome(make(), format!, name.endsWith('-snapshots') ? 'before' : undefined);
    t.equal(got, code, `${name}: ${said}`);
    t.ok(said.length > 20, `${name}: with evidence: ${said}`);
    t.notMatch(said, /NaN|undefined|\[object/, name);
  }
});

t.test('unnamed, none is more than a raw disk or an error', async (t) => {
  for (const [name, make] of samples()) {
    try {
      const { disk } = openBytes(make(), 'x.img');
      hashOf(disk, 0, Math.min(disk.size, 1 << 20));
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      t.match(error.code, /^(corrupt|unsupported|limit)$/, name);
    }
  }
});

t.test('names of other files are never opened, whatever they say', async (t) => {
  for (const [name, make] of samples()) {
    if (!/backing-file|data-file|unsupported-parent|extent-shadow/.test(name)) continue;
    const format = name.replace(/-.*/, '');
    const { said } = outcome(make(), format);
    t.match(said, new RegExp(`this needs --image-format=${format} and --image-references=directory`), name);
  }
});

for (const format of names)
  t.test(`${format}: damaged at random`, async (t) => {
    const sound = readdirSync(join(ROOT, 'fixtures/images'))
      .filter((f) => f.startsWith(`${format}-`) && f.endsWith('.img.gz'))
      .map((f) => image(f.slice(0, -3)));
    t.ok(sound.length > 0);
    const random = generator(format.length * 7);
    let slowest = 0;
    const before = process.memoryUsage.rss();
    const seen = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      let bytes = Buffer.from(sound[random(sound.length)]!);
      // Tables and headers lie in the first part.
      for (let n = 1 + random(6); n > 0; n--) {
        const at = random(random(2) === 0 ? Math.min(bytes.length, 4096) : bytes.length);
        const kind = random(8);
        if (kind < 3) bytes[at]! ^= 1 << random(8);
        else if (kind < 5) bytes[at] = random(2) * 255;
        else if (kind < 6) bytes.fill(0xff, at, at + 8);
        else if (kind < 7) bytes.fill(0, at, at + random(600));
        else bytes.copy(bytes, at, random(bytes.length), random(bytes.length));
      }
      if (random(6) === 0) bytes = bytes.subarray(0, random(bytes.length));
      const from = cpuMs();
      seen.add(outcome(bytes, format).code);
      slowest = Math.max(slowest, cpuMs() - from);
    }
    // gzip's checksum meets every damage that is.
    t.ok(format === 'gzip' ? seen.has('corrupt') : seen.size > 1, [...seen].join());
    t.ok(slowest < 5000, `slowest ${slowest} ms`);
    const grown = process.memoryUsage.rss() - before;
    t.ok(grown < LIMITS.memory, `${grown} bytes more resident`);
  });

t.test('every cut is met', async (t) => {
  for (const file of readdirSync(join(ROOT, 'fixtures/images'))) {
    const name = /^((?:qcow2|qcow|qed|vhdx|vhd|vmdk|vdi|parallels|gzip)-.*)\.img\.gz$/.exec(file)?.[1];
    if (!name) continue;
    const bytes = image(`${name}.img`);
    const format = name.replace(/-.*/, '');
    const cuts = [0, 1, 3, 4, 7, 8, 15, 31, 47, 63, 71, 103, 111, 391, 511, 512, 1023, 1536, 65_600, 200_000];
    for (const cut of cuts) outcome(bytes.subarray(0, Math.min(cut, bytes.length)), format);
  }
  t.pass('nothing but GuestErrors');
});

t.test('a gzip bomb: the size is bounded by what there is, and the time by the budget', async (t) => {
  const { gzipSync } = await import('node:zlib');
  const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2));
  const { disk } = openBytes(bomb, 'bomb.gz');
  t.ok(disk.size <= bomb.length * 1032);
  const ctx = context(undefined, { runBytesRead: 16 * 1024 ** 2 });
  const limited = openBytes(bomb, 'bomb.gz', {}, ctx).disk;
  t.throws(() => limited.read(48 * 1024 ** 2, Buffer.alloc(1)), {
    code: 'limit',
    message: /NODEGRUB_MAX_RUN_BYTES_READ/,
  });
});

t.test('gzip: checksum and length at the end of a member', async (t) => {
  const sound = image('gzip-plain.img');
  const two = Buffer.concat([sound, sound]);
  const whole = gunzipSync(sound);
  const size = whole.length;
  const read = (bytes: Buffer, to: number) => () => hashOf(openBytes(bytes, 'x.gz').disk, 0, to);
  t.doesNotThrow(read(sound, size + 4096));
  t.doesNotThrow(read(two, 2 * size));
  for (const [what, at, message] of [
    ['checksum', sound.length - 8, /gives \d+ bytes with checksum \d+, its end says \d+ and \d+$/],
    ['length', sound.length - 4, /gives \d+ bytes with checksum/],
  ] as const) {
    for (const bytes of [Buffer.from(sound), Buffer.from(two)]) {
      bytes[at]! ^= 1;
      t.throws(read(bytes, size + 4096), { code: 'corrupt', message }, what);
      t.doesNotThrow(read(bytes, 1 << 20), 'what does not get there is not checked');
    }
  }
  t.throws(read(sound.subarray(0, -3), size), { code: 'corrupt', message: /ends before the checksum/ });
  // Where unpacking starts again, the sum of what came before goes on with it.
  const bytes = Buffer.from(two);
  bytes[bytes.length - 8]! ^= 1;
  const { disk } = openBytes(bytes, 'x.gz');
  const piece = Buffer.alloc(4096);
  for (const at of [size, 0, size / 2, size + size / 4, 0]) disk.read(Math.floor(at), piece);
  t.throws(() => hashOf(disk, 2 * size - 4096, 2 * size), { code: 'corrupt' });
  const own = makeCrc(true);
  t.equal(own(whole, 3, 40_001, own(whole, 0, 3, 0)), crc32(whole.subarray(0, 40_001)));
  t.equal(makeCrc()(whole, 3, 40_001, own(whole, 0, 3, 0)), crc32(whole.subarray(0, 40_001)));
});

t.test('what is unpacked counts against the budget, and has a bound', async (t) => {
  for (const name of ['qcow2-zlib', 'qcow2-zstd', 'qcow-packed', 'vmdk-stream', 'gzip-plain']) {
    const bytes = image(`${name}.img`);
    let most = 0;
    const ctx = context();
    const { budget } = ctx;
    const allocate = budget.allocate.bind(budget);
    budget.allocate = (count) => {
      most += count;
      allocate(count);
    };
    const { disk } = openBytes(bytes, `x.${name.replace(/-.*/, '')}`, {}, ctx);
    const before = most;
    const piece = Buffer.alloc(65536);
    for (let at = 0; at + piece.length <= Math.min(disk.size, 4 << 20); at += piece.length)
      disk.read(at, piece);
    t.ok(most - before > 4096, `${name}: ${most - before} bytes`);
  }
  const vmdk = image('vmdk-stream.img');
  // The header, and the footer that has the same.
  for (const at of [20, vmdk.length - 1024 + 20])
    if (vmdk.readUInt32LE(at - 20) === 0x564d444b) vmdk.writeUInt32LE(16384, at);
  t.throws(() => openBytes(vmdk, 'x.vmdk', { format: 'vmdk' }), {
    code: 'corrupt',
    message: /grain size of 16384, a power of two from 1 to 8192 is allowed/,
  });
});
