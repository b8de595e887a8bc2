/** The command line → what to do. CONTRACT: "Options". */
import { type ByteString, fromHost } from '../bytes/text';
import type { KernelTasks } from '../extract/kernel';
import type { OutputFormat } from '../output/format';
import { getopt, type OptionSpec, type ParsedOption, UsageError } from './getopt';
import type { ImageOptions } from './image';
import type { JobsOptions } from './jobs/index';

export type Action = 'boot' | 'list' | 'dry-run' | 'isconfig' | 'inspect';

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
  /** Takes warnings in place of the log: a report has them itself. */
  readonly say?: ((line: string) => void) | undefined;
  /** Seconds that the menu waits where the guest names no time; undefined: for ever. */
  readonly menuTimeout: number | undefined;
  /** `key-file`, `key-fd` and `luks-header` with their values, in order. */
  readonly keys: readonly ParsedOption[];
  /** Look for kernels where there is no configuration. */
  readonly guess: boolean;
  /** What `--image-…` says (image.ts); undefined: nothing. */
  readonly image: ImageOptions | undefined;
  /** What the configuration saves is written to the guest's disk. */
  readonly writeEnv?: true;
  /** Many disks, each a guest of its own. */
  readonly jobs?: JobsOptions;
  /** What is done with the kernel besides copying it. */
  readonly tasks?: KernelTasks;
  /** What is done in place of all else, which looks at no disk itself (`--help`). @returns the exit status */
  readonly run: ((program: string) => number | Promise<number>) | undefined;
}

/** What toolstacks pass, all of it pygrub's. */
export const SPECS: readonly OptionSpec[] = [
  { long: 'quiet', short: 'q' },
  { long: 'interactive', short: 'i' },
  { long: 'list-entries', short: 'l' },
  { long: 'not-really', short: 'n' },
  ...'output output-format output-directory offset runas entry kernel ramdisk args'
    .split(' ')
    .map((long) => ({ long, takesValue: true })),
];

/** Every other option is known to a chunk. */
const further = () => require('./further') as typeof import('./further');

/** Whether `arg` is an option in another form than its whole name, or none of SPECS. */
const isFurther = (arg: string): boolean =>
  /^-[^-]/.test(arg)
    ? !/^-[qiln]+$/.test(arg)
    : /^--./.test(arg) && !SPECS.some(({ long }) => long === arg.slice(2).replace(/=.*/s, ''));

export function wholeNumber(option: string, value: string, what: string): number {
  // Python's int() takes blanks, a sign and underscores; toolstacks pass plain digits.
  const n = /^\s*\+?\d+\s*$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(n)) throw new UsageError(`--${option}=${value}: ${what}`);
  return n;
}

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): Options {
  const rare = argv.some(isFurther) ? further() : undefined;
  const { options, operands } = getopt(argv, rare?.ALL ?? SPECS);
  const o: Mutable<Options> = {
    action: 'boot',
    operands,
    interactive: true,
    output: '-',
    format: 'sxp',
    directory: DEFAULT_DIRECTORY,
    directoryGiven: false,
    entry: undefined,
    kernel: undefined,
    ramdisk: undefined,
    args: undefined,
    offset: undefined,
    runas: undefined,
    user: undefined,
    sandbox: 'auto',
    policy: undefined,
    debug: false,
    menuTimeout: 1,
    keys: [],
    guess: true,
    image: undefined,
    run: undefined,
  };
  let list = false;
  let dry = false;
  for (const option of options) {
    const { name, value } = option;
    switch (name) {
      case 'quiet':
        o.interactive = false;
        break;
      case 'interactive':
        o.interactive = true;
        break;
      case 'list-entries':
        list = true;
        break;
      case 'not-really':
        dry = true;
        break;
      case 'output':
        o.output = value;
        break;
      case 'output-format':
        o.format = /^(sxp|simple0?)$/.test(value) ? (value as OutputFormat) : further().formatNamed(value, o);
        break;
      case 'output-directory':
        o.directory = value;
        o.directoryGiven = true;
        break;
      case 'entry':
        o.interactive = false;
        o.entry = fromHost(value);
        break;
      case 'kernel':
      case 'ramdisk':
      case 'args':
        o[name] = fromHost(value);
        break;
      case 'offset':
        o.offset = wholeNumber(name, value, 'not a number of bytes');
        break;
      case 'runas':
        o.runas = wholeNumber(name, value, 'not a numeric user id');
        break;
      default:
        rare!.take(o, option);
    }
  }
  if (o.action === 'boot') o.action = list ? 'list' : dry ? 'dry-run' : 'boot';
  if (!o.run) {
    if (operands.length === 0) throw new UsageError('no disk is named');
    if (o.runas !== undefined && o.interactive)
      throw new UsageError('--runas works only unattended: add -q or --entry=…');
    if (o.runas === 0) throw new UsageError('--runas=0 would keep all privileges');
    if (o.sandbox === 'off' && (o.runas ?? o.user)) throw further().contradiction();
    if (o.output === '') throw new UsageError('--output names no file');
    if (o.kernel === '') throw new UsageError('--kernel names no file');
  }
  return o;
}
