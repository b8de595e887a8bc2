/**
 * Kernels of the same path on several volumes: each configuration must reach the one that GRUB itself reaches.
 * Every file says on which volume it lies. The oracle is GRUB: grub-emu runs the same grub.cfg on the same disk with
 * `linux` and `initrd` replaced by functions that print the file.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { boot, makeDisk, NODEGRUB, type Part, run, scratch, type Tree } from './support';

const dir = scratch(t);
const U1 = '11111111-1111-4111-8111-111111111111';
const U2 = '22222222-2222-4222-8222-222222222222';
const U3 = '33333333-3333-4333-8333-333333333333';
const F1 = 'ABCD-1234';

const content = (volume: string, path: string) => `<<${volume} ${path}>>`;
const PATHS = [
  'vmlinuz',
  'initrd.img',
  'boot/vmlinuz',
  'boot/initrd.img',
  'kernels/vmlinuz',
  'kernels/initrd.img',
];
/** The same paths on every volume, each with its own content. */
const files = (volume: string): Tree => Object.fromEntries(PATHS.map((p) => [p, content(volume, `/${p}`)]));

type Lines = readonly string[];
const config = (lines: Lines, before: Lines = []) =>
  ['set timeout=0', ...before, "menuentry 'Test' {", ...lines.map((l) => `\t${l}`), '}', ''].join('\n');

interface Case {
  readonly what: string;
  readonly table: 'none' | 'gpt' | 'mbr' | 'logical';
  readonly parts: readonly Part[];
  /** Volume and path of the grub.cfg, as GRUB says it. */
  readonly config: string;
  readonly kernel: string;
  readonly initrd: string;
  /** The contract differs from GRUB on purpose: expected by construction alone. */
  readonly onlyOurs?: string;
}

const LINUX = ['linux /vmlinuz ro', 'initrd /initrd.img'];
const BOOT = ['linux /boot/vmlinuz ro', 'initrd /boot/initrd.img'];
const at = (volume: string, path: string) => content(volume, path);
const ext = (
  volume: string,
  uuid: string,
  more: Tree = {},
  fs: Part['fs'] = 'ext4',
  label?: string,
): Part => ({
  fs,
  uuid,
  label,
  tree: { ...files(volume), ...more },
});

