/** Images made to hurt, and fixtures with bytes changed, zeroed and cut off at random. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { driver } from '../../../fsdrivers/iso9660/driver';
import { GuestError } from '../../../lib/bytes/errors';
import { fileExtents, readWhole } from '../../../lib/fs/file';
import type { FileSystem, FsNode } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { context, cpuMs, image, ROOT, rounds, source, type TestContext } from '../../support';

type Act = (fs: FileSystem, ctx: TestContext) => unknown;
const opened: Act = () => {};
const read =
  (path: string): Act =>
  (fs, ctx) =>
    readWhole(fs, walk(fs, path), 1 << 20, ctx).toString('latin1');
const file = read('file');
const link: Act = (fs) => fs.readlink(walk(fs, 'file', false));
const enter =
  (path: string): Act =>
  (fs) => [...fs.readdir(walk(fs, path))];

/** What each sample must give when it is used so: an error whose code is the first word of its name. */
const ERRORS: Record<string, [Act, RegExp]> = {
  'corrupt-block-size': [
    opened,
    /^primary descriptor: logical blocks of 4096 bytes, allowed 512, 1024, 2048$/,
  ],
  'corrupt-root-outside': [opened, /root directory of the primary tree in block 5000/],
  'corrupt-root-no-directory': [opened, /block 17: .*(record of 255 bytes|not begin|identifier)/],
  'corrupt-root-no-size': [opened, /root directory of the primary tree in block 18: 0 bytes/],
  'corrupt-no-tree': [opened, /block 5000: extent .*; root .*Joliet tree in block 6000: extent/],
  'limit-directory-size': [enter('/'), /directory of 629145600 bytes, maximum 536870912/],
  'corrupt-directory-beyond-end': [enter('/'), /extent at block 18 ends at byte 118784, the disk has \d+/],
  'corrupt-record-short': [enter('/'), /record of 20 bytes, minimum 34/],
  'corrupt-record-beyond-end': [enter('/'), /record of 200 bytes, 56 are left of the directory/],
  'corrupt-identifier-length': [enter('/'), /identifier of 200 bytes in a record of 40/],
  'corrupt-identifier-empty': [enter('/'), /identifier of 0 bytes in a record of 40/],
  'corrupt-sections-unfinished': [enter('/'), /sections of a file end without the last one/],
  'corrupt-sections-of-another': [enter('/'), /sections of a file end without the last one/],
  'limit-sections': [enter('/'), /file of more than 1000 sections/],
  'corrupt-extent-beyond-end': [file, /extent at block 25 ends at byte 151200, the disk has \d+/],
  'corrupt-extent-outside': [file, /extent at block 4294967280 ends at byte 8796092989540/],
  'corrupt-directory-loop': [enter('a/b'), /the directory in block 18 lies inside itself/],
  'corrupt-directory-in-itself': [enter('a'), /the directory in block 18 lies inside itself/],
  'unsupported-interleaved': [file, /^interleaved file$/],
  'unsupported-sparse': [file, /^sparse file \(SF\)$/],
  'corrupt-continuation-loop': [file, /^it leads back to itself$/],
  'corrupt-continuation-loop-of-two': [file, /^it leads back to itself$/],
  'corrupt-continuation-chain': [file, /^more than 32 of them$/],
  'corrupt-continuation-outside': [file, /ends at byte 159287396, the disk has \d+/],
  'corrupt-continuation-size': [file, /1048576 bytes, maximum 2048/],
  'corrupt-moved-loop': [enter('a/b'), /the directory in block 18 lies inside itself/],
  'corrupt-moved-twice': [enter('a'), /the directory moved to block \d+ is moved on from there/],
  'corrupt-moved-to-nothing': [enter('a'), /record of 1 bytes|no directory in block 16/],
  'corrupt-moved-outside': [enter('a'), /beyond|wanted/],
  'corrupt-link-component': [link, /component of a symbolic link reaches beyond its SL entry of 10 bytes/],
  'unsupported-link-component': [link, /component of a symbolic link with flags 0x10/],
  'limit-link-length': [link, /symbolic link of more than 4096 bytes/],
  'unsupported-zisofs-compressor': [file, /file compressed by 'XZ' \(zisofs version 2\)/],
  'corrupt-zisofs-block-size': [file, /zisofs blocks of 2\^30 bytes, allowed 2\^15 to 2\^17/],
  'corrupt-zisofs-header-beyond': [file, /zisofs header of 256 bytes in a file of 5/],
  'corrupt-zisofs-size-bomb': [
    (fs, ctx) => [...fileExtents(fs, walk(fs, 'file'), ctx)],
    /4294967295 bytes in 131072 zisofs blocks, but the file has \d+ bytes with their pointers/,
  ],
  'corrupt-zisofs-block-bomb': [file, /zisofs block 0 holds more than 32768 bytes/],
  'corrupt-zisofs-block-short': [file, /zisofs block 1 holds 5 bytes instead of 32768/],
  'corrupt-zisofs-block-garbage': [file, /zisofs block 1 cannot be unpacked \(Z_DATA_ERROR\)/],
  'corrupt-zisofs-block-cut': [file, /zisofs block 1 cannot be unpacked \(Z_BUF_ERROR\)/],
  'corrupt-zisofs-pointer-backwards': [file, /zisofs block 1 is at bytes \d+ to 40 of \d+/],
  'corrupt-zisofs-pointer-beyond': [file, /zisofs block 3 is at bytes \d+ to 1073741824 of \d+/],
  'corrupt-zisofs-pointer-in-table': [file, /zisofs block 0 begins at byte 4, inside the pointers/],
};

