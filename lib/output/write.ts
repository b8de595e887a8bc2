import { writeSync } from 'node:fs';
import { hostError } from '../bytes/errors';

/**
 * Writes all of `bytes` to a descriptor, at `position` if given. A pty or pipe of the toolstack's may be
 * non-blocking: then this waits for it, as a blocking one would have.
 * @throws GuestError `io`
 */
export function writeAll(fd: number, bytes: Uint8Array, what: string, position?: number): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(
        fd,
        bytes,
        done,
        bytes.length - done,
        position === undefined ? null : position + done,
      );
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (code !== 'EINTR') throw hostError(`cannot write ${what}`, error);
    }
  }
}
