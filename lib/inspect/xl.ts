/** Lines of an xl.cfg that would start the guest. Sources: xl.cfg(5), xl-disk-configuration(5) of Xen 4.17. */
import type { ParsedOption } from '../cli/getopt';
import { letters, shellWord } from '../output/snippets/machine';
import type { BootFacts, DiskFacts, KernelFacts, Snippet } from './document';

export interface Wanted {
  readonly disks: readonly DiskFacts[];
  readonly boot: BootFacts | null;
  readonly kernel: KernelFacts | null;
  readonly windows: boolean;
  /** Windows or not: its ESP has a loader for EFI. */
  readonly efi: boolean;
  /** `--key-file=` and the like, which the bootloader needs too. */
  readonly keys: readonly ParsedOption[];
  readonly reason: string | undefined;
}

/** xl-disk-configuration(5), `format=`. */
const XL_FORMATS = /^(raw|qcow|qcow2|vhd|qed)$/;
/** The names that qemu-img has for the others. */
const QEMU_NAMES: Readonly<Record<string, string>> = {
  vhdx: 'vhdx',
  vmdk: 'vmdk',
  vdi: 'vdi',
  parallels: 'parallels',
};

/**
 * A string of an xl.cfg, in double quotes: xl undoes backslashes as C does (libxlu_cfg.c, xlu__cfgl_dequote). Controls are written as
 * numbers.
 */
