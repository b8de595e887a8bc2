/**
 * Expected: which ramdisk belongs to which kernel by the distributions' own names (Debian: linux-update-symlinks(1),
 * initramfs-tools; Fedora and Arch: kernel-install(8), mkinitcpio(8); SUSE, Alpine, Gentoo: their installers), the
 * order by their tools' rule, newest first. test/peers/otherloaders.test.ts compares with what Debian itself boots.
 */
import t from 'tap';
import { shellVariables } from '../../../lib/boot/guess/cmdline';
import { guesses } from '../../../lib/boot/guess/guess';
import type { BootContext, BootMenu } from '../../../lib/boot/model';
import { context, cpuMs, image } from '../../support';
import { mutations } from '../dialect';
import { bzImage } from '../images';
import { link, type MemoryDisk, MemoryFs, type MemoryTree, memoryGuest } from '../memfs';
import { config } from '../sections';

const UUID = '0d3c5a52-7a0a-4c1e-9f52-1c8e7b6a5d40';
const BOOT = '11111111-2222-3333-4444-555555555555';

function guess(...disks: MemoryDisk[]): BootMenu[] {
  const base = context();
  const guest = memoryGuest(base, disks);
  const ctx: BootContext = { ...base, guest, quiet: true };
  return [...guesses(guest, ctx)].map(({ menu }) => menu);
}

const root = (tree: MemoryTree, type = 'ext4') =>
  new MemoryFs({ etc: { hostname: 'x' }, sbin: { init: 'x' }, ...tree }, { uuid: UUID, type });

const shown = (menu: BootMenu | undefined) =>
  menu?.entries.map((entry) => {
    const target = entry.resolve();
    const names = [target.kernel!, ...target.initrds.map(({ file }) => file)].map((file) => file.path);
    return [...names, target.problem ?? 'boots'].join(' ');
  });

const args = (menu: BootMenu | undefined) => menu?.entries[0]?.resolve().args;

