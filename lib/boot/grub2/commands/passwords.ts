/** `password`, `password_pbkdf2`, `authenticate`: who may do what in the menu. The menu itself asks and checks. */
import type { ByteString } from '../../../bytes/text';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

export interface Password {
  /** `plain`: the password itself. `pbkdf2`: `grub.pbkdf2.sha512.ROUNDS.SALT.HASH`, salt and hash in hexadecimal. */
  readonly kind: 'plain' | 'pbkdf2';
  readonly secret: ByteString;
}

const MEMORY = 'passwords';

/** The users that the configuration defined so far. */
export function passwords(machine: Machine): ReadonlyMap<ByteString, Password> {
  return (machine.memory.get(MEMORY) as ReadonlyMap<ByteString, Password> | undefined) ?? new Map();
}

/** More users than any menu has; each new one copies the list. */
const MAX_USERS = 1000;

function define(machine: Machine, user: ByteString, password: Password): number {
  const users = new Map(passwords(machine));
  users.set(user, password);
  if (users.size > MAX_USERS) return machine.error('out of memory', GRUB_ERROR.outOfMemory);
  machine.budget.step(users.size);
  machine.memory.set(MEMORY, users);
  return 0;
}

function plain(machine: Machine, args: ByteString[]): number {
  const [user, secret] = args;
  if (user === undefined || secret === undefined || args.length !== 2)
    return machine.error('two arguments expected', GRUB_ERROR.badArgument);
  return define(machine, user, { kind: 'plain', secret });
}

function pbkdf2(machine: Machine, args: ByteString[]): number {
  const [user, secret] = args;
  if (user === undefined || secret === undefined || args.length !== 2)
    return machine.error('two arguments expected', GRUB_ERROR.badArgument);
  if (!/^grub\.pbkdf2\.sha512\.\d+\.(?:[0-9a-fA-F]{2})*\.(?:[0-9a-fA-F]{2})*$/.test(secret))
    return machine.error('invalid PBKDF2 password', GRUB_ERROR.badArgument);
  return define(machine, user, { kind: 'pbkdf2', secret });
}

/** Without superusers everybody is in; with them a person would have to type, and nobody is there. */
function authenticate(machine: Machine): number {
  return machine.get('superusers') === undefined ? 0 : GRUB_ERROR.accessDenied;
}

export const passwordCommands: CommandTable = { password: plain, password_pbkdf2: pbkdf2, authenticate };
