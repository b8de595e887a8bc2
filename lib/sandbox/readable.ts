/** Whether a user can start what is loaded after the change to that user. */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GuestError } from '../bytes/errors';

/**
 * @param program folder of the built program
 * @throws GuestError where this user cannot read the program or Node
 */
export function mustBeReadable(program: string, uid: number): void {
  const files = readdirSync(program).filter((name) => /\.js(\.(flags\.)?\w+\.cache)?$/.test(name));
  for (const path of [...files.map((name) => join(program, name)), realpathSync(process.execPath)])
    fileMustBeReadable(path, uid);
}

/** @throws GuestError where this user cannot come to this file, or not read it */
function fileMustBeReadable(path: string, uid: number): void {
  const allowed = (place: string, bit: number): boolean => {
    const { mode, uid: owner, gid } = statSync(place);
    return ((mode >> (owner === uid ? 6 : gid === uid ? 3 : 0)) & bit) !== 0;
  };
  let place = path;
  for (let ok = allowed(path, 4); ; ok = allowed(place, 1)) {
    if (!ok)
      throw new GuestError('io', `user ${uid} cannot read ${path}, which the sandbox needs (${place})`);
    if (place === dirname(place)) return;
    place = dirname(place);
  }
}
