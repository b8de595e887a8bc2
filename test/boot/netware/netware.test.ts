/** What pygrub does; test/peers/otherloaders.test.ts asks it. */
import t from 'tap';
import { dialects } from '../../../lib/boot';
import { evaluate } from '../dialect';

const netware = dialects.find((dialect) => dialect.name === 'netware')!;

t.test('the loader is the kernel', async (t) => {
  t.ok(dialects.indexOf(netware) < dialects.findIndex((dialect) => dialect.name === 'grub2'));
  const { menu } = evaluate(netware, '/nwserver/xnloader.sys', { nwserver: { 'xnloader.sys': 'k' } });
  const target = menu.entries[0]!.resolve();
  t.same(
    [target.problem, target.kernel?.path, target.initrds, target.args],
    [null, '/nwserver/xnloader.sys', [], ''],
  );
  t.equal(target.mergeArgs, undefined, '--args as ever');
  const empty = evaluate(netware, '/nwserver/xnloader.sys', { nwserver: { 'xnloader.sys': '' } });
  t.match(empty.menu.entries[0]!.resolve().problem, /empty file/);
});
