/** syslinux' configurations: against what syslinux 6.04 booted in QEMU (`.expected`), and its documentation. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openFileSystem } from '../../../fsdrivers';
import { allChoices, defaultChoice, namedChoice } from '../../../lib/boot/choose';
import { Guest } from '../../../lib/boot/guest';
import type { BootDialect, BootMenu, BootTarget } from '../../../lib/boot/model';
import { evaluate as evaluateConfig, evaluateFrom } from '../../../lib/boot/syslinux/dialect';
import type { EvaluateOptions } from '../../../lib/boot/syslinux/place';
import { crc32 } from '../../../lib/bytes/crc32';
import { readWhole } from '../../../lib/fs/file';
import { walk } from '../../../lib/fs/walk';
import { context, image, ROOT, source } from '../../support';
import { evaluate } from '../dialect';
import { MemoryFs, type MemoryTree } from '../memfs';

const CONFIGS = join(ROOT, 'fixtures', 'configs', 'syslinux');
const text = (name: string) => readFileSync(join(CONFIGS, name), 'latin1');

interface Witnessed {
  kernel: string;
  cmdline: string;
  ramdisk: number;
  crc32: number;
}

const dialect = (options: EvaluateOptions = {}): BootDialect => ({
  name: 'syslinux',
  paths: [],
  evaluate: (config, ctx) => evaluateFrom(config, ctx, options),
});

/** The tree of test/peers/syslinux.test.ts; a kernel's content is its name. */
function tree(config: string): MemoryTree {
  const files: MemoryTree = {
    'files.inc': text('files/files.inc'),
    'labels.inc': text('files/labels.inc'),
    sub: {
      'other.cfg': text('files/sub/other.cfg'),
      'stay.cfg': text('files/sub/stay.cfg'),
      'vmlinuz-d': 'd',
    },
  };
  return {
    boot: {
      'vmlinuz-c': 'c',
      'kernel.img': `${'\0'.repeat(0x202)}HdrS`,
      i3: 'three '.repeat(50),
      syslinux: {
        ...files,
        'syslinux.cfg': config,
        'vmlinuz-a': 'a',
        'vmlinuz-b': 'b',
        i1: 'one '.repeat(25),
        i2: 'two '.repeat(50),
      },
    },
  };
}

function menuOf(config: string): BootMenu {
  const fs = new MemoryFs(tree(config), {
    type: 'vfat',
    grubName: 'fat',
    uuid: '12AB-34CD',
    ignoresCase: true,
  });
  return evaluate(dialect(), '/boot/syslinux/syslinux.cfg', { disks: [fs], volume: 'hd0' }).menu;
}

/** What boots unattended: the default, else what ONERROR names. */
function unattended(menu: BootMenu): BootTarget | undefined {
  const fail = (message: string) => {
    throw new Error(message);
  };
  const names = [defaultChoice(menu, fail), ...menu.fallback.map((name) => namedChoice(menu, name))];
  const targets = names.flatMap((choice) => (choice ? [choice.entry.resolve()] : []));
  return targets.find((target) => target.problem === null);
}

const bytesOf = (target: BootTarget): Buffer =>
  Buffer.concat(
    target.initrds.map(({ file }) => readWhole(file.found!.fs, file.found!.node, 1 << 20, context())),
  );

/** Words of `real` that ours lacks, in order. */
function leftOut(real: string, ours: string): string[] | undefined {
  const mine = ours.split(/\s+/).filter((w) => w !== '');
  const left: string[] = [];
  for (const word of real.split(/\s+/).filter((w) => w !== '')) {
    if (word === mine[0]) mine.shift();
    else left.push(word);
  }
  return mine.length === 0 ? left : undefined;
}

/** README, "Different from syslinux on purpose". */
const DEVIATIONS = new Set(['prompt back', 'spaces ']);

