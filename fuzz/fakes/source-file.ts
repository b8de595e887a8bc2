import type { BlockSource } from '../../lib/source/types';
import { host } from './state';

export const openDisk = (): BlockSource => host.disk!;
