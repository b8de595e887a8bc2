/** Giving up root before the first guest byte is parsed. */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { GuestError, hostError } from '../bytes/errors';

/** Debian's, Red Hat's and SUSE's `nobody`/`nogroup`. The name service is not asked: it may block or load plugins. */
export const NOBODY = 65534;

/** The chunks are loaded after the drop: can that user read them? */
function readableFor(uid: number, gid: number, file: string): boolean {
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    closeSync(openSync(file, 'r'));
    return true;
  } catch {
    return false;
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
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
    if (!readableFor(uid, uid, __filename)) {
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
