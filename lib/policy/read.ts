/** Reads the policy's files, while the program may still read what the admin may. Nothing of the guest is known here. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { GuestError, hostError } from '../bytes/errors';
import { type PolicyText, parseDocument, policyName } from './document';

/** 10,000 hashes take 700 kB. */
const MOST_BYTES = 1024 * 1024;

/**
 * A regular file's text. What could block (a FIFO, a terminal) is not waited for.
 * @throws GuestError `io`
 */
function readText(path: string, what: string): string {
  const name = `${what} ${policyName(path)}`;
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new GuestError('io', `${name}: is not a regular file`);
      const into = Buffer.alloc(MOST_BYTES + 1);
      let size = 0;
      for (let count = -1; count !== 0 && size < into.length; size += count)
        count = readSync(fd, into, size, into.length - size, null);
      if (size > MOST_BYTES) throw new GuestError('limit', `${name}: more than ${MOST_BYTES} bytes`);
      return new TextDecoder('utf-8', { fatal: true }).decode(into.subarray(0, size));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof GuestError) throw error;
    if (error instanceof TypeError) throw new GuestError('syntax', `${name}: is not UTF-8`);
    throw hostError(`cannot read ${name}`, error);
  }
}

/** @throws GuestError */
export function readPolicy(path: string): PolicyText {
  const text = readText(path, 'policy');
  const { kernel, ramdisk } = parseDocument(path, text);
  const files: Record<string, string> = Object.create(null);
  for (const rules of [kernel, ramdisk])
    for (const name of rules?.signature?.certificates ?? [])
      files[name] ??= readText(resolve(dirname(path), name), `policy ${policyName(path)}: certificate`);
  return { name: path, text, files };
}
