/** Expected values: elilo.txt, and config.c of ELILO 3.16 (find_label); the Xen section is Red Hat's own example. */
import t from 'tap';
import { dialects } from '../../../lib/boot/further';
import { GuestError } from '../../../lib/bytes/errors';
import { evaluate, mutations } from '../dialect';
import { bzImage } from '../images';
import { MemoryFs, type MemoryTree } from '../memfs';
import { config, described, sameAsExpected } from '../sections';

const elilo = dialects.find((dialect) => dialect.name === 'elilo')!;
const K = bzImage('x');

const tree = (text: string): MemoryTree => ({
  'vmlinuz-2.6.18-92.el5': K,
  efi: { redhat: { 'initrd.img': 'i' } },
  EFI: {
    redhat: { 'elilo.conf': text, 'vmlinuz-2.6.18-92.el5xen': K, 'initrd-2.6.18-92.el5xen.img': 'i' },
  },
});

t.test('Red Hat with Xen', async (t) => {
  const menu = sameAsExpected(t, elilo, 'rhel5-xen.conf', '/EFI/redhat/elilo.conf', tree);
  t.match(menu.entries[0]?.resolve().notes, [/hypervisor xen\.gz-2\.6\.18-92\.el5 is left out/]);
});

t.test('settings', async (t) => {
  const of = (text: string) => evaluate(elilo, '/EFI/redhat/elilo.conf', tree(text)).menu;
  const image = 'image=/vmlinuz-2.6.18-92.el5\n';
  t.equal(of(`append=a=b\nread-only\n${image}`).entries[0]?.resolve().args, 'a=b ro');
  t.equal(of(`append=a\nroot=r\n${image}append=b`).entries[0]?.resolve().args, 'root=r b');
  t.same([of(image).timeout, of(image).timeoutStyle], [0, 'hidden']);
  t.equal(of(`delay=25\n${image}`).timeout, 2.5);
  t.equal(of(`prompt\n${image}`).timeout, -1);
  t.same(of(`default=B\n${image}label=a\n${image}label=b`).default, [1]);
  t.match(of(`default=c\n${image}`).warnings, [/does not exist/]);
  t.match(of('image=none').entries[0]?.resolve().problem, /\/EFI\/redhat\/none: not found/);
  t.equal(of('vmm=x\nimage=/vmlinuz-2.6.18-92.el5\nliteral="x -- y z"').entries[0]?.resolve().args, 'y z');
});

t.test('an ESP inside a larger filesystem, and /etc', async (t) => {
  const text = 'image=/EFI/debian/vmlinuz\ninitrd=initrd';
  const esp = { EFI: { debian: { vmlinuz: K, initrd: 'i', 'elilo.conf': text } } };
  const inside = evaluate(elilo, '/boot/efi/EFI/debian/elilo.conf', { boot: { efi: esp } }).menu;
  const target = inside.entries[0]!.resolve();
  t.same([target.problem, target.kernel?.path], [null, '/boot/efi/EFI/debian/vmlinuz']);
  const root = new MemoryFs({
    etc: { 'elilo.conf': 'image=/boot/efi/EFI/debian/vmlinuz', fstab: 'UUID=AAAA-BBBB /boot/efi vfat' },
    boot: { efi: {} },
  });
  const { menu } = evaluate(elilo, '/etc/elilo.conf', {
    disks: [{ scheme: 'gpt', partitions: [{ fs: new MemoryFs(esp, { uuid: 'AAAA-BBBB' }) }, { fs: root }] }],
    volume: 'hd0,gpt2',
  });
  t.equal(menu.entries[0]?.resolve().problem, null);
});

t.test('damaged configurations', async (t) => {
  const text = config('elilo', 'rhel5-xen.conf');
  for (const damaged of mutations(text, 2000, 5)) {
    try {
      described(evaluate(elilo, '/EFI/redhat/elilo.conf', tree(damaged)).menu);
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    }
  }
  const cut = `${text}image="x\n`;
  const { menu } = evaluate(elilo, '/EFI/redhat/elilo.conf', tree(cut));
  t.equal(menu.entries[3]?.resolve().args, 'single', 'what stood before a broken line');
});
