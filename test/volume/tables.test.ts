/** Every layout of the fixture against what Linux, sfdisk and GRUB read in it. */
import t from 'tap';
import { GuestError } from '../../lib/bytes/errors';
import { toUnicode } from '../../lib/bytes/text';
import { readTable } from '../../lib/volume';
import type { PartitionTable } from '../../lib/volume/types';
import { counting } from '../sources';
import { context } from '../support';
import { layouts, SparseSource } from './sparse';

/** Names as Unicode, as the other tools print them. */
const plain = (table: PartitionTable | undefined) =>
  table && {
    ...table,
    partitions: table.partitions.map((p) =>
      p.label === undefined ? p : { ...p, label: toUnicode(p.label) },
    ),
  };

/** Layouts that are not as they should be; every other one must be read without a word. */
const SPEAKS = /damaged|primary|both|chain-l|chain-n|beyond|cut|grown-/;

for (const [name, layout] of layouts()) {
  // The sector size of an image file is not known; on a real 4096-byte disk it is.
  for (const sectorSize of new Set([512, layout.sectorSize])) {
    t.test(`${name}, sectors of ${sectorSize}`, (t) => {
      const source = counting(SparseSource.from(layout, sectorSize));
      const ctx = context();
      if (layout.expected === 'corrupt') {
        t.throws(() => readTable(source, ctx), { name: 'GuestError', code: 'corrupt', where: ['disk'] });
        t.end();
        return;
      }
      const table = plain(readTable(source, ctx));
      t.same(table ?? null, layout.expected);
      if (SPEAKS.test(name) && !name.endsWith('-before')) {
        t.ok(ctx.warnings.length > 0, 'it warns');
        t.ok(ctx.warnings.every((w) => w.startsWith('disk: ')));
      } else t.same(ctx.warnings, []);
      t.ok(source.bytesRead < 100_000, `${source.bytesRead} bytes in ${source.reads} reads`);
      t.end();
    });
  }
}

t.test('the fixture holds what its name says', (t) => {
  const all = layouts();
  t.ok(all.size > 60);
  t.ok([...all.values()].some((l) => l.expected === null));
  t.equal(new GuestError('corrupt', 'x').code, 'corrupt');
  t.end();
});
