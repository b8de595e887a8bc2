/** `loopback`: a file of the guest as a disk. */
import type { ByteString } from '../../../bytes/text';
import { printable } from '../../../bytes/text';
import { FileBackedSource } from '../../../fs/file-source';
import { isLoopback, loopbackDepth } from './devices';
import { openFile, reading } from './open';
import { has, type OptionSpec, parseOptions } from './options';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

/** Images within images within …; a live system has two or three. */
const MAX_DEPTH = 8;
/** What the page cache of one more disk may hold. */
const CACHE_COST = 4 * 1024 * 1024;

const SPECS: OptionSpec[] = [
  { long: 'delete', short: 'd' },
  { long: 'decompress', short: 'D' },
];

function loopback(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS);
  if (typeof parsed === 'number') return parsed;
  const [name, path] = parsed.operands;
  if (name === undefined) return machine.error('device name required', GRUB_ERROR.badArgument);
  const old = machine.guest.disks.find((d) => d.name === name && isLoopback(d));
  if (has(parsed, 'delete')) {
    if (!old) return machine.error('device not found', GRUB_ERROR.badDevice);
    machine.guest.removeDisk(name);
    return 0;
  }
  if (path === undefined) return machine.error('filename expected', GRUB_ERROR.badArgument);
  if (old) return machine.error('device name already exists', GRUB_ERROR.badArgument);
  const open = openFile(machine, path);
  if (typeof open === 'number') return open;
  const below = open.file.volume;
  const depth = below ? loopbackDepth(below.source) + 1 : 1;
  if (depth > MAX_DEPTH) {
    machine.warn(`loopback ${printable(name)}: more than ${MAX_DEPTH} images within each other`);
    return machine.error('out of memory', GRUB_ERROR.outOfMemory);
  }
  return reading(machine, () => {
    machine.budget.allocate(CACHE_COST);
    const label = printable(name);
    machine.guest.addDisk(name, new FileBackedSource(open.fs, open.node, label, depth, machine));
    return 0;
  });
}

export const loopbackCommands: CommandTable = { loopback };
