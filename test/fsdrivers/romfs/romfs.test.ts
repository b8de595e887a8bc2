import t from 'tap';
import { driver } from '../../../fsdrivers/romfs/driver';
import { walk } from '../../../lib/fs/walk';
import { MemorySource } from '../../../lib/source/types';
import { context } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('romfs', /^romfs$/, 2);

const open = (name: string) => openFixture(`romfs-${name}`, context());

t.test('a file is one run, where the maker put it', async (t) => {
  for (const [name, align] of [
    ['plain', 16],
    ['aligned', 512],
  ] as const) {
    const fs = open(name);
    const extents = [...fs.extents(walk(fs, '/boot/vmlinuz'))];
    t.equal(extents.length, 1);
    const [only] = extents;
    t.match(only, { kind: 'data', offset: 0, length: 60000 });
    t.equal(only?.kind === 'data' && only.at % align, 0);
    t.same([...fs.extents(walk(fs, '/boot/none'))], []);
  }
});

t.test('hard links are the file that they link to', async (t) => {
  const fs = open('plain');
  t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
  // And of directories, every directory's `..` is one.
  t.equal(walk(fs, '/a/b/up/../boot').id, walk(fs, '/boot').id);
});

t.test('not one of them', async (t) => {
  t.equal(driver.probe(new MemorySource(Buffer.alloc(10_000)), context()), undefined);
  t.equal(driver.probe(new MemorySource(Buffer.from('-rom1fs')), context()), undefined);
  t.throws(() => driver.open([new MemorySource(Buffer.alloc(1000))], context()), { code: 'corrupt' });
});

t.test('asked for what a node is not', async (t) => {
  const fs = open('plain');
  const file = walk(fs, '/boot/one');
  const code = (act: () => unknown) => t.throws(act, { code: 'corrupt' });
  code(() => fs.lookup(file, 'x'));
  code(() => [...fs.readdir(file)]);
  code(() => fs.readlink(file));
  code(() => [...fs.extents(fs.root)]);
});
