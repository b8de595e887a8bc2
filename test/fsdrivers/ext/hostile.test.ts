/** Disks made to hurt: the samples of fixtures/malformed, and fixtures with bytes changed at random. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { driver } from '../../../fsdrivers/ext/driver';
import { GuestError } from '../../../lib/bytes/errors';
import { readWhole } from '../../../lib/fs/file';
import type { FileSystem, FsNode } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { context, cpuMs, image, ROOT, rounds, source, type TestContext } from '../../support';

type Act = (fs: FileSystem, ctx: TestContext) => unknown;
const open: Act = () => undefined;
const read: Act = (fs, ctx) => readWhole(fs, walk(fs, '/file'), 1 << 20, ctx);
const extents: Act = (fs) => [...fs.extents(walk(fs, '/file'))].length;
const find: Act = (fs) => fs.lookup(walk(fs, '/dir'), 'nothing');
const name: Act = (fs) => fs.lookup(walk(fs, '/dir'), 'name');

/** What each sample must give when it is used so. The code is the first word of the sample's name. */
const SAMPLES: Record<string, [Act, RegExp]> = {
  'unsupported-feature': [open, /ext4 feature 0x80000000/],
  'corrupt-block-size': [open, /block size 2\^31 KiB, maximum 64 KiB/],
  'corrupt-inode-size': [open, /inode size 100, block size 1024/],
  'corrupt-no-groups': [open, /no blocks in a group/],
  'corrupt-descriptor-size': [open, /group descriptor size 0/],
  'corrupt-root': [open, /root inode is not a directory/],
  'corrupt-extent-magic': [read, /extent magic 0x1234, must be 0xf30a/],
  'corrupt-extent-depth': [read, /extent depth 9, maximum 5/],
  'corrupt-extent-count': [read, /5 of 4 extents where 4 fit/],
  'corrupt-extent-beyond-end': [read, /block 100000 and \d+ more of 256 blocks/],
  'corrupt-extent-empty': [read, /extent of no blocks at block 0/],
  'corrupt-extent-overlap': [read, /extent at block 1 after one that ends at 2/],
  'corrupt-extent-cycle': [read, /extent depth 4, must be 3/],
  'corrupt-extent-shared': [extents, /extent at block 0 after one that ends at 8/],
  'corrupt-extent-wide': [read, /extent index 0, must lie in 0–-1/],
  'corrupt-size': [extents, /size \d+, more than 2\^32 blocks/],
  'corrupt-freed-inode': [read, /inode \d+ is not in use/],
  'corrupt-record-length-zero': [name, /directory entry of 0 bytes with a name of 4, \d+ bytes are left/],
  'corrupt-record-length-beyond': [name, /directory entry of 4000 bytes/],
  'corrupt-entry-inode': [name, /inode 77777 of 32/],
  'corrupt-indirect-beyond-end': [read, /block 5000000 of 256 blocks/],
  'limit-indirect-cycle': [extents, /too much work \(steps\)/],
  'limit-directory-cycle': [find, /directory of more than 536870912 bytes/],
};

t.test('samples', async (t) => {
  const there = readdirSync(join(ROOT, 'fixtures', 'malformed'))
    .filter((f) => f.startsWith('ext-'))
    .map((f) => f.slice(4, -'.img.gz'.length));
  t.same(there.sort(), Object.keys(SAMPLES).sort(), 'each sample is used');
  for (const [sample, [act, message]] of Object.entries(SAMPLES)) {
    const ctx = context(sample === 'limit-indirect-cycle' ? 500_000 : undefined);
    const start = cpuMs();
    try {
      act(driver.open([source(`ext-${sample}.img`, 'malformed')], ctx), ctx);
      t.fail(`${sample}: nothing was said`);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      t.match({ code: error.code, message: error.message }, { code: sample.split('-')[0], message }, sample);
    }
    const ms = cpuMs() - start;
    t.ok(ms < 5000, `${sample} in ${Math.round(ms)} ms`);
  }
});

