/**
 * The ways to make a sandbox that a machine may have, for parent.ts. strict.sh decides the same for the ways with bwrap
 * (`choose_method` in confine.sh); test/sandbox/methods.test.ts compares them over all machines.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Method = 'bwrap' | 'bwrap-root' | 'unshare';

/** What of a machine matters. */
export interface Machine {
  /** The program is in one of the system's own folders. */
  has(program: string): boolean;
  /** `user/max_user_namespaces` of /proc/sys; undefined where there is no such file. */
  setting(name: string): string | undefined;
}

const FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

export const fileOf = (name: string): string | undefined =>
  FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

export const thisMachine: Machine = {
  has: (program) => fileOf(program) !== undefined,
  setting(name) {
    try {
      return readFileSync(`/proc/sys/${name}`, 'latin1').trim();
    } catch {
      return undefined;
    }
  },
};

/**
 * Can a user without privileges make a user namespace? (user_namespaces(7); Debian's and Ubuntu's own switches) A kernel without
 * them has no such file.
 */
const userNamespaces = ({ setting }: Machine): boolean =>
  (setting('user/max_user_namespaces') ?? '0') !== '0' &&
  setting('kernel/unprivileged_userns_clone') !== '0' &&
  setting('kernel/apparmor_restrict_unprivileged_userns') !== '1';

/** Best first, and why the others are not among them. */
export function methods(
  who: 'root' | 'user',
  machine: Machine = thisMachine,
): { methods: Method[]; reasons: string[] } {
  const found: Method[] = [];
  const reasons: string[] = [];
  const missing = (...names: string[]) => names.filter((name) => !machine.has(name)).join(' and ');
  const lacks = missing(...(who === 'root' ? ['bwrap', 'setpriv'] : ['bwrap']));
  if (lacks !== '') reasons.push(`${lacks} not installed`);
  else if (userNamespaces(machine)) found.push('bwrap');
  else reasons.push('user namespaces are forbidden here');
  if (who === 'user') return { methods: found, reasons };
  if (machine.has('bwrap')) found.push('bwrap-root');
  const tools = missing('unshare', 'setpriv', 'prlimit', 'mount');
  if (tools === '') found.push('unshare');
  else reasons.push(`${tools} not installed`);
  return { methods: found, reasons };
}
