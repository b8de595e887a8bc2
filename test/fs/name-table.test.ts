import t from 'tap';
import { NameTable, NONE } from '../../lib/fs/name-table';
import { context } from '../support';

t.test('names below directories', async (t) => {
  const table = new NameTable(context());
  const a = table.add(0, 'a');
  const b = table.add(a, 'b');
  t.equal(table.add(0, 'a'), a, 'once');
  t.not(table.add(0, 'b'), b, 'the same name elsewhere');
  t.same([table.find(0, 'a'), table.find(a, 'b'), table.find(a, 'a'), table.find(b, '')], [a, b, NONE, NONE]);
  t.same([table.name(b), table.parent(b), table.parent(a)], ['b', a, 0]);
  t.same([table.kind(a), table.place(a)], ['directory', NONE]);
  table.set(a, 'symlink', 2 ** 40);
  t.same([table.kind(a), table.place(a)], ['symlink', 2 ** 40]);
  const bytes = table.add(b, '\xff\0é');
  t.equal(table.name(bytes), '\xff\0é');
  t.same(
    [...table.children(0)].map((entry) => table.name(entry)),
    ['a', 'b'],
  );
  t.same([table.hasChildren(b), table.hasChildren(bytes)], [true, false]);
});

t.test('200,000 names cost steps and memory in proportion', async (t) => {
  const ctx = context(2_000_000);
  const table = new NameTable(ctx);
  const directories = Array.from({ length: 100 }, (_, i) => table.add(0, `directory ${i}`));
  for (let i = 0; i < 200_000; i++)
    table.set(table.add(directories[i % 100]!, `the file with number ${i}`), 'file', i);
  for (let i = 0; i < 200_000; i += 7) {
    const entry = table.find(directories[i % 100]!, `the file with number ${i}`);
    if (table.place(entry) !== i) t.fail(`${i}`);
  }
  t.equal(table.find(directories[5]!, 'the file with number 6'), NONE);
  t.equal([...table.children(directories[42]!)].length, 2000);
});

t.test('no more than allowed', async (t) => {
  const table = new NameTable(context(), 3);
  table.add(0, 'a');
  const b = table.add(0, 'b');
  t.equal(table.add(0, 'b'), b);
  t.throws(() => table.add(0, 'c'), { code: 'limit', message: 'more than 3 names' });
});
