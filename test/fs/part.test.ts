/** Ranges of a file: the same bytes as those of the whole file, whatever its extents are. */
import t from 'tap';
import { readWhole } from '../../lib/fs/file';
import { FileParts } from '../../lib/fs/part';
import { walk } from '../../lib/fs/walk';
import { generator } from '../boot/dialect';
import { MemoryFs, pieces } from '../boot/memfs';
import { context } from '../support';

t.test('any range of any kind of extents', async (t) => {
  const random = generator(3);
  const bytes = Buffer.alloc(3000);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i % 700 < 200 ? 0 : random(256);
  const fs = new MemoryFs({ f: pieces(bytes, 97, ['data', 'hole', 'inline', 'packed']) });
  const whole = walk(fs, '/f');
  const parts = new FileParts(fs, whole);
  for (let i = 0; i < 500; i++) {
    const start = random(bytes.length + 1);
    const size = random(bytes.length - start + 1);
    const node = parts.part(start, size);
    t.equal(node.size, size);
    const got = readWhole(parts, node, 1 << 20, context());
    if (!got.equals(bytes.subarray(start, start + size))) t.fail(`${start}+${size}`);
  }
  t.equal(parts.lookup(), undefined);
});

t.test('outside the file', async (t) => {
  const fs = new MemoryFs({ f: 'abc' });
  const parts = new FileParts(fs, walk(fs, '/f'));
  for (const [start, size] of [
    [0, 4],
    [4, 0],
    [-1, 1],
    [2, Number.NaN],
    [3, 1],
  ] as const)
    t.throws(() => parts.part(start, size), { code: 'corrupt' }, `${start}+${size}`);
  t.equal(readWhole(parts, parts.part(3, 0), 10, context()).length, 0);
});
