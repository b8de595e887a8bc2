/**
 * What the fixture disk cannot show. Expected values: GRUB manual 0.97 (info grub, "Commands"), stage2's source for what
 * it says nothing about, the distributions' manuals for theirs; each named where it is used.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { defaultChoice } from '../../../lib/boot/choose';
import { evaluate as evaluateConfig } from '../../../lib/boot/grublegacy/dialect';
import { configLines, leadingNumber } from '../../../lib/boot/grublegacy/lines';
import type { BootDialect, BootMenu } from '../../../lib/boot/model';
import { Budget } from '../../../lib/bytes/budget';
import { GuestError } from '../../../lib/bytes/errors';
import { cpuMs, ROOT, rounds } from '../../support';
import { evaluate, mutations } from '../dialect';
import { MemoryFs, type MemoryTree } from '../memfs';

const dialect: BootDialect = { name: 'grublegacy', paths: [], evaluate: evaluateConfig };

const FILES: MemoryTree = {
  boot: { vmlinuz: 'kernel', 'initrd.img': 'ramdisk', 'xen.gz': 'xen', grub: {} },
  vmlinuz: 'the other kernel',
};

/** Evaluates a menu.lst on an unpartitioned disk. */
function menuOf(config: string, files: MemoryTree = FILES): BootMenu {
  const boot = (files.boot ?? {}) as MemoryTree;
  const grub = { ...((boot.grub ?? {}) as MemoryTree), 'menu.lst': config };
  return evaluate(dialect, '/boot/grub/menu.lst', { ...files, boot: { ...boot, grub } }).menu;
}

const bootOf = (body: string, files?: MemoryTree) =>
  menuOf(`title x\n${body}\n`, files).entries[0]!.resolve();

t.test('lines and numbers', async (t) => {
  const lines = (text: string) => [...configLines(text, new Budget())];
  t.same(lines('a\n\n  # c\n\tb  c \r\n'), ['a', 'b  c ']);
  t.same(lines('a\\\n  b\\\r\nc\n# d\\\ne\nf'), ['a   b c', 'f'], 'a comment goes on as well');
  t.same(lines('\\\n# x\ny'), ['y'], 'a comment may begin after a continued nothing');
  t.same(lines('a\\'), ['a\\'], 'a backslash at the very end');
  t.same(lines(`${'x'.repeat(1499)}yz\nb`), [`${'x'.repeat(1499)}y`, 'b'], '1,500 bytes are kept');
  t.same(lines(`${'x'.repeat(1600)}\\\nb`), [`${'x'.repeat(1499)} `]);
  t.same(lines('a\0b\n'), ['a'], 'a C string');
  t.same(leadingNumber('12,x'), { value: 12, rest: ',x' });
  t.same(leadingNumber('0x1Fg'), { value: 31, rest: 'g' });
  for (const none of ['', '-1', 'saved', '0x', '2147483648', '99999999999999999999'])
    t.equal(leadingNumber(none), undefined, none);
});

t.test('what stands before the first title', async (t) => {
  const menu = menuOf('default=1\nfallback=0 1\ntimeout 30\nhiddenmenu\ntitle a\nlock\ntitle b\nlock\n');
  t.same(menu.default, [1]);
  t.same(menu.fallback, [0, 1]);
  t.equal(menu.timeout, 30);
  t.equal(menu.timeoutStyle, 'countdown');
  t.equal(menu.passwords, undefined);
  const plain = menuOf('hiddenmenu\ntimeout -1\ntitle a\nlock\n');
  t.equal(plain.timeout, null, 'GRUB takes no negative number');
  t.equal(plain.timeoutStyle, 'menu', 'manual: without a timeout the menu is shown');
  t.same(plain.default, [0]);
  t.match(menuOf('default 3\ntitle a\nlock\n').warnings, [/entry 3, which does not exist; entry 0/]);
  t.same(menuOf('kernel /boot/vmlinuz\nroot (hd0)\n').entries, [], 'without a title there is no entry');
});

