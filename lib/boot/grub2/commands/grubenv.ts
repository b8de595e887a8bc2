/**
 * `load_env`, `save_env`, `list_env`. What is saved is kept in memory and seen by whatever reads the file later in the
 * same run. The guest's disk is not written, so a one-shot entry (`grub-reboot`) comes again each time, but with `--write-env`
 * (lib/writeenv).
 */
import type { ByteString } from '../../../bytes/text';
import { fileExtents } from '../../../fs/file';
import type { BootTarget } from '../../model';
import { assignments, isEnvironmentBlock, valueIn, withoutName, withValue } from '../envblock';
import { fileText, type OpenFile, openFile, reading, writtenKey } from './open';
import { type OptionSpec, optionValue, type Parsed, parseOptions } from './options';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

const SPECS: OptionSpec[] = [
  { long: 'file', short: 'f', value: 'required' },
  { long: 'skip-sig', short: 's' },
];

/** Variables that stand for one boot only: consumed, they are saved empty. */
const ONE_SHOT = new Set(['next_entry', 'prev_saved_entry', 'boot_once']);

/** Filesystems of which GRUB cannot tell where a file's blocks are, so that it does not write to them. */
const NOT_WRITABLE = new Set(['btrfs', 'zfs', 'squash4', 'procfs']);

function openBlock(machine: Machine, parsed: Parsed): OpenFile | number {
  const given = optionValue(parsed, 'file');
  if (given !== undefined) return openFile(machine, given);
  const prefix = machine.get('prefix');
  if (prefix === undefined) return machine.error("variable `prefix' isn't set", GRUB_ERROR.fileNotFound);
  return openFile(machine, `${prefix}/grubenv`);
}

/** Calls `use` with the block; GRUB's error when the file is not one. */
function withBlock(machine: Machine, open: OpenFile, use: (block: ByteString) => number): number {
  return reading(machine, () => {
    const block = fileText(machine, open, 'smallFileBytes');
    if (!isEnvironmentBlock(block)) return machine.error('invalid environment block', GRUB_ERROR.badFileType);
    return use(block);
  });
}

function loadEnv(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS);
  if (typeof parsed === 'number') return parsed;
  const open = openBlock(machine, parsed);
  if (typeof open === 'number') return open;
  const wanted = parsed.operands.length > 0 ? new Set(parsed.operands) : undefined;
  return withBlock(machine, open, (block) => {
    for (const { name, value } of assignments(block, machine))
      if (!wanted || wanted.has(name)) machine.set(name, value);
    return 0;
  });
}

function listEnv(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS);
  if (typeof parsed === 'number') return parsed;
  const open = openBlock(machine, parsed);
  if (typeof open === 'number') return open;
  return withBlock(machine, open, (block) => {
    for (const { name, value } of assignments(block, machine)) machine.print(`${name}=${value}\n`);
    return 0;
  });
}

function saveEnv(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS);
  if (typeof parsed === 'number') return parsed;
  if (parsed.operands.length === 0) return machine.error('no variable is specified', GRUB_ERROR.badArgument);
  const open = openBlock(machine, parsed);
  if (typeof open === 'number') return open;
  return withBlock(machine, open, (block) => {
    if (!writable(machine, open)) return machine.error('sparse file not allowed', GRUB_ERROR.badFileType);
    let next = block;
    for (const name of parsed.operands) {
      const value = machine.get(name);
      machine.budget.allocate(next.length);
      const changed =
        value === undefined ? withoutName(next, name, machine) : withValue(next, name, value, machine);
      if (changed === undefined) return machine.error('environment block too small', GRUB_ERROR.badArgument);
      if (ONE_SHOT.has(name) && !value && valueIn(next, name, machine)) machine.oneShot(name);
      next = changed;
    }
    const key = writtenKey(open);
    machine.writtenFiles.set(key, next);
    const saves = machine.memory.get('saves') as BootTarget['saves'];
    machine.memory.set('saves', new Map(saves).set(key, { ...open, block: next }));
    return 0;
  });
}

/** GRUB writes only where every byte of the file lies on the disk as it is. */
function writable(machine: Machine, open: OpenFile): boolean {
  if (NOT_WRITABLE.has(open.fs.grubName)) return false;
  for (const extent of fileExtents(open.fs, open.node, machine)) if (extent.kind !== 'data') return false;
  return true;
}

export const grubenvCommands: CommandTable = { load_env: loadEnv, save_env: saveEnv, list_env: listEnv };
