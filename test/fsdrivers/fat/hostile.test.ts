/** Disks made to hurt, other boot sectors, and fixtures with bytes changed at random. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { driver } from '../../../fsdrivers/fat/driver';
import { GuestError } from '../../../lib/bytes/errors';
import { readWhole } from '../../../lib/fs/file';
import type { FileSystem, FsNode } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { context, image, ROOT, source, type TestContext } from '../../support';
import { layouts, SparseSource } from '../../volume/sparse';

type Act = (fs: FileSystem, ctx: TestContext) => unknown;
const read: Act = (fs, ctx) => readWhole(fs, walk(fs, 'FILE'), 1 << 20, ctx);
const extents: Act = (fs) => [...fs.extents(walk(fs, 'FILE'))];
const find: Act = (fs) => walk(fs, 'DIR/NOTHING');
const root: Act = (fs) => [...fs.readdir(fs.root)];

/** What each sample must give when it is used so. The code is the first word of the sample's name. */
const SAMPLES: Record<string, [Act, RegExp]> = {
  'corrupt-chain-loop-12': [(fs) => walkAll(fs, 100_000), /cluster chain from \d+ loops at \d+/],
  'corrupt-chain-loop-16': [(fs) => walkAll(fs, 100_000), /cluster chain from \d+ loops at \d+/],
  'corrupt-chain-to-itself': [read, /cluster chain from \d+ loops at \d+/],
  'corrupt-chain-out-of-range': [read, /cluster \d+ leads to cluster 4079, allowed 2 to \d+/],
  'corrupt-chain-free': [read, /cluster \d+ leads to cluster 0, allowed 2 to \d+/],
  'corrupt-chain-bad': [read, /cluster \d+ leads to cluster 65527, allowed 2 to \d+/],
  'corrupt-chain-short': [read, /chain ends after 1024 bytes of a file of 3000/],
  'corrupt-file-without-cluster': [read, /chain starts to cluster 0, allowed/],
  'corrupt-size': [extents, /chain ends after 3072 bytes of a file of 4294967295/],
  'corrupt-directory-without-cluster': [find, /chain starts to cluster 0, allowed/],
  'corrupt-directory-loop': [find, /cluster chain from \d+ loops/],
  'corrupt-directory-too-large': [find, /directory of more than 2097152 bytes/],
  'corrupt-root-cluster-0': [root, /chain starts to cluster 0/],
  'corrupt-root-cluster-outside': [root, /chain starts to cluster 268435440/],
  'corrupt-root-loop': [root, /cluster chain from 2 loops at 2/],
  'corrupt-disk-cut': [read, /clusters \d+ to \d+ end at byte \d+ of \d+/],
};

/** The chain of FILE, followed for `size` bytes. */
function walkAll(fs: FileSystem, size: number): void {
  const node = { ...walk(fs, 'FILE'), size };
  for (const _ of fs.extents(node));
}

t.test('samples', async (t) => {
  const there = readdirSync(join(ROOT, 'fixtures', 'malformed'))
    .filter((f) => f.startsWith('fat-'))
    .map((f) => f.slice(4, -'.img.gz'.length));
  t.same(there.sort(), Object.keys(SAMPLES).sort(), 'each sample is used');
  for (const [sample, [act, message]] of Object.entries(SAMPLES)) {
    const ctx = context(200_000);
    const fs = driver.open([source(`fat-${sample}.img`, 'malformed')], ctx);
    try {
      act(fs, ctx);
      t.fail(`${sample}: nothing was said`);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      t.match({ code: error.code, message: error.message }, { code: sample.split('-')[0], message }, sample);
    }
  }
});

t.test('a damaged root costs the label, not the filesystem', (t) => {
  const fs = driver.open([source('fat-corrupt-root-loop.img', 'malformed')], context());
  t.equal(fs.label, undefined);
  t.end();
});

