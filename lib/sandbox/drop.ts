/** Giving up root before the first guest byte is parsed. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { hostError } from '../bytes/errors';

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
 * Permanently becomes the user asked for and the group of that number, without supplementary groups; root without being
 * asked becomes nobody. Descriptors stay open. The C library changes every thread, the one that writes (outputs.ts) and V8's
 * among them.
 * @param asked not root
 * @param program folder of the built program; where the user cannot read it, its chunks are loaded first
 * @returns what is in force, for the log
 * @throws GuestError `io` when it cannot be done
 */
export function dropPrivileges(asked: number | undefined, program: string): string {
  const { getuid, geteuid, getgid } = process as Required<NodeJS.Process>;
  if (!asked && getuid() && geteuid()) return `not root${seen()}`;
  const uid = asked ?? NOBODY;
  try {
    // At this signal, which others of that user may send, Node would open a debugger's port.
    process.on('SIGUSR1', () => {});
    process.setgroups?.([]);
    if (!readableForAll(__filename)) {
      const chunks = readdirSync(program).filter(
        (name) => /-.*\.js$/.test(name) && !name.startsWith('make-'),
      );
      for (const chunk of chunks.map((name) => `./${name}`)) require(chunk);
    }
    process.setgid?.(uid);
    process.setuid?.(uid);
    if (getuid() !== uid || geteuid() !== uid || getgid() !== uid) throw Error('refused');
    return `basic: user ${uid}${seen(true)}`;
  } catch (error) {
    throw hostError(`cannot become user ${uid}`, error);
  }
}

/**
 * What proc(5) says of this process; nothing where it is not mounted.
 * @param changed then no capability may be left: root's securebits may say that they stay
 */
function seen(changed?: boolean): string {
  let status = '';
  try {
    status = readFileSync('/proc/self/status', 'latin1');
  } catch {}
  if (changed && /^Cap(Prm|Eff):.*[1-9a-f]/m.test(status)) throw Error('capabilities are left');
  return /^NoNewPrivs:\t1/m.test(status) ? ', no new privileges' : '';
}
