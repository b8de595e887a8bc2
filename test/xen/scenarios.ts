/** What is tried with each way to boot a guest, and what is wanted of it. */

/** `pvgrub` has no bootloader program: it is the guest's kernel, and reads the disk from inside. */
export type Loader = 'nodegrub' | 'pygrub' | 'pvgrub';
export const LOADERS: readonly Loader[] = ['nodegrub', 'pygrub', 'pvgrub'];

/** What xl and the guest came to; times in milliseconds of the emulated machine. */
export interface Outcome {
  /** up: its userland spoke · failed: xl said no · ended: xl said yes, and the domain went · hung: neither, until the limit */
  readonly state: 'up' | 'failed' | 'ended' | 'hung' | 'unknown';
  /** xl's exit status, if it had ended. */
  readonly status: number | undefined;
  readonly ms: number;
  /** Until the guest's userland had spoken, or xl had given up. */
  readonly readyMs: number;
  /** How many steps were done. */
  readonly steps: number;
  /** The guest's own words: its command line, `PV` or `PVH`, its disk's mark. */
  readonly args: string;
  readonly type: string;
  readonly disk: string;
  /** The bootloader program's log, as libxl keeps it. */
  readonly log: string;
  /** xl's own words, with `-vvv` where nobody watches. */
  readonly xl: string;
  /** The domain's seconds of processor time, twice, 4 seconds apart, where it hung. */
  readonly cpu: readonly number[];
  /** Domains, processes, files that are still there. */
  readonly left: string;
}

export interface Scenario {
  readonly name: string;
  /** For the report. */
  readonly what: string;
  readonly type: 'pv' | 'pvh';
  /** patient: its menu waits 90 s, otherwise 3; short: cut off at 5 MiB; bad: an I/O error in the middle of its kernel */
  readonly disk?: 'guest' | 'patient' | 'blank' | 'short' | 'bad';
  readonly via?: 'file' | 'phy';
  /** `xl create -c` on a terminal; otherwise nobody watches. */
  readonly console?: boolean;
  readonly copies?: number;
  readonly environment?: string;
  /** Lines of the xl.cfg. */
  readonly config?: readonly string[];
  readonly bootloaderArgs?: readonly string[];
  /** Once the expression stands on the screen, or in the bootloader's log (`@30`: after 30 s): what is done. */
  readonly steps?: readonly {
    readonly when: string;
    readonly what: 'keys' | 'destroy' | 'interrupt';
    readonly text?: string;
  }[];
  /** Who is tried; all, if not said. */
  readonly loaders?: readonly Loader[];
  /** Wanted of nodegrub. */
  readonly want: Want;
}

export type Want =
  | { readonly boots: RegExp; readonly log?: RegExp; readonly xl?: RegExp }
  /** Ends within 60 s of the emulated machine, the reason in the log. */
  | { readonly fails: RegExp }
  /** Is interrupted: no process or file is left, and no domain; `domain`: but what an xl that died leaves whatever bootloader it had. */
  | { readonly gone: true; readonly domain?: 'left' };

const DOWN = '\\033[B';
const IN_MENU = 'The second';
const programs: readonly Loader[] = ['nodegrub', 'pygrub'];

