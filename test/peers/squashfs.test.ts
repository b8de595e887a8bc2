/** squashfs images of both makers over their switches, against the tree that they were made of and the kernel's mount. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { walk } from '../../lib/fs/walk';
import { digest } from '../fsdrivers/compare';
import { MOST, ran } from '../hostile/growth';
import { sample, THOROUGH } from '../support';
import { must, scratch, sha256 } from './support';
import { differences, MANY, mounted, noise, openImage, plantTree, sameIdentity } from './trees';

const dir = scratch(t);
const tree = join(dir, 'tree');
const image = join(dir, 'image');
plantTree(tree, { files: 600, fifo: true });

function mksquashfs(from: string, ...args: string[]): void {
  rmSync(image, { force: true });
  must('mksquashfs', from, image, '-noappend', '-quiet', '-no-progress', ...args);
}

const compressors = ['gzip', 'lzo', 'lz4', 'xz', 'zstd'];
const switches: string[] = [
  ...compressors.map((c) => `-comp ${c}`),
  ...['4K', '16K', '64K', '256K', '1M'].map((b, i) => `-comp ${compressors[i % 5]} -b ${b}`),
  '-comp gzip -Xcompression-level 1 -Xwindow-size 9 -Xstrategy huffman_only,fixed',
  '-comp lzo -Xalgorithm lzo1x_1 -b 32K',
  '-comp lz4 -Xhc',
  '-comp xz -Xbcj x86,arm,armthumb,powerpc,sparc,ia64',
  '-comp xz -Xdict-size 8K -b 16K',
  '-comp zstd -Xcompression-level 22',
  '-noI',
  '-noD',
  '-noF',
  '-noX -noId',
  '-noI -noD -noF -noX',
  '-no-fragments',
  '-always-use-fragments -b 64K',
  '-no-duplicates -no-sparse',
  '-no-exports -no-xattrs -all-root',
  '-nopad',
];

for (const s of sample(switches))
  t.test(`mksquashfs ${s}`, async (t) => {
    mksquashfs(tree, ...s.split(' '));
    const opened = openImage(image);
    t.same(differences(opened, tree), []);
    t.same(opened.ctx.warnings, []);
    sameIdentity(t, opened.fs, image);
  });

for (const s of sample([
  ...[...compressors, 'lzma'].map((c) => `-c ${c}`),
  '-c lzma -b 4096',
  '-c xz -b 1048576 -X dictsize=65536,x86,arm',
  '-c gzip -T',
  '-c zstd -e -B 16384',
]))
  t.test(`gensquashfs ${s}`, async (t) => {
    rmSync(image, { force: true });
    must('gensquashfs', '-q', '-D', tree, ...s.split(' '), image);
    t.same(differences(openImage(image), tree), []);
  });

t.test('appended to', async (t) => {
  const more = join(dir, 'more');
  mkdirSync(more);
  writeFileSync(join(more, 'later'), noise(100_000, 3));
  mksquashfs(tree);
  must('mksquashfs', more, image, '-quiet', '-no-progress');
  const opened = openImage(image);
  t.same(differences(opened, tree, { except: ['later'] }), []);
  t.equal(digest(opened.fs, walk(opened.fs, '/later'), opened.ctx), sha256(noise(100_000, 3)));
});

t.test('many files, as the kernel mounts them', async (t) => {
  const large = join(dir, 'large');
  plantTree(large, { files: MANY, fifo: true });
  mksquashfs(large, '-comp', 'lz4');
  const opened = openImage(image);
  mounted(image, join(dir, 'mount'), 'ro', () =>
    t.same(differences(opened, join(dir, 'mount')), [], 'the mount'),
  );
  rmSync(large, { recursive: true });
});

t.test('a large directory', async (t) => {
  const list = join(dir, 'list');
  // mksquashfs itself takes minutes for 100,000.
  const count = THOROUGH ? 100_000 : 20_000;
  writeFileSync(list, Array.from({ length: count }, (_, i) => `d/file-${i} i 644 0 0 f\n`).join(''));
  rmSync(image, { force: true });
  mksquashfs(join(tree, 'empty'), '-p', 'd d 755 0 0', '-pf', list);
  const { fs } = openImage(image);
  const d = walk(fs, '/d');
  // Names spread over the directory.
  const found = ran(500, (names) => () => {
    for (let i = 0; i < names; i++) if (!fs.lookup(d, `file-${(i * 7919) % count}`)) t.fail(`${i}`);
  });
  t.ok(found < MOST, `n^${found.toFixed(2)}`);
  t.equal([...fs.readdir(d)].length, count);
});
