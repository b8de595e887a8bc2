/** Is it a Linux kernel? GRUB decides by what a file holds whether `module` means a module or a ramdisk. */
import type { Budget, Context } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { loaderKind } from '../../kernel/loader-kind';
import type { GuestFile } from '../model';

export function isLinuxImage({ found }: GuestFile, ctx: Context, budget: Budget): boolean {
  try {
    return found !== undefined && loaderKind(found.fs, found.node, { ...ctx, budget }) === 'linux';
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    return false;
  }
}
