/** One line on the console while a large file is copied, or many disks are looked at. */
import { isatty } from 'node:tty';
import { writeAll } from '../lib/output/write';

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

export class Progress {
  #length = 0;

  /** @param total bytes; the ramdisk's padding may make `done` a little more */
  show(done: number, total: number): void {
    const percent = total > 0 ? Math.min(Math.floor((done * 100) / total), 100) : 100;
    this.#write(`copying kernel and ramdisk: ${megabytes(done)} of ${megabytes(total)} (${percent}%)`);
  }

  /** Of a file whose length is not known before it ends. */
  came(done: number): void {
    this.#write(`fetching kernel and ramdisk: ${megabytes(done)}`);
  }

  /** Any other work. */
  say(text: string): void {
    this.#write(text);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#length === 0) return;
    this.#write('');
    this.#write('');
  }

  #write(text: string): void {
    // Into a log file it would be noise.
    if (!isatty(2)) return;
    try {
      writeAll(2, Buffer.from(`\r${text.padEnd(this.#length)}${text === '' ? '\r' : ''}`), 'the console');
    } catch {
      // A closed console must not keep a guest from booting.
    }
    this.#length = text.length;
  }
}
