/** A grub.cfg that hands over to another bootloader's configuration, and what grub-menulst2cfg writes. */
import t from 'tap';
import type { BootMenu } from '../../../lib/boot/model';
import type { MemoryTree } from '../memfs';
import { evaluate } from './tree';

/** The head of a Linux kernel, and of a multiboot program (Multiboot 0.6.96: the three words add up to zero). */
const bzImage = `${'\0'.repeat(0x1fe)}\x55\xaa\xeb\x66HdrS${'\0'.repeat(64)}`;
const xen = `${'\0'.repeat(64)}\x02\xb0\xad\x1b\x03\0\0\0\xfb\x4f\x52\xe4${'\0'.repeat(64)}`;

const MENU = `default 1
timeout 7
fallback 0
title One
root (hd0)
kernel /vmlinuz root=/dev/xvda1 one
initrd /initrd.img
title Two
kernel /boot/vmlinuz two
`;
const SYSLINUX = `default two
prompt 1
timeout 50
label one
  linux vmlinuz
  append a
label two
  menu label Se^cond
  linux /vmlinuz
  initrd /initrd.img
  append b
`;

const menu = (config: string): BootMenu =>
  evaluate(
    config,
    (text): MemoryTree => ({
      boot: {
        grub: { 'grub.cfg': text, 'menu.lst': MENU },
        vmlinuz: bzImage,
        xen: { 'pvboot-x86_64.elf': 'E' },
      },
      sl: { 'syslinux.cfg': SYSLINUX, vmlinuz: bzImage },
      'locked.lst': 'password secret\ntitle L\nlock\nkernel /vmlinuz\n',
      vmlinuz: bzImage,
      'initrd.img': 'initrd',
      'xen.gz': xen,
    }),
  );
const titles = (m: BootMenu) => m.entries.map((e) => e.title);
const boots = (m: BootMenu, at: number) => {
  const target = m.entries[at]!.resolve();
  return [target.problem, target.kernel?.path, target.args, target.initrds.map((i) => i.file.path).join()];
};

t.test('legacy_configfile: its menu is shown instead, with its own settings', async (t) => {
  const m = menu('menuentry mine { true }\nset timeout=1\nlegacy_configfile /boot/grub/menu.lst');
  t.same(titles(m), ['One', 'Two']);
  t.equal(m.default, '1');
  t.equal(m.timeout, 7);
  t.same(m.fallback, ['0']);
  t.same(boots(m, 0), [null, '/vmlinuz', 'root=/dev/xvda1 one', '/initrd.img']);
  t.same(boots(m, 1), [null, '/boot/vmlinuz', 'two', '']);
});

t.test('the password that locks its entries comes along', async (t) => {
  const m = menu('password root a\nlegacy_configfile /locked.lst');
  t.same(m.entries[0]?.users, ['']);
  t.same(m.passwords?.get(''), { scheme: 'plain', value: 'secret' });
  t.same(m.passwords?.get('root'), { scheme: 'plain', value: 'a' });
});

t.test('legacy_source: entries and settings join those of this configuration', async (t) => {
  const m = menu('menuentry mine { true }\nlegacy_source /boot/grub/menu.lst\nset timeout=3');
  t.same(titles(m), ['mine', 'One', 'Two']);
  t.equal(m.default, '1');
  t.equal(m.timeout, 3);
});

t.test('extract_legacy_entries_source: the entries alone', async (t) => {
  const m = menu('set timeout=2\nextract_legacy_entries_source /boot/grub/menu.lst');
  t.same(titles(m), ['One', 'Two']);
  t.equal(m.default, undefined);
  t.equal(m.timeout, 2);
});

t.test('syslinux', async (t) => {
  const m = menu('syslinux_configfile /sl/syslinux.cfg');
  t.same(titles(m), ['one', 'Second']);
  t.equal(m.default, '1');
  t.equal(m.timeout, 5);
  t.same(boots(m, 0).slice(0, 2), [null, '/sl/vmlinuz'], 'relative to the configuration');
  t.same(boots(m, 1).slice(0, 2), [null, '/vmlinuz']);
  const moved = menu('syslinux_source -c / /sl/syslinux.cfg');
  t.same(boots(moved, 0).slice(0, 2), [null, '/vmlinuz'], 'relative to --cwd');
});

t.test('in an entry: the other menu’s default boots', async (t) => {
  const m = menu(
    'menuentry other { legacy_configfile /boot/grub/menu.lst }\nmenuentry gone { legacy_configfile /x }',
  );
  t.same(boots(m, 0), [null, '/boot/vmlinuz', 'two', '']);
  t.match(m.entries[0]!.resolve().notes.join(), /'Two' is the default/);
  t.type(boots(m, 1)[0], 'string');
});

t.test('errors', async (t) => {
  t.match(menu('legacy_configfile').console, /error: filename expected\./);
  t.match(menu('syslinux_source /none').console, /error: file `\/none' not found\./);
  const again = menu(`${'legacy_source /boot/grub/menu.lst\n'.repeat(30)}menuentry last { true }`);
  t.match(again.console, /error: maximum recursion depth exceeded\./);
  t.equal(titles(again).at(-1), 'last', 'and the rest of the configuration counts');
});

t.test('what grub-menulst2cfg writes', async (t) => {
  // Its output for: kernel /vmlinuz x "a b"; initrd /initrd.img / kernel /xen.gz; module …; module …
  const m = menu(`menuentry 'Linux' {
  set root='(hd0)'; set legacy_hdbias='0'
  legacy_kernel   '/vmlinuz' '/vmlinuz' 'x' '"a' 'b"'
  legacy_initrd '/initrd.img' '/initrd.img'
}
menuentry 'Xen' {
  legacy_kernel   '/xen.gz' '/xen.gz' 'dom0_mem=512M'
  legacy_initrd '/vmlinuz' '/vmlinuz' 'root=/dev/xvda' 'console=hvc0'
  legacy_initrd '/initrd.img' '/initrd.img'
}
menuentry 'typed' { legacy_kernel --type=linux --no-mem-option '/xen.gz' '/xen.gz' ; }
menuentry 'other' { legacy_kernel --type=netbsd '/vmlinuz' '/vmlinuz' ; }
menuentry 'first' { legacy_initrd /initrd.img /initrd.img ; }
legacy_password --md5 '$1$abcdefgh$0123456789012345678901'
if ! legacy_check_password --md5 'x'; then return; fi
set timeout=4`);
  t.same(boots(m, 0), [null, '/vmlinuz', 'x \\"a b\\"', '/initrd.img']);
  t.same(boots(m, 1), [null, '/vmlinuz', 'root=/dev/xvda console=hvc0', '/initrd.img']);
  t.match(m.entries[1]!.resolve().notes.join(), /xen\.gz is left out/);
  t.same(boots(m, 2), [null, '/xen.gz', '', '']);
  t.match(boots(m, 3)[0], /cannot be booted here/);
  t.type(boots(m, 4)[0], 'string');
  t.match(m.passwords?.get('legacy'), { scheme: 'crypt' });
  t.equal(m.timeout, 4);
});

t.test('PVGrub as a multiboot program is a kernel of its own', async (t) => {
  const m = menu('menuentry chain { multiboot /boot/xen/pvboot-x86_64.elf }');
  t.same(boots(m, 0), [null, '/boot/xen/pvboot-x86_64.elf', '', '']);
});