/** Damage that costs nothing but a word: what is read, and the warning. */
const WARNINGS: Record<string, [Act, string, RegExp]> = {
  'warned-primary-damaged': [
    read('sound'),
    'Joliet\n',
    /^root directory of the primary tree in block 5000: extent .*; the Joliet tree is used$/,
  ],
  'warned-block-size-orders': [read('sound'), 'contents\n', /block size \(2048 and 512\)/],
  'warned-record-orders': [
    read('sound'),
    'contents\n',
    /^directory record at byte \d+: block 19 or \d+, 9 or 9 bytes by byte order; the first are used$/,
  ],
  'warned-entry-length': [file, 'contents\n', /^System Use entry of 200 bytes, \d+ are left$/],
  'warned-name-length': [
    read(`${'n'.repeat(100)}${'o'.repeat(150)}`),
    'contents\n',
    /^a name of more than 255 bytes is cut$/,
  ],
  'warned-zisofs-header': [
    (fs, ctx) => (file(fs, ctx) as string).slice(0, 13),
    'compressible ',
    /^the header of a zisofs file is not what its ZF entry says/,
  ],
};

t.test('samples', async (t) => {
  const there = readdirSync(join(ROOT, 'fixtures', 'malformed'))
    .filter((f) => f.startsWith('iso9660-'))
    .map((f) => f.slice('iso9660-'.length, -'.img.gz'.length));
  const used = [...Object.keys(ERRORS), ...Object.keys(WARNINGS), 'read-empty-rock-ridge'];
  t.same(there.sort(), used.sort(), 'each sample is used');
  for (const [sample, [act, message]] of Object.entries(ERRORS)) {
    const ctx = context(200_000);
    const start = cpuMs();
    try {
      act(driver.open([source(`iso9660-${sample}.img`, 'malformed')], ctx), ctx);
      t.fail(`${sample}: nothing was said`);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      t.equal(error.code, sample.split('-')[0], `${sample}: ${error.describe()}`);
      t.ok(message.test(error.message) || message.test(error.describe()), `${sample}: ${error.describe()}`);
    }
    t.ok(cpuMs() - start < 1000);
  }
  for (const [sample, [act, result, warning]] of Object.entries(WARNINGS)) {
    const ctx = context(200_000);
    t.equal(act(driver.open([source(`iso9660-${sample}.img`, 'malformed')], ctx), ctx), result, sample);
    t.equal(ctx.warnings.length, 1, sample);
    t.match(ctx.warnings[0], warning);
  }
});

