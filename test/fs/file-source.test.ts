/** A file as a disk: every kind of extent, reads across their borders, sizes, and what a hostile file can do. */
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { FileBackedSource } from '../../lib/fs/file-source';
import type { Extent } from '../../lib/fs/types';
import { MemorySource } from '../../lib/source/types';
import { extentFile, MemoryFs, type MemoryTree, pieces } from '../boot/memfs';
import { context } from '../support';

function open(file: MemoryTree[string], ctx = context()): FileBackedSource {
  const fs = new MemoryFs({ f: file });
  return new FileBackedSource(fs, fs.lookup(fs.root, 'f')!, 'f', 1, ctx);
}

const content = Buffer.alloc(5000);
for (let i = 0; i < content.length; i++) content[i] = i < 1000 || i > 2000 ? (i * 7) % 251 : 0;

t.test('every kind of extent, every range', async (t) => {
  const kinds: Extent['kind'][] = ['data', 'inline', 'packed', 'hole'];
  for (const piece of [1, 37, 100, 512, 6000]) {
    const source = open(pieces(content, piece, kinds));
    t.equal(source.size, 5120, 'whole sectors');
    t.equal(source.sectorSize, 512);
    const padded = Buffer.concat([content, Buffer.alloc(120)]);
    for (let at = 0; at <= 5120; at += 61) {
      for (const length of [0, 1, 99, 513, 5120]) {
        if (at + length > 5120) continue;
        const into = Buffer.alloc(length, 0xaa);
        source.read(at, into);
        if (!into.equals(padded.subarray(at, at + length)))
          t.fail(`${length} bytes at ${at}, pieces of ${piece}`);
      }
    }
  }
});

t.test('extents that reach beyond the file, gaps, nothing at all', async (t) => {
  const long = open(
    extentFile(600, () => [
      { kind: 'data', offset: 100, length: 4096, source: new MemorySource(Buffer.alloc(4096, 1)), at: 0 },
    ]),
  );
  const into = Buffer.alloc(1024, 0xaa);
  long.read(0, into);
  t.ok(into.subarray(0, 100).every((b) => b === 0));
  t.ok(into.subarray(100, 600).every((b) => b === 1));
  t.ok(
    into.subarray(600).every((b) => b === 0),
    'the rest of the last sector',
  );
  t.equal(open('').size, 0);
  const sparse = open(extentFile(2 ** 40, () => []));
  sparse.read(2 ** 39, into);
  t.ok(into.every((b) => b === 0));
  t.throws(() => sparse.read(2 ** 40 - 10, Buffer.alloc(11)), GuestError);
  t.throws(() => sparse.read(-1, Buffer.alloc(1)), GuestError);
});

t.test('unpacked pieces are kept for the next read', async (t) => {
  let unpacked = 0;
  const source = open(
    extentFile(4096, function* () {
      for (let i = 0; i < 4; i++)
        yield {
          kind: 'packed',
          offset: i * 1024,
          length: 1024,
          unpack: () => {
            unpacked++;
            return Buffer.alloc(1024, i);
          },
        };
    }),
  );
  for (let at = 0; at < 4096; at += 64) source.read(at, Buffer.alloc(64));
  t.equal(unpacked, 4);
});

t.test('hostile', async (t) => {
  const short = open(
    extentFile(1024, () => [{ kind: 'packed', offset: 0, length: 1024, unpack: () => Buffer.alloc(10) }]),
  );
  t.throws(() => short.read(0, Buffer.alloc(512)), GuestError, 'less than promised');
  const endless = extentFile(2 ** 50, function* () {
    for (let i = 0; ; i++) yield { kind: 'hole', offset: i * 2, length: 1 };
  });
  t.throws(() => open(endless, context(100_000)), GuestError, 'more extents than the budget allows');
  t.throws(() => open({}), GuestError, 'a directory');
  const overlap = extentFile(100, () => [
    { kind: 'hole', offset: 0, length: 50 },
    { kind: 'hole', offset: 10, length: 50 },
  ]);
  t.throws(() => open(overlap), GuestError);
});
