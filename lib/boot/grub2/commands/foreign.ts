/**
 * Configurations of other bootloaders that a grub.cfg hands over to, and what `grub-menulst2cfg` makes of them. GRUB
 * translates such a file into its own language; here the dialect that knows it evaluates it.
 */
import { GuestError } from '../../../bytes/errors';
import { type ByteString, printable } from '../../../bytes/text';
import { loaderKind } from '../../../kernel/loader-kind';
import type { BootMenu, ConfigFile } from '../../model';
import { foreign, initrd, linux, loadable, loadModule, multiboot } from './loader';
import { openFile, reading } from './open';
import { type OptionSpec, parseOptions } from './options';
import { PASSWORDS, passwords } from './passwords';
import { type CommandHandler, type CommandTable, GRUB_ERROR, type Machine } from './types';

/** Evaluations of other configurations in one: each has a budget of its own. */
const MAX_HANDOVERS = 20;
const MEMORY = 'handovers';

function handOver(
  machine: Machine,
  name: ByteString,
  command: ByteString,
  evaluate: (config: ConfigFile) => BootMenu,
): number {
  const open = openFile(machine, name);
  if (typeof open === 'number') return open;
  const { volume } = open.file;
  if (!volume) return machine.error('no device is set', GRUB_ERROR.badDevice);
  const count = ((machine.memory.get(MEMORY) as number | undefined) ?? 0) + 1;
  machine.memory.set(MEMORY, count);
  if (count > MAX_HANDOVERS) return machine.error('maximum recursion depth exceeded', GRUB_ERROR.recursion);
  let menu: BootMenu;
  try {
    menu = evaluate({ volume, path: open.file.path, fs: open.fs, node: open.node });
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    machine.warn(`${command} ${printable(name)}: ${error.describe()}`);
    return machine.error('cannot read the configuration', GRUB_ERROR.fileRead);
  }
  // Its entries stay locked, so what unlocks them comes along.
  if (menu.passwords) {
    const users = new Map([...passwords(machine), ...menu.passwords]);
    const master = menu.passwords.get('');
    if (master && menu.superusers) {
      // GRUB's translation of `password` makes this user.
      users.set('legacy', master);
      machine.set('superusers', 'legacy');
      machine.export('superusers');
    }
    machine.memory.set(PASSWORDS, users);
  }
  const extract = command.startsWith('extract_');
  machine.addMenu(menu, !extract, command.endsWith('_configfile'));
  return 0;
}

const legacy: CommandHandler = (machine, args, command) => {
  const [name] = args;
  if (name === undefined || args.length !== 1)
    return machine.error('filename expected', GRUB_ERROR.badArgument);
  const { evaluate } = require('../../grublegacy/dialect') as typeof import('../../grublegacy/dialect');
  return handOver(machine, name, command, (config) =>
    evaluate(config, { ...machine.context, guest: machine.guest }),
  );
};

const SYSLINUX_OPTIONS: readonly OptionSpec[] = [
  { long: 'root', short: 'r', value: 'required' },
  { long: 'cwd', short: 'c', value: 'required' },
  { long: 'isolinux', short: 'i' },
  { long: 'pxelinux', short: 'p' },
  { long: 'syslinux', short: 's' },
];

const syslinux: CommandHandler = (machine, args, command) => {
  const parsed = parseOptions(machine, command, args, SYSLINUX_OPTIONS);
  if (typeof parsed === 'number') return parsed;
  const [name] = parsed.operands;
  if (name === undefined || parsed.operands.length !== 1)
    return machine.error('filename expected', GRUB_ERROR.badArgument);
  const value = (long: string) => parsed.given.filter((o) => o.spec.long === long).at(-1)?.value;
  const [root, cwd] = [value('root'), value('cwd')];
  const { evaluateFrom } = require('../../syslinux/dialect') as typeof import('../../syslinux/dialect');
  return handOver(machine, name, command, (config) =>
    evaluateFrom(
      config,
      { ...machine.context, guest: machine.guest },
      { ...(root === undefined ? {} : { root }), ...(cwd === undefined ? {} : { cwd }) },
    ),
  );
};

const KIND = 'legacy_kernel';

/** `legacy_kernel [--type=T] [--no-mem-option] FILE FILE-AS-WRITTEN ARGUMENTS`: Linux, or a multiboot program. */
const legacyKernel: CommandHandler = (machine, args) => {
  const rest = [...args];
  let type = '';
  while (rest[0]?.startsWith('--')) {
    const option = rest.shift()!;
    if (option.startsWith('--type=')) type = option.slice('--type='.length);
  }
  const [name, asWritten, ...kernelArgs] = rest;
  if (name === undefined || asWritten === undefined)
    return machine.error('filename expected', GRUB_ERROR.badArgument);
  let isMultiboot = type === 'multiboot';
  if (type === '') {
    const { found } = loadable(machine, name);
    if (found)
      reading(machine, () => {
        isMultiboot = loaderKind(found.fs, found.node, machine) === 'multiboot';
        return 0;
      });
  } else if (type !== 'linux' && type !== 'biglinux' && !isMultiboot) {
    return foreign(machine, [name], `kernel --type=${type}`);
  }
  machine.memory.set(KIND, isMultiboot ? 'multiboot' : 'linux');
  return isMultiboot
    ? multiboot(machine, [name, asWritten, ...kernelArgs], 'multiboot')
    : linux(machine, [name, ...kernelArgs], 'linux');
};

/** `legacy_initrd FILE FILE-AS-WRITTEN ARGUMENTS`: the ramdisk of a Linux, a module of a multiboot program. */
const legacyInitrd: CommandHandler = (machine, args) => {
  const kind = machine.memory.get(KIND);
  if (kind === undefined) return machine.error('you need to load the kernel first', GRUB_ERROR.badArgument);
  return kind === 'multiboot'
    ? loadModule(machine, [args[0] ?? '', ...args.slice(2)], 'module')
    : initrd(machine, args.slice(0, 1), 'initrd');
};

/** None of these names may be in the core's tables. */
export const foreignCommands: CommandTable = {
  legacy_source: legacy,
  legacy_configfile: legacy,
  extract_legacy_entries_source: legacy,
  extract_legacy_entries_configfile: legacy,
  syslinux_source: syslinux,
  syslinux_configfile: syslinux,
  extract_syslinux_entries_source: syslinux,
  extract_syslinux_entries_configfile: syslinux,
  legacy_kernel: legacyKernel,
  legacy_initrd: legacyInitrd,
  legacy_initrd_nounzip: legacyInitrd,
};
