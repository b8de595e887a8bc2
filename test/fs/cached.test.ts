import t from 'tap';
import { CachedFileSystem } from '../../lib/fs/cached';
import { walk } from '../../lib/fs/walk';
import { MemoryFs } from '../boot/memfs';

t.test('names are looked up once', async (t) => {
  const inner = new MemoryFs(
    { boot: { grub: { 'grub.cfg': 'x' } }, other: { grub: {} } },
    { uuid: '1-2', label: 'l' },
  );
  let lookups = 0;
  const lookup = inner.lookup.bind(inner);
  inner.lookup = (dir, name) => {
    lookups++;
    return lookup(dir, name);
  };
  const fs = new CachedFileSystem(inner);
  t.match(fs, { type: inner.type, grubName: inner.grubName, uuid: '1-2', label: 'l', root: inner.root });
  const node = walk(fs, '/boot/grub/grub.cfg');
  t.equal(walk(fs, '/boot/grub/grub.cfg'), node);
  t.equal(lookups, 3);
  t.not(walk(fs, '/other/grub'), walk(fs, '/boot/grub'), 'by directory');
  for (let i = 0; i < 2; i++) t.equal(fs.lookup(fs.root, 'absent'), undefined);
  t.equal(lookups, 6, 'what is not there is remembered too');
  for (let i = 0; i < 10_000; i++) fs.lookup(fs.root, `absent${i}`);
  lookups = 0;
  fs.lookup(fs.root, 'absent9999');
  fs.lookup(fs.root, 'absent9999');
  t.equal(lookups, 2, 'up to a bound');
  t.same([...fs.readdir(fs.root)].map((e) => e.name).sort(), ['boot', 'other']);
});
