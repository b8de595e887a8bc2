import { writeSync } from 'node:fs';
import { host } from './state';

export function writeAll(fd: number, bytes: Uint8Array, _what: string, position?: number): void {
  if (fd === 1) host.stdout.push(Buffer.from(bytes));
  else if (fd === 2) host.stderr.push(Buffer.from(bytes));
  else writeSync(fd, bytes, 0, bytes.length, position ?? null);
}