t.test('passwords', async (t) => {
  const password = (line: string) => menuOf(`${line}\ntitle x\nlock\n`).passwords!.get('');
  t.same(password('password secret'), { scheme: 'plain', value: 'secret' });
  t.same(password('password --md5 $1$ab$cd'), { scheme: 'crypt', value: '$1$ab$cd' });
  // Red Hat Enterprise Linux 6, grub(8): --encrypted with crypt's SHA-256 and SHA-512
  t.same(password('password --encrypted $6$ab$cd'), { scheme: 'crypt', value: '$6$ab$cd' });
  t.same(password('password --encrypted $5$ab$cd'), { scheme: 'crypt', value: '$5$ab$cd' });
  t.same(password('password --encrypted plain'), { scheme: 'plain', value: 'plain' });
  t.same(
    password('password --sha512 x'),
    { scheme: 'crypt', value: '*' },
    'an unknown option matches nothing',
  );
  const files: MemoryTree = {
    ...FILES,
    boot: { ...(FILES.boot as MemoryTree), grub: { 'full.lst': 'title full\nkernel /vmlinuz a\n' } },
  };
  const menu = menuOf(
    'password --md5 $1$ab$cd /boot/grub/full.lst\ntitle a\nlock\ntitle b\npassword x\nkernel /vmlinuz\n',
    files,
  );
  t.same(menu.entries[0]!.users, ['']);
  t.equal(menu.entries[1]!.users, undefined);
  t.same(menu.entries[1]!.password, { scheme: 'plain', value: 'x' });
  t.same(menu.unlocked!().entries[0]!.resolve().args, 'a');
  t.match(menuOf('password x /none\ntitle a\nlock\n').unlocked!().warnings, [/\/none: cannot be read/]);
  t.equal(menuOf('title a\nlock\nkernel /vmlinuz').entries[0]!.users, undefined, 'lock without a password');
});

t.test('devices', async (t) => {
  const fs = (name: string) =>
    new MemoryFs({ boot: { grub: { 'menu.lst': '' } }, k: name }, { uuid: `UUID-${name}` });
  const kernels = (command: string) => {
    const config = `title x\n${command}\nkernel /k\n`;
    const first = new MemoryFs(
      { boot: { grub: { 'menu.lst': config, bootsign: { here: '' } } }, k: 'a1' },
      { uuid: 'A1' },
    );
    const disks = [
      { scheme: 'msdos', partitions: [{ fs: first }, { fs: fs('a2'), number: 5 }] },
      { scheme: 'gpt', partitions: [{ fs: fs('b1') }, { fs: fs('b2') }] },
    ];
    const { menu } = evaluate(dialect, '/boot/grub/menu.lst', { disks, volume: 'hd0,msdos1' });
    const target = menu.entries[0]!.resolve();
    return target.problem ?? target.kernel!.volume!.name;
  };
  t.equal(kernels(''), 'hd0,msdos1');
  t.equal(kernels('root (hd0,4)'), 'hd0,msdos5', 'partitions count from 0, logical ones from 4');
  t.equal(kernels('root (hd1,1)'), 'hd1,gpt2');
  t.equal(kernels('root (0x81,0)'), 'hd1,gpt1');
  t.equal(kernels('root (hd1)'), '/k: hd1 holds no filesystem that is known here');
  t.equal(kernels('root (hd0,4)\nroot'), 'hd0,msdos5', 'without an argument root is only shown');
  t.equal(kernels('root (hd1,1)\nroot (,0)'), 'hd1,gpt1', 'the disk of root');
  for (const absent of [
    '(hd0,7)',
    '(hd3,0)',
    '(hd3)',
    '(fd0)',
    '(nd)',
    '(cd)',
    '(hd0,0,a)',
    '(hd0,a)',
    '(/dev/xvdq)',
  ])
    t.equal(kernels(`root ${absent}`), 'hd0,msdos1', `${absent}: CONTRACT, Decisions`);
  // CONTRACT, Names of disks
  t.equal(kernels('root (xen/xvdb,gpt2)'), 'hd1,gpt2');
  t.equal(kernels('root (/dev/xvda5)'), 'hd0,msdos5');
  t.equal(kernels('root (hd0,msdos5)'), 'hd0,msdos5');
  for (const bad of [
    '(hd,0)',
    '(hd0,x)',
    '(hd0,0,z)',
    '(hd0,1',
    'hd0',
    '(foo)',
    '(hd0;0)',
    '(hd99999999999)',
  ])
    t.match(kernels(`root ${bad}`), /unrecognized device string/, bad);
  // Ubuntu 8.10's grub: uuid(8)
  t.equal(kernels('uuid uuid-B2'), 'hd1,gpt2');
  t.equal(kernels('uuid 0000'), 'hd0,msdos1');
  // grub4dos: find --set-root
  t.equal(kernels('root (hd1,1)\nfind --set-root --ignore-floppies /boot/grub/bootsign/here'), 'hd0,msdos1');
  // Solaris' grub(5)
  t.equal(kernels('root (hd1,1)\nfindroot here'), 'hd0,msdos1');
  t.equal(kernels('root (hd1,1)\nfindroot (here,0,a)'), 'hd0,msdos1');
  t.match(kernels('findroot (here,1,a)'), /bootsign\/here: not found on any partition/);
  t.match(kernels('findroot (here)'), /bad argument/);
});

