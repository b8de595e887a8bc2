import t from 'tap';
import { driver } from '../../../fsdrivers/tar/driver';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { context, image } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('tar', /^tarfs$/, 9);

const open = (name: string) => openFixture(`tar-${name}`, context());
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);

t.test('holes are holes', async (t) => {
  for (const name of ['sparse-gnu', 'sparse-0.0', 'sparse-0.1', 'sparse-1.0']) {
    const fs = open(name);
    t.same(shape(fs.extents(walk(fs, '/a-hole'))), [], name);
    const pieces = shape(fs.extents(walk(fs, '/pieces')));
    t.equal(pieces.length, 41, name);
    t.ok(
      pieces.every(([kind, , length]) => kind === 'data' && (length as number) <= 8192),
      name,
    );
  }
});

t.test('hard links, times', async (t) => {
  for (const name of ['v7', 'ustar', 'gnu', 'pax', 'bsd-pax']) {
    const fs = open(name);
    const { id, mtime } = walk(fs, '/boot/vmlinuz');
    t.equal(mtime, 1700000000, name);
    for (const path of ['/hardlink', '/a/third']) t.equal(walk(fs, path).id, id, `${name} ${path}`);
  }
});

/** A header, its sum put right. */
function header(name: string, change: (block: Buffer) => void = () => {}): Buffer {
  const block = Buffer.alloc(512);
  block.write(name);
  block.write('0000644\0', 100);
  block.write('00000000000\0', 124);
  block.write('00000000000\0', 136);
  block.write('0', 156);
  change(block);
  block.write('        ', 148);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
const probe = (bytes: Uint8Array) => driver.probe(new MemorySource(bytes), context());

t.test('what is one', async (t) => {
  t.ok(probe(header('file')), 'no magic number, but a sum');
  t.equal(probe(Buffer.alloc(1024)), undefined, 'the end of one');
  t.equal(probe(header('file').subarray(0, 500)), undefined, 'cut off');
  t.equal(probe(header('')), undefined, 'no name');
  t.equal(probe(header('file', (b) => b.write('what is this', 124))), undefined, 'no size');
  t.equal(probe(header('file', (b) => b.write('\x90', 156, 'latin1'))), undefined, 'no type');
  const wrong = header('file');
  wrong[0] = 0x67;
  t.equal(probe(wrong), undefined, 'a wrong sum');
  const signed = header('x', (b) => b.write('\xe9', 0, 'latin1'));
  signed.write(
    `${(Number.parseInt(signed.toString('latin1', 148, 154), 8) - 256).toString(8).padStart(6, '0')}`,
    148,
  );
  t.ok(probe(signed), 'a sum of signed bytes');
  t.throws(() => driver.open([new MemorySource(Buffer.alloc(1000))], context()), { code: 'corrupt' });
});

t.test('the prefixes of POSIX and of star', async (t) => {
  const ustar = (b: Buffer) => {
    b.write('ustar\x0000', 257);
    b.write('p'.repeat(155), 345);
  };
  const star = (b: Buffer) => {
    b.write('ustar\x0000', 257);
    b.write('p'.repeat(131), 345);
    b.write('00000000000 00000000000 tar\0', 476);
    b.write('tar\0', 508);
  };
  const bytes = Buffer.concat([header('posix', ustar), header('star', star), Buffer.alloc(1024)]);
  const fs = driver.open([new MemorySource(bytes)], context());
  t.equal(walk(fs, `/${'p'.repeat(155)}/posix`).kind, 'file');
  t.equal(walk(fs, `/${'p'.repeat(131)}/star`).kind, 'file');
});

t.test('hard links with a size, with bytes and without', async (t) => {
  const link = (b: Buffer) => {
    b.write('1', 156);
    b.write('00000000005\0', 124);
    b.write('file', 157);
  };
  const data = Buffer.alloc(512);
  data.write('bytes');
  const file = header('file', (b) => b.write('00000000005\0', 124));
  const bytes = Buffer.concat([
    ...[file, data, header('without', link), header('with', link), data],
    ...[header('last'), Buffer.alloc(1024)],
  ]);
  const fs = driver.open([new MemorySource(bytes)], context());
  t.equal(walk(fs, '/without').id, walk(fs, '/file').id);
  t.not(walk(fs, '/with').id, walk(fs, '/file').id);
  t.same(shape(fs.extents(walk(fs, '/with'))), [['data', 0, 5]]);
  t.equal(walk(fs, '/last').kind, 'file');
});

t.test('types: what is no file is left out, what nobody knows is a file', async (t) => {
  const types = ['A', 'I', 'M', 'N', 'V', '7', 'Z', '3', '4', '6', 'D', '5', '\0'];
  const bytes = Buffer.concat([
    ...types.map((type) => header(`t${type.charCodeAt(0)}`, (b) => b.write(type, 156))),
    Buffer.alloc(1024),
  ]);
  const fs = driver.open([new MemorySource(bytes)], context());
  t.same(
    [...fs.readdir(fs.root)].map((e) => [e.name, e.kind]),
    [
      ['t55', 'file'],
      ['t90', 'file'],
      ['t51', 'other'],
      ['t52', 'other'],
      ['t54', 'other'],
      ['t68', 'directory'],
      ['t53', 'directory'],
      ['t0', 'file'],
    ],
  );
});

t.test('global headers hold from where they stand', async (t) => {
  const global = (text: string) => {
    const data = Buffer.alloc(512);
    data.write(text);
    return Buffer.concat([
      header('g', (b) => {
        b.write('g', 156);
        b.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
      }),
      data,
    ]);
  };
  const bytes = Buffer.concat([
    ...[header('a'), global('13 mtime=100\n'), header('b'), global('19 comment=nothing\n'), header('c')],
    ...[global('13 mtime=200\n'), header('d'), global('9 mtime=\n'), header('e'), Buffer.alloc(1024)],
  ]);
  const fs = driver.open([new MemorySource(bytes)], context());
  const times = () => ['e', 'd', 'c', 'b', 'a'].map((name) => walk(fs, name).mtime);
  t.same(times(), [0, 200, 100, 100, 0]);
  t.same(times(), [0, 200, 100, 100, 0]);
});

t.test('a volume label', async (t) => {
  const bytes = Buffer.concat([
    header('a label', (b) => b.write('V', 156)),
    header('file'),
    Buffer.alloc(1024),
  ]);
  const fs = driver.open([new MemorySource(bytes)], context());
  t.equal(fs.label, 'a label');
  t.same(
    [...fs.readdir(fs.root)].map((e) => e.name),
    ['file'],
  );
});

t.test('an archive without its end', async (t) => {
  const ctx = context();
  const bytes = image('tar-ustar.img');
  const end = bytes.lastIndexOf('ustar') - 257 + 512;
  const fs = driver.open([new MemorySource(bytes.subarray(0, end))], ctx);
  t.equal(walk(fs, '/boot/vmlinuz').size, 60000);
  t.same(ctx.warnings, ['tar: the archive ends without a block of zeros']);
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('gnu');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
