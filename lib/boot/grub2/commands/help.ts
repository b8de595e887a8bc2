/** What `help` says, in our own words: how a command is called here, and what it does here. */
import type { ByteString } from '../../../bytes/text';
import type { Machine } from './types';

interface Help {
  readonly usage: string;
  readonly text: string;
}

const HASH = '[-c LIST [-p PREFIX]] [-k] [FILE ...]';
const ENTRY = 'TITLE [--class C] [--users U] [--unrestricted] [--hotkey K] [--id ID] { COMMANDS }';
const MULTIBOOT = 'FILE [ARGUMENT ...]';

/** Name, usage, what it does; several names share a line. */
const LINES: readonly (readonly [names: string, usage: string, text: string])[] = [
  ['linux linux16 linuxefi', 'FILE [ARGUMENT ...]', 'Loads a kernel, with its command line.'],
  ['initrd initrd16 initrdefi', 'FILE|newc:NAME:FILE ...', 'Loads ramdisks for the kernel.'],
  ['boot', '', 'Boots what was loaded.'],
  [
    'multiboot multiboot2 xen_hypervisor',
    MULTIBOOT,
    'Loads a hypervisor; only its modules are booted here, the first one as the kernel.',
  ],
  ['module module2 xen_module xen_linux xen_initrd', MULTIBOOT, 'Loads a module of a multiboot program.'],
  ['chainloader', 'FILE', 'Another loader: it cannot be booted here.'],
  ['ls', '[-l] [-h] [-a] [DEVICE|FILE ...]', 'Lists devices, or files of a device.'],
  ['cat', '[--dos] FILE', 'Shows a file.'],
  ['cmp', '[-v] FILE FILE', 'Compares two files.'],
  ['hashsum', `-h HASH ${HASH}`, 'Prints or checks digests of files.'],
  ['md5sum sha1sum sha256sum sha512sum crc', HASH, 'Prints or checks digests of files.'],
  ['echo', '[-n] [-e] [WORD ...]', 'Prints its words; -n without a newline, -e with escapes.'],
  ['set', '[NAME=VALUE]', 'Sets a variable, or lists all of them.'],
  ['unset', 'NAME', 'Removes a variable.'],
  ['export', 'NAME ...', 'Makes variables visible in menus that are opened from this one.'],
  ['read', '[NAME]', 'Takes the next line as the value of a variable.'],
  ['source .', 'FILE', 'Runs a script in this place.'],
  ['configfile', 'FILE', 'Opens the menu of another configuration.'],
  ['normal', '[FILE]', 'Runs a configuration and shows its menu.'],
  ['normal_exit', '', 'Goes back to the menu.'],
  ['extract_entries_source extract_entries_configfile', 'FILE', 'Takes only the entries of a configuration.'],
  ['menuentry', ENTRY, 'Makes an entry of the menu.'],
  ['hiddenentry', ENTRY, 'Makes an entry that is booted by its key alone.'],
  ['submenu', ENTRY, 'Makes an entry that opens a menu.'],
  ['search', '[-f|-l|-u] [-s [NAME]] [--hint DEVICE] NAME', 'Looks for a device by file, label or UUID.'],
  ['search.file search.fs_label search.fs_uuid', 'NAME [VARIABLE [HINT ...]]', 'Looks for a device.'],
  [
    'probe',
    '[-s NAME] -d|-p|-f|-u|-l|--part-uuid DEVICE',
    'Tells driver, table, filesystem, UUID or label of a device.',
  ],
  ['loopback', '[-d] NAME [FILE]', 'Makes a file a device, or removes that device.'],
  ['regexp', '[-s [N:]NAME] PATTERN TEXT', 'Succeeds where the text matches, and keeps its groups.'],
  ['tr', '[-s NAME] [-U|-D|SET SET] TEXT', 'Replaces characters.'],
  ['load_env', '[-f FILE] [NAME ...]', 'Sets variables from an environment block.'],
  [
    'save_env',
    '[-f FILE] NAME ...',
    "Keeps variables until this program ends: a guest's disk is not written.",
  ],
  ['list_env', '[-f FILE]', 'Shows an environment block.'],
  ['blscfg bls_import', '[PATH]', 'Makes entries from Boot Loader Specification files.'],
  ['test', 'EXPRESSION', 'Evaluates a condition.'],
  ['[', 'EXPRESSION ]', 'Evaluates a condition.'],
  ['true', '', 'Succeeds.'],
  ['false', '', 'Fails.'],
  ['eval', 'WORD ...', 'Runs its words as a command.'],
  ['setparams', '[VALUE ...]', 'Sets $1, $2 and so on.'],
  ['shift', '[COUNT]', 'Drops the first of $1, $2 and so on.'],
  ['return', '[STATUS]', 'Leaves a function.'],
  ['break', '[COUNT]', 'Leaves loops.'],
  ['continue', '[COUNT]', 'Goes on with the next turn of a loop.'],
  ['increment', 'NAME', 'Adds one to a variable.'],
  ['decrement', 'NAME', 'Takes one from a variable.'],
  ['date', '', 'Shows the time of the host, in UTC.'],
  ['version', '', 'Shows the version of GRUB that is spoken here.'],
  ['gettext', 'TEXT', 'Prints a text; there are no translations here.'],
  ['time', 'COMMAND ...', 'Runs a command and tells how long it took.'],
  ['authenticate', '[USERS]', 'Fails unless a superuser or one of these users has given a password.'],
  ['password', 'USER PASSWORD', 'Defines a user.'],
  ['password_pbkdf2', 'USER HASH', 'Defines a user, by the hash of a password.'],
  ['legacy_password', '[--md5] PASSWORD', "Defines the user 'legacy'."],
  ['legacy_check_password', '[--md5] PASSWORD', 'Fails unless this password was given.'],
  [
    'legacy_source legacy_configfile extract_legacy_entries_source extract_legacy_entries_configfile',
    'FILE',
    'Takes the menu of a GRUB legacy configuration.',
  ],
  ['legacy_kernel', '[--type=TYPE] FILE NAME [ARGUMENT ...]', 'Loads a Linux or a multiboot program.'],
  ['legacy_initrd legacy_initrd_nounzip', 'FILE NAME', 'Loads a ramdisk, or a module.'],
  [
    'syslinux_source syslinux_configfile extract_syslinux_entries_source extract_syslinux_entries_configfile',
    '[-r DIR] [-c DIR] [-i|-p|-s] FILE',
    'Takes the menu of a syslinux configuration.',
  ],
  ['halt', '', 'Ends here; the guest does not boot.'],
  ['reboot', '', 'Ends here; the guest does not boot.'],
  ['exit', '', 'Ends here; the guest does not boot.'],
  ['clear', '', 'Clears the screen.'],
  ['sleep', '[-v] [-i] SECONDS', 'Does not wait here.'],
  ['help', '[PATTERN ...]', 'Lists the commands, or tells about those whose names begin so.'],
  ['insmod', 'MODULE', 'Does nothing: everything is loaded.'],
];

