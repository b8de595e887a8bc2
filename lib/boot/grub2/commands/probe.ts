/** `probe`: what a device is. */
import type { ByteString } from '../../../bytes/text';
import { isLoopback } from './devices';
import { openDevice, openFileSystem } from './open';
import { has, type OptionSpec, optionValue, parseOptions } from './options';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

const SPECS: OptionSpec[] = [
  { long: 'set', short: 's', value: 'required' },
  { long: 'driver', short: 'd' },
  { long: 'partmap', short: 'p' },
  { long: 'fs', short: 'f' },
  { long: 'fs-uuid', short: 'u' },
  { long: 'label', short: 'l' },
  { long: 'part-uuid' },
];

function probe(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS);
  if (typeof parsed === 'number') return parsed;
  const name = parsed.operands[0];
  if (name === undefined) return machine.error('device name required', GRUB_ERROR.badArgument);
  const volume = openDevice(machine, name);
  if (typeof volume === 'number') return volume;
  const answer = (value: ByteString) => {
    const variable = optionValue(parsed, 'set');
    if (variable === undefined) machine.print(value);
    else machine.set(variable, value);
    return 0;
  };

  if (has(parsed, 'driver')) {
    const disk = machine.guest.disks.find((d) => d.name === volume.disk);
    if (/^(lvm|md)\//.test(volume.disk)) return answer('diskfilter');
    return answer(disk?.of ? 'cryptodisk' : disk && isLoopback(disk) ? 'loopback' : 'xen');
  }
  if (has(parsed, 'partmap')) return answer(volume.scheme ?? 'none');
  if (has(parsed, 'part-uuid')) return answer(volume.partition?.uuid ?? 'none');

  const fs = openFileSystem(machine, volume);
  if (typeof fs === 'number') return fs;
  if (has(parsed, 'fs')) return answer(fs.grubName);
  if (has(parsed, 'fs-uuid'))
    return fs.uuid === undefined
      ? machine.error(`${fs.grubName} does not support UUIDs`, GRUB_ERROR.notImplemented)
      : answer(fs.uuid);
  // GRUB's FAT and NTFS say that they have no label; its other drivers, that it is empty.
  const label = fs.label ?? (fs.grubName === 'fat' || fs.grubName === 'ntfs' ? undefined : '');
  if (has(parsed, 'label'))
    return label === undefined
      ? machine.error(`filesystem \`${fs.grubName}' does not support labels`, GRUB_ERROR.notImplemented)
      : answer(label);
  return machine.error('unrecognised target', GRUB_ERROR.badArgument);
}

export const probeCommands: CommandTable = { probe };
