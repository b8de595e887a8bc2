/** All commands by name. What nearly every configuration uses is in the core; the rest is a chunk (rare.ts). */
import type { ByteString } from '../../../bytes/text';
import { core } from './core';
import { echoCommands } from './echo';
import { grubenvCommands } from './grubenv';
import { known } from './known';
import { loader } from './loader';
import { searchCommands } from './search';
import { test } from './test';
import type { CommandHandler, CommandTable } from './types';

/** One line for each file of this folder. A name in two tables: the later table's handler counts. */
const tables: readonly CommandTable[] = [
  known,
  core,
  test,
  loader,
  echoCommands,
  searchCommands,
  grubenvCommands,
];

/** The names in rare.ts's tables: a function of the guest's must not load the chunk. A test compares. */
export const RARE: readonly string[] = (
  'probe ls cat cmp hashsum md5sum sha1sum sha256sum sha512sum crc regexp blscfg loopback tr read increment ' +
  'decrement date version gettext time authenticate bls_import password password_pbkdf2 legacy_password ' +
  'legacy_check_password legacy_source legacy_configfile legacy_kernel legacy_initrd legacy_initrd_nounzip ' +
  'extract_legacy_entries_source extract_legacy_entries_configfile syslinux_source syslinux_configfile ' +
  'extract_syslinux_entries_source extract_syslinux_entries_configfile btrfs-mount-subvol'
).split(' ');

const rare = () => require('./rare') as typeof import('./rare');

/** Handlers by name. */
export class Commands {
  /** A Map, so that a guest's `constructor` or `__proto__` is no command. */
  readonly #handlers = new Map<ByteString, CommandHandler>();
  #complete = false;

  constructor() {
    for (const table of tables) this.#add(table);
  }

  #add(table: CommandTable): void {
    for (const name of Object.keys(table)) this.#handlers.set(name, table[name]!);
  }

  get(name: ByteString): CommandHandler | undefined {
    const handler = this.#handlers.get(name);
    if (handler || this.#complete || !RARE.includes(name)) return handler;
    this.#complete = true;
    for (const table of rare().tables) this.#add(table);
    return this.#handlers.get(name);
  }

  /** All that `get` knows; the chunk is loaded. */
  names(): Iterable<ByteString> {
    this.get(RARE[0]!);
    return this.#handlers.keys();
  }

  /** What a name means that is neither in the tables nor a function of the guest's. */
  last(name: ByteString): CommandHandler | undefined {
    const table = name.includes('=') ? {} : rare().harmless;
    return Object.hasOwn(table, name) ? table[name] : undefined;
  }
}
