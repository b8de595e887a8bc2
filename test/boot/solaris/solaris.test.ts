/** Expected values: the rules of pygrub's sniff_solaris (README), without its stray blanks. */
import t from 'tap';
import { dialects } from '../../../lib/boot';
import { mergeArgs } from '../../../lib/boot/solaris/dialect';
import { evaluate } from '../dialect';
import type { MemoryTree } from '../memfs';

const solaris = dialects.find((dialect) => dialect.name === 'solaris')!;
const U64 = '/platform/i86xpv/kernel/amd64/unix';
const tree = (pc: MemoryTree): MemoryTree => ({
  platform: { i86xpv: { kernel: { amd64: { unix: 'k' }, unix: 'k' } }, i86pc: pc },
});

t.test('kernel and boot archive', async (t) => {
  t.same(solaris.paths, [U64, '/platform/i86xpv/kernel/unix']);
  t.equal(dialects[0], solaris, 'before any configuration');
  const both = tree({ amd64: { boot_archive: 'a' }, boot_archive: 'b' });
  for (const [path, archive] of [
    [U64, '/platform/i86pc/amd64/boot_archive'],
    ['/platform/i86xpv/kernel/unix', '/platform/i86pc/boot_archive'],
  ] as const) {
    const target = evaluate(solaris, path, both).menu.entries[0]!.resolve();
    t.same(
      [target.problem, target.kernel?.path, target.initrds.map(({ file }) => file.path), target.args],
      [null, path, [archive], path],
    );
    t.equal(target.mergeArgs?.('-k'), `${path} -k`);
  }
  t.match(evaluate(solaris, U64, tree({})).menu.entries[0]!.resolve().problem, /boot_archive: not found/);
});

t.test('--args', async (t) => {
  for (const [added, expected] of [
    ['', U64],
    ['-k', `${U64} -k`],
    ['-k root=/dev/dsk/c0d0s0 -v ip=dhcp', `root=/dev/dsk/c0d0s0 ip=dhcp ${U64} -k -v`],
    [`root=/dev/dsk/c0d0s0 ${U64} -k`, `root=/dev/dsk/c0d0s0 ${U64} -k`],
    ['  -B  zfs-bootfs=rpool/ROOT ', `${U64} -B zfs-bootfs=rpool/ROOT`],
    ['xroot=1', `${U64} xroot=1`],
  ] as const)
    t.equal(mergeArgs(U64, added), expected, added);
  const entry = evaluate(solaris, U64, tree({ amd64: { boot_archive: 'a' } })).menu.entries[0]!;
  t.equal(entry.resolve(`kernel ${U64} ${U64} -s`).mergeArgs?.('root=x'), `root=x ${U64} -s`, 'edited');
});
