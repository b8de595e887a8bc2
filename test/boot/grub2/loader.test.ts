/** What entries boot: kernels, ramdisks, hypervisors, other systems' loaders, and what goes wrong. */
import t from 'tap';
import { commandLine } from '../../../lib/boot/grub2/commands/loader';
import type { BootMenu, BootTarget } from '../../../lib/boot/model';
import { link, type MemoryTree } from '../memfs';
import { evaluate } from './tree';

const files = (config: string): MemoryTree => ({
  boot: {
    grub: { 'grub.cfg': config, 'inner.cfg': INNER },
    vmlinuz: 'kernel',
    'initrd.img': 'initrd',
    'xen.gz': 'xen',
  },
  ucode: 'microcode',
  link: link('/boot/vmlinuz'),
  dir: {},
});
const INNER = `default=1
menuentry first { linux /boot/vmlinuz first }
menuentry second { linux /boot/vmlinuz "second $sent" ; initrd /boot/initrd.img }
`;

const menu = (config: string): BootMenu => evaluate(config, files);
const target = (body: string): BootTarget =>
  menu(`menuentry 'the entry' x {\n${body}\n}`).entries[0]!.resolve();
const paths = (made: BootTarget): string[] => made.initrds.map((part) => part.file.path);

t.test('a command line as GRUB joins it', async (t) => {
  t.equal(commandLine([]), '');
  t.equal(commandLine(['a', 'b=c', '']), 'a b=c ');
  t.equal(
    commandLine(['a b', "it's", '"q"', 'back\\slash', "x' y"]),
    '"a b" it\\\'s \\"q\\" back\\\\slash "x\\\' y"',
  );
});

t.test('kernel, ramdisks and arguments', async (t) => {
  const made = target('linux /boot/vmlinuz root=/dev/xvda1 "$2" ro\ninitrd /ucode /boot/initrd.img');
  t.equal(made.kernel?.path, '/boot/vmlinuz');
  t.ok(made.kernel?.found);
  t.equal(made.args, 'root=/dev/xvda1 x ro');
  t.same(paths(made), ['/ucode', '/boot/initrd.img']);
  t.equal(made.problem, null);
  t.equal(made.root, 'hd0');
  for (const [kernel, initrd] of [
    ['linux16', 'initrd16'],
    ['linuxefi', 'initrdefi'],
  ])
    t.match(target(`${kernel} /link a\n${initrd} /boot/initrd.img`), { args: 'a', problem: null });
});

t.test('a later command replaces an earlier one', async (t) => {
  const made = target(
    'linux /nosuch a\ninitrd /nosuch\nlinux /boot/vmlinuz b\ninitrd /ucode\ninitrd /boot/initrd.img',
  );
  t.match(made, { args: 'b', problem: null });
  t.same(paths(made), ['/boot/initrd.img']);
});

t.test('archives made of single files', async (t) => {
  const made = target(
    'linux /boot/vmlinuz\ninitrd --nounzip newc:/etc/x:/ucode /boot/initrd.img newc:y:($root)/ucode',
  );
  t.same(
    made.initrds.map((part) => [part.newcName, part.file.path]),
    [
      ['etc/x', '/ucode'],
      [undefined, '/boot/initrd.img'],
      ['y', '/ucode'],
    ],
  );
  t.equal(made.problem, null);
});

t.test('files that are missing', async (t) => {
  let made = target('linux /nosuch a b\ninitrd /gone');
  t.match(made, { args: 'a b', problem: /\/nosuch: not found/ });
  t.equal(made.kernel?.path, '/nosuch');
  t.same(paths(made), ['/gone'], 'listed all the same');
  made = target('linux /boot/vmlinuz\ninitrd /gone');
  t.match(made.problem, /initrd \/gone: not found/);
  made = target('linux /boot/vmlinuz\ninitrd /gone\ntrue');
  t.equal(made.problem, null, 'GRUB boots when the last command succeeds');
  t.same(paths(made), []);
  t.match(made.notes.join(), /\/gone: not found; it is left out/);
  t.match(target('linux /dir').problem, /not a regular file/);
  t.match(target('linux vmlinuz').problem, /invalid file name 'vmlinuz'/);
  t.equal(
    target('linux /boot/vmlinuz\nfalse').problem,
    'its last command failed ($? is 1), so GRUB does not boot it',
  );
  t.equal(target('linux /boot/vmlinuz\nboot\nfalse').problem, null, 'an explicit boot comes before that');
  t.equal(target('true').problem, 'no kernel is loaded');
  t.equal(target('linux').problem, 'no kernel is loaded');
});

