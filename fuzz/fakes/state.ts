/** What the whole program meets in place of the host, when it runs inside the harness. */
import type { BlockSource } from '../../lib/source/types';

export const host = {
  disk: undefined as BlockSource | undefined,
  stdout: [] as Buffer[],
  stderr: [] as Buffer[],
  /** What `Outputs.end` was told to keep; undefined: there were no output files. */
  kept: undefined as 'nothing' | 'kernel' | 'both' | undefined,
  /** Two files that are used again and again. */
  files: [] as { path: string; fd: number }[],
};
