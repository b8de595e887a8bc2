/** The command line → what to do. CONTRACT: "Options". */
import { type ByteString, fromHost } from '../bytes/text';
import { getopt, type OptionSpec, UsageError } from './getopt';

export type OutputFormat = 'sxp' | 'simple' | 'simple0' | 'json';
export type Action = 'boot' | 'list' | 'dry-run' | 'isconfig' | 'help' | 'version';

export type Sandbox = 'off' | 'basic' | 'strict' | 'auto';

export const DEFAULT_DIRECTORY = '/var/run/xen/pygrub/';

export interface Options {
  readonly action: Action;
  /** The disk (or, with `--isconfig`, the configuration file), then further disks. Host paths. */
  readonly operands: readonly string[];
  readonly interactive: boolean;
  /** `-` is stdout. */
  readonly output: string;
  readonly format: OutputFormat;
  readonly directory: string;
  /** True when the user named it: then it must exist. */
  readonly directoryGiven: boolean;
  readonly entry: ByteString | undefined;
  readonly kernel: ByteString | undefined;
  readonly ramdisk: ByteString | undefined;
  readonly args: ByteString | undefined;
  /** Bytes. */
  readonly offset: number | undefined;
  readonly runas: number | undefined;
  /** What root becomes where there is no `--runas`; undefined: nobody. */
  readonly user: number | undefined;
  readonly sandbox: Sandbox;
  /** The host admin's policy: a file of the host's. */
  readonly policy: string | undefined;
  readonly debug: boolean;
  /** Seconds that the menu waits where the guest names no time; undefined: for ever. */
  readonly menuTimeout: number | undefined;
  /** Look for kernels where there is no configuration. */
  readonly guess: boolean;
}

const SPECS: readonly OptionSpec[] = [
  { long: 'quiet', short: 'q' },
  { long: 'interactive', short: 'i' },
  { long: 'list-entries', short: 'l' },
  { long: 'not-really', short: 'n' },
  { long: 'help', short: 'h' },
  { long: 'output', takesValue: true },
  { long: 'output-format', takesValue: true },
  { long: 'output-directory', takesValue: true },
  { long: 'offset', takesValue: true },
  { long: 'runas', takesValue: true },
  { long: 'entry', takesValue: true },
  { long: 'kernel', takesValue: true },
  { long: 'ramdisk', takesValue: true },
  { long: 'args', takesValue: true },
  { long: 'isconfig' },
  { long: 'debug' },
  { long: 'version', own: true },
  { long: 'extra-disk', takesValue: true, own: true },
  { long: 'no-guess', own: true },
  { long: 'menu-timeout', takesValue: true, own: true },
  { long: 'user', takesValue: true, own: true },
  { long: 'sandbox', takesValue: true, own: true },
  { long: 'policy', takesValue: true, own: true },
];

/** What toolstacks do not ask for is a chunk. */
const confinement = () => require('./confinement') as typeof import('./confinement');

function wholeNumber(option: string, value: string, what: string): number {
  // Python's int() takes blanks, a sign and underscores; toolstacks pass plain digits.
  const n = /^\s*\+?\d+\s*$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(n)) throw new UsageError(`--${option}=${value}: ${what}`);
  return n;
}

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): Options {
  const { options, operands } = getopt(argv, SPECS);
  let action: Action = 'boot';
  let interactive = true;
  let output = '-';
  let format: OutputFormat = 'sxp';
  let directory: string | undefined;
  let entry: ByteString | undefined;
  let kernel: ByteString | undefined;
  let ramdisk: ByteString | undefined;
  let args: ByteString | undefined;
  let offset: number | undefined;
  let runas: number | undefined;
  let user: number | undefined;
  let sandbox: Sandbox = 'auto';
  let debug = false;
  let guess = true;
  let menuTimeout: number | undefined = 1;
  let policy: string | undefined;
  let list = false;
  let dry = false;
  let isconfig = false;
  const extra: string[] = [];
  for (const { name, value } of options) {
    switch (name) {
      case 'help':
        action = 'help';
        break;
      case 'version':
        if (action !== 'help') action = 'version';
        break;
      case 'quiet':
        interactive = false;
        break;
      case 'interactive':
        interactive = true;
        break;
      case 'list-entries':
        list = true;
        break;
      case 'not-really':
        dry = true;
        break;
      case 'isconfig':
        isconfig = true;
        break;
      case 'debug':
        debug = true;
        break;
      case 'output':
        output = value;
        break;
      case 'output-format':
        if (value !== 'sxp' && value !== 'simple' && value !== 'simple0' && value !== 'json')
          throw new UsageError(`unknown output format '${value}': sxp, simple, simple0 or json`);
        format = value;
        break;
      case 'output-directory':
        directory = value;
        break;
      case 'entry':
        entry = fromHost(value);
        interactive = false;
        break;
      case 'kernel':
        kernel = fromHost(value);
        break;
      case 'ramdisk':
        ramdisk = fromHost(value);
        break;
      case 'args':
        args = fromHost(value);
        break;
      case 'offset':
        offset = wholeNumber(name, value, 'not a number of bytes');
        break;
      case 'runas':
        runas = wholeNumber(name, value, 'not a numeric user id');
        break;
      case 'user':
        user = confinement().userId(value);
        break;
      case 'sandbox':
        sandbox = confinement().sandboxNamed(value);
        break;
      case 'extra-disk':
        extra.push(value);
        break;
      case 'no-guess':
        guess = false;
        break;
      case 'policy':
        policy = value;
        break;
      case 'menu-timeout':
        menuTimeout = value === 'forever' ? undefined : wholeNumber(name, value, "not seconds or 'forever'");
    }
  }
  if (action === 'boot') action = isconfig ? 'isconfig' : list ? 'list' : dry ? 'dry-run' : 'boot';
  if (action !== 'help' && action !== 'version') {
    if (operands.length === 0) throw new UsageError('no disk is named');
    if (runas !== undefined && interactive)
      throw new UsageError('--runas works only unattended: add -q or --entry=…');
    if (runas === 0) throw new UsageError('--runas=0 would keep all privileges');
    if (sandbox === 'off' && (runas ?? user)) throw confinement().contradiction();
    if (output === '') throw new UsageError('--output names no file');
    if (kernel === '') throw new UsageError('--kernel names no file');
  }
  return {
    action,
    operands: [...operands, ...extra],
    interactive,
    output,
    format,
    directory: directory ?? DEFAULT_DIRECTORY,
    directoryGiven: directory !== undefined,
    entry,
    kernel,
    ramdisk,
    args,
    offset,
    runas,
    user,
    sandbox,
    debug,
    guess,
    menuTimeout,
    policy,
  };
}