const CASES: readonly Case[] = [
  {
    what: 'GPT, /boot on ext2 holds the config, set root=',
    table: 'gpt',
    parts: [
      ext('gpt1', U1, { 'grub/grub.cfg': config(["set root='hd0,gpt1'", ...LINUX]) }, 'ext2'),
      ext('gpt2', U2),
    ],
    config: '(hd0,gpt1)/grub/grub.cfg',
    kernel: at('gpt1', '/vmlinuz'),
    initrd: at('gpt1', '/initrd.img'),
  },
  {
    what: 'GPT, no set root: the volume of the config',
    table: 'gpt',
    parts: [ext('gpt1', U1), ext('gpt2', U2, { 'boot/grub/grub.cfg': config(BOOT) })],
    config: '(hd0,gpt2)/boot/grub/grub.cfg',
    kernel: at('gpt2', '/boot/vmlinuz'),
    initrd: at('gpt2', '/boot/initrd.img'),
  },
  {
    what: 'GPT, search --fs-uuid leads to another volume',
    table: 'gpt',
    parts: [
      ext('gpt1', U1),
      ext('gpt2', U2, {
        'boot/grub/grub.cfg': config([`search --no-floppy --fs-uuid --set=root ${U1}`, ...LINUX]),
      }),
    ],
    config: '(hd0,gpt2)/boot/grub/grub.cfg',
    kernel: at('gpt1', '/vmlinuz'),
    initrd: at('gpt1', '/initrd.img'),
  },
  {
    what: 'MBR, search --label, /boot on ext4',
    table: 'mbr',
    parts: [
      ext('msdos1', U1, {}, 'ext4', 'root'),
      ext(
        'msdos2',
        U2,
        { 'grub/grub.cfg': config(['search --label --set=root boot', ...LINUX]) },
        'ext4',
        'boot',
      ),
    ],
    config: '(hd0,msdos2)/grub/grub.cfg',
    kernel: at('msdos2', '/vmlinuz'),
    initrd: at('msdos2', '/initrd.img'),
  },
  {
    what: 'logical partition holds /boot',
    table: 'logical',
    parts: [
      ext('msdos1', U1),
      ext('msdos5', U2, { 'grub2/grub.cfg': config(["set root='hd0,msdos5'", ...LINUX]) }, 'ext2'),
    ],
    config: '(hd0,msdos5)/grub2/grub.cfg',
    kernel: at('msdos5', '/vmlinuz'),
    initrd: at('msdos5', '/initrd.img'),
  },
  {
    what: 'from one logical partition to the next',
    table: 'logical',
    parts: [
      ext('msdos1', U1),
      ext('msdos5', U2, { 'boot/grub/grub.cfg': config(['set root=(hd0,msdos6)', ...BOOT]) }),
      ext('msdos6', U3),
    ],
    config: '(hd0,msdos5)/boot/grub/grub.cfg',
    kernel: at('msdos6', '/boot/vmlinuz'),
    initrd: at('msdos6', '/boot/initrd.img'),
  },
  {
    what: 'GPT, /boot on FAT16',
    table: 'gpt',
    parts: [
      { fs: 'fat16', uuid: F1, size: 8192, tree: { ...files('gpt1'), 'grub/grub.cfg': config(LINUX) } },
      ext('gpt2', U2),
    ],
    config: '(hd0,gpt1)/grub/grub.cfg',
    kernel: at('gpt1', '/vmlinuz'),
    initrd: at('gpt1', '/initrd.img'),
  },
  {
    what: 'MBR, kernel on FAT32 found by its serial number, names in another case',
    table: 'mbr',
    parts: [
      { fs: 'fat32', uuid: F1, size: 36864, tree: files('msdos1') },
      ext('msdos2', U2, {
        'boot/grub/grub.cfg': config([
          `search --no-floppy --fs-uuid --set=root ${F1}`,
          'linux /VMLINUZ ro',
          'initrd /Initrd.IMG',
        ]),
      }),
    ],
    config: '(hd0,msdos2)/boot/grub/grub.cfg',
    kernel: at('msdos1', '/vmlinuz'),
    initrd: at('msdos1', '/initrd.img'),
  },
  {
    what: 'FAT12, search --label',
    table: 'mbr',
    parts: [
      ext('msdos1', U1, { 'boot/grub/grub.cfg': config(['search -l --set=root BOOTFAT', ...BOOT]) }),
      { fs: 'fat12', uuid: F1, label: 'BOOTFAT', size: 1024, tree: files('msdos2') },
    ],
    config: '(hd0,msdos1)/boot/grub/grub.cfg',
    kernel: at('msdos2', '/boot/vmlinuz'),
    initrd: at('msdos2', '/boot/initrd.img'),
  },
  {
    what: 'search --file',
    table: 'gpt',
    parts: [
      ext('gpt1', U1, { 'boot/grub/grub.cfg': config(['search --file --set=root /only-here', ...LINUX]) }),
      ext('gpt2', U2),
      ext('gpt3', U3, { 'only-here': 'x' }),
    ],
    config: '(hd0,gpt1)/boot/grub/grub.cfg',
    kernel: at('gpt3', '/vmlinuz'),
    initrd: at('gpt3', '/initrd.img'),
  },
  {
    // GRUB goes through the partitions of a disk from the last to the first
    what: 'search --file that all volumes answer: the last',
    table: 'gpt',
    parts: [
      ext('gpt1', U1, { 'boot/grub/grub.cfg': config(['search -f --set=root /vmlinuz', ...LINUX]) }),
      ext('gpt2', U2),
      ext('gpt3', U3),
    ],
    config: '(hd0,gpt1)/boot/grub/grub.cfg',
    kernel: at('gpt3', '/vmlinuz'),
    initrd: at('gpt3', '/initrd.img'),
  },
  {
    what: 'search --file that all volumes answer: the hint wins',
    table: 'gpt',
    parts: [
      ext('gpt1', U1),
      ext('gpt2', U2),
      ext('gpt3', U3, {
        'boot/grub/grub.cfg': config([
          "search --no-floppy --file --set=root --hint='hd0,gpt2' /vmlinuz",
          ...LINUX,
        ]),
      }),
    ],
    config: '(hd0,gpt3)/boot/grub/grub.cfg',
    kernel: at('gpt2', '/vmlinuz'),
    initrd: at('gpt2', '/initrd.img'),
  },
  {
    what: 'hints that are wrong or name nothing',
    table: 'gpt',
    parts: [
      ext('gpt1', U1),
      ext('gpt2', U2, {
        'boot/grub/grub.cfg': config([
          `search --no-floppy --fs-uuid --set=root --hint-bios=hd7,gpt9 --hint-efi=hd0,gpt2 --hint='hd0,gpt2' ${U3}`,
          ...LINUX,
        ]),
      }),
      ext('gpt3', U3),
    ],
    config: '(hd0,gpt2)/boot/grub/grub.cfg',
    kernel: at('gpt3', '/vmlinuz'),
    initrd: at('gpt3', '/initrd.img'),
  },
  {
    what: 'two volumes with one label',
    table: 'mbr',
    parts: [
      ext('msdos1', U1, {}, 'ext4', 'same'),
      ext('msdos2', U2, {}, 'ext4', 'same'),
      ext('msdos3', U3, { 'boot/grub/grub.cfg': config(['search --label same --set=root', ...LINUX]) }),
    ],
    config: '(hd0,msdos3)/boot/grub/grub.cfg',
    kernel: at('msdos2', '/vmlinuz'),
    initrd: at('msdos2', '/initrd.img'),
  },
  {
    what: 'devices in the paths themselves',
    table: 'gpt',
    parts: [
      ext('gpt1', U1, {
        'boot/grub/grub.cfg': config([
          'linux (hd0,gpt2)/boot/vmlinuz ro',
          'initrd (hd0,gpt2)/boot/initrd.img',
        ]),
      }),
      ext('gpt2', U2),
    ],
    config: '(hd0,gpt1)/boot/grub/grub.cfg',
    kernel: at('gpt2', '/boot/vmlinuz'),
    initrd: at('gpt2', '/boot/initrd.img'),
  },
  {
    what: 'kernel and initrd from different volumes',
    table: 'gpt',
    parts: [
      ext('gpt1', U1, {
        'boot/grub/grub.cfg': config(['set root=hd0,gpt2', 'linux /vmlinuz ro', 'initrd (hd0,gpt3)/vmlinuz']),
      }),
      ext('gpt2', U2),
      ext('gpt3', U3),
    ],
    config: '(hd0,gpt1)/boot/grub/grub.cfg',
    kernel: at('gpt2', '/vmlinuz'),
    initrd: at('gpt3', '/vmlinuz'),
  },
  {
    what: 'a variable other than root, and ($root)',
    table: 'gpt',
    parts: [
      ext('gpt1', U1, {
        'boot/grub/grub.cfg': config([
          `search --fs-uuid --set=kernels ${U3}`,
          // biome-ignore lint/suspicious/noTemplateCurlyInString: GRUB's own
          'linux (${kernels})/vmlinuz ro',
          'initrd ($root)/initrd.img',
        ]),
      }),
      ext('gpt2', U2),
      ext('gpt3', U3),
    ],
    config: '(hd0,gpt1)/boot/grub/grub.cfg',
    kernel: at('gpt3', '/vmlinuz'),
    initrd: at('gpt1', '/initrd.img'),
  },
  {
    what: 'links, relative and absolute, stay on their volume',
    table: 'gpt',
    parts: [
      ext('gpt1', U1),
      ext('gpt2', U2, {
        'boot/grub/grub.cfg': config(['set root=hd0,gpt2', 'linux /k ro', 'initrd /boot/links/i']),
        k: { to: 'kernels/vmlinuz' },
        'boot/links/i': { to: '/kernels/initrd.img' },
      }),
    ],
    config: '(hd0,gpt2)/boot/grub/grub.cfg',
    kernel: at('gpt2', '/kernels/vmlinuz'),
    initrd: at('gpt2', '/kernels/initrd.img'),
  },
  {
    what: 'a /boot with the link boot -> .',
    table: 'mbr',
    parts: [
      {
        fs: 'ext4',
        uuid: U1,
        tree: {
          vmlinuz: at('msdos1', '/vmlinuz'),
          'initrd.img': at('msdos1', '/initrd.img'),
          boot: { to: '.' },
          'grub/grub.cfg': config(BOOT),
        },
      },
      ext('msdos2', U2),
    ],
    config: '(hd0,msdos1)/grub/grub.cfg',
    kernel: at('msdos1', '/vmlinuz'),
    initrd: at('msdos1', '/initrd.img'),
  },
  {
    what: 'no table: the disk is the volume',
    table: 'none',
    parts: [ext('hd0', U1, { 'boot/grub/grub.cfg': config(["set root='hd0'", ...BOOT]) })],
    config: '(hd0)/boot/grub/grub.cfg',
    kernel: at('hd0', '/boot/vmlinuz'),
    initrd: at('hd0', '/boot/initrd.img'),
  },
  {
    what: 'partition numbers without a scheme',
    table: 'mbr',
    parts: [
      ext('msdos1', U1, { 'boot/grub/grub.cfg': config(['set root=(hd0,2)', ...LINUX]) }),
      ext('msdos2', U2),
    ],
    config: '(hd0,msdos1)/boot/grub/grub.cfg',
    kernel: at('msdos2', '/vmlinuz'),
    initrd: at('msdos2', '/initrd.img'),
  },
  {
    what: 'a stub on FAT that leads to another volume, as grub-install writes it',
    table: 'gpt',
    parts: [
      {
        fs: 'fat16',
        uuid: F1,
        size: 8192,
        tree: {
          ...files('gpt1'),
          'grub/grub.cfg': `search.fs_uuid ${U2} root hd0,gpt2\nset prefix=($root)'/menus'\nconfigfile $prefix/grub.cfg\n`,
        },
      },
      ext('gpt2', U2, { 'menus/grub.cfg': config(LINUX) }),
    ],
    config: '(hd0,gpt1)/grub/grub.cfg',
    kernel: at('gpt2', '/vmlinuz'),
    initrd: at('gpt2', '/initrd.img'),
  },
  {
    what: 'probe gives the uuid that search looks for',
    table: 'gpt',
    parts: [
      ext('gpt1', U1, {
        'boot/grub/grub.cfg': config(
          ['search --fs-uuid --set=root $u', ...LINUX],
          ['probe --set=u --fs-uuid (hd0,gpt2)', 'export u'],
        ),
      }),
      ext('gpt2', U2),
    ],
    config: '(hd0,gpt1)/boot/grub/grub.cfg',
    kernel: at('gpt2', '/vmlinuz'),
    initrd: at('gpt2', '/initrd.img'),
  },
  {
    what: 'root set at the top level of the config',
    table: 'gpt',
    parts: [
      ext('gpt1', U1, { 'boot/grub/grub.cfg': config(LINUX, [`search --fs-uuid --set=root ${U2}`]) }),
      ext('gpt2', U2),
    ],
    config: '(hd0,gpt1)/boot/grub/grub.cfg',
    kernel: at('gpt2', '/vmlinuz'),
    initrd: at('gpt2', '/initrd.img'),
  },
  {
    what: 'a root that does not exist: the volume of the config',
    table: 'none',
    parts: [ext('hd0', U1, { 'boot/grub/grub.cfg': config(["set root='hd0,msdos1'", ...BOOT]) })],
    config: '(hd0)/boot/grub/grub.cfg',
    kernel: at('hd0', '/boot/vmlinuz'),
    initrd: at('hd0', '/boot/initrd.img'),
    onlyOurs: 'the image of one partition, booted with the config of the whole disk (contract, "Decisions")',
  },
];

