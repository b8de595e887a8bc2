import { ftruncateSync } from 'node:fs';
import { host } from './state';

export const outputDirectory = (given: string): string => given;
export const newResult = (): string[] => [];
export const openResult = (path: string) => ({ path, fd: 1 });

export class Outputs {
  readonly kernel = host.files[0]!;
  readonly ramdisk = host.files[1]!;
  constructor() {
    host.kept = 'nothing';
    for (const { fd } of host.files) ftruncateSync(fd);
  }
  async end(keep: 'nothing' | 'kernel' | 'both'): Promise<void> {
    host.kept = keep;
  }
}
