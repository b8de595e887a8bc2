import type { BlockSource } from '../../lib/source/types';
import { host } from './state';

export const openDisk = (): BlockSource => host.disk!;
/** Only what lies in files of the host's own is opened with it. */
export class FileSource {}

export const labelOf = (path: string): string => path;
