/** What is printed of one disk. */
import { fromHost, printable } from '../../bytes/text';
import { listAsObject } from '../../output/list';

/** 0: it boots; 1: it does not; 2: it could not be looked at. The highest of a run is its exit status. */
export type Verdict = 0 | 1 | 2;

export interface Seen {
  readonly verdict: Verdict;
  /** For stdout, without its line feed. */
  readonly line: string;
}

/** `-l`'s JSON has this, and what is said in its place where nothing was found. */
export const NOTHING = listAsObject(undefined, []);

/** The line of a disk that could not be looked at. */
export function unseen(number: number, path: string, json: boolean, reason: string): Seen {
  return said(2, number, path, json, null, [reason], NOTHING);
}

/** @param listing what listAsObject gave */
export function said(
  verdict: Verdict,
  number: number,
  image: string,
  json: boolean,
  boots: Record<string, unknown> | null,
  reasons: readonly string[],
  listing: object,
): Seen {
  if (json)
    return {
      verdict,
      line: JSON.stringify({ number, image, ok: verdict === 0, boots, reasons, ...listing }),
    };
  const name = printable(fromHost(image), 4096);
  const what = ['boots', 'does not boot', 'could not be looked at'][verdict];
  const detail = boots
    ? `'${printable(fromHost(String(boots.title ?? '')), 200)}': ${printable(fromHost(String(boots.kernel)), 200)}`
    : reasons.at(-1);
  return { verdict, line: `${name}: ${what}${boots ? ' ' : ': '}${detail}` };
}
