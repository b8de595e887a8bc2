/** Tables made to hurt, and layouts with bytes changed at random. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { SliceSource } from '../../lib/source/types';
import { orderForBoot, readTable } from '../../lib/volume';
import { counting } from '../sources';
import { context, ROOT, source } from '../support';
import { layouts, SparseSource } from './sparse';

/** A number: that many partitions and a warning like this; `none`: no table; else an error with this message. */
const SAMPLES: Record<string, [number | 'none' | 'corrupt' | 'unsupported', RegExp]> = {
  'gpt-corrupt-no-header': ['corrupt', /a GPT is announced and no usable copy is there$/],
  'gpt-corrupt-entry-size-0': ['corrupt', /primary: entries of 0 bytes; backup: entries of 0 bytes/],
  'gpt-corrupt-entry-size-127': ['corrupt', /entries of 127 bytes/],
  'gpt-corrupt-entry-array-16-TiB': ['corrupt', /17592186011648 bytes of entries, maximum 4194304/],
  'gpt-corrupt-entry-count': ['corrupt', /549755813760 bytes of entries, maximum 4194304/],
  'gpt-corrupt-entries-beyond-end': ['corrupt', /entries at sector 1099511627776 lie outside the disk/],
  'gpt-corrupt-entries-beyond-2-53': ['corrupt', /64-bit number 0x10000000… is beyond 2\^53/],
  'gpt-corrupt-header-size': ['corrupt', /header of 513 bytes, allowed 92 to 512/],
  'gpt-corrupt-header-elsewhere': ['corrupt', /header at sector 1 says it is at 9/],
  'gpt-corrupt-senseless-entries': ['corrupt', /wrong checksum and senseless entries/],
  'gpt-warned-primary-gone': [2, /the primary GPT is damaged, its backup is used/],
  'gpt-warned-row-beyond-end': [1, /GPT entry 2 \(sectors 1099511627776 to \d+\) is left out/],
  'msdos-warned-chain-loop': [3, /chain of logical partitions loops \(sector 500 comes again\)/],
  'msdos-warned-chain-to-itself': [2, /chain of logical partitions loops/],
  'msdos-warned-chain-outside': [3, /leads beyond the disk \(sector 2147484147\)/],
  'msdos-warned-chain-no-signature': [2, /has no signature; the chain ends there/],
  'msdos-warned-chain-long': [101, /more than 100 logical partitions/],
  'msdos-warned-chain-long-and-empty': [1, /more than 200 links/],
  'disklabel-corrupt-magic': ['corrupt', /disklabel with magic numbers 2186691927 and 0$/],
  'disklabel-corrupt-rows': ['corrupt', /disklabel of 23 rows, maximum 22/],
  'disklabel-corrupt-sector-size': ['corrupt', /disklabel with sectors of 0 bytes/],
  'disklabel-warned-slice': [2, /partition 2: disklabel with magic numbers/],
  'disklabel-warned-sum': [4, /disklabel with a wrong checksum, used as it stands/],
  'disklabel-warned-row-outside': [3, /row 1 of the disklabel begins outside the disk; it is left out/],
  'disklabel-warned-row-below': [3, /row 1 of the disklabel begins outside the disk/],
  'apple-none-no-map': ['none', /^$/],
  'apple-none-block-size': ['none', /^$/],
  'apple-warned-row-without-signature': [
    2,
    /row 3 of the Apple partition map has no signature; the map ends/,
  ],
  'apple-warned-row-outside': [4, /row 2 of the Apple partition map begins outside the disk; it is left out/],
  'apple-warned-count': [5, /row 6 of the Apple partition map has no signature/],
  'apple-warned-many-rows': [
    1024,
    /more than 1024 rows of the Apple partition map \(NODEGRUB_MAX_PARTITIONS\)/,
  ],
  'apple-warned-ends-early': [1, /the Apple partition map of 5 blocks ends beyond the disk/],
  'dfly-corrupt-rows': ['corrupt', /disklabel64 of 17 rows, maximum 16/],
  'dfly-corrupt-place': ['corrupt', /64-bit number 0x10000000… is beyond 2\^53/],
  'dfly-warned-sum': [2, /disklabel64 with a wrong checksum, used as it stands/],
  'dfly-warned-row-outside': [1, /row 1 of the disklabel64 begins outside the disk/],
  'dfly-warned-slice': [2, /partition 2: disklabel64 of 17 rows/],
  'subpartitions-warned-row-outside': [3, /row 1 of the MINIX table begins outside the disk/],
  'subpartitions-none-senseless-flag': [2, /^$/],
  'amiga-unsupported-table': ['unsupported', /an Amiga partition table \(RDB\), which is not read$/],
  'dvh-unsupported-table': ['unsupported', /an SGI partition table \(DVH\), which is not read$/],
  'plan-unsupported-table': ['unsupported', /a Plan 9 partition table, which is not read$/],
  'sun-corrupt-geometry': ['corrupt', /Solaris label with 0 heads and \d+ sectors/],
  'sun-warned-sum': [3, /Solaris label with a wrong checksum/],
  'sun-warned-row-outside': [2, /row 1 of the Solaris label begins outside the disk/],
  'sun-warned-version': [2, /partition 2: Solaris label of version 2/],
  'sun-warned-pc-row-outside': [4, /row 1 of the Solaris label begins outside the disk/],
};

