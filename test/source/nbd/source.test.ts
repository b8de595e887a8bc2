/** What a server holds is what is read, whatever the sizes of requests, forms and order of replies; and how it is asked for. */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { CacheSource } from '../../../lib/source/cache';
import { openNbd } from '../../../lib/source/nbd';
import { partitionStarts } from '../../../lib/source/nbd/partitions';
import { readMany, readOnce, SliceSource } from '../../../lib/source/types';
import { content, server } from './support';

const SIZE = 3_000_000;

function same(
  t: { ok(value: unknown, what: string): unknown },
  source: import('../../../lib/source/types').BlockSource,
  at: number,
  length: number,
) {
  const into = Buffer.alloc(length);
  source.read(at, into);
  t.ok(into.equals(content(at, length)), `${length} bytes at ${at}`);
}

for (const [behaviour, blocks] of [
  ['', undefined],
  ['', [1, 512, 0xffffffff]],
  ['', [512, 4096, 2 ** 25]],
  ['', [4096, 65536, 1_000_000]],
  ['', [65536, 65536, 65536]],
  ['', [512, 512, 512]],
  ['no structured replies', undefined],
  ['no GO', undefined],
  ['not fixed', undefined],
  ['in pieces', undefined],
  ['out of order', undefined],
  ['long description', undefined],
  ['closes in a reply, once', undefined],
  ['closes in a reply, always', undefined],
  ['is shutting down, once', undefined],
] as const)
  t.test(`${behaviour || 'a good server'}, blocks ${blocks ?? 'not said'}`, async (t) => {
    const one = await server(t, behaviour, { size: SIZE, ...(blocks && { blocks }) });
    const source = one.open();
    const minimum = blocks?.[0] ?? 1;
    t.equal(source.size, SIZE - (SIZE % minimum), 'whole blocks');
    for (const [at, length] of [
      [0, 1],
      [1, 511],
      [131_000, 200],
      [0, 700_000],
      [1_000_001, 999_999],
      [2_000_000, 700_003],
      [source.size - 5, 5],
      [source.size - 300_000, 300_000],
      [700, 0],
    ] as const)
      same(t, source, at, length);
    for (let at = 0; at + 400_000 <= source.size; at += 400_000) same(t, source, at, 400_000);
    t.throws(() => source.read(source.size - 1, Buffer.alloc(2)), { code: 'corrupt' });
    source.end();
    await one.settle();
    t.same(
      one.events.filter((event) => /bad|BAD|flags|command/.test(event)),
      [],
      'nothing that the server may not be asked',
    );
    t.ok(one.events.includes('export disk'));
    t.same(one.events.slice(-2), ['disconnect', 'closed'], 'a soft disconnect');
    t.equal(
      one.events.filter((event) => event === 'option 1').length,
      /no GO|not fixed/.test(behaviour) ? 1 : 0,
    );
  });

t.test('what is said of the export', async (t) => {
  t.equal((await server(t, 'describes itself')).open().description, 'a \\x1b[1mdisk');
  t.equal((await server(t, '', { blocks: [4096, 4096, 65536] })).open().sectorSize, 4096);
  const empty = (await server(t, '', { size: 0 })).open();
  t.equal(empty.size, 0);
  t.throws(() => empty.read(0, Buffer.alloc(1)), { code: 'corrupt' });
  const one = await server(t, '');
  one.open(20, (port) => `nbd://localhost:${port}//a%20b%C3%A4`);
  await one.settle();
  t.ok(one.events.includes('export /a b\u00c3\u00a4'), 'the name as the URI has it');
});

t.test('a bad sector takes only itself', async (t) => {
  for (const [behaviour, message] of [
    ['bad sector', /^the server cannot read 20 bytes at 199990: NBD_EIO, 'bad \\x1bdisk'$/],
    ['bad sector, simple', /: NBD_EIO$/],
    ['strange error', /error 4711, taken as NBD_EINVAL, 'hm'$/],
  ] as const) {
    const source = (await server(t, behaviour)).open();
    const disk = new CacheSource(source);
    same(t, disk, 190_000, 9_000);
    same(t, source, 200_001, 50);
    same(t, source, 0, 199_999);
    same(t, source, 200_001, 500_000);
    t.throws(() => disk.read(199_990, Buffer.alloc(20)), { code: 'io', message });
    t.throws(() => source.read(0, Buffer.alloc(900_000)), { code: 'io' });
    same(t, source, 1_000_000, 50);
  }
});