t.test('distributions', async (t) => {
  const debian = root({
    vmlinuz: link('boot/vmlinuz-6.1.0-9-amd64'),
    'initrd.img': link('boot/initrd.img-6.1.0-9-amd64'),
    'vmlinuz.old': link('boot/vmlinuz-5.10.0-30-amd64'),
    'initrd.img.old': link('boot/initrd.img-5.10.0-30-amd64'),
    boot: {
      'vmlinuz-6.1.0-9-amd64': bzImage('a'),
      'vmlinuz-6.1.0-18-amd64': bzImage('b'),
      'vmlinuz-5.10.0-30-amd64': bzImage('c'),
      'initrd.img-6.1.0-9-amd64': 'i',
      'initrd.img-6.1.0-18-amd64': 'i',
      'initrd.img-5.10.0-30-amd64': 'i',
      'config-6.1.0-9-amd64': 'CONFIG_X=y',
      'System.map-6.1.0-9-amd64': 'x',
      'vmlinuz-6.1.0-18-amd64.sig': 'x',
    },
  });
  const [menu] = guess(debian);
  t.same(shown(menu), [
    '/vmlinuz /initrd.img boots',
    '/boot/vmlinuz-6.1.0-18-amd64 /boot/initrd.img-6.1.0-18-amd64 boots',
    '/vmlinuz.old /initrd.img.old boots',
  ]);
  t.equal(menu?.entries[0]?.title, 'Linux 6.1.0-9-amd64 (guessed: no boot configuration)');
  t.match(menu?.warnings, [/no boot configuration/]);
  t.equal(args(menu), `root=UUID=${UUID} ro`);

  t.same(
    shown(
      guess(
        root({
          boot: {
            'vmlinuz-0-rescue-0123456789abcdef': bzImage('r'),
            'initramfs-0-rescue-0123456789abcdef.img': 'i',
            'vmlinuz-5.14.0-70.el9.x86_64': bzImage('1'),
            'initramfs-5.14.0-70.el9.x86_64.img': 'i',
            'initramfs-5.14.0-362.el9.x86_64kdump.img': 'i',
            '.vmlinuz-5.14.0-70.el9.x86_64.hmac': 'x',
            'vmlinuz-5.14.0-362.el9.x86_64': bzImage('2'),
            'initramfs-5.14.0-362.el9.x86_64.img': 'i',
          },
        }),
      )[0],
    ),
    [
      '/boot/vmlinuz-5.14.0-362.el9.x86_64 /boot/initramfs-5.14.0-362.el9.x86_64.img boots',
      '/boot/vmlinuz-5.14.0-70.el9.x86_64 /boot/initramfs-5.14.0-70.el9.x86_64.img boots',
      '/boot/vmlinuz-0-rescue-0123456789abcdef /boot/initramfs-0-rescue-0123456789abcdef.img boots',
    ],
    'Red Hat: the rescue kernel last',
  );
  for (const [name, boot, expected] of [
    [
      'Arch',
      {
        'vmlinuz-linux-lts': bzImage('l'),
        'vmlinuz-linux': bzImage('a'),
        'initramfs-linux.img': 'i',
        'initramfs-linux-fallback.img': 'i',
        'initramfs-linux-lts.img': 'i',
        'intel-ucode.img': 'u',
      },
      [
        '/boot/vmlinuz-linux /boot/initramfs-linux.img boots',
        '/boot/vmlinuz-linux-lts /boot/initramfs-linux-lts.img boots',
      ],
    ],
    [
      'Alpine',
      { 'vmlinuz-lts': bzImage('a'), 'initramfs-lts': 'i', 'config-lts': 'x' },
      ['/boot/vmlinuz-lts /boot/initramfs-lts boots'],
    ],
    [
      'SUSE',
      {
        vmlinuz: link('vmlinuz-6.4.0-150600.23-default'),
        initrd: link('initrd-6.4.0-150600.23-default'),
        'vmlinuz-6.4.0-150600.23-default': bzImage('a'),
        'initrd-6.4.0-150600.23-default': 'i',
        'vmlinux-6.4.0-150600.23-default.gz': '\x1f\x8b\x08rest',
      },
      ['/boot/vmlinuz /boot/initrd boots', '/boot/vmlinux-6.4.0-150600.23-default.gz boots'],
    ],
    [
      'Gentoo with genkernel',
      {
        'kernel-genkernel-x86_64-6.1.12-gentoo': bzImage('a'),
        'kernel-genkernel-x86_64-6.1.9-gentoo': bzImage('b'),
        'initramfs-genkernel-x86_64-6.1.12-gentoo': 'i',
      },
      [
        '/boot/kernel-genkernel-x86_64-6.1.12-gentoo /boot/initramfs-genkernel-x86_64-6.1.12-gentoo boots',
        '/boot/kernel-genkernel-x86_64-6.1.9-gentoo boots',
      ],
    ],
    [
      'Slackware',
      {
        vmlinuz: link('vmlinuz-huge-5.15.19'),
        'vmlinuz-huge-5.15.19': bzImage('h'),
        'vmlinuz-generic-5.15.19': bzImage('g'),
        'vmlinuz-generic': link('vmlinuz-generic-5.15.19'),
        'initrd.gz': 'i',
      },
      ['/boot/vmlinuz /boot/initrd.gz boots', '/boot/vmlinuz-generic /boot/initrd.gz boots'],
    ],
    ['a text file', { 'vmlinuz-6.1': 'this is no kernel', 'vmlinuz-6.0': '' }, undefined],
    ['a directory, a dangling link', { 'vmlinuz-6.1': {}, vmlinuz: link('nowhere') }, undefined],
    ['a link to itself', { vmlinuz: link('vmlinuz') }, undefined],
    ['an empty ramdisk', { Image: bzImage('x'), 'initrd.img': '' }, ['/boot/Image boots']],
  ] as const)
    t.same(shown(guess(root({ boot: boot as MemoryTree }))[0]), expected, name);
});

t.test('NixOS: generations, each whole', async (t) => {
  const system = { kernel: bzImage('n'), initrd: 'i', 'kernel-params': 'loglevel=4 quiet', init: 'x' };
  const [menu] = guess(
    root({
      nix: {
        store: { 'aaa-nixos-system-24.05': system, 'bbb-nixos-system-23.11': system },
        var: {
          nix: {
            profiles: {
              system: link('system-12-link'),
              'system-9-link': link('/nix/store/bbb-nixos-system-23.11'),
              'system-12-link': link('/nix/store/aaa-nixos-system-24.05'),
            },
          },
        },
      },
    }),
  );
  t.same(
    menu?.entries.map((e) => [e.title, e.resolve().args, e.resolve().problem]),
    [
      [
        'NixOS aaa-nixos-system-24.05 (guessed: no boot configuration)',
        'init=/nix/store/aaa-nixos-system-24.05/init loglevel=4 quiet',
        null,
      ],
      [
        'NixOS bbb-nixos-system-23.11 (guessed: no boot configuration)',
        'init=/nix/store/bbb-nixos-system-23.11/init loglevel=4 quiet',
        null,
      ],
    ],
  );
});

