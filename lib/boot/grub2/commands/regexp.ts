/** `regexp`: does a string match; parts of it into variables. */
import { GuestError } from '../../../bytes/errors';
import { type ByteString, printable } from '../../../bytes/text';
import { compileRegex, type Match, RegexError } from '../ere';
import { type OptionSpec, optionValues, parseOptions } from './options';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

const SPECS: OptionSpec[] = [{ long: 'set', short: 's', value: 'required' }];

function regexp(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, SPECS);
  if (typeof parsed === 'number') return parsed;
  const [pattern, text] = parsed.operands;
  if (pattern === undefined || text === undefined || parsed.operands.length !== 2)
    return machine.error('two arguments expected', GRUB_ERROR.badArgument);
  machine.budget.step(1 + Math.ceil(pattern.length / 16));
  let match: Match | undefined;
  try {
    match = compileRegex(pattern).match(text, machine);
  } catch (error) {
    // GRUB counts an invalid expression as one that does not match, and prints nothing.
    if (error instanceof RegexError) {
      machine.warn(`regexp ${printable(pattern, 80)}: ${error.message}`);
      return GRUB_ERROR.testFailure;
    }
    if (!(error instanceof GuestError)) throw error;
    machine.budget.step(0);
    machine.warn(`regexp ${printable(pattern, 80)}: ${error.message}`);
    return GRUB_ERROR.testFailure;
  }
  if (!match) return GRUB_ERROR.testFailure;
  for (const wish of optionValues(parsed, 'set')) {
    const colon = wish.indexOf(':');
    const digits = /^[ \t\n\v\f\r]*(\d*)$/.exec(colon < 0 ? '1' : wish.slice(0, colon));
    if (!digits) return machine.error(`invalid variable name format ${wish}`, GRUB_ERROR.badArgument);
    const variable = wish.slice(colon + 1);
    const group = match.groups[Number(digits[1])];
    if (group) machine.set(variable, text.slice(group[0], group[1]));
    else machine.unset(variable);
  }
  return 0;
}

export const regexpCommands: CommandTable = { regexp };
