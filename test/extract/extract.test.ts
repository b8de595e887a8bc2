import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { ChunkWriter, copyFile } from '../../lib/extract/copy';
import { copyInitrds } from '../../lib/extract/initrd';
import type { Extent } from '../../lib/fs/types';
import { walk } from '../../lib/fs/walk';
import { type BlockSource, MemorySource, readMany, totalLength } from '../../lib/source/types';
import { extentFile, MemoryFs } from '../boot/memfs';
import { type CountingSource, counting } from '../sources';
import { context } from '../support';

const dir = mkdtempSync(join(tmpdir(), 'nodegrub-extract-'));
t.teardown(() => rmSync(dir, { recursive: true }));

async function written(fill: (out: ChunkWriter) => Promise<void>): Promise<Buffer> {
  const path = join(dir, 'out');
  const fd = openSync(path, 'w');
  const out = new ChunkWriter(fd, path);
  await fill(out);
  await out.end();
  closeSync(fd);
  return readFileSync(path);
}

/** Repeatable noise. */
function noise(length: number, seed = 1): Buffer {
  const out = Buffer.alloc(length);
  let x = seed;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    out[i] = x >>> 16;
  }
  return out;
}

const sha = (b: Uint8Array) => createHash('sha256').update(b).digest('hex');

t.test('fragments in any order are put together, in few reads', async (t) => {
  const piece = 4096;
  const count = 3000;
  const disk = noise(piece * count * 2);
  const source: CountingSource = counting(new MemorySource(disk, 'disk'));
  const expected = Buffer.alloc(piece * count - 100);
  // Even pieces of the disk, with a stretch read backwards.
  const place = (i: number) => (i > 1000 && i < 1100 ? 2100 - i : i) * 2 * piece;
  for (let i = 0; i < count; i++) disk.copy(expected, i * piece, place(i), place(i) + piece);
  const fs = new MemoryFs({
    f: extentFile(expected.length, function* () {
      for (let i = 0; i < count; i++)
        yield { kind: 'data', offset: i * piece, length: piece, source, at: place(i) } as Extent;
    }),
  });
  const got = await written((out) => copyFile(fs, walk(fs, '/f'), out, context()));
  t.equal(sha(got), sha(expected));
  t.ok(source.reads < count / 10, `${source.reads} reads for ${count} fragments`);
});

t.test('a bad sector between fragments does not matter', async (t) => {
  const disk = noise(64 * 1024);
  const inner = new MemorySource(disk, 'disk');
  const fail = (at: number, length: number) => {
    if (at < 9000 && at + length > 8500) throw new GuestError('io', 'EIO');
  };
  const source: BlockSource = {
    label: 'disk',
    size: inner.size,
    sectorSize: 512,
    read(at, into) {
      fail(at, into.length);
      inner.read(at, into);
    },
    readMany(at, into) {
      fail(at, totalLength(into));
      readMany(inner, at, into);
    },
  };
  const places = [0, 4096, 12_288, 40_960];
  const fs = new MemoryFs({
    f: extentFile(16_384, function* () {
      for (const [i, at] of places.entries())
        yield { kind: 'data', offset: i * 4096, length: 4096, source, at };
    }),
  });
  const got = await written((out) => copyFile(fs, walk(fs, '/f'), out, context()));
  t.same(got, Buffer.concat(places.map((at) => disk.subarray(at, at + 4096))));
});

t.test('holes stay holes', async (t) => {
  const data = noise(8192);
  const source = new MemorySource(data, 'disk');
  const size = 64 * 1024 * 1024;
  const fs = new MemoryFs({
    f: extentFile(size, function* () {
      yield { kind: 'data', offset: 1024 * 1024, length: 8192, source, at: 0 };
    }),
  });
  const got = await written((out) => copyFile(fs, walk(fs, '/f'), out, context()));
  const expected = Buffer.alloc(size);
  data.copy(expected, 1024 * 1024);
  t.equal(sha(got), sha(expected));
  t.ok(statSync(join(dir, 'out')).blocks * 512 < 1024 * 1024, 'and occupy nothing');
});

t.test('a driver’s lie is an error', async (t) => {
  const source = new MemorySource(Buffer.alloc(100), 'disk');
  const lying = (extents: Extent[]) => {
    const fs = new MemoryFs({ f: extentFile(200, () => extents) });
    return () => written((out) => copyFile(fs, walk(fs, '/f'), out, context()));
  };
  await t.rejects(
    lying([{ kind: 'data', offset: 0, length: 200, source, at: 0 }]),
    { code: 'corrupt' },
    'beyond the disk',
  );
  await t.rejects(lying([{ kind: 'inline', offset: 0, length: 200, bytes: Buffer.alloc(10) }]), {
    code: 'corrupt',
  });
  await t.rejects(
    lying([
      { kind: 'data', offset: 50, length: 50, source, at: 0 },
      { kind: 'data', offset: 0, length: 50, source, at: 0 },
    ]),
    { code: 'corrupt' },
    'backwards',
  );
  const huge = new MemoryFs({ f: extentFile(2 ** 45, () => []) });
  await t.rejects(() => written((out) => copyFile(huge, walk(huge, '/f'), out, context())), {
    code: 'limit',
  });
});

t.test('initrds: four-byte alignment and newc wrapping', async (t) => {
  const fs = new MemoryFs({ a: 'AAAAA', b: 'BBBB', c: 'C' });
  const part = (name: string, newcName?: string) => ({
    file: { volume: undefined, path: `/${name}`, found: { fs, node: walk(fs, `/${name}`) } },
    ...(newcName === undefined ? {} : { newcName }),
  });
  t.equal(
    (await written((o) => copyInitrds([part('a')], o, context()))).toString(),
    'AAAAA',
    'one is copied as it is',
  );
  t.equal(
    (await written((o) => copyInitrds([part('a'), part('b'), part('c')], o, context()))).toString(),
    'AAAAA\0\0\0BBBBC',
  );
  const archive = await written((o) =>
    copyInitrds([part('a', '/etc/conf/a'), part('b', 'etc/b'), part('c')], o, context()),
  );
  t.ok(archive.subarray(0, archive.length - 1).length % 4 === 0 && archive.toString('latin1').endsWith('C'));
  // Names, from the header fields of 8 hexadecimal digits after the magic (buffer-format.rst).
  const names: string[] = [];
  for (let at = 0; archive.toString('latin1', at, at + 6) === '070701'; ) {
    const size = Number.parseInt(archive.toString('latin1', at + 54, at + 62), 16);
    const length = Number.parseInt(archive.toString('latin1', at + 94, at + 102), 16);
    names.push(archive.toString('latin1', at + 110, at + 110 + length - 1));
    at += Math.ceil((110 + length) / 4) * 4 + Math.ceil(size / 4) * 4;
  }
  t.same(names, ['etc', 'etc/conf', 'etc/conf/a', 'etc/b', 'TRAILER!!!']);
});