t.test('a separate /boot', async (t) => {
  const boot = new MemoryFs(
    { boot: link('.'), 'vmlinuz-6.1': bzImage('b'), 'initrd.img-6.1': 'i', grub: {} },
    { uuid: BOOT },
  );
  const system = root({
    vmlinuz: link('boot/vmlinuz-6.1'),
    'initrd.img': link('boot/initrd.img-6.1'),
    boot: {},
    etc: { fstab: `UUID=${UUID} / ext4 defaults 0 1\nUUID=${BOOT.toUpperCase()} /boot ext2 defaults 0 2\n` },
  });
  const disk = { scheme: 'gpt', partitions: [{ fs: boot }, { fs: system }] };
  const [first, second, third] = guess(disk);
  t.same(shown(first), ['/vmlinuz-6.1 /initrd.img-6.1 boots']);
  t.equal(args(first), `root=UUID=${UUID} ro`, "the root's fstab");
  t.same(shown(second), ['/vmlinuz-6.1 /initrd.img-6.1 boots'], 'its links lead to the other volume');
  const text = second?.entries[0]?.text ?? '';
  t.match(text, 'kernel (hd0,gpt1)/vmlinuz-6.1 root=UUID=');
  t.equal(second?.entries[0]?.resolve(text).problem, null, 'its own text resolves');
  t.equal(third, undefined);
});

t.test('arguments', async (t) => {
  const boot = { 'vmlinuz-6.1': bzImage('a'), 'initrd.img-6.1': 'i' };
  const bare = { 'vmlinuz-6.1': bzImage('a') };
  const of = (etc: MemoryTree, files: MemoryTree = boot, more: MemoryTree = {}) =>
    args(
      guess({ scheme: 'gpt', partitions: [{ fs: null }, { fs: root({ ...more, boot: files, etc }) }] })[0],
    );
  t.equal(
    of({ kernel: { cmdline: '# written by hand\nroot=LABEL=x rw\n  quiet\n' }, fstab: '' }),
    'root=LABEL=x rw quiet',
  );
  t.equal(of({ kernel: { cmdline: 'quiet\n' } }), `root=UUID=${UUID} ro quiet`, 'root= and ro are added');
  t.equal(
    of({ hostname: 'x' }, boot, { usr: { lib: { kernel: { cmdline: 'console=hvc0' } } } }),
    `root=UUID=${UUID} ro console=hvc0`,
  );
  t.equal(
    of({
      fstab:
        '# <file system> <mount point>\nLABEL=my\\040root / ext4 errors=remount-ro 0 1\n/dev/xvda2 none swap sw',
      default: {
        grub: 'GRUB_CMDLINE_LINUX="console=hvc0 $X"\nGRUB_CMDLINE_LINUX_DEFAULT=\'quiet  splash\' # comment\n',
      },
    }),
    'root="LABEL=my root" ro console=hvc0 quiet splash',
  );
  t.equal(of({ fstab: '/dev/xvda2 / ext3 defaults 0 1' }, bare), 'root=/dev/xvda2 ro');
  t.equal(
    of({ fstab: `UUID=${UUID} / ext3 defaults 0 1` }, bare),
    'root=/dev/xvda2 ro',
    'no ramdisk: no UUID',
  );
  t.equal(of({ fstab: 'PARTUUID=abcd-02 / ext3 defaults 0 1' }, bare), 'root=PARTUUID=abcd-02 ro');
  t.equal(of({ fstab: '/dev/root / ext3 defaults 0 1' }, bare), 'root=/dev/xvda2 ro');
  t.equal(
    args(guess(root({ '@': { etc: { fstab: 'UUID=x / btrfs subvol=@' }, boot } }, 'btrfs'))[0]),
    undefined,
    'the top level looks like a system itself, and has no kernel',
  );
  const subvolume = new MemoryFs(
    { '@': { etc: { fstab: `UUID=${UUID} / btrfs defaults,subvol=@ 0 0` }, boot } },
    { uuid: UUID, type: 'btrfs' },
  );
  const [menu] = guess(subvolume);
  t.same(shown(menu), ['/@/boot/vmlinuz-6.1 /@/boot/initrd.img-6.1 boots']);
  t.equal(args(menu), `root=UUID=${UUID} rootflags=subvol=@ ro`);
  t.match(guess(new MemoryFs({ 'vmlinuz-6.1': bzImage('a') }))[0]?.entries[0]?.resolve().notes, [
    /no volume looks like a root/,
    /no ramdisk/,
  ]);
});

