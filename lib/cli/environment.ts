/**
 * Limits from the environment: `NODEGRUB_MAX_…` (limits.ts says the names), and pygrub's two. A chunk, for whoever has set one.
 */
import { LIMITS, type LimitName, type Limits } from '../bytes/limits';
import { variable } from '../bytes/over';
import { UsageError } from './getopt';

/** Facts of Linux and of libxl: to change them would change nothing but what breaks. */
export const FIXED: readonly LimitName[] = [
  'symlinks',
  'pathBytes',
  'nameBytes',
  'outputItem',
  'guestCommandLine',
];

/** Limits that cannot be raised further without breaking a promise of another kind: recursion needs V8's stack. */
export const HIGHEST: Partial<Record<LimitName, number>> = { includeDepth: 100 };

const MEGABYTE = 1024 * 1024;
const UNITS: Record<string, number> = { '': 1, K: 1024, M: MEGABYTE, G: 1024 ** 3 };

function numberOf(variable: string, text: string, unit: number, highest: number): number {
  const match = /^([0-9]{1,16})([KMG]?)$/.exec(text);
  const value = match ? Number(match[1]) * UNITS[match[2]!]! * unit : 0;
  if (!match || value < 1 || value > highest)
    throw new UsageError(
      `${variable}=${text}: a whole number from 1 to ${highest / unit}, K, M or G may follow`,
    );
  return value;
}

/** @throws UsageError for a value that is no number, and for a name that begins like ours and is none */
export function limitsFrom(environment: NodeJS.ProcessEnv): Limits {
  const names = new Map((Object.keys(LIMITS) as LimitName[]).map((name) => [variable(name), name]));
  for (const name of FIXED) names.delete(variable(name));
  const limits = { ...LIMITS };
  const pygrub: [string, LimitName][] = [
    ['PYGRUB_MAX_FILE_SIZE_MB', 'payloadBytes'],
    ['PYGRUB_MAX_RAM_USAGE_MB', 'memory'],
  ];
  // As pygrub reads them: set to nothing is not set.
  for (const [key, name] of pygrub) {
    const text = environment[key];
    if (text) limits[name] = numberOf(key, text, MEGABYTE, Number.MAX_SAFE_INTEGER);
  }
  for (const [key, text] of Object.entries(environment)) {
    if (!key.startsWith('NODEGRUB_MAX_')) continue;
    const name = names.get(key);
    if (!name)
      throw new UsageError(`${key}: there is no such limit; there are ${[...names.keys()].join(', ')}`);
    limits[name] = numberOf(key, text ?? '', 1, HIGHEST[name] ?? Number.MAX_SAFE_INTEGER);
  }
  return limits;
}
