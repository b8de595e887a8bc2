/**
 * From a command line to what it starts: syslinux' `load_kernel` (a label, or a file) and `execute` (the file's type,
 * then the program that it names), and the COM32 modules that in their turn lead to a kernel or to a menu.
 */
import type { Budget } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { type ByteString, printable } from '../../bytes/text';
import { findLabel, firstWord, isBlank, type Parsed, type Reader, wordLength } from './parser';

/** Bytes of a command line, with its end; longer ones are refused (MAX_CMDLINE_LEN). */
const COMMAND_BYTES = 2048;

/** A part of the ramdisk by the name that the command gives. */
export interface InitrdName {
  readonly name: ByteString;
  /** linux.c32's `initrdfile=`: the file is wrapped in a cpio archive under this name. */
  readonly newcName?: ByteString;
}

/** Where a command line leads. */
export type Lead =
  | {
      readonly to: 'kernel';
      readonly kernel: ByteString;
      readonly args: ByteString;
      readonly initrds: readonly InitrdName[];
      /** The name says floppy image: it is started as a kernel if it is one. */
      readonly image: boolean;
    }
  /** menu.c32 on these files; none: on the main configuration. */
  | { readonly to: 'menu'; readonly files: readonly ByteString[] }
  | { readonly to: 'config'; readonly file: ByteString; readonly directory: ByteString | undefined }
  | { readonly to: 'nothing'; readonly problem: string };

/** What a command is run against. */
export interface Shell {
  readonly labels: Parsed;
  readonly reader: Reader;
  /** The file is on a CD-ROM, or anything else; for whichsys.c32. */
  readonly iso: boolean;
  exists(name: ByteString): boolean;
  /** @throws GuestError */
  spend(steps: number): void;
  readonly budget: Budget;
  note(text: string): void;
  /** Told the words ` initrd=…` that a label's INITRD put into the command. */
  added(words: ByteString): void;
}

const nothing = (problem: string): Lead => ({ to: 'nothing', problem });

/** File types by their extension; the first that matches counts, and case matters. */
const EXTENSIONS: readonly (readonly [ByteString, string])[] = [
  ['.c32', 'com32'],
  ['.img', 'fdimage'],
  ['.bss', 'bss'],
  ['.bin', 'boot'],
  ['.bs', 'boot'],
  ['.0', 'pxe'],
];

const typeOf = (name: ByteString): string => EXTENSIONS.find(([end]) => name.endsWith(end))?.[1] ?? 'kernel';

const REFUSED: Record<string, string> = {
  boot: 'a boot sector',
  bss: 'a boot sector (BSS)',
  pxe: 'a PXE program',
};

/** As C's isspace splits them. */
const argumentsOf = (text: ByteString): ByteString[] => text.split(/[ \t\n\v\f\r]+/).filter((w) => w !== '');

/** Runs a command as if it were typed at the prompt. */
export function load(shell: Shell, command: ByteString, depth = 0): Lead {
  shell.spend(1 + (shell.labels.labels.length >> 4));
  shell.budget.most('includeDepth', depth, 'commands that run each other');
  const item = findLabel(shell.labels, command, shell.reader);
  if (item) {
    const rest = item.label === command ? '' : skipBlanks(command.slice(wordLength(command)));
    if (item.action !== 'command')
      return nothing(`'${printable(item.label ?? '', 60)}' is a line of the menu and starts nothing`);
    if (item.initrd !== undefined) shell.added(` initrd=${item.initrd}`);
    return execute(shell, rest === '' ? item.command : `${item.command} ${rest}`, depth);
  }
  if (!shell.labels.implicit)
    return nothing(`there is no label '${printable(firstWord(command))}', and IMPLICIT is 0`);
  let line = shell.labels.allowOptions ? command : firstWord(command);
  const name = firstWord(line);
  if (typeOf(name) === 'kernel') {
    const found = EXTENSIONS.find(([end]) => shell.exists(name + end));
    if (found) line = name + found[0] + line.slice(name.length);
  }
  return execute(shell, line, depth);
}

function skipBlanks(text: ByteString): ByteString {
  let at = 0;
  while (at < text.length && isBlank(text.charCodeAt(at))) at++;
  return text.slice(at);
}