export const scenarios: readonly Scenario[] = [
  {
    name: 'default-pv',
    what: 'PV, the default entry, disk in a file',
    type: 'pv',
    want: { boots: /root=\/dev\/xvda1 ro console=hvc0 entry=first$/ },
  },
  {
    name: 'default-pvh',
    what: 'PVH, the default entry, disk in a file',
    type: 'pvh',
    want: { boots: /root=\/dev\/xvda1 ro console=hvc0 entry=first$/ },
  },
  {
    name: 'phy',
    what: 'PVH, disk on a block device (phy:)',
    type: 'pvh',
    via: 'phy',
    want: { boots: /entry=first$/ },
  },
  {
    name: 'menu-pv',
    what: 'PV, the second entry by keys (`xl create -c`)',
    type: 'pv',
    disk: 'patient',
    console: true,
    steps: [{ when: IN_MENU, what: 'keys', text: `${DOWN}\\r` }],
    want: { boots: /entry=second$/ },
  },
  {
    name: 'menu-pvh',
    what: 'PVH, the second entry by keys (`xl create -c`)',
    type: 'pvh',
    disk: 'patient',
    console: true,
    steps: [{ when: IN_MENU, what: 'keys', text: `${DOWN}\\r` }],
    want: { boots: /entry=second$/ },
  },
  {
    name: 'entry-number',
    what: '`bootloader_args = ["--entry=1"]`',
    type: 'pv',
    bootloaderArgs: ['--entry=1'],
    loaders: programs,
    want: { boots: /entry=second$/ },
  },
  {
    name: 'entry-title',
    what: '`bootloader_args = ["--entry=The third", "--args=more=1"]`, an entry in a submenu',
    type: 'pvh',
    bootloaderArgs: ['--entry=The third', '--args=more=1'],
    loaders: programs,
    want: { boots: /entry=third more=1$/ },
  },
  {
    name: 'strict',
    what: '`bootloader_args = ["-q", "--sandbox=strict", "--debug"]`',
    type: 'pv',
    bootloaderArgs: ['-q', '--sandbox=strict', '--debug'],
    loaders: ['nodegrub'],
    want: { boots: /entry=first$/, log: /sandbox strict \(bwrap, seccomp\)/ },
  },
  {
    name: 'restrict',
    what: '`LIBXL_BOOTLOADER_RESTRICT=1`, `LIBXL_BOOTLOADER_USER=nobody` (`bootloader_restrict`)',
    type: 'pv',
    environment: 'LIBXL_BOOTLOADER_RESTRICT=1 LIBXL_BOOTLOADER_USER=nobody',
    loaders: programs,
    want: { boots: /entry=first$/, xl: /bootloader arg: --runas=65534[\s\S]*bootloader arg: --quiet/ },
  },
  {
    name: 'extra',
    what: "`root=` and `extra=` of the xl.cfg, added to the entry's",
    type: 'pv',
    config: ['root = "/dev/xvda9"', 'extra = "more=2"'],
    loaders: programs,
    want: { boots: /entry=first root=\/dev\/xvda9 more=2$/ },
  },
  {
    name: 'named-kernel',
    what: "`kernel=`, `ramdisk=`, `cmdline=` of the xl.cfg: the guest's files, no configuration",
    type: 'pv',
    config: ['kernel = "/boot/vmlinuz"', 'ramdisk = "/boot/initrd.img"', 'cmdline = "console=hvc0 named=1"'],
    loaders: programs,
    want: { boots: /^console=hvc0 named=1$/, xl: /bootloader arg: --kernel=\/boot\/vmlinuz/ },
  },
  {
    name: 'at-once',
    what: 'three PV guests started at once',
    type: 'pv',
    copies: 3,
    want: { boots: /entry=first$/ },
  },
  {
    name: 'destroy',
    what: '`xl destroy` while the menu is shown',
    type: 'pv',
    disk: 'patient',
    console: true,
    steps: [{ when: IN_MENU, what: 'destroy' }],
    want: { gone: true },
  },
  {
    name: 'ctrl-c',
    what: 'Ctrl-C in the menu (`xl create -c`)',
    type: 'pv',
    disk: 'patient',
    console: true,
    steps: [{ when: IN_MENU, what: 'keys', text: '\\003' }],
    want: { gone: true },
  },
  {
    name: 'interrupt',
    what: 'Ctrl-C to `xl create` that nobody watches, while the menu waits',
    type: 'pv',
    disk: 'patient',
    // libxl writes its log when the bootloader has ended: there is nothing to wait for.
    steps: [{ when: '@40', what: 'interrupt' }],
    loaders: programs,
    want: { gone: true, domain: 'left' },
  },
  {
    name: 'blank',
    what: 'a blank disk',
    type: 'pv',
    disk: 'blank',
    want: { fails: /RuntimeError: \S+ does not boot: no filesystem that is known here on disk/ },
  },
  {
    name: 'short',
    what: 'an image that was cut off',
    type: 'pvh',
    disk: 'short',
    want: { fails: /RuntimeError: .*read of \d+ bytes at \d+ goes beyond the end/ },
  },
  {
    name: 'bad',
    what: "an I/O error in the middle of the guest's kernel (dm `error`)",
    type: 'pv',
    disk: 'bad',
    via: 'phy',
    want: { fails: /RuntimeError: .*(EIO|I\/O|i\/o)/ },
  },
];
