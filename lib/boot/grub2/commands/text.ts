/** Commands that read and change text: `tr`, `read`, `increment`, `date`, `version` … (`echo` has a file of its own) */
import type { ByteString } from '../../../bytes/text';
import { formatDate } from './files';
import { has, leadingNumber, type OptionSpec, optionValue, parseOptions } from './options';
import { type CommandTable, GRUB_ERROR, type Machine } from './types';

const TR: OptionSpec[] = [
  { long: 'set', short: 's', value: 'required' },
  { long: 'upcase', short: 'U' },
  { long: 'downcase', short: 'D' },
];

function tr(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, TR);
  if (typeof parsed === 'number') return parsed;
  const fail = (message: string) => machine.error(message, GRUB_ERROR.badArgument);
  const { operands } = parsed;
  if (operands.length > 3) return fail('too many parameters');
  const variable = optionValue(parsed, 'set');
  let input = variable === undefined ? undefined : machine.get(variable);
  let from: ByteString | undefined;
  let to: ByteString | undefined;
  const lower = 'abcdefghijklmnopqrstuvwxyz';
  if (has(parsed, 'upcase')) [from, to] = [lower, lower.toUpperCase()];
  if (has(parsed, 'downcase')) [from, to] = [lower.toUpperCase(), lower];
  if (operands.length >= 2) [from, to] = [operands[0], operands[1]];
  if (operands.length === 1) input = operands[0];
  if (operands.length === 3) input = operands[2];
  if (from === undefined || to === undefined || input === undefined) return fail('missing parameters');
  if (from.length !== to.length) return fail('set sizes did not match');
  machine.budget.allocate(input.length + from.length);
  // The first place of a byte in the set counts.
  const map = new Map<string, string>();
  for (let i = from.length - 1; i >= 0; i--) map.set(from[i]!, to[i]!);
  const output = input.replace(/[\s\S]/g, (c) => map.get(c) ?? c);
  if (variable === undefined) machine.print(`${output}\n`);
  else machine.set(variable, output);
  return 0;
}

/** Nobody types: an empty line. */
function read(machine: Machine, args: ByteString[], command: ByteString): number {
  const parsed = parseOptions(machine, command, args, [{ long: 'silent', short: 's' }]);
  if (typeof parsed === 'number') return parsed;
  if (parsed.operands[0] !== undefined) machine.set(parsed.operands[0], '');
  return 0;
}

/** Red Hat's; boot counting (`boot_counter`) uses them. */
const count =
  (by: number) =>
  (machine: Machine, args: ByteString[]): number => {
    const [name] = args;
    if (name === undefined) return machine.error('no variable specified', GRUB_ERROR.badArgument);
    if (args.length > 1) return machine.error('too many arguments', GRUB_ERROR.badArgument);
    const old = machine.get(name);
    if (old === undefined) return machine.error(`No such variable "${name}"`, GRUB_ERROR.fileNotFound);
    const value = leadingNumber(old);
    if (value === undefined) return machine.error('unrecognized number', GRUB_ERROR.badNumber);
    if (!Number.isSafeInteger(value + by))
      return machine.error('overflow is detected', GRUB_ERROR.outOfRange);
    machine.set(name, String(value + by));
    return 0;
  };

/** The host's clock in UTC, which is what a guest's would say; setting it does nothing. */
function date(machine: Machine, args: ByteString[]): number {
  if (args.length === 0) {
    machine.print(`${formatDate(Math.floor(Date.now() / 1000))}\n`);
    return 0;
  }
  return args.every(isTime) ? 0 : machine.error('invalid datetime', GRUB_ERROR.badArgument);
}

/** `[YEAR-]MONTH-DAY` or `HOUR:MINUTE[:SECOND]`, within the limits of a PC's clock. */
function isTime(arg: ByteString): boolean {
  const parts = /^(?:(?:(\d{1,9})-)?(\d{1,9})-(\d{1,9})|(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?)$/.exec(arg);
  if (!parts) return false;
  const limits = [
    [1980, 2079],
    [1, 12],
    [1, 31],
    [0, 23],
    [0, 59],
    [0, 59],
  ] as const;
  return limits.every(([low, high], i) => {
    const part = parts[i + 1];
    return part === undefined || (Number(part) >= low && Number(part) <= high);
  });
}

/** The version whose behaviour this is. */
function version(machine: Machine, args: ByteString[]): number {
  if (args.length > 0) return machine.error('no arguments expected', GRUB_ERROR.badArgument);
  const cpu = machine.get('grub_cpu') ?? '';
  machine.print(`GRUB version 2.12\nPlatform ${cpu}-${machine.get('grub_platform') ?? ''}\n`);
  return 0;
}

/** There are no translations: the text itself. */
function gettext(machine: Machine, args: ByteString[]): number {
  if (args.length !== 1) return machine.error('text to translate required', GRUB_ERROR.badArgument);
  machine.print(`${args[0]}\n`);
  return 0;
}

/** Runs a command; how long it took is nobody's business here. */
function time(machine: Machine, args: ByteString[]): number {
  if (args.length === 0) return machine.error('command expected', GRUB_ERROR.badArgument);
  const status = machine.script.evaluate(args.map((a) => `'${a.replaceAll("'", "'\\''")}'`).join(' '));
  machine.print('Elapsed time: 0.000 seconds \n');
  return status;
}

export const textCommands: CommandTable = {
  tr,
  read,
  increment: count(1),
  decrement: count(-1),
  date,
  version,
  gettext,
  time,
};
