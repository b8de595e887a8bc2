/** Shared by the tests: fixtures, contexts, and sources made from them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Budget, type Context } from '../lib/bytes/budget';
import { LIMITS, type Limits } from '../lib/bytes/limits';
import { MemorySource } from '../lib/source/types';

export const ROOT = join(__dirname, '..');

/** `THOROUGH=1`: random work and sweeps whole. Without it each is there, but smaller, so that a run of everything takes minutes. */
export const THOROUGH = process.env.THOROUGH !== undefined;

/** Of a sweep's rows every `of`th, the first among them, unless everything is wanted. */
export const sample = <T>(rows: readonly T[], of = 3): T[] =>
  THOROUGH ? [...rows] : rows.filter((_, i) => i % of === 0);

/** Rounds of random work: a quarter of `all`, unless everything is wanted. */
export const rounds = (all: number): number => (THOROUGH ? all : Math.ceil(all / 4));

export interface TestContext extends Context {
  readonly warnings: string[];
}

/** A context with the program's own budget, that keeps the warnings. */
export function context(steps: number = LIMITS.runSteps, limits: Partial<Limits> = {}): TestContext {
  const warnings: string[] = [];
  return {
    budget: new Budget({ ...LIMITS, runSteps: steps, cpuSeconds: 1000, memory: 2 ** 40, ...limits }, 'test'),
    warnings,
    warn: (m) => void warnings.push(m),
  };
}

/** A checked-in image (`fixtures/images/NAME`, or `NAME.gz` inflated). */
export function image(name: string, folder = 'images'): Buffer {
  const path = join(ROOT, 'fixtures', folder, name);
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return gunzipSync(readFileSync(`${path}.gz`));
  }
}

export const source = (name: string, folder = 'images'): MemorySource =>
  new MemorySource(image(name, folder), name);

/** Milliseconds of this process's processor time: other work on the machine does not count. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1000);
}
