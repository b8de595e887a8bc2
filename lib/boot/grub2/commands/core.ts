/** Commands that are part of the language: definitions, variables, control, other files. */
import type { ByteString } from '../../../bytes/text';
import { type OptionSpec, parseOptions } from './options';
import { type CommandHandler, type CommandTable, GRUB_ERROR, type Machine } from './types';

const ENTRY_OPTIONS: readonly OptionSpec[] = [
  { long: 'class', value: 'required' },
  { long: 'users', value: 'optional' },
  { long: 'hotkey', value: 'required' },
  { long: 'source', value: 'required' },
  { long: 'id', value: 'required' },
  { long: 'unrestricted' },
];

/** `menuentry`, `submenu`, `hiddenentry`: options and title mix, the block comes last. */
const menuentry: CommandHandler = (machine, args, name) => {
  const { block } = machine;
  const parsed = parseOptions(machine, name, args, ENTRY_OPTIONS, { acceptDash: true });
  if (typeof parsed === 'number') return parsed;
  let id: ByteString | undefined;
  let source: ByteString | undefined;
  let hotkey: ByteString | undefined;
  let users: ByteString | undefined;
  let unrestricted = false;
  const classes: ByteString[] = [];
  for (const { spec, value } of parsed.given) {
    if (spec.long === 'class') classes.push(value!);
    else if (spec.long === 'users') users = value;
    else if (spec.long === 'hotkey') hotkey = value;
    else if (spec.long === 'source') source = value;
    else if (spec.long === 'id') id = value;
    else unrestricted = true;
  }
  const { operands } = parsed;
  if (operands.length === 0) return machine.error('missing arguments', GRUB_ERROR.badArgument);
  if (source !== undefined && block !== undefined)
    return machine.error('multiple menuentry definitions', GRUB_ERROR.badArgument);
  let body = source;
  if (body === undefined) {
    if (block === undefined) return machine.error('no menuentry definition', GRUB_ERROR.badArgument);
    // GRUB takes the last operand for the body and cuts off what should be its braces; an option without its value
    // may have swallowed the block.
    const last = operands.pop()!;
    body = last === args[args.length - 1] ? block : last.slice(1, -1);
  }
  const [title] = operands;
  if (title === undefined) return machine.error('menuentry is missing title', GRUB_ERROR.menu);
  machine.addEntry({
    title,
    args: operands,
    body,
    ...(id === undefined ? {} : { id }),
    ...(classes.length > 0 ? { classes } : {}),
    ...(hotkey === undefined ? {} : { hotkey }),
    ...(users === undefined ? {} : { users: users.split(/[\s,;|&]+/) }),
    ...(unrestricted && users === undefined ? { unrestricted } : {}),
    ...(name === 'submenu' ? { submenu: true } : {}),
    ...(name === 'hiddenentry' ? { hidden: true } : {}),
  });
  return 0;
};

/**
 * An argument that must be a count. GRUB's own parser accepts leading blanks, then decimal digits.
 * @returns the number, or undefined after the error was printed into `status`
 */
function count(machine: Machine, text: ByteString): { value: number } | { status: number } {
  const digits = /^[ \t\r\n]*(\d+)/.exec(text);
  if (!digits) return { status: machine.error('unrecognized number', GRUB_ERROR.badNumber) };
  if (digits[0].length !== text.length)
    return { status: machine.error('unrecognized number', GRUB_ERROR.badArgument) };
  return { value: Number(digits[1]) };
}

const loopControl: CommandHandler = (machine, args, name) => {
  if (args.length > 1) return machine.error('one argument expected', GRUB_ERROR.badArgument);
  let times = 1;
  if (args.length === 1) {
    const given = count(machine, args[0]!);
    if ('status' in given) return given.status;
    if (given.value === 0) return machine.error("can't break 0 loops", GRUB_ERROR.badArgument);
    times = given.value;
  }
  machine.script.breakLoops(times, name === 'continue');
  return 0;
};

const shift: CommandHandler = (machine, args) => {
  const { script } = machine;
  if (!script.hasParameters) return 0;
  if (args.length > 1) return GRUB_ERROR.badArgument;
  let by = 1;
  if (args.length === 1) {
    const given = count(machine, args[0]!);
    if ('status' in given) return GRUB_ERROR.badArgument;
    by = given.value;
  }
  if (by > script.parameterCount) return GRUB_ERROR.badArgument;
  script.shift(by);
  return 0;
};

const setparams: CommandHandler = (machine, args) => {
  if (!machine.script.hasParameters) return GRUB_ERROR.invalidCommand;
  machine.script.setParameters(args);
  return 0;
};

const returnFrom: CommandHandler = (machine, args) => {
  if (!machine.script.hasParameters || args.length > 1)
    return machine.error('not in function body', GRUB_ERROR.badArgument);
  let status = Number(machine.get('?') ?? 0);
  if (args.length === 1) {
    const given = count(machine, args[0]!);
    if ('status' in given) return given.status;
    status = given.value;
    if (status > GRUB_ERROR.testFailure) machine.error('false');
  }
  machine.script.returnFromFunction();
  return status;
};

const set: CommandHandler = (machine, args) => {
  const [assignment] = args;
  if (assignment === undefined) {
    for (const [name, value] of machine.variables()) {
      machine.budget.step();
      machine.print(`${name}=${value}\n`);
    }
    return 0;
  }
  const equals = assignment.indexOf('=');
  if (equals < 0) return machine.error('not an assignment', GRUB_ERROR.badArgument);
  machine.set(assignment.slice(0, equals), assignment.slice(equals + 1));
  return 0;
};

const unset: CommandHandler = (machine, args) => {
  if (args.length === 0) return machine.error('one argument expected', GRUB_ERROR.badArgument);
  machine.unset(args[0]!);
  return 0;
};

const exportVariables: CommandHandler = (machine, args) => {
  if (args.length === 0) return machine.error('one argument expected', GRUB_ERROR.badArgument);
  for (const name of args) machine.export(name);
  return 0;
};

const include =
  (how: 'source' | 'configfile' | 'extract'): CommandHandler =>
  (machine, args) =>
    args.length === 1
      ? machine.runFile(args[0]!, how)
      : machine.error('filename expected', GRUB_ERROR.badArgument);

/** Without a file: `$prefix/grub.cfg`, where GRUB looks as well. */
const normal: CommandHandler = (machine, args) =>
  machine.runFile(args[0] ?? `${machine.get('prefix') ?? ''}/grub.cfg`, 'normal');

export const core: CommandTable = {
  menuentry,
  submenu: menuentry,
  hiddenentry: menuentry,
  set,
  unset,
  export: exportVariables,
  eval: (machine, args) => (args.length === 0 ? 0 : machine.script.evaluate(args.join(' '))),
  setparams,
  shift,
  return: returnFrom,
  break: loopControl,
  continue: loopControl,
  true: () => 0,
  false: () => GRUB_ERROR.testFailure,
  source: include('source'),
  '.': include('source'),
  configfile: include('configfile'),
  extract_entries_source: include('extract'),
  extract_entries_configfile: include('extract'),
  normal,
  normal_exit: (machine) => machine.stop('exit'),
};
