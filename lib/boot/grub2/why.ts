/** What an entry missed on its way to a file that is not there. A chunk: for what does not boot. */
import { type ByteString, printable } from '../../bytes/text';
import type { Machine } from './commands/types';

/** Where `search` notes what it did not find. */
export const MISSED = 'missed';

/** `problem`, with what a device that is not there has to do with it. */
export function why(machine: Machine, problem: string): string {
  const root = machine.get('root');
  const missed = machine.memory.get(MISSED) as ByteString | undefined;
  const reasons: string[] = [];
  if (missed !== undefined) reasons.push(`search found no '${printable(missed, 80)}'`);
  if (root && !machine.guest.device(root) && !problem.includes(printable(root, 80)))
    reasons.push(`its root '${printable(root, 80)}' is no device of the guest's`);
  return reasons.length > 0 ? `${problem} (${reasons.join(', ')})` : problem;
}