t.test('loading', async (t) => {
  const both = bootOf('root (hd0)\nkernel /boot/vmlinuz root=/dev/sda1 ro\ninitrd /boot/initrd.img');
  t.equal(both.problem, null, "EC2's and pv-grub's root (hd0) on a disk without a table");
  t.equal(both.args, 'root=/dev/sda1 ro');
  t.same(
    both.initrds.map((p) => p.file.path),
    ['/boot/initrd.img'],
  );
  t.equal(
    bootOf('root (hd0,0)\nkernel (hd0,0)/boot/vmlinuz').problem,
    null,
    'and a partition where there is none',
  );
  t.match(bootOf('kernel /boot/vmlinuz\ninitrd /boot/initrd.img /boot/xen.gz').notes, [
    /not \/boot\/xen\.gz/,
  ]);
  const missing = bootOf('kernel /none a=b\ninitrd /boot/initrd.img');
  t.equal(missing.problem, '/none: not found');
  t.equal(bootOf('root (hd7,1)\nkernel /none').problem, '/none: not found (there is no device (hd7,1))');
  t.equal(bootOf('uuid 12-34\nkernel /none').problem, '/none: not found (no filesystem has the UUID 12-34)');
  t.equal(missing.args, 'a=b', 'a list shows what was wanted');
  t.same(
    missing.initrds.map((p) => p.file.path),
    ['/boot/initrd.img'],
  );
  t.match(bootOf('rootnoverify (hd0,0)\nchainloader +1').problem, /cannot be booted here \(chainloader\)/);
  t.equal(bootOf('kernel /vmlinuz\nhalt').problem, 'ends with halt');
  t.equal(bootOf('cat /none\nkernel /vmlinuz').problem, '/none: not found');
  t.match(bootOf('kernel /vmlinuz\npause Wait').notes, [/wait for a key: Wait/]);
});

t.test('multiboot', async (t) => {
  const xen = bootOf(
    'kernel /boot/xen.gz dom0_mem=1G\nmodule /boot/vmlinuz root=/dev/sda1 ro\nmodule /boot/initrd.img',
  );
  t.equal(xen.kernel!.path, '/boot/vmlinuz');
  t.equal(xen.args, 'root=/dev/sda1 ro');
  t.same(
    xen.initrds.map((p) => p.file.path),
    ['/boot/initrd.img'],
  );
  t.match(xen.notes, [/hypervisor \/boot\/xen\.gz is left out/]);
  const none = bootOf('kernel /boot/xen-none.gz\nmodule /boot/vmlinuz root=/dev/sda1');
  t.equal(none.problem, '/boot/xen-none.gz: not found', 'GRUB stops at the hypervisor');
  t.equal(none.kernel!.path, '/boot/xen-none.gz');
  const header = Buffer.alloc(8192);
  header.writeUInt16LE(0xaa55, 0x1fe);
  header.write('HdrS', 0x202);
  const linux: MemoryTree = { vmlinuz: gzipSync(header), rd: 'ramdisk' };
  const old = bootOf('kernel /vmlinuz x\nmodule /rd', linux);
  t.equal(old.kernel!.path, '/vmlinuz', 'a ramdisk by module, of a kernel that is packed');
  t.same(
    old.initrds.map((p) => p.file.path),
    ['/rd'],
  );
  // Solaris' grub(5): kernel$ and module$ expand $ISADIR
  const unix = { kernel: { amd64: { unix: 'unix' } }, amd64: { boot_archive: 'archive' } };
  const sun = bootOf(
    'bootfs rpool/ROOT/s10\nkernel$ /platform/i86xpv/kernel/$ISADIR/unix -B $ZFS-BOOTFS,console=ttya\nmodule$ /platform/i86xpv/$ISADIR/boot_archive',
    { platform: { i86xpv: unix } },
  );
  t.equal(sun.problem, null);
  t.equal(sun.kernel!.path, '/platform/i86xpv/kernel/amd64/unix');
  t.equal(sun.args, '/platform/i86xpv/kernel/amd64/unix -B $ZFS-BOOTFS,console=ttya');
  t.same(
    sun.initrds.map((p) => p.file.path),
    ['/platform/i86xpv/amd64/boot_archive'],
  );
  t.match(sun.notes, [/ZFS filesystem rpool\/ROOT\/s10/]);
});

