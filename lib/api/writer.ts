/** Copies into files of the host's, for a process that has other things to do. */
import { ftruncateSync, write } from 'node:fs';
import { hostError } from '../bytes/errors';
import { Chunked } from '../extract/copy';

/**
 * One write at a time, and each is waited for: after a failure nothing is under way that could meet another file under the
 * descriptor's number. While it waits the process has its turn.
 */
export class FileWriter extends Chunked {
  async flush(): Promise<void> {
    for (let done = 0; done < this.filled; ) done += await this.#write(done);
    this.start += this.filled;
    this.filled = 0;
  }

  #write(from: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.fd, this.buffer, from, this.filled - from, this.start + from, (error, count) => {
        if (!error) resolve(count);
        else if (error.code === 'EINTR' || error.code === 'EAGAIN') resolve(0);
        else reject(hostError(`cannot write ${this.what}`, error));
      });
    });
  }

  /** The process's own compiler is left as it is. */
  many(): void {}

  /** A hole at the end becomes real size. */
  async end(): Promise<void> {
    const size = this.position;
    await this.flush();
    try {
      ftruncateSync(this.fd, size);
    } catch (error) {
      throw hostError(`cannot write ${this.what}`, error);
    }
  }
}
