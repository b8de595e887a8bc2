/**
 * `blscfg` through the whole dialect. The configurations follow Fedora's and RHEL's; the expected entries were worked
 * out from rhboot/grub2's blscfg.c (there is no GRUB with blscfg to install here).
 */
import t from 'tap';
import type { MenuEntry } from '../../../lib/boot/model';
import { GuestError } from '../../../lib/bytes/errors';
import { context, cpuMs } from '../../support';
import { extentFile, link, MemoryFs, type MemoryTree } from '../memfs';
import { inMemory } from './commands/disk';

const ID = '0123456789abcdef0123456789abcdef';
const KERNELS = ['5.9.12-100.fc33.x86_64', '5.10.6-200.fc33.x86_64', '5.10.16-200.fc33.x86_64'];

const conf = (version: string, more = ''): string =>
  `title Fedora (${version}) 33
version ${version}
linux /vmlinuz-${version}
initrd /initramfs-${version}.img $tuned_initrd
options $kernelopts $tuned_params
grub_users $grub_users
grub_arg --unrestricted
grub_class kernel
${more}`;

function boot(versions: readonly string[], more: MemoryTree = {}): MemoryTree {
  const tree: Record<string, string> = {};
  const entries: Record<string, string> = {};
  for (const version of versions) {
    tree[`vmlinuz-${version}`] = `kernel ${version}`;
    tree[`initramfs-${version}.img`] = `initrd ${version}`;
    entries[`${ID}-${version}.conf`] = conf(version);
  }
  return { ...tree, loader: { entries }, ...more };
}

const titles = (entries: readonly MenuEntry[]): string[] => entries.map((e) => e.title);
const CFG = `function load_video { true; }
set kernelopts="root=/dev/vda2 ro rhgb quiet"
blscfg
`;

t.test('a separate /boot: newest first, booted from $root', async (t) => {
  const { menu, console } = inMemory(CFG, boot([...KERNELS, '0-rescue']));
  t.same(
    menu.entries.map((e) => e.id),
    [
      `${ID}-5.10.16-200.fc33.x86_64`,
      `${ID}-5.10.6-200.fc33.x86_64`,
      `${ID}-5.9.12-100.fc33.x86_64`,
      `${ID}-0-rescue`,
    ],
  );
  const [first] = menu.entries;
  t.equal(
    first!.text,
    `setparams 'Fedora (5.10.16-200.fc33.x86_64) 33' '--unrestricted'
load_video
set gfxpayload=keep
insmod gzio
linux ($root)/vmlinuz-5.10.16-200.fc33.x86_64 root=/dev/vda2 ro rhgb quiet \ninitrd ($root)/initramfs-5.10.16-200.fc33.x86_64.img $tuned_initrd
`,
  );
  t.same(first!.classes, ['kernel']);
  t.equal(first!.users, undefined);
  const target = first!.resolve();
  t.equal(target.problem, null);
  t.equal(target.kernel?.path, '/vmlinuz-5.10.16-200.fc33.x86_64');
  t.same(
    target.initrds.map((i) => i.file.path),
    ['/initramfs-5.10.16-200.fc33.x86_64.img'],
  );
  t.equal(target.args, 'root=/dev/vda2 ro rhgb quiet');
  t.equal(console, '');
});

t.test(
  '/boot on the root filesystem: entries are found there, their paths say /boot themselves',
  async (t) => {
    const entry = conf('5.10.6')
      .replaceAll(' /vmlinuz', ' /boot/vmlinuz')
      .replaceAll(' /initramfs', ' /boot/initramfs');
    const { menu } = inMemory(CFG, {
      boot: {
        'vmlinuz-5.10.6': 'k',
        'initramfs-5.10.6.img': 'i',
        loader: { entries: { 'x-5.10.6.conf': entry } },
      },
    });
    const target = menu.entries[0]!.resolve();
    t.equal(target.problem, null);
    t.equal(target.kernel?.path, '/boot/vmlinuz-5.10.6');
    const wrong = inMemory(CFG, { boot: { loader: { entries: { 'x-5.10.6.conf': conf('5.10.6') } } } });
    t.match(wrong.menu.entries[0]!.resolve().problem, /vmlinuz-5\.10\.6: not found/);
  },
);

