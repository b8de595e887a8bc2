import t from 'tap';
import { walk } from '../../../lib/fs/walk';
import { context } from '../../support';
import { openFixture, soundFixtures } from '../suite';

soundFixtures('btrfs', 'btrfs', 4);

const open = (name: string) => openFixture(`btrfs-${name}`, context());

t.test('a member that is missing is named, and its copy is not needed', async (t) => {
  const ctx = context();
  const fs = openFixture('btrfs-raid1', ctx);
  t.equal(walk(fs, '/boot/vmlinuz').size, 300_000);
  t.match(ctx.warnings.join(), /device 2 \([0-9a-f-]{36}\) of 2 is missing/);
});

t.test('the same file has the same id, and its time; a snapshot’s is another', async (t) => {
  const fs = open('plain');
  t.equal(walk(fs, '/hardlink').id, walk(fs, '/boot/vmlinuz').id);
  t.equal(walk(fs, '/boot/vmlinuz').mtime, 1700000000);
  t.not(walk(fs, '/snap/in').id, walk(fs, '/@/in').id);
});

t.test('what SUSE’s variables change', async (t) => {
  const fs = open('plain');
  const seen = (variables: Record<string, string>) => fs.seenBy!((name) => variables[name]);
  t.equal(seen({}), fs);
  t.equal(seen({ btrfs_relative_path: 'n', btrfs_subvol: '/@' }), fs);
  t.equal(seen({ btrfs_relative_path: 'y' }), fs, 'the default subvolume is the top level');
  const inside = seen({ btrfs_relative_path: 'y', btrfs_subvol: '/@' });
  t.equal(walk(inside, '/in').size, 6);
  t.equal(walk(seen({ btrfs_relative_path: '1', btrfs_subvolid: '256' }), '/in').size, 6);
  t.equal(inside.type, 'btrfs');
  t.equal(inside.uuid, fs.uuid);
  const mounted = fs.seenBy!(
    (name) => (name === 'btrfs_relative_path' ? 'y' : undefined),
    [{ directory: '/empty/sub', subvolume: '/snap' }],
  );
  t.equal(walk(mounted, '/empty/sub/in').size, 4);
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
