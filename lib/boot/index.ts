/** The dialects, in the contract's order of places. */
import { grub2 } from './grub2/dialect';
import type { BootDialect } from './model';

export const dialects: readonly BootDialect[] = [grub2];
