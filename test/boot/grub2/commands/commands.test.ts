/** What grub-emu cannot show: PVGrub's answers, Red Hat's commands, one-shot entries, known commands, and attacks. */
import t from 'tap';
import { Commands } from '../../../../lib/boot/grub2/commands';
import { harmless } from '../../../../lib/boot/grub2/commands/harmless';
import { known } from '../../../../lib/boot/grub2/commands/known';
import { GuestError } from '../../../../lib/bytes/errors';
import { LIMITS } from '../../../../lib/bytes/limits';
import { context, cpuMs, THOROUGH } from '../../../support';
import { extentFile, link, MemoryFs, memoryGuest } from '../../memfs';
import { evaluateOn, inMemory } from './disk';

const lines = (script: string, files: Parameters<typeof inMemory>[1] = {}) =>
  inMemory(script, files).console.trimEnd().split('\n');

t.test('search: hints and order', async (t) => {
  const same = () => new MemoryFs({ f: 'x' }, { uuid: 'ABCD-1234', label: 'data' });
  const other = new MemoryFs({ g: 'x' }, { uuid: '1111-1111' });
  const at = (options: string) =>
    lines(`search ${options}; echo -n " [$v] $?"`, [same(), other, same(), same()])[0]!.trim();
  t.equal(at('--fs-uuid abcd-1234'), 'hd0,gpt4 hd0,gpt3 hd0,gpt1 [] 0', 'the last row of the table first');
  t.equal(at('--fs-uuid --set=v abcd-1234'), '[hd0,gpt4] 0');
  for (const hint of [
    'hint',
    'hint-xen',
    'hint-bios',
    'hint-efi',
    'hint-baremetal',
    'hint-ieee1275',
    'hint-arc',
  ]) {
    t.equal(at(`--fs-uuid --set=v --${hint}=hd0,gpt1 abcd-1234`), '[hd0,gpt1] 0', hint);
    t.equal(
      at(`--fs-uuid --set=v --${hint}=hd0, abcd-1234`),
      '[hd0,gpt1] 0',
      `${hint} of a disk: table order`,
    );
  }
  t.equal(at('--fs-uuid --set=v --hint-bios=hd0,gpt2 --hint-efi=hd0,gpt3 abcd-1234'), '[hd0,gpt3] 0');
  t.equal(at('--label --set=v --hint=lvmid/x/y --hint=mduuid/z --hint=hd7, data'), '[hd0,gpt4] 0', 'misses');
  t.equal(at('-l -s v --hint hd0,1 data'), '[hd0,1] 0', 'the name of the hint is kept');
  t.equal(at('--fs-uuid --set=v --efidisk-only abcd-1234'), '[hd0,gpt4] 0');
  t.match(at('--fs-uuid --set=v --cryptodisk-only abcd-1234'), 'no such device');
  t.same(
    lines(
      'search --file --set=v --hint=hd0,gpt3 /f; echo $v; search --file --set=w --hint=hd0,gpt1 /f; echo $w',
      [same(), other, same()],
    ),
    ['hd0,gpt3', 'hd0,gpt3'],
    'a search that was made before starts where that ended',
  );
});

t.test('search: broken volumes are passed over', async (t) => {
  const ctx = context();
  const good = new MemoryFs({ f: 'x', loop: link('loop') }, { uuid: 'aa' });
  const guest = memoryGuest(ctx, [
    {
      scheme: 'gpt',
      partitions: [{ fs: good }, { fs: new GuestError('corrupt', 'superblock') }, { fs: null }],
    },
  ]);
  t.throws(() => guest.device('hd0,gpt2')!.filesystem(), GuestError);
  const { console } = inMemory('search --file --set=v /loop; echo $?; search --set=v --fs-uuid AA; echo $v', [
    good,
  ]);
  t.equal(console, 'error: no such device: /loop.\n5\nhd0,gpt1\n');
});

t.test('one-shot entries', async (t) => {
  const block = (body: string) => `# GRUB Environment Block\n${body}`.padEnd(1024, '#');
  const config = `load_env
if [ "\${next_entry}" ]; then set default="\${next_entry}"; set next_entry=; save_env next_entry; set boot_once=true
else set default="\${saved_entry}"; fi
if [ "\${prev_saved_entry}" ]; then set saved_entry="\${prev_saved_entry}"; save_env saved_entry
  set prev_saved_entry=; save_env prev_saved_entry; fi
load_env
echo "<$next_entry>"
menuentry one { true; }
`;
  const run = (body: string) => inMemory(config, { boot: { grub2: { grubenv: block(body) } } });
  const once = run('next_entry=one\nsaved_entry=two\n');
  t.equal(once.menu.default, 'one');
  t.equal(once.console, '<>\n', 'what was saved is read back');
  t.match(once.warnings.join('\n'), /next_entry/);
  const usual = run('next_entry=\nsaved_entry=two\n');
  t.equal(usual.menu.default, 'two');
  t.same(usual.warnings, []);
  t.match(run('prev_saved_entry=x\n').warnings.join('\n'), /prev_saved_entry/);
});

