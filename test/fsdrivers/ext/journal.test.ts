/** Dirty journals: real ones against e2fsck's and the kernel's replay, and logs made here for what those do not show. */
import t from 'tap';
import { driver } from '../../../fsdrivers/ext/driver';
import { readWhole } from '../../../lib/fs/file';
import { walk } from '../../../lib/fs/walk';
import { CacheSource } from '../../../lib/source/cache';
import { MemorySource } from '../../../lib/source/types';
import { context, image, source, type TestContext } from '../../support';
import { listing, sameAs } from '../compare';

for (const name of ['ext-dirty-v3', 'ext-dirty-v1', 'ext-dirty-none', 'ext-dirty-debugfs-v2', 'ext-fast'])
  t.test(name, async (t) => {
    const ctx = context();
    const fs = driver.open([new CacheSource(source(`${name}.img`))], ctx);
    sameAs(t, fs, listing(name), ctx);
    t.same(ctx.warnings, []);
  });

t.test('external journal', async (t) => {
  const other = source('ext-ext4.img');
  const journal = source('ext-external-journal.img');
  const short = new MemorySource(Buffer.alloc(100));
  const ctx = context();
  const fs = driver.open([source('ext-external.img')], ctx, { others: () => [short, other, journal] });
  sameAs(t, fs, listing('ext-external'), ctx);
  t.same(ctx.warnings, []);

  const without = context();
  const stale = driver.open([source('ext-external.img')], without, { others: () => [other] });
  t.match(without.warnings, [
    /^journal: its device \(UUID 7a51c3c9-2222-4333-8444-555566667777\) is not among the volumes; .* as it stands$/,
  ]);
  t.equal(stale.root.kind, 'directory', 'the disk is read as it stands');
  t.equal(driver.open([source('ext-external.img')], context()).root.kind, 'directory', 'nor without options');
});

/** CRCs computed bit by bit, so that the driver's tables are not their own judge. */
function crc(poly: number, reflected: boolean, seed: number, data: Uint8Array): number {
  let c = seed | 0;
  for (const byte of data) {
    c ^= reflected ? byte : byte << 24;
    for (let i = 0; i < 8; i++)
      c = reflected ? (c & 1 ? (c >>> 1) ^ poly : c >>> 1) : c < 0 ? (c << 1) ^ poly : c << 1;
  }
  return c >>> 0;
}
const crc32c = (seed: number, data: Uint8Array) => crc(0x82f63b78, true, seed, data);
const crc32be = (seed: number, data: Uint8Array) => crc(0x04c11db7, false, seed, data);

const MAGIC = 0xc03b3998;
const BS = 1024;

interface Block {
  readonly to: number;
  readonly data: Buffer;
  /** Spoils the tag's checksum. */
  readonly spoilt?: boolean;
}
interface Made {
  sums?: 'none' | 'v1' | 'v2' | 'v3';
  wide?: boolean;
  /** Each tag carries the UUID. */
  ownUuid?: boolean;
  async?: boolean;
  start?: number;
  sequence?: number;
}

/**
 * A clean fixture with a log of the caller's in its journal, written after the letter of journal.rst. Files /kept,
 * /gone and /twice have three blocks of their own each.
 */
