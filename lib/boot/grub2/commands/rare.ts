/** The commands that few configurations use: a chunk of the built program, loaded when a name is not in the core. */
import { blscfgCommands } from './blscfg';
import { btrfsCommands } from './btrfs';
import { fileCommands } from './files';
import { foreignCommands } from './foreign';
import { loopbackCommands } from './loopback';
import { passwordCommands } from './passwords';
import { probeCommands } from './probe';
import { regexpCommands } from './regexp';
import { textCommands } from './text';
import type { CommandTable } from './types';

export { entriesInstead } from './blscfg';
export { harmless } from './harmless';

/** None of these names is in the core's tables (a test says so): a later table would replace its handler midway. */
export const tables: readonly CommandTable[] = [
  probeCommands,
  fileCommands,
  regexpCommands,
  blscfgCommands,
  loopbackCommands,
  textCommands,
  passwordCommands,
  foreignCommands,
  btrfsCommands,
];