t.test('samples', async (t) => {
  const there = readdirSync(join(ROOT, 'fixtures', 'malformed'))
    .filter((f) => /^(gpt|msdos|sun|disklabel|apple|dfly|subpartitions|amiga|dvh|plan)-/.test(f))
    .map((f) => f.slice(0, -'.img.gz'.length));
  t.same(there.sort(), Object.keys(SAMPLES).sort(), 'each sample is used');
  for (const [sample, [result, message]] of Object.entries(SAMPLES)) {
    const disk = counting(source(`${sample}.img`, 'malformed'));
    const ctx = context(10_000);
    if (result === 'corrupt' || result === 'unsupported') {
      t.throws(() => readTable(disk, ctx), { name: 'GuestError', code: result, message }, sample);
    } else {
      t.equal(readTable(disk, ctx)?.partitions.length ?? 'none', result, sample);
      t.match(ctx.warnings.join('\n'), message, sample);
    }
    t.ok(disk.bytesRead < 300_000, `${sample}: ${disk.bytesRead} bytes`);
  }
});

t.test('a disk that cannot be read is an error of the host, or another copy', (t) => {
  const layout = layouts().get('gpt-three')!;
  const failing = (bad: (at: number) => boolean) => {
    const disk = SparseSource.from(layout);
    const read = disk.read.bind(disk);
    disk.read = (at, into) => {
      if (bad(at)) throw new GuestError('io', `cannot read at ${at}: EIO`);
      read(at, into);
    };
    return disk;
  };
  t.throws(
    () =>
      readTable(
        failing(() => true),
        context(),
      ),
    { code: 'io' },
  );
  const ctx = context();
  t.equal(
    readTable(
      failing((at) => at === 1024),
      ctx,
    )?.partitions.length,
    3,
    'the backup is used',
  );
  t.match(ctx.warnings[0], /EIO/);
  t.end();
});

t.test('random bytes', (t) => {
  let seed = 4711;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const values = [0, 1, 2, 0x7f, 0x80, 0xff, 0x05, 0xee];
  let tables = 0;
  for (const [name, layout] of layouts()) {
    const places = Object.keys(layout.data).map((at) => Number(at) / 512);
    if (places.length === 0) continue;
    for (let round = 0; round < 60; round++) {
      const disk = SparseSource.from(layout);
      for (let i = random(10); i >= 0; i--) {
        const sector = disk.sectors.get(places[random(places.length)]!)!;
        const low = random(2) ? 0 : 440;
        sector[low + random(512 - low)] = random(2) ? random(256) : values[random(values.length)]!;
      }
      const ctx = context(100_000);
      try {
        const table = readTable(disk, ctx);
        if (!table) continue;
        tables++;
        for (const p of table.partitions) {
          new SliceSource(disk, p.start, p.size, 'p');
          if (p.size === 0) t.fail(`${name}: empty partition`);
        }
        const numbers = table.partitions.map((p) => p.nested ?? p.number);
        if (new Set(numbers).size !== numbers.length) t.fail(`${name}: a number comes twice`);
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
      }
    }
  }
  t.ok(tables > 1000);
  t.end();
});

t.test('the order in which a BIOS would look', (t) => {
  const order = (name: string) => {
    const table = readTable(SparseSource.from(layouts().get(name)!), context())!;
    return orderForBoot(table.scheme, table.partitions, (p) => p).map((p) => p.number);
  };
  t.same(order('dos-four-second-active'), [2, 1, 3, 4]);
  t.same(order('dos-extended-first'), [3, 2, 4, 5]);
  t.same(order('dos-logical-active'), [6, 1, 5]);
  // The third is "active", but a GPT has no such order; the first is a BIOS boot partition, in which nobody finds anything.
  t.same(order('gpt-three'), [2, 3, 1]);
  t.same(order('freebsd'), [2, 1, 4, 1], 'the rows of an active slice come with it');
  t.end();
});