const OTHER: Help = { usage: '', text: 'Is known, and has nothing to do here.' };

/** Width of GRUB's console where nothing else is known. */
const COLUMNS = 80;

/** `help` over these names. Without patterns a list, else all whose names begin with one of the patterns. */
export function printHelp(
  machine: Machine,
  names: readonly ByteString[],
  patterns: readonly ByteString[],
): number {
  const known = new Map<ByteString, Help>();
  for (const [list, usage, text] of LINES)
    for (const name of list.split(' ')) known.set(name, { usage, text });
  const call = (name: ByteString) => `${name} ${(known.get(name) ?? OTHER).usage}`.trimEnd();
  if (patterns.length === 0) {
    const width = COLUMNS / 2 - 1;
    for (let i = 0; i < names.length; i += 2) {
      const row = names.slice(i, i + 2).map((name) =>
        call(name)
          .slice(0, width - 1)
          .padEnd(width),
      );
      machine.print(`${row.join('').trimEnd()}\n`);
    }
    return 0;
  }
  let first = true;
  for (const pattern of patterns)
    for (const name of names) {
      machine.budget.step();
      if (!name.startsWith(pattern)) continue;
      machine.print(`${first ? '' : '\n\n'}Usage: ${call(name)}\n${(known.get(name) ?? OTHER).text}\n`);
      first = false;
    }
  return 0;
}

/** The long options of a command, where its usage names them, without what follows them. */
export function longOptions(name: ByteString): ByteString[] {
  const words: ByteString[] = [];
  for (const [list, usage] of LINES)
    if (list.split(' ').includes(name)) words.push(...(usage.match(/--[a-z0-9-]+/g) ?? []));
  return [...new Set([...words, ...(Object.hasOwn(OPTIONS, name) ? OPTIONS[name]! : [])])];
}

/** Long options that usages give by their short letters. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  ls: ['--long', '--human-readable', '--all'],
  search: ['--file', '--label', '--fs-uuid', '--set', '--no-floppy'],
  probe: ['--set', '--driver', '--partmap', '--fs', '--fs-uuid', '--label'],
  hashsum: ['--hash', '--check', '--prefix', '--keep-going'],
  regexp: ['--set'],
  tr: ['--set', '--upcase', '--downcase'],
  load_env: ['--file', '--skip-sig'],
  save_env: ['--file'],
  list_env: ['--file', '--skip-sig'],
  loopback: ['--delete'],
};
