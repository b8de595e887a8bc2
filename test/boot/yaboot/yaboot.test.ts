/** Expected values: yaboot.conf(5). */
import t from 'tap';
import { dialects } from '../../../lib/boot/further';
import { GuestError } from '../../../lib/bytes/errors';
import { evaluate, mutations } from '../dialect';
import { bzImage } from '../images';
import { MemoryFs } from '../memfs';
import { config, described, sameAsExpected } from '../sections';

const yaboot = dialects.find((dialect) => dialect.name === 'yaboot')!;
const K = bzImage('x');
const boot = { vmlinux: K, 'vmlinux.old': K, 'initrd.img': 'i' };
const tree = (text: string) => ({ boot, etc: { 'yaboot.conf': text } });

t.test('Debian', async (t) => {
  sameAsExpected(t, yaboot, 'debian.conf', '/etc/yaboot.conf', tree);
});

t.test('partitions', async (t) => {
  const text =
    'image=2,/v\nlabel=a\nimage=hd:2,/v\nlabel=b\nimage=/v\nlabel=c\npartition=2\nimage=hd:7,/only\nlabel=d';
  const { menu } = evaluate(yaboot, '/etc/yaboot.conf', {
    disks: [
      {
        scheme: 'msdos',
        partitions: [
          { fs: new MemoryFs({ only: K, etc: { 'yaboot.conf': text } }) },
          { fs: new MemoryFs({ v: K }) },
        ],
      },
    ],
    volume: 'hd0,1',
  });
  t.same(
    menu.entries.map((entry) => [entry.resolve().problem, entry.resolve().kernel?.volume?.name]),
    [
      [null, 'hd0,msdos2'],
      [null, 'hd0,msdos2'],
      [null, 'hd0,msdos2'],
      [null, 'hd0,msdos1'],
    ],
  );
});

t.test('damaged configurations', async (t) => {
  const text = config('yaboot', 'debian.conf');
  for (const damaged of mutations(text, 2000, 6)) {
    try {
      described(evaluate(yaboot, '/etc/yaboot.conf', tree(damaged)).menu);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    }
  }
  const { menu } = evaluate(yaboot, '/etc/yaboot.conf', tree(`${text}append="`));
  t.equal(menu.entries[1]?.resolve().problem, null, 'what stood before a broken line');
  t.equal(menu.warnings.length, 1);
});