/** Runs a command whose first word is a file, or a type after a dot. */
export function execute(shell: Shell, command: ByteString, depth = 0, forced?: string): Lead {
  shell.spend(1 + (command.length >> 5));
  if (command.length >= COMMAND_BYTES)
    return nothing(
      `its command line has ${command.length} bytes, syslinux takes ${COMMAND_BYTES - 1} (with the kernel's name)`,
    );
  const name = firstWord(command);
  const rest = skipBlanks(command.slice(name.length));
  if (forced === undefined && name.startsWith('.')) {
    const type = name.slice(1);
    if (/^(localboot|kernel|linux|boot|bss|pxe|fdimage|com32|config)$/.test(type)) {
      const inner = firstWord(rest);
      const line =
        type === 'com32' && !inner.endsWith('.c32') ? `${inner}.c32${rest.slice(inner.length)}` : rest;
      return execute(shell, line, depth, type);
    }
    if (type === 'comboot')
      return nothing(`starts ${printable(firstWord(rest))}: COMBOOT programs do not exist since syslinux 5`);
  }
  const type = forced ?? typeOf(name);
  switch (type) {
    case 'localboot':
      return nothing('starts the next boot device (LOCALBOOT): cannot be booted here');
    case 'config':
      return { to: 'config', file: name, directory: rest === '' ? undefined : firstWord(rest) };
    case 'com32':
      return runModule(shell, name, argumentsOf(rest), rest, depth);
    case 'boot':
    case 'bss':
    case 'pxe':
      return nothing(`starts ${printable(name)}, ${REFUSED[type]}: cannot be booted here`);
  }
  if (name === '') return nothing('names no kernel');
  if (/(^|[/\\])memdisk$/i.test(name))
    return nothing(`starts ${printable(name)}, which needs a BIOS: cannot be booted here`);
  return linux(name, rest, forced === 'fdimage' || type === 'fdimage');
}

/** The kernel loader: the first `initrd=` anywhere in the command line, to a blank, split at commas. */
function linux(kernel: ByteString, args: ByteString, image: boolean): Lead {
  const line = `BOOT_IMAGE=${kernel} ${args}`;
  const at = line.indexOf('initrd=');
  const list = at < 0 ? '' : /^[^ ]*/.exec(line.slice(at + 'initrd='.length))![0];
  const initrds = at < 0 ? [] : list.split(',').map((name) => ({ name: firstWord(name) }));
  return { to: 'kernel', kernel, args, initrds, image };
}

/** Modules that need a machine of their own, in words. */
const ELSEWHERE: Record<string, string> = {
  'chain.c32': 'starts another boot loader',
  'reboot.c32': 'reboots',
  'poweroff.c32': 'powers off',
  'hdt.c32': 'shows the hardware',
};

function runModule(
  shell: Shell,
  module: ByteString,
  argv: readonly ByteString[],
  rest: ByteString,
  depth: number,
): Lead {
  const name = module.slice(Math.max(module.lastIndexOf('/'), module.lastIndexOf('\\')) + 1).toLowerCase();
  const run = (words: readonly ByteString[]): Lead =>
    words.length > 0
      ? load(shell, words.join(' '), depth + 1)
      : shell.labels.defaultCommand === undefined
        ? nothing(`${printable(name)} runs the default, and there is none`)
        : load(shell, shell.labels.defaultCommand, depth + 1);
  switch (name) {
    case 'menu.c32':
    case 'vesamenu.c32':
      return { to: 'menu', files: argv };
    case 'config.c32':
      return argv.length === 0 || argv.length > 2
        ? nothing('config.c32 wants a file and at most a directory')
        : { to: 'config', file: argv[0]!, directory: argv[1] };
    case 'cmd.c32':
      return run([rest]);
    case 'linux.c32':
      return linuxModule(argv);
    case 'mboot.c32':
      return mboot(shell, argv);
    case 'ifcpu64.c32':
      return run(until(argv, '--'));
    case 'ifcpu.c32':
      return ifcpu(shell, argv, run);
    case 'whichsys.c32':
      return whichsys(shell, argv, run);
  }
  const what = ELSEWHERE[name] ?? 'is a program of syslinux';
  return nothing(`starts ${printable(name)}, which ${what}: cannot be booted here (COM32)`);
}