t.test('boots what syslinux boots', async (t) => {
  const files = readdirSync(CONFIGS).filter((f) => f.endsWith('.expected'));
  t.ok(files.length > 15);
  for (const file of files) {
    const name = file.replace('.expected', '');
    const config = text(`${name}.cfg`);
    const expected: Record<string, Witnessed | null> = JSON.parse(text(file));
    for (const [label, real] of Object.entries(expected)) {
      const place = `${name} ${label}`;
      if (DEVIATIONS.has(place)) continue;
      const target = unattended(menuOf(label === '' ? config : `${config}\ndefault ${label}\n`));
      if (real === null) {
        t.equal(target, undefined, `${place}: nothing boots`);
        continue;
      }
      if (!target?.kernel?.found) {
        t.fail(`${place}: nothing boots`);
        continue;
      }
      const { fs, node } = target.kernel.found;
      const kernel = readWhole(fs, node, 4096, context()).toString('latin1');
      t.equal(kernel.includes('HdrS') ? 'image' : kernel, real.kernel, `${place}: kernel`);
      const ramdisk = bytesOf(target);
      t.same([ramdisk.length, crc32(ramdisk)], [real.ramdisk, real.crc32], `${place}: ramdisk`);
      // Left out: BOOT_IMAGE=, and the initrd= that an INITRD line makes (its second word in `spaced`).
      const cmdline = real.cmdline.replace(/^BOOT_IMAGE=\S* /, '');
      const left = leftOut(cmdline, target.args);
      t.ok(left?.join(' ').match(/^(initrd=\S+( i2)?)?$/), `${place}: ${target.args} of ${cmdline}`);
      if (left?.length === 0) t.equal(target.args, cmdline, `${place}: to the byte`);
    }
  }
});

t.test('labels of several words, as pygrub, GRUB and U-Boot read them', async (t) => {
  t.equal(unattended(menuOf(text('spaces.cfg')))?.kernel?.path, '/boot/syslinux/vmlinuz-b');
});

t.test('backslashes on FAT, as documented', async (t) => {
  const target = unattended(menuOf(`${text('prompt.cfg')}\ndefault back\n`));
  t.equal(target?.kernel?.path, '/boot/syslinux/sub/vmlinuz-d');
  t.equal(bytesOf(target!).length, 300);
});

t.test('the fixture disk', async (t) => {
  const expected: { default: string; entries: Record<string, Witnessed> } = JSON.parse(
    image('syslinux.expected.json').toString(),
  );
  const base = context();
  const guest = new Guest(base, { readTable: () => undefined, openFileSystem });
  guest.addDisk('hd0', source('syslinux.img'));
  const volume = guest.device('hd0')!;
  const fs = volume.filesystem()!;
  const path = '/syslinux/syslinux.cfg';
  const menu = evaluateConfig({ volume, path, fs, node: walk(fs, path) }, { ...base, guest, quiet: true });
  t.equal(defaultChoice(menu, t.fail)?.entry.id, expected.default);
  const choices = [...allChoices(menu)];
  t.same(
    choices.map((c) => c.titles),
    [['Linux 6.1'], ['Other kernels', 'old'], ['Other kernels', 'bare'], ['Boot from the disk']],
  );
  for (const { entry } of choices) {
    const real = expected.entries[entry.id];
    const target = entry.resolve();
    if (!real) {
      t.match(target.problem, /LOCALBOOT/);
      continue;
    }
    const { found } = target.kernel!;
    const kernel = readWhole(found!.fs, found!.node, 1 << 20, base).toString('latin1');
    t.ok(kernel.includes(`${real.kernel}\0`), `${entry.id}: ${real.kernel}`);
    t.same([bytesOf(target).length, crc32(bytesOf(target))], [real.ramdisk, real.crc32]);
    t.match(leftOut(real.cmdline, target.args)?.join(' '), /^BOOT_IMAGE=\S+( initrd=\S+)?$/);
  }
});