t.test('what an entry saves stays its own', async (t) => {
  const block = `# GRUB Environment Block\nx=disk\n`.padEnd(1024, '#');
  const { menu } = inMemory(
    `menuentry a { set x=$x$x; save_env x; load_env; linux /k "$x"; }
menuentry b { load_env; linux /k "$x"; }
load_env; set x=top; save_env x`,
    { k: 'k', boot: { grub2: { grubenv: block } } },
  );
  t.equal(menu.entries[0]!.resolve().args, 'toptop');
  t.equal(menu.entries[0]!.resolve().args, 'toptop', 'twice the same');
  t.equal(menu.entries[1]!.resolve().args, 'top');
});

t.test("Red Hat's counters", async (t) => {
  t.same(
    lines(`set n=5; increment n; echo $? $n; decrement n; decrement n; echo $n; set n=0x1f; increment n; echo $n
set n=-1; increment n; echo $n; increment; echo $?; increment none; echo $?; increment a b; echo $?
set n=x; increment n; echo $? $n; set n=; decrement n; echo $?; set n=99999999999999999999; increment n; echo $?`),
    [
      '0 6',
      '4',
      '32',
      '0',
      'error: no variable specified.',
      '18',
      'error: No such variable "none".',
      '5',
      'error: too many arguments.',
      '18',
      'error: unrecognized number.',
      '10 x',
      'error: unrecognized number.',
      '10',
      'error: overflow is detected.',
      '11',
    ],
  );
});

t.test('nothing waits, nothing fails that only sets up', async (t) => {
  const from = cpuMs();
  t.same(
    lines(`sleep 1000; echo $?; sleep --verbose --interruptible 50; echo $?; read x; echo "$? <$x>"
keystatus --shift; echo $?; terminal_output gfxterm; echo $?; cpuid -l; echo $?; insmod nothing; echo $?
serial --unit=0 --speed=9600; echo $?; play 480 440 1; echo $?; smbios --type 1 --get-string 5 --set v; echo $? $v
fwsetup --is-supported; echo $?; cryptomount -a; echo $?; net_bootp; echo $?; gettext Hello; loadfont unicode; echo $?
background_image /x.png; echo $?; no_such_command; echo end`),
    [
      ...['0', '0', '0 <>', '1', '0', '0', '0', '0', '0'],
      'error: the SMBIOS entry point structure was not found.',
      ...['29', '1', '0', 'error: no network card found.', '36', 'Hello', '0', '13'],
      "error: can't find command `no_such_command'.",
      'end',
    ],
  );
  t.ok(cpuMs() - from < 2000);
  t.match(inMemory('menuentry f { fwsetup; }', {}).menu.entries[0]!.resolve().problem, /firmware/);
});

t.test('every command of the manual is known', async (t) => {
  const manual = `acpi authenticate background_color background_image badram blocklist blscfg boot cat clear cmosclean
    cmosdump cmostest cmp configfile cpuid crc cryptocheck cryptomount cutmem date devicetree distrust drivemap echo
    efitextmode eval export false fwsetup gdbinfo gettext gptsync halt hashsum help hexdump insmod keystatus
    list_env list_trusted load_env loadfont loopback ls lsfonts lsmod md5sum module multiboot nativedisk normal
    normal_exit parttool password password_pbkdf2 plainmount play probe rdmsr read reboot regexp rmmod save_env search
    sendkey set sha1sum sha256sum sha512sum sleep smbios source test true trust unset vbeinfo verify_detached
    videoinfo wrmsr [ menuentry submenu chainloader initrd linux serial terminal_input terminal_output terminfo
    net_add_addr net_add_dns net_add_route net_bootp net_del_addr net_del_dns net_del_route net_dhcp
    net_get_dhcp_option net_ipv6_autoconf net_ls_addr net_ls_cards net_ls_dns net_ls_routes net_nslookup`;
  const commands = new Commands();
  for (const name of manual.split(/\s+/)) t.ok(commands.get(name) ?? commands.last(name), name);
});

t.test('none of the known commands minds its arguments', async (t) => {
  for (const name of Object.keys({ ...known, ...harmless }))
    for (const args of ['', '-x', '--set v a b c', '"" -- --help'])
      t.notMatch(inMemory(`${name} ${args}`, {}).warnings.join(), /not read to its end/, `${name} ${args}`);
});

