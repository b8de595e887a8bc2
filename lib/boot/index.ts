/**
 * The dialects, in the contract's order of places. All but GRUB 2's are chunks of the built program, loaded when one of
 * their places exists.
 */
import { grub2 } from './grub2/dialect';
import type { BootDialect } from './model';

export const dialects: readonly BootDialect[] = [grub2];
