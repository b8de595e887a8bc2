/** `search` and its one-purpose forms: the device that holds a file, a label or a UUID. */
import { GuestError } from '../../../bytes/errors';
import type { ByteString } from '../../../bytes/text';
import { walk } from '../../../fs/walk';
import type { Volume } from '../../guest';
import { devices, isLoopback } from './devices';
import { quietFileSystem } from './open';
import { has, type OptionSpec, optionValue, optionValues, parseOptions } from './options';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

type Kind = 'file' | 'label' | 'uuid';

interface Query {
  readonly kind: Kind;
  readonly key: ByteString;
  /** Set to the first device found; without it all devices found are printed. */
  readonly variable: ByteString | undefined;
  /** Tried first, in order; one that ends in a comma stands for the partitions of that disk, too. */
  readonly hints: readonly ByteString[];
  /** Devices passed over. */
  readonly skip?: (volume: Volume) => boolean;
}

/** Labels and files match exactly, UUIDs without regard to (ASCII) case. */
const fold = (text: ByteString): ByteString => text.replace(/[A-Z]/g, (c) => c.toLowerCase());

function holds(machine: Machine, query: Query, volume: Volume): boolean {
  const fs = quietFileSystem(machine, volume);
  if (!fs) return false;
  switch (query.kind) {
    case 'uuid':
      return fs.uuid !== undefined && fold(fs.uuid) === fold(query.key);
    case 'label':
      return fs.label === query.key;
    case 'file':
      // GRUB opens `(device)KEY`: without a leading slash that is a list of blocks, which is not searched for.
      if (!query.key.startsWith('/')) return false;
      try {
        return walk(fs, query.key).kind === 'file';
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        return false;
      }
  }
}

function run(machine: Machine, query: Query): number {
  let found = 0;
  const cache = `search ${query.kind} ${query.kind === 'uuid' ? fold(query.key) : query.key}`;
  /** True when the search is over. `name` is what the variable becomes: a hint stays as it was written. */
  const tryDevice = (volume: Volume | undefined, name: ByteString): boolean => {
    machine.budget.step(10);
    if (!volume || query.skip?.(volume) || !holds(machine, query, volume)) return false;
    if (found++ === 0) machine.memory.set(cache, name);
    if (query.variable === undefined) machine.print(` ${name}`);
    else machine.set(query.variable, name);
    return query.variable !== undefined;
  };

  // GRUB asks first the device where the same search ended the last time.
  const before = machine.memory.get(cache);
  if (typeof before === 'string' && tryDevice(machine.guest.device(before), before)) return 0;
  for (const hint of query.hints) {
    const partitionsToo = hint.endsWith(',');
    const name = partitionsToo ? hint.slice(0, -1) : hint;
    if (name === '') continue;
    const volume = machine.guest.device(name);
    if (tryDevice(volume, name)) return 0;
    if (!partitionsToo || !volume) continue;
    const disk = machine.guest.disks.find((d) => d.whole === volume);
    for (const partition of disk?.partitions ?? []) if (tryDevice(partition, partition.name)) return 0;
  }
  for (const volume of devices(machine.guest)) if (tryDevice(volume, volume.name)) return 0;
  if (found > 0) return 0;
  // lib/boot/grub2/why.ts
  machine.memory.set('missed', query.key);
  return machine.error(`no such device: ${query.key}`, GRUB_ERROR.fileNotFound);
}

/** Hints are GRUB's own names of disks, which depend on the platform; here a wrong one just misses. */
const HINTS = [
  'hint',
  'hint-xen',
  'hint-bios',
  'hint-efi',
  'hint-baremetal',
  'hint-ieee1275',
  'hint-arc',
] as const;

const SPECS: OptionSpec[] = [
  { long: 'file', short: 'f' },
  { long: 'label', short: 'l' },
  { long: 'fs-uuid', short: 'u' },
  { long: 'set', short: 's', value: 'optional' },
  { long: 'no-floppy', short: 'n' },
  { long: 'efidisk-only' },
  { long: 'cryptodisk-only' },
  { long: 'root-dev-only', short: 'r' },
  { long: 'hint', short: 'h', value: 'required' },
  ...HINTS.slice(1).map((long): OptionSpec => ({ long, value: 'required' })),
];

function search(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS, { acceptDash: true });
  if (typeof parsed === 'number') return parsed;
  // Hints for platforms that this GRUB does not know yet.
  const operands = parsed.operands.slice();
  while (operands[0]?.startsWith('--hint-')) operands.shift();

  let variable = has(parsed, 'set') ? (optionValue(parsed, 'set') ?? 'root') : undefined;
  let key = operands[0];
  if (key === undefined) {
    key = optionValue(parsed, 'set');
    variable = 'root';
  }
  if (key === undefined) return machine.error('one argument expected', GRUB_ERROR.badArgument);

  const kind: Kind | undefined = has(parsed, 'label')
    ? 'label'
    : has(parsed, 'fs-uuid')
      ? 'uuid'
      : has(parsed, 'file')
        ? 'file'
        : undefined;
  if (!kind) return machine.error('unspecified search type', GRUB_ERROR.invalidCommand);

  const rootDisk = has(parsed, 'root-dev-only') ? machine.root()?.disk : undefined;
  const firmwareOnly = has(parsed, 'efidisk-only');
  const encryptedOnly = has(parsed, 'cryptodisk-only');
  return run(machine, {
    kind,
    key,
    variable,
    hints: HINTS.flatMap((name) => optionValues(parsed, name)),
    skip: (volume) =>
      (encryptedOnly && !machine.guest.disks.some((d) => d.name === volume.disk && d.of)) ||
      (rootDisk !== undefined && volume.disk !== rootDisk) ||
      (firmwareOnly && machine.guest.disks.some((d) => d.name === volume.disk && isLoopback(d))),
  });
}

/** `search.file NAME [VARIABLE [HINT…]]` and the like take no options. */
const plain =
  (kind: Kind) =>
  (machine: Machine, args: ByteString[]): number => {
    const [key, variable, ...hints] = args;
    if (key === undefined) return machine.error('one argument expected', GRUB_ERROR.badArgument);
    return run(machine, { kind, key, variable, hints });
  };

export const searchCommands: CommandTable = {
  search,
  'search.file': plain('file'),
  'search.fs_label': plain('label'),
  'search.fs_uuid': plain('uuid'),
};
