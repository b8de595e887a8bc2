/** Giving up root before the first guest byte is parsed. */
import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { GuestError, hostError } from '../bytes/errors';

/** Debian's, Red Hat's and SUSE's `nobody`/`nogroup`. The name service is not asked: it may block or load plugins. */
export const NOBODY = 65534;

/** The chunks are loaded after the drop: can every user read them? (An owner's or a group's right does not count.) */
function readableForAll(file: string): boolean {
  if ((statSync(file).mode & 0o004) === 0) return false;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/**
 * Permanently becomes `uid` (and the group of that number), without supplementary groups. Descriptors stay open.
 * @param program folder of the built program; where the user cannot read it, its chunks are loaded first
 * @returns what is in force, for the log
 * @throws GuestError `io` when it cannot be done
 */
export function dropPrivileges(uid: number, program: string): string {
  if (process.getuid?.() !== 0) return 'not root';
  try {
    process.setgroups?.([]);
    if (!readableForAll(__filename)) {
      const chunks = readdirSync(program).filter(
        (name) => /-.*\.js$/.test(name) && !name.startsWith('make-'),
      );
      for (const chunk of chunks.map((name) => `./${name}`)) require(chunk);
    }
    process.setgid?.(uid);
    process.setuid?.(uid);
  } catch (error) {
    throw hostError(`cannot become user ${uid}`, error);
  }
  if (process.getuid?.() !== uid || process.geteuid?.() !== uid || process.getgid?.() !== uid)
    throw new GuestError('io', `cannot become user ${uid}`);
  return `user ${uid}`;
}