t.test('devices that do not exist mean the volume of the configuration', async (t) => {
  for (const root of ['hd0,msdos1', '(hd3,gpt7)', '/dev/xvda', 'xen/xvda,1', ''])
    t.match(
      target(`set root='${root}'\nlinux /boot/vmlinuz\ninitrd ($root)/boot/initrd.img`),
      { problem: null },
      root,
    );
  t.match(target('linux (hd9)/boot/vmlinuz'), { problem: null });
  t.match(target('if [ -f (hd9)/boot/vmlinuz ]; then linux /boot/vmlinuz; fi'), {
    problem: 'no kernel is loaded',
  });
});

t.test('a hypervisor is left out', async (t) => {
  let made = target(
    'multiboot2 /boot/xen.gz placeholder dom0_mem=1G\nmodule2 /boot/vmlinuz placeholder root=x "a b"\nmodule2 --nounzip /boot/initrd.img',
  );
  t.match(made, { args: 'root=x "a b"', problem: null });
  t.equal(made.kernel?.path, '/boot/vmlinuz');
  t.same(paths(made), ['/boot/initrd.img']);
  t.match(made.notes.join(), /hypervisor \/boot\/xen.gz is left out/);
  made = target('multiboot /ucode\nmodule /boot/xen.gz a\nmodule /boot/vmlinuz b\nmodule /boot/initrd.img');
  t.match(made, { args: 'b', problem: null }, 'tboot before Xen');
  t.equal(made.kernel?.path, '/boot/vmlinuz');
  t.match(target('xen_hypervisor /boot/xen.gz\nxen_module /boot/vmlinuz c'), { args: 'c', problem: null });
  t.match(target('multiboot /boot/xen.gz').problem, /multiboot without modules/);
  t.match(target('module /boot/vmlinuz').problem, /no kernel/);
});

t.test('other loaders and other ends', async (t) => {
  t.equal(
    target('chainloader /EFI/Microsoft/Boot/bootmgfw.efi').problem,
    'starts EFI/Microsoft/Boot/bootmgfw.efi: cannot be booted here (chainloader)',
  );
  t.match(
    target('chainloader --force (hd0)+1').problem,
    /starts \(hd0\)\+1: cannot be booted here \(chainloader\)/,
  );
  t.match(target('ntldr /bootmgr').problem, /bootmgr.*ntldr/);
  t.match(target('fwsetup').problem, /firmware setup/);
  t.match(target('chainloader +1\nlinux /boot/vmlinuz'), { problem: null });
  for (const how of ['halt', 'reboot', 'exit'])
    t.equal(target(`linux /boot/vmlinuz\n${how}`).problem, `ends with ${how}`);
});

t.test('boot without a menu', async (t) => {
  let made = menu('menuentry a { true; }\nlinux /boot/vmlinuz top\nboot\nmenuentry b { true; }');
  t.match(made.immediate, { args: 'top', problem: null });
  t.equal(made.entries.length, 0);
  made = menu('linux /boot/vmlinuz top\nmenuentry a { initrd /boot/initrd.img; }');
  t.equal(made.immediate, undefined);
  t.match(made.entries[0]!.resolve(), { args: 'top', problem: null }, 'what is loaded stays loaded');
  made = menu('boot\nmenuentry a { linux /boot/vmlinuz; }');
  t.match(made.console, /error: you need to load the kernel first\./);
  t.equal(made.entries.length, 1);
  for (const how of ['halt', 'reboot', 'exit', 'normal_exit']) {
    made = menu(`menuentry a { true; }\n${how}`);
    t.equal(made.entries.length, 0);
    t.match(made.warnings.join(), /before a menu is shown/);
  }
});

t.test('another configuration', async (t) => {
  let made = menu(
    'sent=yes; plain=no; export sent\nconfigfile /boot/grub/inner.cfg\nmenuentry never { true; }',
  );
  t.same(
    made.entries.map((e) => e.title),
    ['first', 'second'],
  );
  t.equal(made.default, '1');
  t.equal(made.entries[1]!.resolve().args, '"second yes"');
  made = menu('sent=yes\nmenuentry before { true; }\nnormal /boot/grub/inner.cfg\nmenuentry never { true; }');
  t.same(
    made.entries.map((e) => e.title),
    ['before', 'first', 'second'],
    'normal keeps the menu',
  );
  made = menu('extract_entries_source /boot/grub/inner.cfg\nmenuentry last { true; }');
  t.same(
    made.entries.map((e) => e.title),
    ['first', 'second', 'last'],
  );
  t.equal(made.default, undefined, 'only the entries');
  made = menu('export sent; sent=entry\nmenuentry opens { configfile /boot/grub/inner.cfg }');
  const opened = made.entries[0]!.resolve();
  t.match(opened, { args: '"second entry"', problem: null });
  t.match(opened.notes.join(), /opens another menu, of which 'second' is the default/);
  t.match(menu('configfile /gone.cfg').warnings.join(), /configfile \/gone.cfg: .*not found/);
});