t.test('an empty Rock Ridge tree gives way to a Joliet one, as in Linux', async (t) => {
  const ctx = context();
  const fs = driver.open([source('iso9660-read-empty-rock-ridge.img', 'malformed')], ctx);
  t.equal(read('sound')(fs, ctx), 'Joliet\n');
});

t.test('names in sound blocks are found beside damaged ones', async (t) => {
  for (const sample of ['corrupt-record-short', 'corrupt-identifier-length', 'corrupt-identifier-empty']) {
    const ctx = context();
    const fs = driver.open([source(`iso9660-${sample}.img`, 'malformed')], ctx);
    t.equal(read('sound')(fs, ctx), 'contents\n', 'before');
    t.equal(read('after29')(fs, ctx), 'contents\n', 'after');
    // It may have been in what cannot be read.
    t.throws(() => walk(fs, 'nothing'), { code: 'corrupt' });
  }
  for (const sample of ['corrupt-continuation-loop', 'corrupt-continuation-outside']) {
    const ctx = context();
    const fs = driver.open([source(`iso9660-${sample}.img`, 'malformed')], ctx);
    t.equal(read('sound')(fs, ctx), 'contents\n', sample);
  }
});

t.test('other things are not taken for it', async (t) => {
  for (const size of [0, 2048, 32768, 34815])
    t.equal(driver.probe(new MemorySource(Buffer.alloc(size)), context()), undefined);
  const change = (edit: (b: Buffer) => void) => {
    const bytes = image('iso9660-plain.img');
    edit(bytes);
    return driver.probe(new MemorySource(bytes), context());
  };
  t.same(change(() => {})?.label, 'PLAIN');
  t.equal(
    change((b) => b.write('CDROM', 32769)),
    undefined,
    'High Sierra has its magic elsewhere',
  );
  t.equal(
    change((b) => b.fill(0, 32768, 32769)),
    undefined,
    'a boot record, and nothing else',
  );
});

/** Everything there is, a few levels deep, within the budget. */
function useAll(fs: FileSystem, dir: FsNode, ctx: TestContext, depth: number): void {
  const guard = (act: () => void) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      // The budget is used up.
      if (/^too m(uch|any)/.test(error.message)) throw error;
    }
  };
  guard(() => {
    for (const entry of fs.readdir(dir)) {
      const node = entry.node();
      guard(() => void (node.kind === 'file' && readWhole(fs, node, 1 << 19, ctx)));
      guard(() => void (node.kind === 'symlink' && fs.readlink(node)));
      if (node.kind === 'directory' && depth > 0) useAll(fs, node, ctx, depth - 1);
    }
  });
  guard(() => void fs.lookup(dir, 'nothing'));
}

for (const name of ['rockridge', 'genisoimage', 'joliet', 'zisofs', 'xa', 'block-512'])
  t.test(`${name} with bytes changed, zeroed and cut off`, async (t) => {
    const sound = image(`iso9660-${name}.img`);
    // Descriptors, directories and continuation areas come first in all of them; zisofs' pointers lie anywhere.
    const first = 32768;
    const span = Math.min(sound.length - first, 120_000);
    let seed = 20231114;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    let errors = 0;
    let slowest = 0;
    const count = rounds(400);
    for (let round = 0; round < count; round++) {
      let bytes: Buffer = Buffer.from(sound);
      const place = () => first + (random(4) === 0 ? random(4096) : random(span));
      if (round % 8 === 6) {
        const from = place();
        bytes.fill(0, from, Math.min(bytes.length, from + 1 + random(3000)));
      } else if (round % 8 === 7) bytes = bytes.subarray(0, place());
      else
        for (let i = 0; i <= random(30); i++)
          bytes[place()] = random(3) === 0 ? [0, 0xff, 0x7f, 0x80, 1][random(5)]! : random(256);
      const ctx = context(400_000);
      const start = cpuMs();
      try {
        const fs = openFileSystem(new MemorySource(bytes), ctx, () => []);
        if (fs) useAll(fs, fs.root, ctx, 6);
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        errors++;
      }
      slowest = Math.max(slowest, cpuMs() - start);
    }
    t.ok(errors < count);
    t.ok(slowest < 1000, `${slowest} ms`);
  });