t.test('the environment block of RHEL 8', async (t) => {
  const block =
    '# GRUB Environment Block\nsaved_entry=ID-1\nkernelopts=root=/dev/sda1 ro\ntuned_params=isolcpus=1\n'.padEnd(
      1024,
      '#',
    );
  const { menu } = inMemory(
    `set default="\${saved_entry}"
load_env -f /grub2/grubenv
if [ "\${saved_entry}" ]; then set default="\${saved_entry}"; fi
if [ -z "\${kernelopts}" ]; then set kernelopts="wrong"; fi
blscfg`,
    boot(KERNELS.slice(0, 1), { grub2: { grubenv: block } }),
  );
  t.equal(menu.default, 'ID-1');
  t.equal(menu.entries[0]!.resolve().args, 'root=/dev/sda1 ro isolcpus=1');
});

t.test('variables in values', async (t) => {
  const args = (options: string, set = '') => {
    const entry = `title x\nlinux /k\n${options === '' ? '' : `options ${options}\n`}`;
    const { menu } = inMemory(`function load_video { true; }\n${set}\nblscfg`, {
      k: 'k',
      loader: { entries: { 'x.conf': entry } },
    });
    return /^linux \(\$root\)\/k ?(.*)$/m.exec(menu.entries[0]!.text)![1];
  };
  const set = 'set va=A; set vb="B b"; set default_kernelopts="fall back"';
  t.equal(args('root=x $va ro', set), 'root=x A ro');
  t.equal(args('$va', set), 'A ');
  t.equal(args('$va$vb', set), 'A B b ');
  t.equal(args('$va/x', set), 'A /x', 'a blank follows every value');
  t.equal(args('root=x$unset ro', set), 'root=xro', 'and one after the name is swallowed');
  t.equal(args('$'.concat('{va} ro'), set), '{va} ro', 'no braces');
  t.equal(args('x=\\$va ro', set), 'x=\\$va ro', 'escaped');
  t.equal(args('', set), 'fall back', 'no options: default_kernelopts');
  t.equal(args('$unset', set), 'fall back', 'nothing left: default_kernelopts');
  t.equal(args('$unset'), '');
  t.equal(args('ro $va 3', set), 'ro A ', 'a last piece of a single character is lost, as in GRUB');
  t.equal(args('$v', `${set}; set v=V`), 'fall back', 'a name of one character is such a piece');
  t.equal(
    args('$va $vb', 'set va="\\$late"; set vb="two"'),
    '$late two ',
    'values are not expanded again now',
  );
});

t.test('keys', async (t) => {
  const entry = `# a comment
  title\tTabs and blanks
linux   /k
initrd /one
initrd /two /three
devicetree /dtb
grub_hotkey z
grub_users alice,bob $more
grub_class one
grub_class two
grub_arg first
grub_arg second
unknown key
options first line
options second line

linux /after-a-blank-line
`;
  const tree: MemoryTree = {
    k: 'k',
    one: '1',
    two: '2',
    three: '3',
    loader: { entries: { 'e.conf': entry } },
  };
  const { menu, warnings } = inMemory('set superusers=root; set more="carol dave"; blscfg', tree);
  const [e] = menu.entries;
  t.equal(e!.title, 'Tabs and blanks');
  t.equal(e!.id, 'e');
  t.equal(e!.hotkey, 'z');
  t.same(e!.classes, ['one', 'two']);
  t.same(e!.users, ['root', 'alice', 'bob', 'carol', 'dave']);
  t.match(e!.text, /^setparams 'Tabs and blanks' 'first' 'second'$/m);
  t.match(e!.text, /^initrd \(\$root\)\/one \(\$root\)\/two \/three$/m);
  t.match(e!.text, /^devicetree \(\$root\)\/dtb$/m);
  t.match(e!.text, /^linux \(\$root\)\/k first line$/m, 'GRUB reads one options line');
  t.ok(warnings.some((w) => w.includes('only the first of its options lines')));
});

t.test('early_initrd, save_default, devicetree of all', async (t) => {
  const { menu } = inMemory(
    'set early_initrd="ucode.img amd.img"; set save_default=true; set devicetree=board.dtb; blscfg',
    { loader: { entries: { 'a.conf': 'linux /v1/k\ninitrd /v1/i\n', 'b.conf': 'linux /v2/k\n' } } },
  );
  const body = (i: number) => menu.entries[i]!.text.split('\n').slice(1).join('\n');
  t.equal(
    body(1),
    `savedefault
load_video
set gfxpayload=keep
insmod gzio
linux ($root)/v1/k
initrd ($root)/v1/ucode.img ($root)/v1/amd.img ($root)/v1/i
devicetree ($root)/v1/board.dtb
`,
  );
  t.match(body(0), /^initrd \(\$root\)\/v2\/ucode\.img \(\$root\)\/v2\/amd\.img$/m);
  t.equal(menu.entries[0]!.title, '/v2/k', 'no title: the kernel');
});

