/** `password`, `password_pbkdf2`, `legacy_password`: who may do what in the menu, which itself asks and checks. */
import type { ByteString } from '../../../bytes/text';
import type { Access, Password } from '../../model';
import { superusersOf } from '../menu';
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

/** `[--md5] PASSWORD` as a password, or `$?` after GRUB's error. */
function legacy(machine: Machine, args: ByteString[]): Password | number {
  const md5 = args[0] === '--md5';
  const value = args[md5 ? 1 : 0];
  if (value === undefined) return machine.error('arguments expected', GRUB_ERROR.badArgument);
  if (md5 && !/^\$1\$[^$]{1,8}\$.{22}$/.test(value))
    return machine.error('invalid md5 hash', GRUB_ERROR.badArgument);
  return { scheme: md5 ? 'crypt' : 'plain', value };
}

/** `legacy_password`: the user that `grub-menulst2cfg` locks a menu with. */
function legacyPassword(machine: Machine, args: ByteString[]): number {
  const password = legacy(machine, args);
  return typeof password === 'number' ? password : define(machine, 'legacy', password);
}

/**
 * What boots unattended is the host admin's choice, who need not prove anything to the guest; a person at the console
 * does, and is asked by the menu before the entry is run.
 */
function allow(machine: Machine, proved: (access: Access) => boolean): number {
  const { access } = machine.context;
  return !access || proved(access) ? 0 : machine.error('access denied', GRUB_ERROR.accessDenied);
}

/** `authenticate [USERS]` */
function authenticate(machine: Machine, args: ByteString[]): number {
  const superusers = superusersOf(machine);
  if (!superusers) return 0;
  const users = (args[0] ?? '').split(/[\s,;|&]+/).filter((user) => user !== '');
  return allow(machine, (access) => access.allows([...superusers, ...users]));
}

function legacyCheck(machine: Machine, args: ByteString[]): number {
  const password = legacy(machine, args);
  return typeof password === 'number' ? password : allow(machine, (access) => access.knows(password));
}

export const passwordCommands: CommandTable = {
  password: plain,
  password_pbkdf2: pbkdf2,
  legacy_password: legacyPassword,
  authenticate,
  legacy_check_password: legacyCheck,
};
