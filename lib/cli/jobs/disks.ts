/** Which disks: the operands, then those of `--disks-from`. */
import { closeSync, openSync, readSync } from 'node:fs';
import { GuestError, hostError } from '../../bytes/errors';
import { fromHost, printable } from '../../bytes/text';

/** Bytes of a list: half a million paths. */
const LONGEST = 64 * 1024 * 1024;

/**
 * The paths of a list, one a line; where it holds a NUL, NULs are what separates them. Blank lines do not count; blanks are a part
 * of a name.
 * @throws GuestError `syntax` where it is not UTF-8
 */
export function pathsIn(bytes: Buffer, what: string): string[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new GuestError('syntax', `${what}: a name that is not UTF-8`);
  }
  return text.split(bytes.includes(0) ? '\0' : /\r?\n/).filter((path) => path !== '');
}

/** @param from a file's name, `-` is stdin @throws GuestError `io`, `limit`, `syntax` */
export function disksFrom(from: string): string[] {
  const what = `--disks-from=${printable(fromHost(from))}`;
  const parts: Buffer[] = [];
  let total = 0;
  try {
    const fd = from === '-' ? 0 : openSync(from, 'r');
    try {
      for (;;) {
        const part = Buffer.allocUnsafe(64 * 1024);
        const got = readSome(fd, part);
        if (got === 0) break;
        total += got;
        if (total > LONGEST) throw new GuestError('limit', `${what}: more than ${LONGEST} bytes`);
        parts.push(part.subarray(0, got));
      }
    } finally {
      if (fd !== 0) closeSync(fd);
    }
  } catch (error) {
    throw error instanceof GuestError ? error : hostError(what, error);
  }
  return pathsIn(Buffer.concat(parts), what);
}

function readSome(fd: number, into: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, into, 0, into.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      // A terminal or pipe of somebody's that does not block.
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (code !== 'EINTR') throw error;
    }
  }
}