t.test('the model', async (t) => {
  const menu = menuOf(`UI vesamenu.c32
TIMEOUT 305
TOTALTIMEOUT 9000
ONTIMEOUT b
MENU HIDDEN
MENU MASTER PASSWD $4$salt$hash$
LABEL a
  MENU LABEL Le^tters
  MENU INDENT 2
  MENU PASSWD secret
  KERNEL vmlinuz-a
LABEL b
  MENU LABEL An ^other
  MENU PASSWD
  KERNEL vmlinuz-b
LABEL c
  MENU LABEL ^taken
  MENU PASSWD $1$a$b
  KERNEL vmlinuz-b
LABEL -
  MENU LABEL ^Heading
  MENU DISABLE
LABEL h
  MENU HIDE
  KERNEL vmlinuz-a
LABEL q
  MENU QUIT
LABEL g
  MENU GOTO deeper
LABEL n
  MENU GOTO nowhere
MENU BEGIN deeper
  LABEL top
    MENU GOTO .top
  LABEL up
    MENU EXIT
  LABEL low
    MENU DEFAULT
    KERNEL vmlinuz-a
    APPEND low
MENU END
`);
  t.same(menu.default, [1]);
  t.same(menu.selected, [0]);
  t.equal(menu.timeout, 30.5);
  t.equal(menu.totalTimeout, 900);
  t.equal(menu.timeoutStyle, 'hidden');
  t.same([...menu.passwords!], [['', { scheme: 'sha1', value: '$4$salt$hash$' }]]);
  // doc/syslinux.txt, "ALLOWOPTIONS": with 0 only entries can be chosen; doc/menu.txt: the master password is asked for
  // before an entry is edited.
  t.same([menu.superusers, menu.editable], [[''], undefined]);
  t.same([menuOf('ALLOWOPTIONS 0\n').superusers, menuOf('ALLOWOPTIONS 0\n').editable], [undefined, false]);
  t.same(
    menu.entries.map((e) => [e.id, e.title, e.hotkey]),
    [
      ['a', 'Letters', 't'],
      ['b', 'An other', 'o'],
      ['c', 'taken', undefined],
      ['-', 'Heading', undefined],
      ['h', 'h', undefined],
      ['q', 'q', undefined],
      ['g', 'g', undefined],
      ['n', 'n', undefined],
      ['deeper', 'deeper', undefined],
    ],
  );
  t.same(menu.entries[0]?.password, { scheme: 'plain', value: 'secret' });
  t.same(
    [menu.entries[1]?.password, menu.entries[1]?.users],
    [undefined, ['']],
    'only by the master password',
  );
  t.same(menu.entries[2]?.password, { scheme: 'crypt', value: '$1$a$b' });
  t.equal(menu.entries[4]?.hidden, true);
  const problems = menu.entries.map((e) => e.resolve().problem);
  t.same(problems.slice(0, 3), [null, null, null]);
  t.match(problems[3], /MENU DISABLE/);
  t.match(problems[5], /MENU QUIT/);
  t.equal(problems[6], null);
  t.equal(menu.entries[6]?.resolve().args, 'low');
  t.match(problems[7], /MENU DISABLE/, 'a menu that does not exist');
  const inner = menu.entries[8]!.open!();
  t.same(inner.default, [2]);
  t.match(inner.entries[0]?.resolve().problem, /goes back/);
  t.match(inner.entries[1]?.resolve().problem, /goes back/);
});

t.test('the prompt', async (t) => {
  const labels = 'LABEL a\n KERNEL vmlinuz-a\nLABEL b\n KERNEL vmlinuz-b\n';
  const wait = menuOf(`DEFAULT b\nPROMPT 1\n${labels}`);
  t.same([wait.default, wait.timeout], [[1], -1]);
  const count = menuOf(`DEFAULT b\nPROMPT 1\nTIMEOUT 15\n${labels}`);
  t.same([count.default, count.timeout, count.selected], [[1], 1.5, undefined]);
  const never = menuOf(`DEFAULT b\nPROMPT 1\nONTIMEOUT a\n${labels}`);
  t.same([never.default, never.selected], [[1], undefined], 'no timeout runs out');
  const none = menuOf(`TIMEOUT 0\n${labels}`);
  t.same([none.default, none.timeout], [[0], null]);
  t.match(none.warnings[0], /no DEFAULT/);
  const implicit = menuOf(`DEFAULT vmlinuz-a\nIMPLICIT 0\n${labels}`);
  t.match(implicit.entries[2]?.resolve().problem, /IMPLICIT/);
  const say = menuOf(`SAY Hello  you\nDEFAULT a\n${labels}`);
  t.equal(say.console, 'Hello  you\n');
});

t.test('what cannot be booted here says why', async (t) => {
  const lines: [string, RegExp][] = [
    ['KERNEL chain.c32\nAPPEND hd0 1', /chain\.c32, which starts another boot loader/],
    ['COM32 reboot', /reboot\.c32, which reboots/],
    ['COMBOOT poweroff.com', /COMBOOT/],
    ['LOCALBOOT 0x80', /LOCALBOOT/],
    ['BOOT bootsect', /boot sector/],
    ['KERNEL win.bss', /BSS/],
    ['KERNEL pxelinux.0', /PXE/],
    ['KERNEL memdisk\nINITRD i1', /BIOS/],
    ['KERNEL i1.img', /not found/],
    ['FDIMAGE i1', /floppy image/],
    ['KERNEL nothing', /not found/],
    ['KERNEL sub', /not a regular file/],
    ['LINUX vmlinuz-a\nINITRD i9', /^initrd .*i9: not found/],
    ['LINUX vmlinuz-a\nAPPEND initrd=', /without a name/],
    ['COM32 mboot.c32\nAPPEND xen.gz dom0_mem=1G', /multiboot without modules/],
    ['COM32 menu.c32\nAPPEND missing.cfg', /missing\.cfg: not found/],
    ['CONFIG missing.cfg', /missing\.cfg: not found/],
    ['COM32 other.c32', /program of syslinux/],
    ['FDT board.dtb', /\/x: not found/],
  ];
  for (const [body, reason] of lines) {
    const menu = menuOf(`DEFAULT good\nLABEL x\n${body}\nLABEL good\nLINUX vmlinuz-a\n`);
    const entry = menu.entries[0]!;
    const problem = entry.open ? entry.open().warnings.join() : entry.resolve().problem;
    t.match(problem, reason, body);
  }
});

