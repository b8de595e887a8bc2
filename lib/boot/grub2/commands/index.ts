/** All commands by name, merged from the tables of this folder. */
import type { ByteString } from '../../../bytes/text';
import { core } from './core';
import { loader } from './loader';
import { test } from './test';
import type { CommandHandler, CommandTable } from './types';

/** A name in two tables: the later table's handler counts. */
const tables: readonly CommandTable[] = [
  // One line for each file of this folder.
  core,
  test,
  loader,
];

/** A Map, so that a guest's `constructor` or `__proto__` is no command. */
export function commandMap(): ReadonlyMap<ByteString, CommandHandler> {
  const map = new Map<ByteString, CommandHandler>();
  for (const table of tables) for (const name of Object.keys(table)) map.set(name, table[name]!);
  return map;
}
