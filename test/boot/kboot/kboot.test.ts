/** Expected values: worked out by the rules of petitboot's reader of kboot.conf (README). */
import t from 'tap';
import { dialects } from '../../../lib/boot/further';
import { GuestError } from '../../../lib/bytes/errors';
import { rounds } from '../../support';
import { evaluate, mutations } from '../dialect';
import { bzImage } from '../images';
import { MemoryFs } from '../memfs';
import { config, described, sameAsExpected } from '../sections';

const kboot = dialects.find((dialect) => dialect.name === 'kboot')!;
const K = bzImage('x');
const tree = (text: string) => ({
  boot: { vmlinux: K, 'initrd.img': 'i', 'initrd.old': 'i' },
  'kboot.conf': text,
});

t.test('a PlayStation', async (t) => {
  sameAsExpected(t, kboot, 'ps3.conf', '/kboot.conf', tree);
});

t.test('devices, defaults', async (t) => {
  const text = 'default=none\na=/dev/sda2:/k x\nb=UUID=u-2:k\nc=nowhere:/own\n';
  const { menu } = evaluate(kboot, '/kboot.conf', {
    disks: [
      {
        scheme: 'gpt',
        partitions: [
          { fs: new MemoryFs({ own: K, 'kboot.conf': text }) },
          { fs: new MemoryFs({ k: K }, { uuid: 'u-2' }) },
        ],
      },
    ],
    volume: 'hd0,1',
  });
  t.same(
    menu.entries.map((entry) => [entry.resolve().problem, entry.resolve().args]),
    [
      [null, 'x'],
      [null, ''],
      [null, ''],
    ],
  );
  t.match(menu.warnings, [/'none' does not exist/]);
  t.equal(menu.timeout, null);
  t.equal(evaluate(kboot, '/kboot.conf', tree('')).menu.entries.length, 0);
  const entry = evaluate(kboot, '/kboot.conf', tree('a=/boot/vmlinux')).menu.entries[0]!;
  t.equal(entry.resolve("a='/boot/vmlinux single'").args, 'single', 'edited');
  t.match(entry.resolve('').problem, /names no kernel/);
});

t.test('damaged configurations', async (t) => {
  const text = config('kboot', 'ps3.conf');
  let n = 0;
  for (const damaged of mutations(text, 2000, 8)) {
    n++;
    try {
      described(evaluate(kboot, '/kboot.conf', tree(damaged)).menu);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    }
  }
  t.equal(n, rounds(2000));
  t.equal(evaluate(kboot, '/kboot.conf', tree(`${text}x='\0`)).menu.entries[0]?.resolve().problem, null);
});
