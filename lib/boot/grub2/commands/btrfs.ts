/**
 * The commands that SUSE's and Fedora's GRUB has for subvolumes. `btrfs-mount-subvol` is what their configurations use, for
 * subvolumes that the default one holds only as mount points.
 */
import { type ByteString, printable } from '../../../bytes/text';
import { MOUNTS, type Mounted } from '../seen';
import { openDevice, openFileSystem } from './open';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

/** Mounts kept: each costs a walk. */
const MOST = 64;

function mountSubvolume(machine: Machine, args: ByteString[]): number {
  const [device, directory, subvolume] = args;
  if (args.length !== 3 || !device || !directory || !subvolume)
    return machine.error('three arguments expected', GRUB_ERROR.badArgument);
  const volume = openDevice(machine, device);
  if (typeof volume === 'number') return volume;
  const fs = openFileSystem(machine, volume);
  if (typeof fs === 'number') return fs;
  if (fs.grubName !== 'btrfs') return machine.error('not a btrfs filesystem', GRUB_ERROR.badFilesystem);
  const before = (machine.memory.get(MOUNTS) as readonly Mounted[] | undefined) ?? [];
  // The directory's last one counts.
  const others = before.filter((mount) => mount.device !== volume.name || mount.directory !== directory);
  if (others.length >= MOST) {
    machine.warn(`btrfs-mount-subvol ${printable(directory)}: more than ${MOST} subvolumes`);
    return 0;
  }
  machine.memory.set(MOUNTS, [...others, { device: volume.name, directory, subvolume }] satisfies Mounted[]);
  return 0;
}

export const btrfsCommands: CommandTable = { 'btrfs-mount-subvol': mountSubvolume };
