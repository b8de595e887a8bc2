/**
 * Looks for boot configurations over all volumes, in the contract's order: two passes, the usual places first, so
 * that a stale stub never beats a root's own grub.cfg.
 */
import { GuestError } from '../bytes/errors';
import { type ByteString, printable } from '../bytes/text';
import type { FileSystem } from '../fs/types';
import { tryWalk } from '../fs/walk';
import { orderForBoot } from '../volume';
import type { Disk, Guest, Volume } from './guest';
import type { BootDialect, ConfigFile } from './model';

/** How near a volume came to booting; the most likely volume's reason ends up in the last line. */
export enum Rank {
  Nothing = 0,
  UnknownContent = 1,
  NoConfig = 2,
  Unreadable = 3,
  BadConfig = 4,
  NoEntries = 5,
  EntryFails = 6,
}

export interface Diagnostic {
  readonly volume: Volume;
  readonly rank: Rank;
  /** `gpt2 ext4: /boot/grub/grub.cfg: menuentry 'X': /boot/vmlinuz-6.1: not found` */
  readonly text: string;
}

/** `gpt2`, `hd1,gpt2` (not the first disk), `disk` (no table). */
export function shortName(volume: Volume): string {
  if (volume.disk === 'hd0') return volume.name === 'hd0' ? 'disk' : volume.name.slice('hd0,'.length);
  return volume.name;
}

/** `gpt2 ext4` */
export function volumeLabel(volume: Volume, fs?: FileSystem): string {
  return fs ? `${shortName(volume)} ${fs.type}` : shortName(volume);
}

/** MBR: the active partition first, then table order. The disk as a whole comes last: a stale table may lie on it. */
export function bootOrder(disk: Disk): Volume[] {
  if (disk.partitions.length === 0) return [disk.whole];
  const rows = orderForBoot(disk.scheme, disk.partitions, (v) => v.partition);
  return [...rows, disk.whole];
}

/** The filesystem, or undefined with the reason noted. */
export function readableFileSystem(volume: Volume, note: (d: Diagnostic) => void): FileSystem | undefined {
  try {
    const fs = volume.filesystem();
    if (!fs && volume.source.size > 0)
      note({
        volume,
        rank: Rank.UnknownContent,
        text: `${shortName(volume)}: no filesystem that is known here`,
      });
    return fs;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    note({ volume, rank: Rank.Unreadable, text: `${shortName(volume)} ${error.describe()}` });
    return undefined;
  }
}

/** The configuration files of one volume that `dialects` know, first places first; on btrfs, of its usual subvolumes. */
function* configsOn(
  volume: Volume,
  fs: FileSystem,
  dialects: readonly BootDialect[],
  note: (d: Diagnostic) => void,
): Generator<{ dialect: BootDialect; config: ConfigFile }> {
  yield* configsIn(volume, fs, dialects, note);
  if (!fs.seenBy) return;
  const { placesIn } = require('./subvolumes') as typeof import('./subvolumes');
  for (const place of placesIn(fs, (text) =>
    note({ volume, rank: Rank.Unreadable, text: `${volumeLabel(volume, fs)}: ${text}` }),
  ))
    yield* configsIn(
      place.fs === fs ? volume : { ...volume, filesystem: () => place.fs },
      place.fs,
      dialects,
      note,
      place,
    );
}

function* configsIn(
  volume: Volume,
  fs: FileSystem,
  dialects: readonly BootDialect[],
  note: (d: Diagnostic) => void,
  { prefix, ...more }: { readonly prefix: ByteString; readonly relative?: true } = { prefix: '' },
): Generator<{ dialect: BootDialect; config: ConfigFile }> {
  for (const dialect of dialects) {
    for (const place of dialect.paths) {
      const path = prefix + place;
      try {
        const node = tryWalk(fs, path);
        if (node?.kind === (path.endsWith('/') ? 'directory' : 'file'))
          yield { dialect, config: { volume, path, fs, node, ...more } };
      } catch (error) {
        if (!(error instanceof GuestError)) throw error;
        note({
          volume,
          rank: Rank.Unreadable,
          text: `${volumeLabel(volume, fs)}: ${printable(path)}: ${error.describe()}`,
        });
      }
    }
  }
}

/**
 * Every configuration of the guest, in the order in which they are to be tried.
 * @param passes the dialects of each pass over all volumes, asked for when the pass begins
 */
export function* discover(
  guest: Guest,
  passes: readonly (() => readonly BootDialect[])[],
  note: (d: Diagnostic) => void,
): Generator<{ dialect: BootDialect; config: ConfigFile }> {
  for (const [pass, dialects] of passes.entries()) {
    for (const disk of guest.everyDisk()) {
      for (const volume of bootOrder(disk)) {
        if (guest.over) return;
        // The whole of a partitioned disk is a last resort, and silent when there is nothing.
        const quiet = pass > 0 || (volume === disk.whole && disk.partitions.length > 0);
        const fs = readableFileSystem(volume, quiet ? () => {} : note);
        if (!fs) continue;
        let any = false;
        for (const found of configsOn(volume, fs, dialects(), note)) {
          any = true;
          yield found;
        }
        if (!any && !quiet)
          note({ volume, rank: Rank.NoConfig, text: `${volumeLabel(volume, fs)}: no boot configuration` });
      }
    }
  }
}

/**
 * A volume before `winner` in table order that holds a configuration too: there, pygrub would have taken that one.
 */
export function pygrubWouldTake(
  guest: Guest,
  dialects: readonly BootDialect[],
  winner: Volume,
): Volume | undefined {
  // Only an active partition of an MBR is taken out of turn.
  if (winner.scheme !== 'msdos' || !winner.partition?.active) return undefined;
  for (const disk of guest.disks) {
    for (const volume of disk.partitions) {
      if (volume === winner) return undefined;
      const fs = readableFileSystem(volume, () => {});
      if (fs && !configsOn(volume, fs, dialects, () => {}).next().done) return volume;
    }
  }
  return undefined;
}
