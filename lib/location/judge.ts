/** What was fetched, as the policy sees files: a kernel and a ramdisk that can be read again. */
import { readSync } from 'node:fs';
import type { BootContext, BootTarget, GuestFile } from '../boot/model';
import { GuestError, hostError, unsupported } from '../bytes/errors';
import type { Extent, FileSystem, FsNode } from '../fs/types';
import type { Policy } from '../policy/types';
import type { OutputFile, Outputs } from '../sandbox/outputs';
import type { BlockSource } from '../source/types';

/** An output file, read through the descriptor that wrote it. */
const sourceOf = ({ path, fd }: OutputFile, size: number): BlockSource => ({
  label: path,
  size,
  sectorSize: 512,
  cached: true,
  read(at, into) {
    for (let done = 0; done < into.length; ) {
      let count = 0;
      try {
        count = readSync(fd, into, done, into.length - done, at + done);
      } catch (error) {
        throw hostError(`cannot read ${path}`, error);
      }
      if (count === 0) throw new GuestError('io', `${path} is shorter than it was`);
      done += count;
    }
  },
});

/** A filesystem of one file; nothing lies beside it. */
export function fetchedFile(path: string, out: OutputFile, size: number): GuestFile {
  const node: FsNode = { kind: 'file', size, id: path };
  const root: FsNode = { kind: 'directory', size: 0, id: 'root' };
  const source = sourceOf(out, size);
  const extent: Extent = { kind: 'data', offset: 0, length: size, source, at: 0 };
  const fs: FileSystem = {
    type: 'location',
    grubName: 'location',
    root,
    lookup: () => undefined,
    readdir: () => [],
    readlink: () => '',
    extents: () => [extent],
  };
  return { volume: undefined, path, found: { fs, node } };
}

/** The arguments that the guest gets. @throws GuestError that names the rule which refuses it */
export function judged(policy: Policy, target: BootTarget, outputs: Outputs, ctx: BootContext): BootTarget {
  const result = policy.judged(target, ctx);
  if (result.problem !== null) throw unsupported(result.problem);
  policy.checkCopied(result, outputs, ctx);
  return result;
}