t.test('what is announced is asked for in long requests, many at a time, once', async (t) => {
  const size = 64 * 1024 * 1024;
  const one = await server(t, '', { size });
  const source = one.open();
  const part = new SliceSource(new CacheSource(source), 1_048_576, size - 1_048_576, 'part');
  const stretches = [
    [10_000_384, 20_000_000],
    [1_000_448, 5_000_000],
    [40_000_000, 8_192],
    [40_020_480, 4_096],
    [40_028_672, 3_000_000],
  ] as const;
  for (const [at, length] of stretches) part.willRead(at, length);
  for (const [at, length] of stretches.slice(0, 2)) {
    for (let done = 0; done < length; ) {
      const count = Math.min(1_048_576, length - done);
      const into = Buffer.alloc(count);
      readOnce(part, at + done, into);
      t.ok(into.equals(content(at + done + 1_048_576, count)));
      done += count;
    }
  }
  const buffers = [8_192, 12_288, 4_096, 4_096, 1_000_000].map((length) => Buffer.alloc(length));
  readMany(part, 40_000_000, buffers);
  t.ok(Buffer.concat(buffers).equals(content(41_048_576, 1_028_672)), 'with the gaps');
  readMany(part, 41_028_672, [Buffer.alloc(2_000_000)]);
  source.end();
  await one.settle();
  const reads = one.events.flatMap((event) => (/^read /.test(event) ? [event.split(' ').map(Number)] : []));
  const long = reads.filter(([, , length]) => length! > 200_000);
  t.equal(reads.length, 1 + 20 + 5 + 3, 'the first block, and the stretches in pieces of 1 MiB');
  t.ok(long.filter(([, , length]) => length === 1_048_576).length >= 25);
  t.same(
    [source.reads, source.bytesRead > 28_000_000, source.bytesRead < 28_400_000],
    [reads.length, true, true],
  );
});

t.test('what nobody announced is read ahead when it is a sequence', async (t) => {
  const size = 40_000_000;
  const one = await server(t, '', { size });
  const source = one.open();
  for (let at = 500; at + 1_000_000 < 30_000_000; at += 1_000_000) same(t, source, at, 1_000_000);
  await one.settle();
  t.ok(source.bytesRead < 40_000_000);
  const before = source.reads;
  same(t, source, 35_000_000, 1_000_000);
  same(t, source, 10_000_000, 300_000);
  t.ok(source.reads - before <= 3, 'none ahead of single ones');
});

t.test('partitions are asked for with the table', async (t) => {
  t.same(partitionStarts(Buffer.alloc(4096), 1e9), []);
  const head = Buffer.alloc(4096);
  head.writeUInt16LE(0xaa55, 510);
  head[450] = 0x83;
  head.writeUInt32LE(2048, 454);
  head[466] = 0x83;
  head.writeUInt32LE(0xffffffff, 470);
  t.same(partitionStarts(head, 1e9), [1_048_576], 'what lies beyond the end is none');
  for (let i = 0; i < 200; i++) partitionStarts(Buffer.from(head.map((b) => b ^ (Math.random() * 256))), 1e9);
});

t.test('many blocks: old ones make room', async (t) => {
  const source = (await server(t, '', { size: 20_000_000 })).open();
  for (let round = 0; round < 2; round++)
    for (let at = 7; at + 100 < 20_000_000; at += 131_072) same(t, source, at, 100);
  t.ok(source.reads > 200 && source.reads <= 310, `${source.reads} requests`);
});

t.test('certificates that cannot be read leave no thread', async (t) => {
  const threads = () => readdirSync('/proc/self/task').length;
  const refused = 'nbds://127.0.0.1/disk?tls-certificates=/nowhere/at/all';
  t.throws(() => openNbd(refused), { code: 'io' });
  const before = threads();
  for (let i = 0; i < 8; i++) t.throws(() => openNbd(refused), { code: 'io' });
  // Ending a thread takes a moment.
  for (let tries = 0; tries < 200 && threads() > before; tries++)
    await new Promise((done) => setTimeout(done, 50));
  t.ok(threads() <= before, `${threads()} threads, ${before} before`);
});
