/** `--key-file`, `--key-fd`, `--luks-header`, and who is asked for a passphrase. A chunk: for whoever has encrypted volumes. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Kind } from '../../menu/terminal';
import type { Bootloader } from '../bootloader';
import { GuestError, hostError } from '../bytes/errors';
import { fromHost, printable } from '../bytes/text';
import { openDisk } from '../source/file';
import { type Keys, unlocked } from '../unlock';
import type { ParsedOption } from './getopt';
import type { Options } from './options';

export { type Keys, unlockChosen, unlocked } from '../unlock';

/** cryptsetup's bound (DEFAULT_KEYFILE_SIZE_MAXKB 8192). */
const LARGEST_KEY = 8 * 1024 * 1024;
/** Seconds until the first key of a passphrase, where a terminal is there and perhaps nobody in front of it. */
const PATIENCE = 30;

/**
 * Reads the keys, as whoever started the program. All of a file is the key, a line feed at its end too, as with cryptsetup's
 * `--key-file`; `-` is stdin.
 * @throws GuestError `io`, `limit`
 */
export function openKeys(given: readonly ParsedOption[]): Keys {
  const secrets: Buffer[] = [];
  let header: Keys['header'];
  for (const { name, value } of given) {
    const what = `--${name}=${printable(fromHost(value))}`;
    if (name === 'luks-header') {
      if (header) throw new GuestError('io', '--luks-header is given twice');
      header = openDisk(value);
      continue;
    }
    const number = name === 'key-fd' ? value : value === '-' ? '0' : undefined;
    if (number !== undefined && !/^\d{1,6}$/.test(number))
      throw new GuestError('io', `${what}: not the number of a descriptor`);
    try {
      if (number !== undefined) {
        secrets.push(readAll(Number(number), what));
        // Later parts of the program have no business with it.
        if (Number(number) > 2) closeSync(Number(number));
        continue;
      }
      const fd = openSync(value, 'r');
      try {
        secrets.push(readAll(fd, what));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw error instanceof GuestError ? error : hostError(what, error);
    }
  }
  return { secrets, header };
}

/** To the end. Only the returned buffer has held the bytes. */
function readAll(fd: number, what: string): Buffer {
  const stat = fstatSync(fd);
  let buffer = Buffer.alloc(stat.isFile() ? Math.min(stat.size, LARGEST_KEY) + 1 : 64 * 1024);
  for (let length = 0; ; ) {
    const got = readSync(fd, buffer, length, buffer.length - length, null);
    length += got;
    if (length > LARGEST_KEY) {
      buffer.fill(0);
      throw new GuestError('limit', `${what}: a key of more than ${LARGEST_KEY} bytes`);
    }
    if (got === 0) {
      if (length === 0) throw new GuestError('io', `${what}: empty, so no key`);
      return buffer.subarray(0, length);
    }
    if (length < buffer.length) continue;
    const larger = Buffer.alloc(buffer.length * 2);
    buffer.copy(larger);
    buffer.fill(0);
    buffer = larger;
  }
}

/**
 * What `find` finds, with as many encrypted volumes opened as that needs.
 * @param console whose it is; undefined: this process's
 */
export async function unlock<T>(
  loader: Bootloader,
  options: Options,
  keys: Keys | undefined,
  find: () => T | undefined,
  found: T | undefined,
  say: (line: string) => void,
  console?: Kind,
): Promise<T | undefined> {
  const { menuTimeout } = options;
  // 1 is what the menu waits where nobody said anything.
  const seconds = menuTimeout === 1 ? PATIENCE : menuTimeout;
  const person = () =>
    new (require('../../menu/passphrase') as typeof import('../../menu/passphrase')).Passphrases(
      seconds,
      console,
    );
  let kept = false;
  try {
    const asks = !loader.context.quiet && options.action === 'boot';
    const result = await unlocked(
      loader,
      find,
      found,
      keys ?? { secrets: [], header: undefined },
      asks ? person : undefined,
      say,
    );
    // The menu may have entries that need them, and overwrites them.
    kept = loader.offer !== undefined;
    return result;
  } finally {
    if (!kept) for (const secret of keys?.secrets ?? []) secret.fill(0);
  }
}
