/**
 * What passes between the three: the supervisor (which may be root, and reads no guest byte), a batch (a process that opens some
 * disks, gives root up, and watches its workers) and the workers (threads that look at one disk at a time).
 */
import type { PolicyText } from '../../policy/document';
import type { Options } from '../options';
import type { Verdict } from './record';

/** The supervisor's only message: one line of JSON on the batch's stdin, which stays open as long as the supervisor lives. */
export interface Order {
  readonly options: Omit<Options, 'run'>;
  readonly policy: PolicyText | undefined;
  readonly disks: readonly { readonly number: number; readonly path: string }[];
  readonly workers: number;
  /** Wall-clock seconds for one disk. */
  readonly seconds: number;
  /** The user to become; undefined: nothing is given up. */
  readonly user: number | undefined;
}

/**
 * A batch's lines: `o N` this disk is being opened · `s N` it is looked at · `r N VERDICT LINE` the result · `e` the end, said too
 * where disks are left over.
 */
export type Heard =
  | { readonly kind: 'o' | 's'; readonly number: number }
  | { readonly kind: 'r'; readonly number: number; readonly verdict: Verdict; readonly line: string }
  | { readonly kind: 'e' };

/** Bytes of a line: as many as the strict sandbox takes of a list. */
export const LONGEST = 64 * 1024 * 1024;

/** @returns undefined for what no batch of ours would say */
export function understood(line: string): Heard | undefined {
  if (line === 'e') return { kind: 'e' };
  const word = /^([os]) (\d{1,9})$/.exec(line);
  if (word) return { kind: word[1] as 'o' | 's', number: Number(word[2]) };
  const result = /^r (\d{1,9}) ([012]) /.exec(line);
  if (!result) return undefined;
  return {
    kind: 'r',
    number: Number(result[1]),
    verdict: Number(result[2]) as Verdict,
    // A terminal would obey them; ours are escaped already.
    line: line.slice(result[0].length).replace(/[\x00-\x1f\x7f]/g, '?'),
  };
}