t.test('modules', async (t) => {
  const boot = (body: string) =>
    menuOf(`DEFAULT x\nLABEL x\n${body}\nLABEL b\nLINUX vmlinuz-b\nAPPEND b\n`).entries[0]!.resolve();
  // doc/mboot.txt's example
  const xen = boot(
    'KERNEL mboot.c32\nAPPEND xen.gz dom0_mem=15000 noacpi --- vmlinuz-a console=tty0 root=/dev/hda1 --- i1',
  );
  t.same(
    [xen.problem, xen.kernel?.path, xen.args, xen.initrds.map((i) => i.file.path)],
    [null, '/boot/syslinux/vmlinuz-a', 'console=tty0 root=/dev/hda1', ['/boot/syslinux/i1']],
  );
  t.match(xen.notes.join(), /hypervisor xen\.gz is left out/);
  t.equal(boot('COM32 ifcpu.c32\nAPPEND 64 pae -- b one -- x').args, 'b one');
  t.equal(boot('COM32 ifcpu.c32\nAPPEND hvm -- x -- b two').args, 'b two');
  const wrapped = boot('COM32 linux.c32\nAPPEND vmlinuz-a initrd+=i1 initrdfile=i2@etc/x quiet');
  t.same(
    wrapped.initrds.map((i) => [i.file.path, i.newcName]),
    [
      ['/boot/syslinux/i1', undefined],
      ['/boot/syslinux/i2', 'etc/x'],
    ],
  );
});

t.test('edited text', async (t) => {
  const [entry] = menuOf('DEFAULT a\nLABEL a\nLINUX vmlinuz-a\nAPPEND ro\nINITRD i1\n').entries;
  t.equal(entry?.text, '.linux vmlinuz-a ro initrd=i1', 'the line that syslinux lets a person edit');
  const edited = entry!.resolve('vmlinuz-b ro single initrd=i2');
  t.same(
    [edited.kernel?.path, edited.args, edited.initrds[0]?.file.path],
    ['/boot/syslinux/vmlinuz-b', 'ro single initrd=i2', '/boot/syslinux/i2'],
  );
  t.equal(entry!.resolve(`${entry!.text} single`).args, 'ro single');
});

t.test('a root and a working directory of its own (syslinux_source -r, -c)', async (t) => {
  const files = {
    iso: { k: 'k', isolinux: { 'isolinux.cfg': 'DEFAULT a\nLABEL a\nLINUX k\nLABEL b\nLINUX /k\n', k: 'k' } },
  };
  const paths = (options: EvaluateOptions) =>
    evaluate(dialect(options), '/iso/isolinux/isolinux.cfg', files).menu.entries.map(
      (e) => e.resolve().kernel?.path,
    );
  t.same(paths({ root: '/iso' }), ['/iso/isolinux/k', '/iso/k']);
  t.same(paths({ root: '/iso', cwd: '/' }), ['/iso/k', '/iso/k']);
  t.same(paths({}), ['/iso/isolinux/k', '/k']);
});

t.test('files to include that are not there: one warning, however many they are', async (t) => {
  // Debian's installer has ten of them on every boot.
  const includes = Array.from({ length: 30 }, (_, i) => `INCLUDE gone${i}.cfg\n`).join('');
  const text = `UI menu.c32\n${includes}LABEL a\nLINUX k\n`;
  const { warnings } = evaluate(dialect(), '/syslinux.cfg', { 'syslinux.cfg': text, k: 'k' }).menu;
  t.equal(warnings.length, 1);
  t.match(warnings[0], /skipped, as syslinux does.*\/gone0\.cfg: not found, .* and 10 more$/);
});