t.test('passwords', async (t) => {
  const hash = `grub.pbkdf2.sha512.10000.${'ab'.repeat(64)}.${'CD'.repeat(64)}`;
  t.same(
    lines(`password root secret; echo $?; password root; echo $?; password_pbkdf2 root ${hash}; echo $?
password_pbkdf2 root nonsense; echo $?; authenticate; echo $?; set superusers=root; authenticate; echo $?`),
    ['0', 'error: two arguments expected.', '18', '0', 'error: invalid PBKDF2 password.', '18', '0', '0'],
  );
});

t.test('cmp', async (t) => {
  const files = { a: 'same', b: 'same', c: 'sAme', d: 'longer', dir: {} };
  t.same(
    lines(
      `cmp /a /b; echo $?; cmp /a /c; echo $?; cmp -v /a /c; cmp -v /a /d; cmp -v /a /b; cmp /a; echo $?
cmp /a /dir; echo $?; cmp /a /none; echo $?; if cmp /a /b; then echo equal; fi`,
      files,
    ),
    [
      '0',
      '1',
      "Compare file `/a' with `/c':",
      'Files differ at the offset 1: 0x61 [/a], 0x41 [/c]',
      "Compare file `/a' with `/d':",
      'Files differ in size: 4 [/a], 6 [/d]',
      "Compare file `/a' with `/b':",
      'The files are identical.',
      'error: two arguments expected.',
      '18',
      'error: not a regular file.',
      '4',
      "error: file `/none' not found.",
      '5',
      'equal',
    ],
  );
});

t.test('attacks', async (t) => {
  const huge = extentFile(2 ** 50, () => []);
  t.test('files of a petabyte', async (t) => {
    const { console, warnings } = inMemory('cat /huge; echo $?', { huge });
    t.ok(console.length < 2_000_000, 'cat shows the beginning');
    t.same(warnings, []);
    for (const script of ['sha256sum /huge', 'crc /huge', 'cmp /huge /other', 'load_env -f /huge; echo $?'])
      t.ok(inMemory(`${script}; echo end`, { huge, other: huge }, context(2000)).warnings.length > 0, script);
    t.match(inMemory('load_env -f /huge; echo $?', { huge }).console, /^error: .*\n6\n$/);
  });
  t.test('a directory of 100,000 names, at ls', async (t) => {
    const dir: Record<string, string> = {};
    for (let i = 0; i < 100_000; i++) dir[`name-${i}`] = '';
    t.ok(inMemory('ls /dir; ls -l /dir', { dir }).console.length < 600_000);
  });
  t.test('loopback of loopback of …', async (t) => {
    const image = extentFile(65536, () => []);
    const ctx = context();
    // Every loopback disk holds the same filesystem again, so images can be nested for ever.
    const guest = memoryGuest(ctx, [new MemoryFs({ image })], () => new MemoryFs({ image }));
    const script = `loopback l0 /image; ${Array.from({ length: 20 }, (_, i) => `loopback l${i + 1} (l${i})/image`).join('\n')}\nls`;
    const { console, warnings } = evaluateOn(guest, ctx, script, 'hd0');
    t.match(console, /\(l7\) .*\(l0\) \(hd0\)/);
    t.notMatch(console, /\(l8\)/);
    t.ok(warnings.some((w) => w.includes('images within each other')));
  });
  t.test('loopback without end', async (t) => {
    const { warnings } = inMemory('while true; do loopback l /f; loopback -d l; done', { f: 'x' });
    t.match(warnings.join(), /too much/);
  });
  t.test('regexp and tr', async (t) => {
    const grow = 'set v=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; set v=$v$v$v$v$v$v$v$v; set v=$v$v$v$v$v$v$v$v';
    const from = process.cpuUsage().user;
    inMemory(`${grow}; regexp '(a*)*b' $v; regexp '(a|aa)+$' $v; regexp '((((a+)+)+)+)+b' $v`, {});
    const { warnings } = inMemory(
      `${grow}; while true; do tr -s v a b; regexp '(a*)*b' $v; done`,
      {},
      context(LIMITS.runSteps / (THOROUGH ? 10 : 40)),
    );
    t.match(warnings.join(), /too much/);
    t.match(inMemory(`${grow}; regexp '(a*)*\\1c' $v; echo $?`, {}).console, /^1\n$/);
    // Processor time: other tests run beside this one.
    t.ok(process.cpuUsage().user - from < 20_000_000);
  });
  t.test('passwords without end', async (t) => {
    t.match(
      inMemory('set u=a; while true; do set u=a$u; password $u x; done', {}).warnings.join(),
      /too much/,
    );
  });
});
