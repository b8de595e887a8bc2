/** All commands by name, merged from the tables of this folder. */
import type { ByteString } from '../../../bytes/text';
import { blscfgCommands } from './blscfg';
import { core } from './core';
import { fileCommands } from './files';
import { grubenvCommands } from './grubenv';
import { known } from './known';
import { loader } from './loader';
import { loopbackCommands } from './loopback';
import { passwordCommands } from './passwords';
import { probeCommands } from './probe';
import { regexpCommands } from './regexp';
import { searchCommands } from './search';
import { test } from './test';
import { textCommands } from './text';
import type { CommandHandler, CommandTable } from './types';

/** A name in two tables: the later table's handler counts. */
const tables: readonly CommandTable[] = [
  // One line for each file of this folder; what has nothing to do here comes first.
  known,
  core,
  test,
  loader,
  searchCommands,
  probeCommands,
  fileCommands,
  regexpCommands,
  grubenvCommands,
  blscfgCommands,
  loopbackCommands,
  textCommands,
  passwordCommands,
];

/** A Map, so that a guest's `constructor` or `__proto__` is no command. */
export function commandMap(): ReadonlyMap<ByteString, CommandHandler> {
  const map = new Map<ByteString, CommandHandler>();
  for (const table of tables) for (const name of Object.keys(table)) map.set(name, table[name]!);
  return map;
}
