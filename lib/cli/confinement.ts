/** The values of `--user` and `--sandbox`. A chunk: toolstacks name neither. */
import { readFileSync } from 'node:fs';
import { UsageError } from './getopt';
import type { Sandbox } from './options';

const SANDBOXES: readonly Sandbox[] = ['off', 'basic', 'strict', 'auto'];

/**
 * A user id, or a name of /etc/passwd (passwd(5)). Only this file is read: the name service may block, or load plugins
 * into a process that is root still.
 * @throws UsageError for what is neither, and for root
 */
export function userId(value: string, passwd = '/etc/passwd'): number {
  const uid = /^[0-9]+$/.test(value) ? Number(value) : uidOfName(value, passwd);
  if (uid === undefined || uid >= 0xffff_ffff)
    throw new UsageError(`--user=${value}: neither a user id nor a name in ${passwd}`);
  if (uid === 0) throw new UsageError(`--user=${value} would keep all privileges`);
  return uid;
}

function uidOfName(wanted: string, passwd: string): number | undefined {
  let lines: string[] = [];
  try {
    lines = readFileSync(passwd, 'utf8').split('\n');
  } catch {
    // Without the file there are no names, and the caller says so.
  }
  for (const line of lines) {
    const [name, , uid] = line.split(':');
    if (name === wanted && uid !== undefined && /^[0-9]+$/.test(uid)) return Number(uid);
  }
  return undefined;
}

/** @throws UsageError */
export function sandboxNamed(value: string): Sandbox {
  const found = SANDBOXES.find((name) => name === value);
  if (!found) throw new UsageError(`--sandbox=${value}: ${SANDBOXES.join(', ')}`);
  return found;
}

export const contradiction = (): UsageError =>
  new UsageError('--sandbox=off would keep what --runas and --user give up');
