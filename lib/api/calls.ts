/**
 * What a call of the library may spend. The program's budget is for one run, which ends; a disk of a library's may stay open for days.
 * So the budget that readers were given when they were made is the same object, and begins anew with each call.
 */
import type { Budget } from '../bytes/budget';
import { LIMITS, type LimitName, type Limits } from '../bytes/limits';
import type { CallLimits } from '../bytes/meter';
import { FIXED, HIGHEST } from '../cli/environment';

/** @throws TypeError for names that are no limits or cannot be changed, and for values that are no whole numbers in range */
export function limitsOf(given: Partial<Limits> = {}): CallLimits {
  const limits: Record<string, number> = { ...LIMITS };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!(name in LIMITS)) throw new TypeError(`limits.${name}: there is no such limit`);
    if (FIXED.includes(name as LimitName)) throw new TypeError(`limits.${name} is fixed`);
    const highest = HIGHEST[name as LimitName] ?? Number.MAX_SAFE_INTEGER;
    if (!Number.isSafeInteger(value) || value < 1 || value > highest)
      throw new TypeError(`limits.${name}: ${value} is no whole number from 1 to ${highest}`);
    limits[name] = value;
  }
  return { ...(limits as Limits), perCall: true };
}

/**
 * Makes a run's budget one for each call.
 * @returns what begins a call
 */
export function renewable(budget: Budget): () => void {
  // The same class, for which the core then needs not hand the class out.
  const Fresh = budget.constructor as typeof Budget;
  let now = new Fresh(budget.limits, 'this call');
  Object.defineProperties(budget, {
    over: { get: () => now.over },
    step: { value: (count?: number) => now.step(count) },
    read: { value: (bytes: number) => now.read(bytes) },
    allocate: { value: (bytes: number) => now.allocate(bytes) },
    progress: { value: (begins: boolean) => now.progress(begins) },
  });
  return () => {
    now = new Fresh(budget.limits, 'this call');
  };
}
