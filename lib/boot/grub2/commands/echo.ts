/** `echo`, which nearly every configuration uses. */
import type { ByteString } from '../../../bytes/text';
import { has, type OptionSpec, parseOptions } from './options';
import type { CommandTable, Machine } from './types';

const ECHO: OptionSpec[] = [{ short: 'n' }, { short: 'e' }];

/** What follows a backslash in `echo -e`; anything else after one is dropped with it. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  a: '\x07',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function echo(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, ECHO, { acceptDash: true, optionsAtStart: true });
  if (typeof parsed === 'number') return parsed;
  let newline = !has(parsed, 'n');
  let text = parsed.operands.join(' ');
  if (has(parsed, 'e'))
    text = parsed.operands
      .map((word) =>
        word.replace(/\\([\s\S]?)/g, (_, c: string) => {
          // GRUB's `\c` only leaves out the newline at the end; the rest is printed.
          if (c === 'c') newline = false;
          return Object.hasOwn(ESCAPES, c) ? ESCAPES[c]! : '';
        }),
      )
      .join(' ');
  machine.print(newline ? `${text}\n` : text);
  return 0;
}

export const echoCommands: CommandTable = { echo };