class Disk {
  readonly bytes = image('ext-dirty-debugfs-v2.img');
  readonly uuid: Buffer;
  readonly wide: boolean;
  at: number;
  sequence: number;
  constructor(readonly o: Made = {}) {
    this.wide = o.wide ?? false;
    const sb = this.journal(0);
    this.uuid = sb.subarray(0x30, 0x40);
    this.at = o.start ?? 1;
    this.sequence = o.sequence ?? 7;
    sb.writeUInt32BE(o.sums === 'v1' ? 1 : 0, 0x24);
    const incompat =
      1 | (this.wide ? 2 : 0) | (o.async ? 4 : 0) | (o.sums === 'v2' ? 8 : 0) | (o.sums === 'v3' ? 16 : 0);
    sb.writeUInt32BE(incompat, 0x28);
    sb.writeUInt32BE(this.sequence, 0x18);
    sb.writeUInt32BE(this.at, 0x1c);
    for (let b = 1; b < 1024; b++) this.journal(b).fill(0);
    this.seal();
  }
  /** Inode 8 has three extents in its root (debugfs: `ex <8>`); the inode table begins at block 35 (dumpe2fs). */
  journal(block: number): Buffer {
    const root = 35 * BS + 7 * 256 + 40;
    for (let e = root + 12; e <= root + 36; e += 12) {
      const skip = block - this.bytes.readUInt32LE(e);
      if (skip < 0 || skip >= this.bytes.readUInt16LE(e + 4)) continue;
      const at = (this.bytes.readUInt32LE(e + 8) + skip) * BS;
      return this.bytes.subarray(at, at + BS);
    }
    throw new Error(`no block ${block}`);
  }
  seal(): void {
    const sb = this.journal(0);
    sb.writeUInt32BE(0, 0xfc);
    sb.writeUInt32BE(crc32c(0xffffffff, sb), 0xfc);
  }
  get seed(): number {
    return crc32c(0xffffffff, this.uuid);
  }
  next(): Buffer {
    const block = this.journal(this.at);
    this.at = this.at === 1023 ? 1 : this.at + 1;
    return block;
  }
  head(block: Buffer, type: number): void {
    block.fill(0);
    block.writeUInt32BE(MAGIC, 0);
    block.writeUInt32BE(type, 4);
    block.writeUInt32BE(this.sequence, 8);
  }
  tail(block: Buffer): void {
    if (this.o.sums !== 'v2' && this.o.sums !== 'v3') return;
    block.writeUInt32BE(0, BS - 4);
    block.writeUInt32BE(crc32c(this.seed, block), BS - 4);
  }
  #v1 = 0xffffffff;
  blocks(list: readonly Block[]): this {
    const descriptor = this.next();
    this.head(descriptor, 1);
    let p = 12;
    const datas = list.map(() => this.next());
    list.forEach(({ to, data, spoilt }, i) => {
      const block = datas[i]!;
      data.copy(block);
      let flags = (i === 0 || this.o.ownUuid ? 0 : 2) | (i === list.length - 1 ? 8 : 0);
      if (block.readUInt32BE(0) === MAGIC) {
        block.writeUInt32BE(0, 0);
        flags |= 1;
      }
      const number = Buffer.alloc(4);
      number.writeUInt32BE(this.sequence);
      let sum = crc32c(crc32c(this.seed, number), block);
      if (spoilt) sum ^= 1;
      descriptor.writeUInt32BE(to % 2 ** 32, p);
      const high = Math.floor(to / 2 ** 32);
      if (this.o.sums === 'v3') {
        descriptor.writeUInt32BE(flags, p + 4);
        descriptor.writeUInt32BE(high, p + 8);
        descriptor.writeUInt32BE(sum >>> 0, p + 12);
        p += 16;
      } else {
        if (this.o.sums === 'v2') descriptor.writeUInt16BE(sum & 0xffff, p + 4);
        descriptor.writeUInt16BE(flags, p + 6);
        if (this.wide) descriptor.writeUInt32BE(high, p + 8);
        p += (this.wide ? 12 : 8) + (this.o.sums === 'v2' ? 2 : 0);
      }
      if (!(flags & 2)) p += 16;
    });
    this.tail(descriptor);
    this.#v1 = crc32be(this.#v1, descriptor);
    for (const block of datas) this.#v1 = crc32be(this.#v1, block);
    return this;
  }
  revoke(...numbers: number[]): this {
    const block = this.next();
    this.head(block, 5);
    const size = this.wide ? 8 : 4;
    block.writeUInt32BE(16 + size * numbers.length, 12);
    numbers.forEach((n, i) => {
      block.writeUInt32BE(n, 16 + size * i + size - 4);
    });
    this.tail(block);
    return this;
  }
  commit(spoil = 0, time = 1000): this {
    const block = this.next();
    this.head(block, 2);
    block.writeUInt32BE(time, 0x34);
    if (this.o.sums === 'v1') {
      block[12] = 1;
      block[13] = 4;
      block.writeUInt32BE((this.#v1 ^ spoil) >>> 0, 16);
    } else if (this.o.sums === 'v2' || this.o.sums === 'v3')
      block.writeUInt32BE((crc32c(this.seed, block) ^ spoil) >>> 0, 16);
    this.#v1 = 0xffffffff;
    this.sequence = (this.sequence + 1) >>> 0;
    return this;
  }
  open(ctx: TestContext = context()) {
    return driver.open([new MemorySource(this.bytes)], ctx);
  }
  /** Where block `index` of a file is on the disk. */
  place(path: string, index = 0): number {
    const clean = Buffer.from(this.bytes);
    clean.writeUInt32LE(clean.readUInt32LE(1024 + 0x60) & ~4, 1024 + 0x60);
    const fs = driver.open([new MemorySource(clean)], context());
    for (const e of fs.extents(walk(fs, path)))
      if (e.kind === 'data' && e.offset <= index * BS && index * BS < e.offset + e.length)
        return e.at / BS + index - e.offset / BS;
    throw new Error(`no block ${index}`);
  }
  file(path: string, ctx: TestContext = context()): string {
    const fs = this.open(ctx);
    return readWhole(fs, walk(fs, path), 1 << 20, ctx).toString('latin1');
  }
  start(path: string, index = 0, ctx: TestContext = context()): string {
    return this.file(path, ctx).slice(index * BS, index * BS + 4);
  }
}

const filled = (text: string) => Buffer.alloc(BS, text);
const OLD = 'disk';

for (const sums of ['none', 'v1', 'v2', 'v3'] as const)
  for (const wide of [false, true])
    for (const ownUuid of [false, true])
      t.test(
        `tags: checksums ${sums}, ${wide ? 64 : 32} bits${ownUuid ? ', a UUID in each' : ''}`,
        async (t) => {
          const d = new Disk({ sums, wide, ownUuid });
          const kept = d.place('/kept');
          const twice = d.place('/twice', 1);
          d.blocks([
            { to: kept, data: filled('one ') },
            { to: twice, data: Buffer.concat([Buffer.from('c03b3998', 'hex'), filled('esc!')], BS) },
          ]).commit();
          d.blocks([{ to: kept, data: filled('two ') }]).commit();
          const ctx = context();
          t.equal(d.start('/kept', 0, ctx), 'two ', 'the newest copy');
          t.equal(d.start('/twice', 1), '\xc0\x3b\x39\x98', 'the escaped magic is back');
          t.equal(d.file('/twice').slice(BS + 4, BS + 8), 'esc!');
          t.equal(d.start('/gone'), OLD, 'the rest is as it was');
          t.same(ctx.warnings, []);
        },
      );

t.test('an unfinished transaction does not count', async (t) => {
  const d = new Disk({ sums: 'v3' });
  const kept = d.place('/kept');
  d.blocks([{ to: kept, data: filled('one ') }]).commit();
  d.blocks([{ to: kept, data: filled('two ') }]);
  t.equal(d.start('/kept'), 'one ');
});

t.test('the log ends at another sequence number', async (t) => {
  const d = new Disk({});
  const kept = d.place('/kept');
  d.blocks([{ to: kept, data: filled('one ') }]).commit();
  d.sequence += 3;
  d.blocks([{ to: kept, data: filled('old ') }]).commit();
  t.equal(d.start('/kept'), 'one ');
});

t.test('revoked blocks', async (t) => {
  for (const wide of [false, true]) {
    const d = new Disk({ sums: 'v3', wide });
    const kept = d.place('/kept');
    const gone = d.place('/gone');
    const twice = d.place('/twice');
    d.blocks([kept, gone, twice].map((to) => ({ to, data: filled('one ') }))).commit();
    d.revoke(gone, twice).commit();
    d.blocks([{ to: twice, data: filled('two ') }]).commit();
    t.equal(d.start('/kept'), 'one ');
    t.equal(d.start('/gone'), OLD, 'revoked');
    t.equal(d.start('/twice'), 'two ', 'written again after it was revoked');
  }
  const same = new Disk({});
  const kept = same.place('/kept');
  same
    .revoke(kept)
    .blocks([{ to: kept, data: filled('one ') }])
    .commit();
  t.equal(same.start('/kept'), OLD, 'a record revokes its own transaction too');
  const unfinished = new Disk({});
  unfinished
    .blocks([{ to: kept, data: filled('one ') }])
    .commit()
    .revoke(kept);
  t.equal(unfinished.start('/kept'), 'one ', 'a record that was not committed does not count');
});

t.test('wrap-around of the log and of the sequence numbers', async (t) => {
  const d = new Disk({ sums: 'v3', start: 1019, sequence: 0xfffffffe });
  const kept = d.place('/kept');
  for (const text of ['one ', 'two ', 'tri '])
    d.blocks([0, 1, 2].map((i) => ({ to: kept + i, data: filled(text) }))).commit();
  t.equal(d.at, 11, 'it went around');
  t.equal(d.start('/kept'), 'tri ');
  t.equal(d.start('/kept', 2), 'tri ');
});

t.test('wrong checksums', async (t) => {
  for (const sums of ['v1', 'v2', 'v3'] as const) {
    const d = new Disk({ sums });
    const kept = d.place('/kept');
    d.blocks([{ to: kept, data: filled('one ') }]).commit();
    d.blocks([{ to: kept, data: filled('two ') }]).commit(1);
    d.blocks([{ to: kept, data: filled('tri ') }]).commit();
    const ctx = context();
    t.equal(d.start('/kept', 0, ctx), 'one ', `${sums}: nothing from the wrong commit on`);
    t.match(ctx.warnings, [
      /^journal: transaction 8 has a wrong checksum; it and what follows are left out$/,
    ]);

    const stale = new Disk({ sums });
    stale.blocks([{ to: kept, data: filled('one ') }]).commit(0, 1000);
    stale.blocks([{ to: kept, data: filled('two ') }]).commit(1, 900);
    const quiet = context();
    t.equal(stale.start('/kept', 0, quiet), 'one ');
    t.same(quiet.warnings, [], `${sums}: an older commit is left from before, not damage`);
  }
  for (const sums of ['v2', 'v3'] as const) {
    const d = new Disk({ sums });
    const kept = d.place('/kept');
    d.blocks([{ to: kept, data: filled('one ') }]).commit();
    d.blocks([
      { to: kept, data: filled('two '), spoilt: true },
      { to: kept + 1, data: filled('two ') },
    ]).commit();
    const ctx = context();
    t.equal(d.start('/kept', 0, ctx), 'one ', `${sums}: a damaged copy leaves the older one`);
    t.equal(d.start('/kept', 1), 'two ', 'its neighbour counts');
    t.match(ctx.warnings, [/copy of block \d+ with a wrong checksum: left out/]);

    const bad = new Disk({ sums });
    bad.blocks([{ to: kept, data: filled('one ') }]).commit();
    const at = bad.at;
    bad.blocks([{ to: kept, data: filled('two ') }]).commit();
    bad.journal(at)[900]! ^= 1;
    const said = context();
    t.equal(bad.start('/kept', 0, said), 'one ', `${sums}: damaged descriptor`);
    t.match(said.warnings, [/transaction 8 has a wrong checksum/]);
  }
});

t.test('async commit: a commit without checksum counts when it is there', async (t) => {
  const d = new Disk({ sums: 'v1', async: true });
  const kept = d.place('/kept');
  d.blocks([{ to: kept, data: filled('one ') }]).commit();
  d.blocks([{ to: kept, data: filled('two ') }]).commit(1);
  t.equal(d.start('/kept'), 'one ');
});

t.test('the superblock in the journal counts', async (t) => {
  const d = new Disk({ sums: 'v3' });
  const sb = Buffer.from(d.bytes.subarray(1024, 2048));
  sb.write('renamed\0\0\0', 0x78, 'latin1');
  sb.writeUInt32LE(crc32c(0xffffffff, sb.subarray(0, 0x3fc)), 0x3fc);
  d.blocks([{ to: 1, data: sb }]).commit();
  const ctx = context();
  t.equal(d.open(ctx).label, 'renamed');
  t.same(ctx.warnings, []);
});

t.test('journals that cannot be replayed leave the disk as it stands', async (t) => {
  const spoil = (how: (sb: Buffer, d: Disk) => void, warning: RegExp) => {
    const d = new Disk({ sums: 'v3' });
    const kept = d.place('/kept');
    d.blocks([{ to: kept, data: filled('one ') }]).commit();
    how(d.journal(0), d);
    d.seal();
    const ctx = context();
    t.equal(d.start('/kept', 0, ctx), OLD, String(warning));
    t.match(ctx.warnings[ctx.warnings.length - 1], warning);
  };
  spoil((sb) => sb.writeUInt32BE(2000, 0x1c), /log of blocks 1–1023 begins at 2000.*as it stands/);
  spoil((sb) => sb.writeUInt32BE(0, 0x14), /log from block 0/);
  spoil((sb) => sb.writeUInt32BE(5000, 0x14), /log from block 5000 to 1024/);
  spoil((sb) => sb.writeUInt32BE(0xffffffff, 0x10), /4294967295 blocks where there are 1024/);
  spoil((sb) => sb.writeUInt32BE(4096, 0xc), /block size 4096/);
  spoil((sb) => sb.writeUInt32BE(0x80000001, 0x28), /feature 0x80000000/);
  spoil((sb) => sb.writeUInt32BE(9, 4), /superblock of type 9/);
  // s_journal_inum
  spoil((_, d) => d.bytes.writeUInt32LE(5000, 1024 + 0xe0), /inode 5000 of 32/);
});

t.test('journals that go round in circles end', async (t) => {
  const d = new Disk({});
  const kept = d.place('/kept');
  d.blocks([{ to: kept, data: filled('one ') }]).commit();
  // Descriptors of the same transaction in every other block: no commit, and the log comes back to its start.
  while (d.at > 1) d.blocks([{ to: kept, data: filled('two ') }]);
  t.equal(d.start('/kept'), 'one ');
  const full = new Disk({});
  const tags = Array.from({ length: 100 }, (_, i) => ({ to: 1000 + i, data: filled('junk') }));
  for (let i = 0; i < 10; i++) full.blocks(tags);
  t.equal(full.start('/kept'), OLD);
});

t.test('a block beyond the filesystem', async (t) => {
  const d = new Disk({ sums: 'v3', wide: true });
  const kept = d.place('/kept');
  d.blocks([
    { to: 2 ** 40, data: filled('far ') },
    { to: kept, data: filled('one ') },
  ]).commit();
  const ctx = context();
  t.equal(d.start('/kept', 0, ctx), 'one ');
  t.match(ctx.warnings, [/writes block 1099511627776 of 3072: left out/]);
});
