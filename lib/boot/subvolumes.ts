/** Where in a btrfs the root may be that a configuration belongs to. */
import { GuestError } from '../bytes/errors';
import type { ByteString } from '../bytes/text';
import type { FileSystem } from '../fs/types';

/** Subvolumes that installers make the root: Ubuntu and openSUSE, Debian, Fedora. */
export const SUBVOLUMES = ['/@', '/@rootfs', '/root'];

export interface Place {
  readonly fs: FileSystem;
  readonly prefix: ByteString;
  /** The filesystem as it shows from its default subvolume. */
  readonly relative?: true;
}

/** After the top level: the default subvolume, then those that are usual. */
export function* placesIn(fs: FileSystem, note: (text: string) => void): Generator<Place> {
  let seen = fs;
  try {
    seen = fs.seenBy?.((name) => (name === 'btrfs_relative_path' ? 'y' : undefined)) ?? fs;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    note(error.describe());
  }
  if (seen !== fs) yield { fs: seen, prefix: '', relative: true };
  for (const prefix of SUBVOLUMES) yield { fs, prefix };
}
