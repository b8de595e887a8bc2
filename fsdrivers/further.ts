/**
 * The drivers that most guests never need, in the order in which they are asked: after ext and FAT, before ISO 9660.
 * This list is a chunk of its own, loaded when neither of those two knows a volume.
 */
import type { Registered } from './index';

export const further: readonly Registered[] = [];