t.test('boot sectors of others are not taken for FAT', (t) => {
  const all = layouts();
  const fats = ['none-fat12', 'none-fat16', 'none-fat32', 'none-fat-windows-text', 'none-fat32-fake-row'];
  for (const [name, layout] of all) {
    const stale = name === 'dos-over-fat' || name === 'none-fat16-stale-backup';
    const known = driver.probe(SparseSource.from(layout), context()) !== undefined;
    t.equal(known, fats.includes(name) || stale, name);
  }
  for (const size of [0, 100, 511])
    t.equal(driver.probe(new MemorySource(Buffer.alloc(size)), context()), undefined);
  // Any text, any code, any zeros.
  let seed = 7;
  for (let i = 0; i < 3000; i++) {
    const bytes = Buffer.alloc(2048);
    for (let k = 0; k < 512; k++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      bytes[k] = seed >>> 16;
    }
    bytes.writeUInt16LE(0xaa55, 510);
    if (driver.probe(new MemorySource(bytes), context())) t.fail(`random sector ${i}`);
  }
  t.end();
});

t.test('what Linux mounts is taken', (t) => {
  const change = (edit: (b: Buffer) => void) => {
    const bytes = image('fat-16.img');
    edit(bytes);
    return driver.probe(new MemorySource(bytes), context());
  };
  t.ok(
    change((b) => b.fill(0, 0, 11)),
    'no jump, no OEM name',
  );
  t.ok(
    change((b) => b.fill(0, 510, 512)),
    'no signature',
  );
  t.ok(
    change((b) => b.fill(0x20, 54, 62)),
    'no type text',
  );
  t.ok(
    change((b) => b.fill(0, b.readUInt16LE(14) * 512, b.readUInt16LE(14) * 512 + 2)),
    'damaged first FAT entry',
  );
  t.notOk(
    change((b) => {
      b.fill(0, 510, 512);
      b.fill(0, b.readUInt16LE(14) * 512, b.readUInt16LE(14) * 512 + 2);
    }),
    'neither',
  );
  t.notOk(change((b) => b.write('NTFS    ', 3)));
  t.notOk(change((b) => b.writeUInt16LE(768, 11)));
  t.notOk(change((b) => b.writeUInt8(3, 13)));
  t.notOk(change((b) => b.writeUInt16LE(0, 14)));
  t.notOk(change((b) => b.writeUInt8(0, 16)));
  t.notOk(change((b) => b.writeUInt8(0xf1, 21)));
  t.end();
});

/** Everything there is, a few levels deep, within the budget. */
function useAll(fs: FileSystem, dir: FsNode, ctx: TestContext, depth: number): void {
  const guard = (act: () => void) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      if (error.code === 'limit') throw error;
    }
  };
  guard(() => {
    for (const entry of fs.readdir(dir)) {
      const node = entry.node();
      guard(() => void (node.kind === 'file' && readWhole(fs, node, 1 << 16, ctx)));
      if (node.kind === 'directory' && depth > 0) useAll(fs, node, ctx, depth - 1);
    }
  });
  guard(() => void fs.lookup(dir, 'nothing'));
}

for (const name of ['fat-12.img', 'fat-16.img', 'fat-32.img'])
  t.test(`${name} with random bytes`, (t) => {
    const sound = image(name);
    // Boot sector, FATs, root and first directories.
    const span = Math.min(sound.length, 120_000);
    let seed = 20231114;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    let errors = 0;
    for (let round = 0; round < 1000; round++) {
      const bytes = Buffer.from(sound);
      const changes = 1 + random(12);
      for (let i = 0; i < changes; i++) {
        // Half of them where it hurts most.
        const at = random(2) ? random(90) : random(span);
        bytes[at] = random(3) === 0 ? [0, 0xff, 0x7f, 0x80, 1][random(5)]! : random(256);
      }
      const ctx = context(300_000);
      try {
        const fs = openFileSystem(new MemorySource(bytes), ctx, () => []);
        if (!fs) continue;
        useAll(fs, fs.root, ctx, 3);
        void fs.label;
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        errors++;
      }
    }
    t.ok(errors < 1000);
    t.end();
  });