t.test('names in sound blocks are found beside damaged ones', async (t) => {
  const bytes = image('ext-ext2.img');
  const fs = driver.open([new MemorySource(bytes)], context());
  const dir = walk(fs, '/deep/er/est');
  const names = [...fs.readdir(dir)].map((e) => e.name);
  // The directory has several blocks; the second one begins with some entry, which loses its length.
  const at = bytes.indexOf(Buffer.from('name number ')) & ~1023;
  const second = bytes.subarray(at + 1024);
  second.writeUInt16LE(0, 4);
  const damaged = driver.open([new MemorySource(bytes)], context());
  const found: string[] = [];
  let missing = 0;
  for (const name of names)
    try {
      if (damaged.lookup(walk(damaged, '/deep/er/est'), name)) found.push(name);
    } catch (error) {
      t.match(error, { code: 'corrupt', message: /directory entry of 0 bytes/ });
      missing++;
    }
  t.ok(found.length > 40 && missing > 0, `${found.length} found, ${missing} told as damaged`);
  const listed: string[] = [];
  t.throws(
    () => {
      for (const e of damaged.readdir(walk(damaged, '/deep/er/est'))) listed.push(e.name);
    },
    { code: 'corrupt' },
  );
  t.same(listed.sort(), found.sort(), 'the listing has the same names, and then says so');
});

/** A small generator with a seed, so that a failure comes again. */
function random(seed: number): (below: number) => number {
  let s = seed >>> 0;
  return (below) => {
    s = (s + 0x6d2b79f5) >>> 0;
    let x = Math.imul(s ^ (s >>> 15), s | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

/** Touches everything within bounds; GuestErrors of parts do not end it. */
function explore(fs: FileSystem, ctx: TestContext): number {
  let left = 120;
  let damage = 0;
  const quietly = (what: () => void) => {
    try {
      what();
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      damage++;
    }
  };
  const visit = (node: FsNode, depth: number): void => {
    if (left-- <= 0) return;
    if (node.kind === 'symlink') fs.readlink(node);
    else if (node.kind === 'file') {
      let n = 0;
      for (const e of fs.extents(node)) {
        if (e.kind === 'data' && (e.length <= 0 || e.offset < 0)) throw new Error('an extent without bytes');
        if (++n > 50) break;
      }
      if (node.size < 4096) readWhole(fs, node, 4096, ctx);
    } else if (node.kind === 'directory' && depth < 6) {
      fs.lookup(node, 'name4321');
      let n = 0;
      for (const e of fs.readdir(node)) {
        if (++n > 25) break;
        quietly(() => visit(e.node(), depth + 1));
        quietly(() => fs.lookup(node, e.name));
      }
    }
  };
  quietly(() => visit(fs.root, 0));
  return damage;
}

for (const [name, all] of [
  ['ext-ext2', 500],
  ['ext-ext4', 500],
  ['ext-inline', 700],
  ['ext-casefold', 500],
  ['ext-gdtcsum', 300],
  ['ext-dirty-v3', 300],
  ['ext-dirty-debugfs-v2', 500],
  ['ext-fast', 500],
] as const)
  t.test(`bytes changed at random: ${name}`, async (t) => {
    const bytes = image(`${name}.img`);
    /** Blocks that hold something, those of metadata more often: they come first on the disk. */
    const used: number[] = [];
    for (let at = 0; at < bytes.length; at += 1024)
      if (bytes.subarray(at, at + 1024).some((b) => b !== 0)) used.push(at);
    const pick = random(name.length * 7919 + all);
    const count = rounds(all);
    const outcomes = { fine: 0, damaged: 0, refused: 0 };
    let slowest = 0;
    for (let round = 0; round < count; round++) {
      const undo: [number, number][] = [];
      for (let n = 1 + pick(6); n > 0; n--) {
        const block = used[pick(pick(2) ? Math.min(used.length, 60) : used.length)]!;
        // Structures stand at the start of a block more often than not.
        const at = block + (pick(2) ? pick(64) : pick(1024));
        undo.push([at, bytes[at]!]);
        bytes[at] = [0, 0xff, 0x80, bytes[at]! ^ (1 << pick(8)), pick(256)][pick(5)]!;
      }
      const ctx = context(300_000);
      const start = cpuMs();
      try {
        const damage = explore(driver.open([new MemorySource(bytes)], ctx), ctx);
        if (damage + ctx.warnings.length > 0) outcomes.damaged++;
        else outcomes.fine++;
      } catch (error) {
        if (!(error instanceof GuestError)) {
          t.fail(`round ${round}: ${(error as Error).stack}`, { changes: undo });
          return;
        }
        outcomes.refused++;
      }
      slowest = Math.max(slowest, cpuMs() - start);
      for (const [at, value] of undo.reverse()) bytes[at] = value;
    }
    t.ok(outcomes.damaged + outcomes.refused > 5, JSON.stringify(outcomes));
    t.ok(slowest < 2000, `slowest ${Math.round(slowest)} ms`);
  });