t.test('saved', async (t) => {
  const saved = (files: MemoryTree, config = 'default saved\n') => {
    const menu = menuOf(
      `${config}title a\nkernel /vmlinuz\nsavedefault\ntitle b\nkernel /vmlinuz\nsavedefault\n`,
      {
        ...FILES,
        boot: { grub: files },
      },
    );
    return { menu, at: (menu.default as number[])[0] };
  };
  t.equal(saved({ default: '1\n\n\n\n\n\n\n\n\n\n#\n# WARNING' }).at, 1);
  t.equal(saved({}).at, 0);
  t.equal(saved({ default: '' }).at, 0);
  t.equal(saved({ default: 'x' }).at, 0);
  // Debian's grub-reboot(8)
  const once = saved({ default: '0:1\n' });
  t.equal(once.at, 1);
  t.match(once.menu.warnings, [/for one boot only, then 0; disks are not written/]);
  // Red Hat keeps it in stage2's second sector
  const stage2 = Buffer.alloc(1024);
  stage2.writeUInt16LE(0x0203, 518);
  stage2.writeUInt32LE(1, 524);
  t.equal(saved({ stage2 }).at, 1);
  stage2.writeUInt32LE(0x10000 | (1 << 8) | 0, 524);
  const { menu, at } = saved({ stage2 });
  t.equal(at, 1);
  t.match(menu.warnings, [/for one boot only, then 0/]);
  const other = saved({ default: '0\n' }).menu.entries[1]!.resolve();
  t.match(other.notes, [/disks are not written here, entry 0 stays the saved one \(1 was to be saved\)/]);
  t.same(saved({ default: '0\n' }).menu.entries[0]!.resolve().notes, [], 'nothing would change');
  t.same(saved({ default: '0\n' }, '').menu.entries[1]!.resolve().notes, [], 'nobody asks for it');
});

t.test('configfile', async (t) => {
  const files = (grub: MemoryTree): MemoryTree => ({
    ...FILES,
    boot: { ...(FILES.boot as MemoryTree), grub },
  });
  const inner = 'fallback 1\ntitle broken\nkernel /none\ntitle good\nkernel /vmlinuz inner\n';
  const target = bootOf('configfile /boot/grub/inner', files({ inner }));
  t.equal(target.args, 'inner');
  t.match(target.notes, [/opens the menu \/boot\/grub\/inner, of which 'good' is taken/]);
  t.match(bootOf('configfile /boot/grub/menu.lst').problem, /menus inside each other|too much|menu/);
  t.match(bootOf('configfile /boot/grub/none').problem, /not found/);
  t.match(bootOf('configfile /boot/grub/empty', files({ empty: '# nothing\n' })).problem, /no menu entries/);
  const led = menuOf('configfile /boot/grub/inner\n', files({ inner }));
  t.equal(led.entries.length, 2, 'where there is nothing else');
  t.match(led.warnings.join(), /GRUB would show its prompt/);
});

t.test('editing', async (t) => {
  const menu = menuOf('title x\n\tkernel /none a\n bogus\n  initrd /boot/initrd.img\n');
  const entry = menu.entries[0]!;
  t.equal(entry.text, 'kernel /none a\ninitrd /boot/initrd.img\n');
  t.equal(entry.resolve(entry.text.replace('none', 'vmlinuz')).problem, null);
  t.match(
    entry.resolve('bogus\nkernel /vmlinuz').problem,
    /'bogus': unrecognized command/,
    'an error when it runs',
  );
  t.match(entry.resolve('').problem, /no kernel is loaded/);
});

t.test('hostile configurations', async (t) => {
  const folder = join(ROOT, 'fixtures', 'malformed');
  const samples = readdirSync(folder).filter((f) => f.startsWith('grublegacy-'));
  t.ok(samples.length >= 4);
  for (const name of samples) {
    // grublegacy-WORDS-OF-THE-MESSAGE.lst: in a warning or in the first entry's problem; the last entry boots.
    const menu = menuOf(readFileSync(join(folder, name), 'latin1'));
    const said = [
      ...menu.warnings,
      menu.entries[0]?.resolve().problem ?? '',
      ...(menu.entries[0]?.resolve().notes ?? []),
    ].join('\n');
    const wanted = new RegExp(name.replace(/^grublegacy-|\.lst$/g, '').replaceAll('-', '.*'));
    t.match(said, wanted, name);
    const good = menu.entries.find((e) => e.title === 'good');
    t.equal(good?.resolve().problem, null, `${name}: the good entry boots`);
  }
});

