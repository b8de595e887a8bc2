/** Commands that load something to boot, and those that end the script. */
import type { CommandTable } from './types';

export const loader: CommandTable = {};
