/** What the commands print and answer on a real disk is what grub-emu printed there (recipe grub2-commands.sh). */
import t from 'tap';
import { expandTabs, onDisk, recorded } from './disk';

for (const name of ['devices', 'files', 'text', 'env']) {
  const { config, expected } = recorded(name);
  const got = expandTabs(onDisk(config).console);
  t.test(name, async (t) => {
    const want = expected.trimEnd().split('\n');
    const have = got.trimEnd().split('\n');
    t.ok(want.length > 20);
    t.same(have, want);
  });
}
