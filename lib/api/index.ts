/** `import … from 'nodegrub'`: dist/index.js, whose declarations are public.ts. */
import { GuestError } from '../bytes/errors';
import { LIMITS } from '../bytes/limits';
import { fromHost, printable as printableBytes } from '../bytes/text';
import { VERSION } from '../cli/main';
import { OpenedDisk } from './disk';
import type * as Public from './public';

const openDisk: typeof Public.openDisk = (disks, options = {}) =>
  new OpenedDisk(Array.isArray(disks) ? disks : [disks as string | Public.DiskSource], options);

const printable: typeof Public.printable = (text) => printableBytes(fromHost(text), Number.POSITIVE_INFINITY);

const limits: typeof Public.LIMITS = LIMITS;
const version: typeof Public.version = VERSION;
const error: typeof Public.GuestError = GuestError;

export { error as GuestError, limits as LIMITS, openDisk, printable, version };