t.test('shell assignments as a shell reads them', async (t) => {
  // Each value is what dash 0.5.12 has in $V afterwards (test/peers/otherloaders.test.ts asks it).
  for (const [text, value] of [
    ['V=plain', 'plain'],
    ['V="two words"', 'two words'],
    ["V='a\"b$c'", 'a"b$c'],
    ['V="a\\"b\\$c\\d"', 'a"b$c\\d'],
    ['V=a\\ b', 'a b'],
    ['A=x; V=y', undefined],
    ['A=x\nV="$A \x24{A}y"', 'x xy'],
    ['V="$NONE"', ''],
    ['V=a#b # c', 'a#b'],
    ['V="one\\\ntwo"', 'onetwo'],
    ['V=1\nexport V=2', '2'],
    ['V="$(uname)"', undefined],
    ['V=`uname`', undefined],
    ['V="unclosed', undefined],
  ] as const)
    t.equal(shellVariables(text, context()).get('V'), value, text);
});

t.test('a whole /etc/default/grub, as dash reads it', async (t) => {
  const variables = shellVariables(config('guess', 'default-grub'), context());
  const [linux, usual] = config('guess', 'default-grub.expected').split('\n');
  t.equal(variables.get('GRUB_CMDLINE_LINUX'), linux);
  t.equal(variables.get('GRUB_CMDLINE_LINUX_DEFAULT'), usual);
});

t.test('a person edits', async (t) => {
  const [menu] = guess(root({ boot: { 'vmlinuz-6.1': bzImage('a'), 'initrd.img-6.1': 'i' } }));
  const entry = menu!.entries[0]!;
  t.equal(entry.resolve('kernel /boot/vmlinuz-6.1  single   root=x\n').args, 'single   root=x');
  t.equal(entry.resolve('kernel /boot/vmlinuz-6.1').args, '');
  t.same(entry.resolve('kernel /boot/vmlinuz-6.1').initrds, []);
  t.match(entry.resolve('kernel /nowhere').problem, /not found/);
  t.match(entry.resolve('').problem, /no kernel/);
  t.match(entry.resolve('kernel /boot/vmlinuz-6.1\nnonsense').notes, [/./, /nonsense/]);
});

t.test('damaged texts', async (t) => {
  const texts = 'UUID=x / ext4 subvol=a\\040b,c 0 1\nV="a $V" # x\nGRUB_CMDLINE_LINUX+=\'y\'\nroot=x ro\n';
  const started = cpuMs();
  const hostile = image('guess-warned-texts.txt', 'malformed').toString('latin1');
  for (const text of [hostile, ...mutations(texts, 3000, 7)]) {
    const etc = { fstab: text, default: { grub: text, 'grub.d': { 'a.cfg': text } }, kernel: {} };
    const [menu] = guess(root({ etc, boot: { 'vmlinuz-6.1': bzImage('a'), 'initrd.img-6.1': 'i' } }));
    const target = menu!.entries[0]!.resolve();
    if (target.problem !== null) t.fail(`${JSON.stringify(text)}: ${target.problem}`);
  }
  t.ok(cpuMs() - started < 20_000);
  const long = `${'V="$V$V"\n'.repeat(200)}GRUB_CMDLINE_LINUX="$V"`;
  t.equal(shellVariables(`V=xxxxxxxx\n${long}`, context()).get('V')!.length <= 64 * 1024, true);
  const [many] = guess(
    root({
      boot: Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`vmlinuz-6.${i}`, bzImage('a')])),
    }),
  );
  t.equal(many?.entries.length, 100, 'not without end');
});
