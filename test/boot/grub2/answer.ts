/** Matches in the form in which fixtures/recipes/grub2-oracles.sh records the C library's. */
import { compileRegex, RegexError } from '../../../lib/boot/grub2/ere';
import { context } from '../../support';

export type Answer = string | null | [number, number][];

/** Ours, in the recorded form. */
export function answer(pattern: string, text: string): Answer {
  try {
    const found = compileRegex(pattern).match(text, context());
    return found ? found.groups.map((g) => (g ? [g[0], g[1]] : [-1, -1])) : null;
  } catch (error) {
    if (error instanceof RegexError) return error.message;
    throw error;
  }
}

/** A group that matched nothing and one that took no part are the same variable: empty. There GNU's own rules are odd. */
export const plain = (a: Answer): Answer =>
  Array.isArray(a) ? [a[0]!, ...a.slice(1).map((g): [number, number] => (g[0] === g[1] ? [-1, -1] : g))] : a;