t.test('the menu', async (t) => {
  const made =
    menu(`default="1>2" ; fallback="0  id"; timeout=0x10; timeout_style=hidden; superusers="root, adm"
echo 'to the console'
menuentry "a 'b'" c --id i --class x --class y --hotkey k --users "u v" { linux /boot/vmlinuz "$1" }
menuentry free --unrestricted { true; }
hiddenentry h { true; }
submenu s { menuentry in { linux /boot/vmlinuz $chosen } }
`);
  t.match(made, {
    default: '1>2',
    fallback: ['0', 'id'],
    timeout: 16,
    timeoutStyle: 'hidden',
    console: 'to the console\n',
  });
  const [first, free, hidden, sub] = made.entries;
  t.match(first, {
    title: "a 'b'",
    id: 'i',
    classes: ['x', 'y'],
    hotkey: 'k',
    users: ['root', 'adm', 'u', 'v'],
  });
  t.equal(first!.text, `setparams 'a '\\''b'\\''' 'c'\n linux /boot/vmlinuz "$1" `);
  t.equal(first!.resolve().args, `"a \\'b\\'"`);
  t.equal(first!.resolve(first!.text).args, `"a \\'b\\'"`, 'its own text, edited');
  t.equal(first!.resolve('linux /boot/vmlinuz edited "$2"').args, 'edited c');
  t.equal(free!.users, undefined);
  t.ok(hidden!.hidden);
  t.equal(sub!.resolve().problem, 'is a submenu');
  t.equal(sub!.open!().entries[0]!.resolve().args, 's>in');
  for (const [value, want] of [
    ['-1', -1],
    ['0', 0],
    ['5', 5],
    ['', null],
    ['x', null],
    ['010', 8],
    ['7s', 7],
  ] as const)
    t.equal(menu(`timeout=${value}`).timeout, want, `timeout ${value}`);
});

t.test('nothing that one entry does reaches another', async (t) => {
  const made = menu(`v=top
function f { linux /boot/vmlinuz $v; }
menuentry a { v=changed; root=hd9; export v; eval "function f { linux /boot/vmlinuz other; }"; f; }
menuentry b { f; }
submenu c { v=sub; menuentry d { f; }; menuentry e { f; v=later; } }
`);
  for (let round = 0; round < 2; round++) {
    t.match(made.entries[0]!.resolve(), { args: 'other', root: 'hd9' });
    t.match(made.entries[1]!.resolve(), { args: 'top', root: 'hd0' });
    const inner = made.entries[2]!.open!();
    t.match(inner.entries[1]!.resolve(), { args: 'sub' });
    t.match(inner.entries[0]!.resolve(), { args: 'sub' });
  }
});

t.test('a reason names the device that is not there', async (t) => {
  const problem = (body: string) => target(body).problem;
  t.equal(
    problem('set root=(lvm/none)\nlinux /gone'),
    "/gone: not found (its root 'lvm/none' is no device of the guest's)",
  );
  t.equal(problem('linux (lvm/none)/gone'), "/gone: no such device 'lvm/none'");
  t.equal(problem('linux /boot/vmlinuz\ninitrd (lvm/none)/gone'), "initrd /gone: no such device 'lvm/none'");
  t.equal(
    problem('search --set=root --fs-uuid 12-34\nlinux /gone'),
    "/gone: not found (search found no '12-34')",
  );
  t.equal(problem('search --set=root --label none\nlinux /boot/vmlinuz'), null, 'it boots all the same');
  // The top level's search counts for its entries, and where a stub leads nowhere.
  t.equal(
    menu('search --set=root --label none\nmenuentry x {\nlinux /gone\n}').entries[0]!.resolve().problem,
    "/gone: not found (search found no 'none')",
  );
  t.match(menu('search --set=root --label none\nconfigfile /x.cfg').warnings, [
    /^configfile \/x\.cfg: \/x\.cfg: not found \(search found no 'none'\)$/,
  ]);
});
