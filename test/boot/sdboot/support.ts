/** Shared by the tests of systemd-boot's menu. */
import { dialects } from '../../../lib/boot/further';
import type { BootDialect, GuestFile } from '../../../lib/boot/model';
import { readWhole } from '../../../lib/fs/file';
import type { FileSystem } from '../../../lib/fs/types';
import { context } from '../../support';
import type { MemoryDisk } from '../memfs';

export const dialect = (name: 'sdboot' | 'bls'): BootDialect => dialects.find((d) => d.name === name)!;

export const ESP = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
export const XBOOTLDR = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';

/** GPT with filesystems of the given types. */
export function gpt(...rows: [type: string, fs: FileSystem | Error | null][]): MemoryDisk {
  return { scheme: 'gpt', partitions: rows.map(([type, fs]) => ({ type, fs })) };
}

/** The bytes of a file that a target names. */
export function content(file: GuestFile | undefined): Buffer {
  const { fs, node } = file!.found!;
  return readWhole(fs, node, 1 << 24, context());
}