export const xlString = (text: string): string =>
  `"${text
    .replace(/["\\]/g, '\\$&')
    .replace(/[\x00-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;

/** A name for the guest: of its disk's file. */
const nameOf = (path: string): string =>
  path
    .replace(/^.*\//, '')
    .replace(/\.(img|raw|qcow2?|qed|a?vhd|vhdx|vmdk|vdi|hdd|iso|gz|dsk|bin)$/gi, '')
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .replace(/^[.-]+/, '') || 'guest';

const isDisc = (disk: DiskFacts): boolean =>
  disk.content?.type === 'iso9660' || disk.content?.type === 'udf' || disk.elTorito.length > 0;

/** The disk's target and format for xl, after the commands that make it one. */
function forXl(disk: DiskFacts, commands: string[], why: string[]): { target: string; format: string } {
  const path = disk.path!;
  if (!path.startsWith('/')) why.push(`${path} must be an absolute path there`);
  const format = disk.format ?? 'raw';
  if (XL_FORMATS.test(format)) return { target: path, format };
  const target = `${path.replace(/\.(vmdk|vhdx|vdi|hdd|gz)$/i, '').replace(/\.(raw|img)$/i, '')}.raw`;
  commands.push(
    format === 'gzip'
      ? `gunzip --stdout ${shellWord(path)} >${shellWord(target)}`
      : `qemu-img convert -f ${QEMU_NAMES[format] ?? format} -O raw ${shellWord(path)} ${shellWord(target)}`,
  );
  why.push(`xl knows no format=${format}: the disk is converted first`);
  return { target, format: 'raw' };
}

function diskLines(wanted: Wanted, hvm: boolean, commands: string[], why: string[]): string[] {
  const given = wanted.disks.filter((disk) => disk.path !== null);
  const specs = given.map((disk, i) => {
    const { target, format } = forXl(disk, commands, why);
    const letter = letters(i);
    const vdev = `vdev=${hvm ? 'hd' : 'xvd'}${letter}`;
    // target= comes last: it may hold anything then.
    return isDisc(disk)
      ? `format=${format},${vdev},access=ro,devtype=cdrom,target=${target}`
      : `format=${format},${vdev},access=rw,target=${target}`;
  });
  return specs.length === 1
    ? [`disk = [ ${xlString(specs[0]!)} ]`]
    : ['disk = [', ...specs.map((spec, i) => `  ${xlString(spec)}${i < specs.length - 1 ? ',' : ''}`), ']'];
}

const machine = (name: string, type: string): string[] => [
  `name = ${xlString(name)}`,
  `type = ${xlString(type)}`,
  'vcpus = 1',
  'memory = 1024',
];

export interface Snippets {
  readonly pv: Snippet;
  readonly pvh: Snippet;
  readonly direct: Snippet;
  readonly hvm: Snippet;
}

export function snippets(wanted: Wanted): Snippets {
  const { boot, kernel, disks, reason } = wanted;
  const first = disks.find((disk) => disk.path !== null);
  const name = nameOf(first?.path ?? 'guest');
  const nothing = boot ? [] : [reason ?? 'nothing boots'];
  const no = (type: 'pv' | 'pvh'): string[] => {
    if (!kernel) return [];
    if (kernel[type] === false)
      return [
        type === 'pv'
          ? 'the kernel has no entry for PV (CONFIG_XEN_PV)'
          : 'the kernel has no entry for PVH (CONFIG_PVH)',
      ];
    return kernel[type] === null
      ? [`whether the kernel starts as ${type.toUpperCase()} could not be found out`]
      : [];
  };
  const args = [
    ...disks
      .filter((disk) => disk.path !== null)
      .slice(1)
      .map((disk) => `--extra-disk=${disk.path}`),
    ...wanted.keys.map((key) => `--${key.name}=${key.value}`),
  ];
  const byProgram = (type: 'pv' | 'pvh'): Snippet => {
    const why = [...nothing, ...no(type)];
    const commands: string[] = [];
    const lines = [
      ...machine(name, type),
      'bootloader = "nodegrub"',
      ...(args.length > 0 ? [`bootloader_args = [ ${args.map(xlString).join(', ')} ]`] : []),
      ...diskLines(wanted, false, commands, why),
    ];
    return { starts: boot !== null && kernel?.[type] !== false, why, commands, lines };
  };
  const pvh = byProgram('pvh');
  const pv = byProgram('pv');

  const directory = `/var/lib/xen/boot/${name}`;
  const type = pvh.starts || !pv.starts ? 'pvh' : 'pv';
  const why = [...nothing, ...no(type)];
  const commands = [
    `mkdir -p ${shellWord(directory)}`,
    `nodegrub -q --output-format=simple --output-directory=${shellWord(directory)} ${[
      ...wanted.keys.map((key) => `--${key.name}=${key.value}`),
      ...disks.flatMap((disk) => disk.path ?? []),
    ]
      .map(shellWord)
      .join(' ')}`,
    `mv ${shellWord(directory)}/boot_kernel.* ${shellWord(`${directory}/kernel`)}`,
    ...(boot && boot.initrd.length > 0
      ? [`mv ${shellWord(directory)}/boot_ramdisk.* ${shellWord(`${directory}/ramdisk`)}`]
      : []),
  ];
  const direct: Snippet = {
    starts: boot !== null && (pv.starts || pvh.starts),
    why: [
      ...why,
      'the guest then boots this kernel until the commands are run again, whatever it updates inside',
    ],
    commands,
    lines: [
      ...machine(name, type),
      `kernel = ${xlString(`${directory}/kernel`)}`,
      ...(boot && boot.initrd.length > 0 ? [`ramdisk = ${xlString(`${directory}/ramdisk`)}`] : []),
      ...(boot && boot.args !== '' ? [`cmdline = ${xlString(boot.args)}`] : []),
      ...diskLines(wanted, false, commands, []),
    ],
  };

  const hvmCommands: string[] = [];
  const hvmWhy: string[] = [];
  const hvm: Snippet = {
    starts:
      wanted.windows ||
      disks.some((disk) => disk.bootCode !== null || disk.elTorito.length > 0) ||
      wanted.efi,
    why: hvmWhy,
    commands: hvmCommands,
    lines: [
      ...machine(name, 'hvm'),
      ...(wanted.efi ? ['firmware = "ovmf"'] : []),
      ...(first && isDisc(first) ? ['boot = "d"'] : []),
      'vnc = 1',
      ...diskLines(wanted, true, hvmCommands, hvmWhy),
    ],
  };
  if (!hvm.starts) hvmWhy.push('neither boot code in the first sector nor a loader for EFI was seen');
  return { pv, pvh, direct, hvm };
}
