/** GRUB's names of arrays and logical volumes in configurations: `root`, `search`, hints, `probe`, `ls`. */
import t from 'tap';
import { grub2 } from '../../lib/boot/grub2/dialect';
import { walk } from '../../lib/fs/walk';
import { MemoryFs } from '../boot/memfs';
import { context } from '../support';
import { type FixtureSet, fixtureSets, guestOf, membersOf } from './sets';

const UUID = '6e6f6465-6772-7562-6d64-6c766d303031';

function evaluate(set: FixtureSet, config: string) {
  const ctx = context();
  const guest = guestOf(membersOf(set), ctx);
  const fs = new MemoryFs({ boot: { grub: { 'grub.cfg': config } } });
  const at = {
    volume: guest.device('hd0')!,
    path: '/boot/grub/grub.cfg',
    fs,
    node: walk(fs, '/boot/grub/grub.cfg'),
  };
  const menu = grub2.evaluate(at, { ...ctx, guest, quiet: true });
  return {
    console: menu.console,
    targets: menu.entries.map((entry) => {
      const { problem, kernel, root } = entry.resolve();
      return problem ?? `${kernel?.volume?.name} ${kernel?.found?.node.size} ${root}`;
    }),
  };
}

const entries = (name: string, alias: string) => `
insmod lvm; insmod mdraid09; insmod mdraid1x; insmod diskfilter
menuentry 'by UUIDs' { set root='${alias}'; linux /boot/vmlinuz-6.1 }
menuentry 'by hint' { search --no-floppy --fs-uuid --set=root --hint='${alias}' ${UUID}; linux /boot/vmlinuz-6.1 }
menuentry 'by search' { search --no-floppy --fs-uuid --set=root ${UUID}; linux /boot/vmlinuz-6.1 }
menuentry 'by file' { search --file --set=other /boot/vmlinuz-6.1; linux ($other)/boot/vmlinuz-6.1 }
menuentry 'by name' { linux (${name})/boot/vmlinuz-6.1 }
menuentry 'none' { linux (lvm/none)/boot/vmlinuz-6.1 }
probe -d --set=driver (${name}); probe -u (${alias}) --set=uuid; probe -f --set=fs ${name}
echo $driver $uuid $fs
ls
`;

t.test('names', (t) => {
  const lvm = fixtureSets('lvm').sets.find((s) => s.name === 'lvm-linear')!;
  const md = fixtureSets('md').sets.find((s) => s.name === 'md-12-raid5-left-symmetric')!;
  for (const [set, name, alias] of [
    [lvm, 'lvm/vg--linear-root', lvm.ids!.root!],
    [md, `md/${md.number}`, `mduuid/6e6f646567727562${md.number!.toString(16).padStart(16, '0')}`],
  ] as const) {
    const { console, targets } = evaluate(set, entries(name, alias));
    t.same(targets.slice(0, 5), [
      `${name} 300000 ${alias}`,
      `${name} 300000 ${alias}`,
      `${name} 300000 ${name}`,
      `${name} 300000 hd0`,
      `${name} 300000 hd0`,
    ]);
    t.notMatch(targets[5], / 300000 /);
    t.match(console, `diskfilter ${UUID} ext2`);
    t.match(console, `(${name}) `);
  }
  t.end();
});
