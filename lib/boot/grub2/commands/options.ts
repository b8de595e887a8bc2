/**
 * Options of commands, by the rules of GRUB's extended commands (observed with grub-emu 2.06): options and operands
 * mix, `--` ends the options, short ones bundle and only the last of a bundle takes a value, which is the next
 * argument; a long one takes it after `=` or as the next argument unless that starts with a dash. Nothing is
 * abbreviated. `-h` and `-u` ask for help unless the command uses those letters itself.
 */
import type { ByteString } from '../../../bytes/text';
import { GRUB_ERROR, type Machine } from './types';

export interface OptionSpec {
  readonly long?: string;
  readonly short?: string;
  /** `none` when left out. */
  readonly value?: 'none' | 'required' | 'optional';
  /** The value must be a number in C notation. */
  readonly integer?: boolean;
}

export interface OptionRules {
  /** Arguments that look like options and are none become operands (`echo`, `search`, `menuentry`). */
  readonly acceptDash?: boolean;
  /** After the first operand nothing is an option (`echo`). */
  readonly optionsAtStart?: boolean;
}

/** One option as given: `value` is undefined when it had none. */
export interface GivenOption {
  readonly spec: OptionSpec;
  readonly value: ByteString | undefined;
}

export interface Parsed {
  readonly given: readonly GivenOption[];
  readonly operands: ByteString[];
}

const HELP: OptionSpec = { long: 'help', short: 'h' };
const USAGE: OptionSpec = { long: 'usage', short: 'u' };

/**
 * Parses `args`, printing GRUB's error where it fails.
 * @returns the options and operands, or `$?` when the command is not to run (0 after `--help`)
 */
export function parseOptions(
  machine: Machine,
  command: ByteString,
  args: readonly ByteString[],
  specs: readonly OptionSpec[],
  rules: OptionRules = {},
): Parsed | number {
  const given: GivenOption[] = [];
  const operands: ByteString[] = [];
  const short = (c: string) => [...specs, HELP, USAGE].find((s) => s.short === c);
  const bad = (message: ByteString) => machine.error(message, GRUB_ERROR.badArgument);
  const help = () => {
    machine.print(`Usage: ${command}${specs.map((s) => ` [${describe(s)}]`).join('')}\n`);
    return 0;
  };

  for (let i = 0; i < args.length; i++) {
    machine.budget.step();
    const arg = args[i]!;
    if ((operands.length > 0 && rules.optionsAtStart) || !arg.startsWith('-') || arg.length === 1) {
      operands.push(arg);
      continue;
    }
    let spec: OptionSpec | undefined;
    let value: ByteString | undefined;
    if (arg[1] !== '-') {
      if (rules.acceptDash && [...arg.slice(1)].some((c) => !short(c))) {
        operands.push(arg);
        continue;
      }
      for (let at = 1; at < arg.length - 1; at++) {
        const one = short(arg[at]!);
        if (!one) return bad(`unknown argument \`-${arg[at]}'`);
        if (one === HELP || one === USAGE) return help();
        if (one.value === 'required') return bad(`missing mandatory option for \`${one.long ?? ''}'`);
        given.push({ spec: one, value: undefined });
      }
      const last = arg[arg.length - 1]!;
      spec = short(last);
      if (!spec) return bad(`unknown argument \`-${last}'`);
      const next = args[i + 1];
      if (takesValue(spec) && next !== undefined) {
        if (spec.value === 'required' || next.length < 2 || !next.startsWith('-')) {
          value = next;
          i++;
        }
      }
    } else {
      if (arg.length === 2) {
        operands.push(...args.slice(i + 1));
        break;
      }
      const equals = arg.indexOf('=');
      const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
      if (equals >= 0) value = arg.slice(equals + 1);
      spec = [...specs, HELP, USAGE].find((s) => s.long === name);
      const next = args[i + 1];
      if (value === undefined && next !== undefined && !next.startsWith('-') && spec && takesValue(spec)) {
        value = next;
        i++;
      }
      if (!spec) {
        if (!rules.acceptDash) return bad(`unknown argument \`${arg}'`);
        operands.push(arg);
        continue;
      }
    }
    if (spec === HELP || spec === USAGE) return help();
    if (!takesValue(spec)) {
      if (value !== undefined)
        return bad(`a value was assigned to the argument \`${arg}' while it doesn't require an argument`);
    } else if (value === undefined) {
      if (spec.value === 'required') return bad(`missing mandatory option for \`${spec.long ?? ''}'`);
    } else if (spec.integer && !/^[ \t\n\v\f\r]*(?:0x[0-9a-fA-F]+|\d+)$/.test(value))
      return bad(`the argument \`${arg}' requires an integer`);
    given.push({ spec, value });
  }
  return { given, operands };
}

const takesValue = (spec: OptionSpec): boolean => spec.value !== undefined && spec.value !== 'none';

function describe(spec: OptionSpec): string {
  const name = spec.short !== undefined ? `-${spec.short}` : `--${spec.long}`;
  return takesValue(spec) ? `${name} VALUE` : name;
}

/** Was the option given? `name` is its long name, or its short one where it has no long one. */
export function has(parsed: Parsed, name: string): boolean {
  return parsed.given.some((g) => (g.spec.long ?? g.spec.short) === name);
}

/** The option's value; the last one counts. `undefined`: not given, or given without a value. */
export function optionValue(parsed: Parsed, name: string): ByteString | undefined {
  return optionValues(parsed, name).at(-1);
}

/** All values of a repeatable option, in order. */
export function optionValues(parsed: Parsed, name: string): ByteString[] {
  const out: ByteString[] = [];
  for (const g of parsed.given)
    if ((g.spec.long ?? g.spec.short) === name && g.value !== undefined) out.push(g.value);
  return out;
}

/**
 * A number at the start of `text` as GRUB reads numbers: blanks, an optional sign, `0x` for 16, `0` for 8.
 * @returns undefined where there are no digits
 */
export function leadingNumber(text: ByteString): number | undefined {
  const found = /^[ \t\n\v\f\r]*(-?)(?:0x([0-9a-fA-F]+)|(0[0-7]+)|(\d+))/.exec(text);
  if (!found) return undefined;
  const value =
    found[2] !== undefined
      ? Number.parseInt(found[2], 16)
      : found[3] !== undefined
        ? Number.parseInt(found[3], 8)
        : Number.parseInt(found[4]!, 10);
  return found[1] === '-' ? -value : value;
}
