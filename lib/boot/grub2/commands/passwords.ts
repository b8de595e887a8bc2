/** `password`, `password_pbkdf2`, `legacy_password`: who may do what in the menu, which itself asks and checks. */
import type { ByteString } from '../../../bytes/text';
import type { Password } from '../../model';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

/** Where they are kept in `memory`. */
export const PASSWORDS = 'passwords';

/** The users that the configuration defined so far. */
export function passwords(machine: Machine): ReadonlyMap<ByteString, Password> {
  return (machine.memory.get(PASSWORDS) as ReadonlyMap<ByteString, Password> | undefined) ?? new Map();
}

/** More users than any menu has; each new one copies the list. */
const MAX_USERS = 1000;

function define(machine: Machine, user: ByteString, password: Password): number {
  const users = new Map(passwords(machine));
  users.set(user, password);
  if (users.size > MAX_USERS) return machine.error('out of memory', GRUB_ERROR.outOfMemory);
  machine.budget.step(users.size);
  machine.memory.set(PASSWORDS, users);
  return 0;
}

function plain(machine: Machine, args: ByteString[]): number {
  const [user, secret] = args;
  if (user === undefined || secret === undefined || args.length !== 2)
    return machine.error('two arguments expected', GRUB_ERROR.badArgument);
  return define(machine, user, { scheme: 'plain', value: secret });
}

function pbkdf2(machine: Machine, args: ByteString[]): number {
  const [user, secret] = args;
  if (user === undefined || secret === undefined || args.length !== 2)
    return machine.error('two arguments expected', GRUB_ERROR.badArgument);
  if (!/^grub\.pbkdf2\.sha512\.\d+\.(?:[0-9a-fA-F]{2})*\.(?:[0-9a-fA-F]{2})*$/.test(secret))
    return machine.error('invalid PBKDF2 password', GRUB_ERROR.badArgument);
  return define(machine, user, { scheme: 'pbkdf2', value: secret });
}

/** `legacy_password [--md5] PASSWORD`: the user that `grub-menulst2cfg` locks a menu with. */
function legacyPassword(machine: Machine, args: ByteString[]): number {
  const md5 = args[0] === '--md5';
  const value = args[md5 ? 1 : 0];
  if (value === undefined) return machine.error('arguments expected', GRUB_ERROR.badArgument);
  if (md5 && !/^\$1\$[^$]{1,8}\$.{22}$/.test(value))
    return machine.error('invalid md5 hash', GRUB_ERROR.badArgument);
  return define(machine, 'legacy', { scheme: md5 ? 'crypt' : 'plain', value });
}

/**
 * `authenticate`, `legacy_check_password`: what boots unattended is the host admin's choice, who need not prove
 * anything to the guest. (CONTRACT and the menu: a person at the console does, before the entry is run.)
 */
const allowed = (): number => 0;

export const passwordCommands: CommandTable = {
  password: plain,
  password_pbkdf2: pbkdf2,
  legacy_password: legacyPassword,
  authenticate: allowed,
  legacy_check_password: allowed,
};