const until = (words: readonly ByteString[], mark: ByteString): readonly ByteString[] => {
  const at = words.indexOf(mark);
  return at < 0 ? words : words.slice(0, at);
};

/** `linux.c32 [-dhcpinfo] kernel arguments…`; the last `initrd=`, then every `initrd+=` and `initrdfile=`. */
function linuxModule(argv: readonly ByteString[]): Lead {
  let from = 0;
  while (argv[from]?.startsWith('-')) {
    if (argv[from] !== '-dhcpinfo') return nothing(`linux.c32: unknown option: ${printable(argv[from]!)}`);
    from++;
  }
  const kernel = argv[from];
  if (kernel === undefined) return nothing('linux.c32: missing kernel name');
  const words = argv.slice(from + 1);
  const lists = (prefix: string) =>
    words.filter((w) => w.startsWith(prefix)).map((w) => w.slice(prefix.length).split(','));
  const plain = [...lists('initrd=').slice(-1), ...lists('initrd+=')].flat().map((name) => ({ name }));
  const wrapped = lists('initrdfile=')
    .flat()
    .map((given) => {
      const at = given.indexOf('@');
      if (at < 0) return { name: given, newcName: given.slice(given.lastIndexOf('/') + 1) };
      return { name: given.slice(0, at), newcName: given.slice(at + 1).replace(/^\/+/, '') };
    });
  return { to: 'kernel', kernel, args: words.join(' '), initrds: [...plain, ...wrapped], image: false };
}

/** `mboot.c32 xen.gz … --- kernel arguments… --- initrd`: without the hypervisor. */
function mboot(shell: Shell, argv: readonly ByteString[]): Lead {
  const modules: ByteString[][] = [[]];
  let from = 0;
  while (/^-(no)?-?(solaris|aout)$/.test(argv[from] ?? '')) from++;
  for (const word of argv.slice(from)) {
    if (word === '---') modules.push([]);
    else modules.at(-1)!.push(word);
  }
  const named = modules.filter((words) => words.length > 0);
  const hypervisor = printable(named[0]?.[0] ?? '');
  const [kernel, initrd] = named.slice(1);
  if (!kernel)
    return nothing(`starts ${hypervisor}, which cannot be booted here (multiboot without modules)`);
  shell.note(`the hypervisor ${hypervisor} is left out, its first module is the kernel`);
  return {
    to: 'kernel',
    kernel: kernel[0]!,
    args: kernel.slice(1).join(' '),
    initrds: initrd ? [{ name: initrd[0]! }] : [],
    image: false,
  };
}

/** `ifcpu.c32 conditions… -- command -- otherwise`. The processor is a 64-bit one under a hypervisor. */
function ifcpu(shell: Shell, argv: readonly ByteString[], run: (words: readonly ByteString[]) => Lead): Lead {
  const at = argv.indexOf('--');
  if (at < 0) return nothing('ifcpu.c32 has no command');
  const conditions = argv.slice(0, at);
  const then = until(argv.slice(at + 1), '--');
  const second = argv.indexOf('--', at + 1);
  const otherwise = second < 0 ? then : argv.slice(second + 1);
  if (conditions.includes('dry-run')) return nothing('ifcpu.c32 with dry-run starts nothing');
  if (conditions.includes('multicore') || conditions.includes('smp'))
    shell.note('ifcpu.c32 asks for several processors: taken for granted');
  return run(conditions.includes('hvm') ? otherwise : then);
}

/** `whichsys.c32 -iso- command -pxe- command -sys- command` */
function whichsys(
  shell: Shell,
  argv: readonly ByteString[],
  run: (words: readonly ByteString[]) => Lead,
): Lead {
  const wanted = shell.iso ? '-iso-' : '-sys-';
  const at = argv.lastIndexOf(wanted);
  if (at < 0) return nothing(`whichsys.c32 has no command for ${shell.iso ? 'ISOLINUX' : 'SYSLINUX'}`);
  const words = argv.slice(at + 1);
  const end = words.findIndex((word) => /^-(iso|pxe|sys)-$/.test(word));
  return run(end < 0 ? words : words.slice(0, end));
}

/** `load` or `execute`, with what a limit stops as a problem. */
export function leadOf(body: () => Lead): Lead {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return nothing(error.describe());
  }
}