/** What GRUB reads for `linux` and `initrd` of the default entry. */
function grub(disk: string, name: string, configFile: string) {
  const home = join(dir, `${name}.grub`);
  mkdirSync(home);
  const device = configFile.slice(1, configFile.indexOf(')'));
  writeFileSync(join(home, 'map'), `(hd0) ${disk}\n`);
  writeFileSync(
    join(home, 'grub.cfg'),
    [
      'function linux { echo "@K@"; cat "$1"; }',
      'function initrd { echo "@I@"; cat "$1"; echo "@E@"; exit; }',
      `set root=${device}`,
      `configfile ${configFile}`,
      'exit',
      '',
    ].join('\n'),
  );
  const r = run('timeout', ['20', 'sh', '-c', 'exec grub-emu -d "$1" -m "$1/map" </dev/null', 'sh', home], {
    env: { TERM: 'dumb' },
  });
  const text = r.stdout.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '');
  const [, kernel, initrd] = /@K@([\s\S]*?)@I@([\s\S]*?)@E@/.exec(text) ?? [];
  return { kernel: /<<.*?>>/.exec(kernel ?? '')?.[0], initrd: /<<.*?>>/.exec(initrd ?? '')?.[0], text };
}

t.ok(CASES.length >= 20);
CASES.forEach((c, i) => {
  t.test(c.what, async (t) => {
    const disk = join(dir, `${i}.img`);
    makeDisk(disk, c.table, c.parts);
    if (c.onlyOurs === undefined) {
      const theirs = grub(disk, String(i), c.config);
      t.equal(theirs.kernel, c.kernel, 'GRUB: kernel') || t.comment(theirs.text);
      t.equal(theirs.initrd, c.initrd, 'GRUB: initrd');
    }
    const ours = boot(NODEGRUB, dir, [disk]);
    t.equal(ours.status, 0, ours.stderr);
    t.equal(ours.kernel?.toString('latin1'), c.kernel, 'kernel');
    t.equal(ours.ramdisk?.toString('latin1'), c.initrd, 'initrd');
    t.equal(ours.args, 'ro');
  });
});

t.test('a kernel on the second disk', async (t) => {
  const [one, two] = [join(dir, 'one.img'), join(dir, 'two.img')];
  makeDisk(one, 'gpt', [
    ext('gpt1', U1, {
      'boot/grub/grub.cfg': config([
        `search --fs-uuid --set=root ${U3}`,
        'linux /vmlinuz ro',
        'initrd (hd0,gpt1)/initrd.img',
      ]),
    }),
  ]);
  makeDisk(two, 'mbr', [ext('hd1,msdos1', U2), ext('hd1,msdos2', U3)]);
  for (const disks of [
    [one, two],
    [`--extra-disk=${two}`, one],
  ]) {
    const ours = boot(NODEGRUB, dir, disks);
    t.equal(ours.status, 0, ours.stderr);
    t.equal(ours.kernel?.toString('latin1'), at('hd1,msdos2', '/vmlinuz'));
    t.equal(ours.ramdisk?.toString('latin1'), at('gpt1', '/initrd.img'));
  }
});
