/** What cpio and tar share; the formats' own tests have their fixtures. */
import t from 'tap';
import { type Archive, ArchiveFileSystem, type Member, Window } from '../../lib/fs/archive';
import { walk } from '../../lib/fs/walk';
import { MemorySource } from '../../lib/source/types';
import { context, type TestContext } from '../support';

/** Members by their places; the target of a link is its text. */
function archive(
  members: readonly (Omit<Member, 'place'> & { to?: string })[],
  ctx: TestContext,
  asked: () => void = () => {},
) {
  const format: Archive = {
    type: 'test',
    grubName: 'test',
    members: () => {
      asked();
      return members.map((member, place) => ({ ...member, place }));
    },
    node: (place) => ({ kind: members[place]!.kind, size: place, id: `member ${place}`, place }),
    target: (place) => members[place]!.to ?? '',
    extents: () => [],
  };
  return new ArchiveFileSystem(format, ctx);
}
const file = (path: string): Omit<Member, 'place'> => ({ path, kind: 'file' });
const link = (path: string, to: string) => ({ path, kind: 'symlink' as const, to });

t.test('paths', async (t) => {
  const ctx = context();
  const fs = archive([file('./a'), file('/b/c'), file('.//b/./d'), file('b/e/')], ctx);
  t.same(
    [...fs.readdir(fs.root)].map((e) => [e.name, e.kind]),
    [
      ['a', 'file'],
      ['b', 'directory'],
    ],
  );
  t.same(
    [...fs.readdir(walk(fs, '/b'))].map((e) => [e.name, e.node().size]),
    [
      ['c', 1],
      ['d', 2],
      ['e', 3],
    ],
  );
  t.same(ctx.warnings, []);
});

t.test('what comes later', async (t) => {
  const ctx = context();
  const fs = archive(
    [
      file('twice'),
      file('twice'),
      { path: 'd', kind: 'directory' },
      file('d'),
      file('e'),
      { path: 'e', kind: 'directory' },
      file('e/f'),
      { path: 'e', kind: 'directory' },
      link('l', 'e'),
      { path: 'l', kind: 'directory' },
      file('l/own'),
    ],
    ctx,
  );
  t.equal(walk(fs, '/twice').size, 1);
  t.equal(walk(fs, '/d').kind, 'file');
  t.equal(walk(fs, '/e/f').size, 6);
  t.equal(walk(fs, '/l/own').size, 10);
  t.equal(fs.lookup(walk(fs, '/e'), 'own'), undefined);
  t.same(ctx.warnings, []);
});

t.test('through links', async (t) => {
  const ctx = context();
  const fs = archive(
    [
      link('lib', 'usr/lib'),
      file('lib/a'),
      link('usr/absolute', '/etc/x'),
      file('usr/absolute/b'),
      link('etc/up', '../../../usr'),
      file('etc/up/c'),
      link('empty', ''),
      file('empty/d'),
      { path: 'hard', kind: 'file', hardLink: './lib/a' },
      { path: 'harder', kind: 'file', hardLink: 'usr/../lib/a' },
    ],
    ctx,
  );
  t.equal(walk(fs, '/usr/lib/a').size, 1);
  t.equal(walk(fs, '/etc/x/b').size, 3);
  t.equal(walk(fs, '/usr/c').size, 5);
  t.equal(walk(fs, '/hard').id, walk(fs, '/lib/a').id);
  t.equal(walk(fs, '/harder').id, walk(fs, '/lib/a').id);
  t.same(ctx.warnings, ['test: empty/d is left out: what it would lie in is not a directory']);
});

t.test('paths through too many links: the same answer to each question', async (t) => {
  const ctx = context();
  const chain = Array.from({ length: 39 }, (_, i) => link(`l${i}`, `l${i + 1}`));
  let asked = 0;
  const fs = archive(
    [...chain, ...Array.from({ length: 13_000 }, (_, i) => file(`l0/${i}`))],
    ctx,
    () => asked++,
  );
  const limit = { code: 'limit', message: 'paths lead through more than 500000 symbolic links' };
  t.throws(() => walk(fs, '/x'), limit);
  t.throws(() => [...fs.readdir(fs.root)], limit);
  t.equal(asked, 1);
});

t.test('100,000 members', async (t) => {
  const members = Array.from({ length: 100_000 }, (_, i) => file(`./usr/share/${i % 300}/file-${i}`));
  const ctx = context(2_000_000);
  const fs = archive(members, ctx);
  for (let i = 0; i < 100_000; i += 99)
    if (walk(fs, `/usr/share/${i % 300}/file-${i}`).size !== i) t.fail(`${i}`);
  t.equal([...fs.readdir(walk(fs, '/usr/share/7'))].length, 334);
});

t.test('a window', async (t) => {
  const bytes = Buffer.alloc(20_000);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i % 251;
  const window = new Window(new MemorySource(bytes), context());
  for (const [at, length] of [
    [0, 100],
    [8190, 4],
    [100, 5],
    [3, 15_000],
    [19_990, 10],
    [19_999, 1],
    [20_000, 0],
  ] as const)
    t.same(window.take(at, length), bytes.subarray(at, at + length), `${at}`);
  t.throws(() => window.take(19_999, 2), { code: 'corrupt' });
  t.throws(() => window.take(30_000, 1), { code: 'corrupt' });
  t.throws(() => window.take(10_000, 10_001), { code: 'corrupt' });
});