t.test('which files', async (t) => {
  const ok = (title: string) => `title ${title}\nlinux /k\n`;
  const { menu } = inMemory('blscfg', {
    real: { 'target.conf': ok('linked') },
    loader: {
      entries: {
        'good.conf': ok('good'),
        '.hidden.conf': ok('hidden'),
        '.conf': ok('only a suffix'),
        README: ok('readme'),
        'upper.CONF': ok('upper case'),
        'no-kernel.conf': 'title none\noptions x\n',
        'dir.conf': { x: '' },
        'link.conf': link('/real/target.conf'),
        'loop.conf': link('loop.conf'),
        'dangling.conf': link('nowhere'),
        'crlf.conf': 'title windows\r\nlinux /k\r\n',
        'empty.conf': '',
        'efi.conf': 'title uki\nefi /EFI/Linux/x.efi\n',
        'dots.conf.conf': ok('two suffixes'),
      },
    },
  });
  t.same(titles(menu.entries).sort(), ['good', 'linked', 'two suffixes', 'uki', 'windows']);
  t.equal(menu.entries.find((e) => e.title === 'two suffixes')!.id, 'dots.conf');
  const uki = menu.entries.find((e) => e.title === 'uki')!;
  t.match(uki.text, /^chainloader \(\$root\)\/EFI\/Linux\/x\.efi$/m);
  t.type(uki.resolve().problem, 'string');
});

t.test('order: one entry where names count as the same version', async (t) => {
  const file = 'linux /k\n';
  const { menu } = inMemory('blscfg', {
    loader: {
      entries: {
        'x-1.0.conf': file,
        'x-1_0.conf': file,
        'x-1.0~rc1.conf': file,
        'x-1.0+debug.conf': file,
        'w-9.conf': file,
      },
    },
  });
  t.same(
    menu.entries.map((e) => e.id),
    ['x-1.0+debug', 'x-1.0', 'x-1.0~rc1', 'w-9'],
  );
});

t.test('arguments', async (t) => {
  const ids = (script: string, tree: MemoryTree = boot(KERNELS)) =>
    inMemory(script, tree).menu.entries.map((e) => e.id.replace(`${ID}-`, '').replace(/-\d+\.fc33.*/, ''));
  t.same(ids('set default=1; blscfg default'), ['5.10.6'], 'by number');
  t.same(ids('set default=1; blscfg non-default'), ['5.10.16', '5.9.12']);
  t.same(ids('set default=1; blscfg default; menuentry x { true; }; blscfg non-default'), [
    '5.10.6',
    'x',
    '5.10.16',
    '5.9.12',
  ]);
  t.same(ids(`set default=${ID}-${KERNELS[0]}; blscfg default`), ['5.9.12'], 'by id');
  t.same(ids(`set default="Fedora (${KERNELS[0]}) 33"; blscfg default`), ['5.9.12'], 'by title');
  t.same(ids(`blscfg ${ID}-${KERNELS[0]}`), ['5.9.12'], 'one entry');
  t.same(ids('blscfg nothing-like-it'), []);
  t.same(ids('blscfg; blscfg'), ['5.10.16', '5.10.6', '5.9.12'], 'twice is once');
  const elsewhere: MemoryTree = {
    other: { 'a-1.conf': 'linux /k\n', 'a-2.conf': 'linux /k\n' },
    loader: { entries: {} },
  };
  t.same(ids('blscfg (hd0)/other', elsewhere), ['a-2', 'a-1']);
  t.same(ids('blscfg (hd0)/other/a-1.conf', elsewhere), ['a-1']);
  t.same(ids('set blsdir=/other; blscfg', elsewhere), ['a-2', 'a-1']);
  const at = (script: string) => inMemory(`${script}; echo $?`, elsewhere).console;
  t.equal(at('blscfg (hd7)/other'), "error: disk `hd7' not found.\n12\n");
  t.equal(at('blscfg (hd0)/other/b.conf'), "error: file `/other/b.conf' not found.\n5\n");
  t.equal(at('unset root; blscfg'), '0\n', 'root cannot be unset, only emptied: then it is the own volume');
  t.equal(at('blscfg'), '0\n', 'no entries is no error');
});

