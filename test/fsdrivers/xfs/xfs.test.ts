import t from 'tap';
import { hashName } from '../../../fsdrivers/xfs/directory';
import type { Extent } from '../../../lib/fs/types';
import { walk } from '../../../lib/fs/walk';
import { context } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('xfs', 'xfs', 6);

const open = (name: string) => {
  const ctx = context();
  return { ctx, fs: openFixture(`xfs-${name}`, ctx) };
};
const shape = (extents: Iterable<Extent>) => [...extents].map((e) => [e.kind, e.offset, e.length]);

t.test('what touches is one extent; unwritten blocks are zeros', async (t) => {
  const { fs } = open('v5');
  t.same(shape(fs.extents(walk(fs, '/boot/vmlinuz'))), [['data', 0, 300000]]);
  t.same(shape(fs.extents(walk(fs, '/unwritten'))), [['data', 0, 4096]]);
  t.same(shape(fs.extents(walk(fs, '/few'))), [
    ['data', 0, 4096],
    ['data', 8192, 4096],
    ['data', 16384, 4096],
  ]);
  t.equal([...fs.extents(walk(fs, '/pieces'))].length, 60, 'a tree of extents');
  t.same(shape(fs.extents(walk(fs, '/boot/none'))), []);
});

t.test('the same file has the same id, and its time', async (t) => {
  for (const name of ['v5', 'sector4k']) {
    const { fs } = open(name);
    t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
    t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000, name);
  }
});

t.test('a name in a large directory is found by its hash', async (t) => {
  const { fs, ctx } = open('v5');
  const many = walk(fs, '/many');
  let spent = 0;
  const { step } = ctx.budget;
  ctx.budget.step = (count = 1) => {
    spent += count;
    step.call(ctx.budget, count);
  };
  t.ok(fs.lookup(many, 'name-of-file-number-699'));
  t.ok(spent < 60, `${spent} steps`);
  t.equal(fs.lookup(many, 'name-of-file-number-701'), undefined);
  t.equal(fs.lookup(many, ''), undefined);
  t.equal(fs.lookup(many, 'n'.repeat(256)), undefined);
});

t.test('names without regard to case, where mkfs said so', async (t) => {
  const { fs } = open('v4-ci');
  t.equal(fs.ignoresCase, true);
  t.equal(walk(fs, '/BOOT/VmLinuz').id, walk(fs, '/boot/vmlinuz').id);
  t.equal(walk(fs, '/MANY/Name-Of-File-Number-77').id, walk(fs, '/many/name-of-file-number-77').id);
  t.equal(open('v4').fs.lookup(open('v4').fs.root, 'BOOT'), undefined);
});

t.test('hashes', async (t) => {
  // xfs_db's `hash`.
  const hash = (text: string) => hashName(Buffer.from(text), false).toString(16);
  t.same(['a', 'ab', 'abc', 'abcd', 'vmlinuz', 'name-of-file-number-7'].map(hash), [
    '61',
    '30e2',
    '187163',
    'c38b1e4',
    'cd3a6194',
    '9da74949',
  ]);
});

t.test('asked for what a node is not', async (t) => {
  const { fs } = open('v5');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
