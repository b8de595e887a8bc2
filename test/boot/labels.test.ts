/** Rows of BSD and Solaris labels under the names that GRUB and GRUB legacy give them. */
import t from 'tap';
import { parseDevice } from '../../lib/boot/grublegacy/device';
import { Guest } from '../../lib/boot/guest';
import { readTable } from '../../lib/volume';
import { context } from '../support';
import { layouts, SparseSource } from '../volume/sparse';

function guestOf(layout: string): Guest {
  const guest = new Guest(context(), { readTable, openFileSystem: () => undefined });
  guest.addDisk('hd0', SparseSource.from(layouts().get(layout)!));
  return guest;
}

t.test('names', async (t) => {
  // As grub-fstest lists them (fixtures/recipes/labels.sh).
  for (const [layout, names] of Object.entries({
    freebsd: ['hd0,msdos1', 'hd0,msdos2', 'hd0,msdos2,bsd1', 'hd0,msdos2,bsd4'],
    netbsd: ['hd0,msdos1', 'hd0,msdos2', 'hd0,netbsd1', 'hd0,netbsd4'],
    'bsd-alone': ['hd0,bsd1', 'hd0,bsd4'],
    'sun-alone': ['hd0,sun1', 'hd0,sun2', 'hd0,sun3'],
    solaris: ['hd0,msdos1', 'hd0,msdos2', 'hd0,msdos2,sunpc1', 'hd0,msdos2,sunpc2', 'hd0,msdos2,sunpc9'],
  })) {
    const guest = guestOf(layout);
    t.same(
      [...guest.volumes()].map((v) => v.name),
      names,
      layout,
    );
    for (const name of names) t.equal(guest.device(`(${name})`)?.name, name);
  }
});

t.test('short names', async (t) => {
  const guest = guestOf('freebsd');
  for (const [name, wanted] of Object.entries({
    'hd0,2,4': 'hd0,msdos2,bsd4',
    'hd0,2,bsd04': 'hd0,msdos2,bsd4',
    'xvda2,bsd1': 'hd0,msdos2,bsd1',
    'hd0,02': 'hd0,msdos2',
    'hd0,msdos2,sunpc1': undefined,
    'hd0,2,2': undefined,
    'hd0,1,1': undefined,
    'hd0,4': undefined,
    'hd0,bsd4': undefined,
  }))
    t.equal(guest.device(name)?.name, wanted, name);
  const legacy = (name: string) => parseDevice(name, guest, guest.disks[0]!.whole)?.volume?.name;
  t.equal(legacy('(hd0,1,a)'), 'hd0,msdos2,bsd1');
  t.equal(legacy('(hd0,1,d)'), 'hd0,msdos2,bsd4');
  t.equal(legacy('(hd0,1,b)'), undefined);
  t.equal(legacy('(hd0,1)'), 'hd0,msdos2');
});
