/** What is said where a limit was met. A chunk: whoever meets none does not need the words. */
import { type GuestError, limit } from './errors';
import type { LimitName, Limits } from './limits';

/** `menuEntries` → `NODEGRUB_MAX_MENU_ENTRIES`, which an admin may set. */
export const variable = (name: LimitName): string =>
  `NODEGRUB_MAX_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;

const SPENT = {
  Steps: 'much work (steps)',
  BytesRead: 'many bytes read',
  BytesAllocated: 'much memory asked for',
} as const;

/** @param where the name of the budget that is used up */
export function spent(
  kind: 'run' | 'evaluation' | 'entry',
  what: keyof typeof SPENT,
  where: string,
): GuestError {
  return limit(`too ${SPENT[what]} in ${where} (${variable(`${kind}${what}`)})`);
}

export function over(
  limits: Limits,
  name: LimitName,
  count: number,
  what: string,
  where: readonly string[] = [],
): GuestError {
  return limit(`${what}: ${count}, at most ${limits[name]} (${variable(name)})`, ...where);
}