t.test("upstream's command", async (t) => {
  const tree: MemoryTree = {
    k: 'k',
    other: {
      'x-9.conf': 'title nine\nlinux /k\ninitrd /i /j\noptions root=a $var\n',
      'x-10.conf': 'title ten\nlinux /k\n',
    },
    loader: { entries: { 'l-1.conf': 'title one\nlinux /k\n' } },
  };
  const run = (script: string) => titles(inMemory(script, tree).menu.entries);
  t.same(run('blscfg --path /other'), ['ten', 'nine']);
  t.same(run('blscfg -p (hd0)/other -e x-9.conf'), ['nine']);
  t.same(run('set default=x-10; blscfg -p /other -n'), ['nine']);
  t.same(run('set default=1; blscfg -p /other --show-default'), ['nine']);
  t.same(run('blscfg -p /none -f'), ['one']);
  const [, nine] = inMemory('set var=B; blscfg -p /other', tree).menu.entries;
  t.equal(nine!.text, "setparams 'nine'\nlinux /k root=a B \ninitrd /i /j\n");
});

t.test('a configuration without entries of its own', async (t) => {
  const { menu, warnings } = inMemory('set timeout=1\nset root=$boot\n', boot(KERNELS.slice(0, 1)));
  t.equal(menu.entries.length, 1);
  t.equal(menu.entries[0]!.resolve().problem, null);
  t.ok(warnings.some((w) => w.includes('loader/entries')));
  t.equal(inMemory('menuentry x { true; }', boot(KERNELS)).menu.entries.length, 1);
  t.equal(inMemory('halt', boot(KERNELS)).menu.entries.length, 0);
});

t.test('hostile', async (t) => {
  t.test('more entries than a menu may have', async (t) => {
    const entries: Record<string, string> = {};
    for (let i = 0; i < 100_000; i++) entries[`id-${i}.conf`] = `title ${i}\nlinux /k\n`;
    const from = cpuMs();
    const { menu, warnings } = inMemory('blscfg', { loader: { entries } });
    t.equal(menu.entries.length, 20_000);
    t.equal(menu.entries[0]!.title, '19999');
    t.ok(warnings.some((w) => w.includes('NODEGRUB_MAX_MENU_ENTRIES')));
    t.ok(cpuMs() - from < 20_000);
  });
  t.test('a huge file, too many keys, damage: the other entries stay', async (t) => {
    const { menu, warnings } = inMemory('blscfg', {
      loader: {
        entries: {
          'huge.conf': extentFile(2 ** 40, () => []),
          'keys.conf': 'linux /k\n'.repeat(20_000),
          'broken.conf': extentFile(100, () => {
            throw new GuestError('corrupt', 'no extents');
          }),
          'good.conf': 'title good\nlinux /k\n',
        },
      },
    });
    t.same(titles(menu.entries), ['good']);
    t.equal(warnings.filter((w) => /huge|keys|broken/.test(w)).length, 3);
  });
  t.test('a used-up budget ends it', async (t) => {
    const entries: Record<string, string> = {};
    for (let i = 0; i < 2000; i++) entries[`id-${i}.conf`] = `title ${i}\nlinux /k\n`;
    const { menu, warnings } = inMemory('blscfg', { loader: { entries } }, context(3000));
    t.ok(menu.entries.length < 2000);
    t.ok(warnings.some((w) => w.includes('too much work')));
  });
  t.test('random bytes', async (t) => {
    let seed = 7;
    const random = (n: number) => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return (seed >>> 8) % n;
    };
    const pieces = [
      'title ',
      'linux ',
      'options ',
      'initrd ',
      ' ',
      '\t',
      '\n',
      '$',
      '\\',
      'a',
      '/k',
      '\0',
      '\xff',
      "'",
      '#',
    ];
    for (let i = 0; i < 300; i++) {
      let text = '';
      for (let n = random(40); n > 0; n--) text += pieces[random(pieces.length)];
      const { menu } = inMemory('set a=x; blscfg', { k: 'k', loader: { entries: { 'x.conf': text } } });
      for (const entry of menu.entries) entry.resolve();
    }
    t.pass('only GuestErrors, which are kept');
  });
});

t.test('entries on another volume than the configuration', async (t) => {
  const esp = new MemoryFs({ EFI: {} }, { grubName: 'fat', type: 'vfat' });
  const root = new MemoryFs(boot(KERNELS.slice(1, 2)), { uuid: 'feed-beef' });
  const { menu } = inMemory('search --no-floppy --fs-uuid --set=root feed-beef\nblscfg', [esp, root]);
  const target = menu.entries[0]!.resolve();
  t.equal(target.problem, null);
  t.equal(target.kernel?.volume?.name, 'hd0,gpt2');
  t.equal(target.root, 'hd0,gpt2');
});
