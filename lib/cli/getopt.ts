/**
 * GNU getopt_long's rules, as Python's `gnu_getopt` gives them to pygrub: operands anywhere, `--` ends options,
 * `--name=value` or `--name value`, bundled short options, unique abbreviations of long ones.
 */

export interface OptionSpec {
  readonly long: string;
  readonly short?: string;
  readonly takesValue?: boolean;
  /**
   * An option that pygrub does not have. It does not compete with pygrub's for an abbreviation, so `--e` stays
   * `--entry` for whoever has it in an old xl.cfg.
   */
  readonly own?: boolean;
}

export interface ParsedOption {
  readonly name: string;
  readonly value: string;
}

/** A command line that cannot be understood; the message is for the user. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** @throws UsageError */
export function getopt(
  argv: readonly string[],
  specs: readonly OptionSpec[],
): { options: ParsedOption[]; operands: string[] } {
  const options: ParsedOption[] = [];
  const operands: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!;
    if (arg === '--') {
      operands.push(...argv.slice(i + 1));
      break;
    }
    if (arg.startsWith('--')) {
      const equals = arg.indexOf('=');
      const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
      const spec = longOption(name, specs);
      if (!spec.takesValue) {
        if (equals >= 0) throw new UsageError(`option --${spec.long} must not have an argument`);
        options.push({ name: spec.long, value: '' });
      } else if (equals >= 0) options.push({ name: spec.long, value: arg.slice(equals + 1) });
      else {
        if (++i >= argv.length) throw new UsageError(`option --${spec.long} requires an argument`);
        options.push({ name: spec.long, value: argv[i]! });
      }
    } else if (arg.startsWith('-') && arg !== '-') {
      for (let k = 1; k < arg.length; k++) {
        const letter = arg[k]!;
        const spec = specs.find((s) => s.short === letter);
        if (!spec) throw new UsageError(`option -${letter} not recognized`);
        if (!spec.takesValue) {
          options.push({ name: spec.long, value: '' });
          continue;
        }
        let value = arg.slice(k + 1);
        if (value === '') {
          if (++i >= argv.length) throw new UsageError(`option -${letter} requires an argument`);
          value = argv[i]!;
        }
        options.push({ name: spec.long, value });
        break;
      }
    } else operands.push(arg);
  }
  return { options, operands };
}

function longOption(name: string, specs: readonly OptionSpec[]): OptionSpec {
  const exact = specs.find((s) => s.long === name);
  if (exact) return exact;
  const all = specs.filter((s) => s.long.startsWith(name));
  const theirs = all.filter((s) => !s.own);
  const candidates = theirs.length > 0 ? theirs : all;
  if (candidates.length === 0) throw new UsageError(`option --${name} not recognized`);
  if (candidates.length > 1)
    throw new UsageError(
      `option --${name} is not unique: ${candidates.map((s) => `--${s.long}`).join(', ')}`,
    );
  return candidates[0]!;
}
