/** Commands that are part of the language: definitions, variables, control, other files. */
import type { CommandTable } from './types';

export const core: CommandTable = {};
