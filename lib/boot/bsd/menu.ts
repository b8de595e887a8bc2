/** What the configurations of the BSDs have in common. */
import type { ByteString } from '../../bytes/text';

/** A kernel as a system's own configuration names it. */
export interface Candidate {
  readonly title: ByteString;
  readonly kernel: ByteString;
  readonly args: ByteString;
  readonly notes: readonly string[];
}

export interface Menu {
  readonly candidates: readonly Candidate[];
  readonly default: number;
  /** Seconds, -1 for ever. */
  readonly timeout: number;
  readonly warnings: readonly string[];
  mergeArgs?(args: ByteString, added: ByteString): ByteString;
}
