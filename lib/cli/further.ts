/** The options that pygrub does not have, and rare forms of its own. A chunk: toolstacks name none of them. */
import { readFileSync } from 'node:fs';
import type { Start } from '../kernel/advice';
import type { OutputFormat } from '../output/format';
import { FURTHER, wantsVmlinux } from '../output/further';
import { writeAll } from '../output/write';
import { type OptionSpec, type ParsedOption, UsageError } from './getopt';
import type { JobsOptions } from './jobs/index';
import { VERSION } from './main';
import { type Mutable, type Options, type Sandbox, SPECS, wholeNumber } from './options';
import { usage } from './reports';

const SANDBOXES: readonly Sandbox[] = ['off', 'basic', 'strict', 'auto'];
const STARTS: readonly Start[] = ['pv', 'pvh', 'any'];
const FORMATS: readonly OutputFormat[] = ['sxp', 'simple', 'simple0', ...FURTHER];

/** pygrub's that toolstacks do not use, then those that it does not have: with a value, and without. */
export const ALL: readonly OptionSpec[] = [
  ...SPECS,
  { long: 'help', short: 'h' },
  { long: 'isconfig' },
  { long: 'debug' },
  ...(
    'extra-disk menu-timeout key-file key-fd luks-header user sandbox policy ' +
    'image-format image-snapshot image-references location jobs disks-from disk-timeout check-kernel'
  )
    .split(' ')
    .map((long) => ({ long, takesValue: true, own: true })),
  ...'version no-guess inspect decompress write-env'.split(' ').map((long) => ({ long, own: true })),
];

/** What an option of these says, put down in `o`. @throws UsageError */
export function take(o: Mutable<Options>, option: ParsedOption): void {
  const { name, value } = option;
  switch (name) {
    case 'help':
      o.run = (program) => {
        writeAll(1, Buffer.from(usage(program)), 'stdout');
        return 0;
      };
      break;
    case 'version':
      o.run ??= () => {
        writeAll(1, Buffer.from(`nodegrub ${VERSION}\n`), 'stdout');
        return 0;
      };
      break;
    case 'isconfig':
      o.action = 'isconfig';
      break;
    case 'inspect':
      o.action = 'inspect';
      o.say = () => {};
      break;
    case 'debug':
      o.debug = true;
      break;
    case 'user':
      o.user = userId(value);
      break;
    case 'sandbox':
      o.sandbox = sandboxNamed(value);
      break;
    case 'location':
      o.run ??= () =>
        (require('../location/run') as typeof import('../location/run')).locate(value, o as Options);
      break;
    case 'extra-disk':
      o.operands = [...o.operands, value];
      break;
    case 'write-env':
      o.writeEnv = true;
      break;
    case 'no-guess':
      o.guess = false;
      break;
    case 'policy':
      o.policy = value;
      break;
    case 'decompress':
      o.tasks = { ...o.tasks, decompress: true };
      break;
    case 'check-kernel': {
      const check = STARTS.find((name) => name === value);
      if (!check) throw new UsageError(`--check-kernel=${value}: ${STARTS.join(', ')}`);
      o.tasks = { ...o.tasks, check };
      break;
    }
    case 'menu-timeout':
      o.menuTimeout = value === 'forever' ? undefined : wholeNumber(name, value, "not seconds or 'forever'");
      break;
    case 'key-file':
    case 'key-fd':
    case 'luks-header':
      o.keys = [...o.keys, option];
      break;
    case 'jobs':
    case 'disks-from':
    case 'disk-timeout': {
      o.jobs = { ...o.jobs, ...jobsOption(name, value) };
      o.run ??= () => (require('./jobs/index') as typeof import('./jobs/index')).jobs(o, o.jobs!);
      break;
    }
    default:
      o.image = { ...o.image, [name.slice('image-'.length)]: value };
  }
}

function jobsOption(name: string, value: string): JobsOptions {
  if (name === 'disks-from') {
    if (value === '') throw new UsageError('--disks-from names no file');
    return { from: value };
  }
  if (name === 'jobs' && value === 'auto') return {};
  const number = wholeNumber(name, value, name === 'jobs' ? "not a number or 'auto'" : 'not seconds');
  const most = name === 'jobs' ? 256 : 86_400;
  if (number < 1 || number > most) throw new UsageError(`--${name}=${value}: from 1 to ${most}`);
  return name === 'jobs' ? { workers: number } : { seconds: number };
}

/** Some want the kernel unpacked. @throws UsageError */
export function formatNamed(value: string, o: Mutable<Options>): OutputFormat {
  const found = FORMATS.find((name) => name === value);
  if (!found) throw new UsageError(`unknown output format '${value}': ${FORMATS.join(', ')}`);
  if (wantsVmlinux(found)) o.tasks = { ...o.tasks, decompress: true };
  return found;
}

/**
 * A user id, or a name of /etc/passwd (passwd(5)). Only this file is read: the name service may block, or load plugins
 * into a process that is root still.
 * @throws UsageError for what is neither, and for root
 */
export function userId(value: string, passwd = '/etc/passwd'): number {
  const uid = /^[0-9]+$/.test(value) ? Number(value) : uidOfName(value, passwd);
  if (uid === undefined || uid >= 0xffff_ffff)
    throw new UsageError(`--user=${value}: neither a user id nor a name in ${passwd}`);
  if (uid === 0) throw new UsageError(`--user=${value} would keep all privileges`);
  return uid;
}

function uidOfName(wanted: string, passwd: string): number | undefined {
  let lines: string[] = [];
  try {
    lines = readFileSync(passwd, 'utf8').split('\n');
  } catch {
    // Without the file there are no names, and the caller says so.
  }
  for (const line of lines) {
    const [name, , uid] = line.split(':');
    if (name === wanted && uid !== undefined && /^[0-9]+$/.test(uid)) return Number(uid);
  }
  return undefined;
}

/** @throws UsageError */
export function sandboxNamed(value: string): Sandbox {
  const found = SANDBOXES.find((name) => name === value);
  if (!found) throw new UsageError(`--sandbox=${value}: ${SANDBOXES.join(', ')}`);
  return found;
}

export const contradiction = (): UsageError =>
  new UsageError('--sandbox=off would keep what --runas and --user give up');
