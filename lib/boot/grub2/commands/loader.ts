/**
 * Commands that load something to boot, and those that end the script. Nothing is read here: what is loaded is noted,
 * found or not, and looked at when the entry is booted.
 */
import { type ByteString, printable } from '../../../bytes/text';
import { payload, splitDevice } from '../../guest';
import type { GuestFile, InitrdPart } from '../../model';
import { type CommandHandler, type CommandTable, GRUB_ERROR, type LoaderState, type Machine } from './types';

/**
 * Arguments as one command line, by GRUB's rules (lib/cmdline.c): a backslash before every quote and backslash,
 * double quotes around an argument that has a blank.
 */
export function commandLine(args: readonly ByteString[]): ByteString {
  return args
    .map((arg) => {
      const escaped = /["'\\]/.test(arg) ? arg.replace(/["'\\]/g, '\\$&') : arg;
      return escaped.includes(' ') ? `"${escaped}"` : escaped;
    })
    .join(' ');
}

/**
 * A file to load. A device that does not exist means the configuration's own (CONTRACT, Decisions): configs name
 * partitions as the machine that wrote them saw them.
 */
export function loadable(machine: Machine, name: ByteString): GuestFile {
  let file = machine.file(name);
  if (!file.volume && name.startsWith('(') && name.includes(')')) {
    const { device, path } = splitDevice(name);
    if (device !== undefined && path.startsWith('/')) {
      const own = machine.guest.file(path, machine.home);
      // Not there either: then the device's absence is the reason.
      if (own.found) file = own;
    }
  }
  return payload(file);
}

function reset(loader: LoaderState): void {
  loader.kernel = undefined;
  loader.args = '';
  loader.initrds = [];
  loader.modules = undefined;
  loader.hypervisor = undefined;
  loader.foreign = undefined;
}

/** Options that stand before the file name and change nothing here. */
const LOADER_OPTIONS: ReadonlySet<string> = new Set([
  '--nounzip',
  '--quirk-bad-kludge',
  '--quirk-modules-after-kernel',
]);

function withoutOptions(args: readonly ByteString[]): readonly ByteString[] {
  let from = 0;
  while (from < args.length && LOADER_OPTIONS.has(args[from]!)) from++;
  return args.slice(from);
}

const noFile = (machine: Machine): number => machine.error('filename expected', GRUB_ERROR.badArgument);

export const linux: CommandHandler = (machine, args) => {
  const [name, ...rest] = args;
  if (name === undefined) return noFile(machine);
  const { loader } = machine;
  reset(loader);
  loader.kernel = loadable(machine, name);
  loader.args = commandLine(rest);
  machine.budget.allocate(loader.args.length);
  return loader.kernel.problem === undefined ? 0 : machine.fileError(loader.kernel, name);
};

/** `newc:NAME:FILE` puts the file into an archive under that name. */
function initrdPart(machine: Machine, argument: ByteString): { part: InitrdPart; name: ByteString } {
  const newc = /^newc:([^:]*):([\s\S]*)$/.exec(argument);
  const name = newc ? newc[2]! : argument;
  const file = loadable(machine, name);
  return { part: newc ? { file, newcName: newc[1]!.replace(/^\/+/, '') } : { file }, name };
}

export const initrd: CommandHandler = (machine, args) => {
  const { loader } = machine;
  const names = args.filter((arg) => !LOADER_OPTIONS.has(arg));
  if (names.length === 0) return noFile(machine);
  const parts = names.map((name) => initrdPart(machine, name));
  // A second `initrd` replaces the first, as in GRUB's loaders for real machines.
  loader.initrds = parts.map(({ part }) => part);
  // Noted above all the same: a list shows what the entry wanted.
  if (loader.kernel?.problem !== undefined || (!loader.kernel && loader.modules === undefined))
    return machine.error('you need to load the kernel first', GRUB_ERROR.badArgument);
  const missing = parts.find(({ part }) => part.file.problem !== undefined);
  return missing ? machine.fileError(missing.part.file, missing.name) : 0;
};

export const multiboot: CommandHandler = (machine, args) => {
  const [name] = withoutOptions(args);
  if (name === undefined) return noFile(machine);
  const { loader } = machine;
  reset(loader);
  loader.hypervisor = loadable(machine, name);
  loader.modules = [];
  return loader.hypervisor.problem === undefined ? 0 : machine.fileError(loader.hypervisor, name);
};

export const loadModule: CommandHandler = (machine, args) => {
  const [name, ...rest] = withoutOptions(args);
  if (name === undefined) return noFile(machine);
  const { loader } = machine;
  if (!loader.modules) return machine.error('you need to load the kernel first', GRUB_ERROR.badArgument);
  // grub-mkconfig writes this word because old hypervisors dropped the first one.
  const words = rest[0] === 'placeholder' ? rest.slice(1) : rest;
  const file = loadable(machine, name);
  loader.modules = [...loader.modules, { file, args: commandLine(words) }];
  return file.problem === undefined ? 0 : machine.fileError(file, name);
};

/** Loaders of other systems: noted, never booted here. */
export const foreign: CommandHandler = (machine, args, name) => {
  const { loader } = machine;
  reset(loader);
  const what = args.filter((arg) => !arg.startsWith('-')).at(-1);
  loader.foreign =
    what === undefined
      ? `cannot be booted here (${printable(name)})`
      : `starts ${printable(what.replace(/^\([^)]*\)(?=\/)/, '').replace(/^\//, ''))}: cannot be booted here (${printable(name)})`;
  return 0;
};

const FOREIGN = [
  'appleloader',
  'chainloader',
  'freedos',
  'kfreebsd',
  'knetbsd',
  'kopenbsd',
  'macloader',
  'ntldr',
  'plan9',
  'pxechainloader',
  'truecrypt',
  'uefi-firmware',
  'xnu_kernel',
  'xnu_kernel64',
  'xnu_resume',
];

const boot: CommandHandler = (machine) => {
  const { loader } = machine;
  const first = loader.kernel ?? loader.hypervisor;
  if (loader.foreign === undefined && (!first || first.problem !== undefined))
    return machine.error('you need to load the kernel first', GRUB_ERROR.noKernel);
  return machine.stop('boot');
};

export const loader: CommandTable = {
  linux,
  linux16: linux,
  linuxefi: linux,
  initrd,
  initrd16: initrd,
  initrdefi: initrd,
  multiboot,
  multiboot2: multiboot,
  xen_hypervisor: multiboot,
  module: loadModule,
  module2: loadModule,
  xen_module: loadModule,
  xen_linux: loadModule,
  xen_initrd: loadModule,
  ...Object.fromEntries(FOREIGN.map((name) => [name, foreign])),
  boot,
  halt: (machine) => machine.stop('halt'),
  reboot: (machine) => machine.stop('reboot'),
  exit: (machine) => machine.stop('exit'),
};
