/** `[` and `test`. */
import type { CommandTable } from './types';

export const test: CommandTable = {};
