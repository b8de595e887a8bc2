/** A volume's filesystem as a script sees it: on btrfs, its variables say in which subvolume paths begin. */
import type { ByteString } from '../../bytes/text';
import type { FileSystem, SubvolumeMount } from '../../fs/types';
import type { Volume } from '../guest';

/** What commands remember of `btrfs-mount-subvol`. */
export interface Mounted extends SubvolumeMount {
  /** The volume's name. */
  readonly device: string;
}
export const MOUNTS = 'btrfs-mount-subvol';

/** The part of a scope that it depends on. */
export interface Seer {
  readonly memory: ReadonlyMap<string, unknown>;
  get(name: ByteString): ByteString | undefined;
}

/** @throws GuestError as `volume.filesystem()` */
export function seenBy(scope: Seer, volume: Volume): FileSystem | undefined {
  const fs = volume.filesystem();
  if (!fs?.seenBy) return fs;
  const mounts = (scope.memory.get(MOUNTS) as readonly Mounted[] | undefined) ?? [];
  return fs.seenBy(
    (name) => scope.get(name),
    mounts.filter((mount) => mount.device === volume.name),
  );
}