t.test('size', async (t) => {
  const many = Array.from({ length: 20_000 }, (_, i) => `title entry ${i}\nkernel /vmlinuz n=${i}\n`).join(
    '',
  );
  const start = cpuMs();
  const menu = menuOf(many);
  t.equal(menu.entries.length, 20_000);
  t.equal(menu.entries[19_999]!.resolve().args, 'n=19999');
  for (const text of [
    '\\\n'.repeat(500_000),
    'title\n'.repeat(300_000),
    'x'.repeat(8_000_000),
    'a\\\n'.repeat(500_000),
  ])
    t.same(menuOf(`title good\nkernel /vmlinuz\n${text}`).entries[0]!.title, 'good');
  // More lines than the budget has steps: what stood before is kept.
  const cut = menuOf(`title good\nkernel /vmlinuz\n${'\n'.repeat(5_000_000)}title never\nlock\n`);
  t.equal(cut.entries.length, 1);
  t.match(cut.warnings, [/not read to its end: too much work/]);
  t.ok(cpuMs() - start < 8000);
});

t.test('menus that open menus, each with eight fallbacks', async (t) => {
  const titles = Array.from({ length: 9 }, (_, i) => `title ${i}\nconfigfile /boot/grub/menu.lst\n`).join('');
  const start = cpuMs();
  const target = menuOf(`fallback 1 2 3 4 5 6 7 8\n${titles}`).entries[0]!.resolve();
  t.ok(target.problem);
  t.ok(cpuMs() - start < 1000);
});

t.test('damaged configurations', async (t) => {
  const folder = join(ROOT, 'fixtures', 'configs', 'grublegacy');
  const texts = readdirSync(folder)
    .filter((f) => f.endsWith('.lst'))
    .map((f) => readFileSync(join(folder, f), 'latin1'));
  const files: MemoryTree = {
    ...FILES,
    'inner.lst': 'title a\nconfigfile /boot/grub/menu.lst\ntitle b\nkernel /vmlinuz\n',
    boot: { ...(FILES.boot as MemoryTree), grub: { default: '1:2' } },
  };
  let evaluated = 0;
  for (const [i, text] of texts.entries()) {
    // What stands before the damage still boots.
    const whole = `title good\nkernel /vmlinuz\n`;
    for (const damaged of mutations(text, 350, i + 1)) {
      try {
        const menu = menuOf(damaged, files);
        defaultChoice(menu, () => {});
        menu.unlocked?.();
        for (const entry of menu.entries.slice(0, 30)) {
          const { problem, notes } = entry.resolve();
          void entry.text;
          void entry.users;
          void entry.password;
          // printable
          if (/[\x00-\x1f\x7f-\x9f]/.test(`${problem} ${notes.join()} ${menu.warnings.join()}`))
            t.fail(`not printable: ${problem}`);
        }
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
      }
      const before = menuOf(`${whole}${damaged}`, files);
      if (before.entries[0]?.title !== 'good') t.fail(`lost: ${JSON.stringify(damaged.slice(0, 80))}`);
      evaluated++;
    }
  }
  t.ok(evaluated >= rounds(3000), `${evaluated} damaged configurations`);
});

t.test('what the menu is told', async (t) => {
  // Manual, "color": without HIGHLIGHT the inverted NORMAL.
  t.same(menuOf('color white/blue\ntitle x\nboot\n').colours, {
    menuNormal: 'white/blue',
    menuHighlight: 'blue/white',
  });
  t.same(menuOf('color white/blue yellow/red\n').colours, {
    menuNormal: 'white/blue',
    menuHighlight: 'yellow/red',
  });
  t.equal(menuOf('color white\n').colours, undefined);
  // Manual, "password": it locks the editor and the command line.
  t.same(menuOf('password secret\n').superusers, ['']);
  t.equal(menuOf('timeout 3\n').superusers, undefined);
  const files = { ...FILES, 'other.lst': 'title inner\nkernel /vmlinuz\n', empty: 'timeout 3\n' };
  const opened = (name: string) => bootOf(`configfile /${name}`, files).menu?.entries.map((e) => e.title);
  t.same(opened('other.lst'), ['inner']);
  t.same(opened('empty'), []);
});
