/** How entries reach files: by paths relative to the root of the filesystem that holds the entry. */
import { GuestError } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import type { FsNode } from '../../fs/types';
import { tryWalk } from '../../fs/walk';
import { payload } from '../guest';
import type { BootContext, GuestFile } from '../model';
import type { Place } from './item';

/** `EFI\Linux\x` → `/EFI/Linux/x` */
export function absolute(path: ByteString): ByteString {
  return `/${path.replaceAll('\\', '/')}`.replace(/\/{2,}/g, '/');
}

/**
 * A file to load, found or with its problem. Where /boot is a directory of the root filesystem, entries may have been
 * written with or without it.
 */
export function locate(place: Place, path: ByteString, ctx: BootContext, kernel = false): GuestFile {
  const wanted = absolute(path);
  const file = payload(ctx.guest.file(wanted, place.volume), kernel);
  if (file.problem === undefined || place.prefix === '') return file;
  const inside = payload(ctx.guest.file(place.prefix + wanted, place.volume), kernel);
  return inside.problem === undefined ? inside : file;
}

export interface Listed {
  readonly name: ByteString;
  readonly node: FsNode;
}

/**
 * The regular files of a directory whose names end with `suffix` whatever the case, hidden ones left out, by name.
 * @returns an empty list when there is no such directory
 * @throws GuestError when the filesystem is damaged
 */
export function listFiles(
  place: Place,
  directory: ByteString,
  suffix: string,
  ctx: BootContext,
  warn: (message: string) => void,
): Listed[] {
  const node = tryWalk(place.fs, directory);
  if (node?.kind !== 'directory') return [];
  const names: ByteString[] = [];
  try {
    for (const { name } of place.fs.readdir(node)) {
      ctx.budget.step();
      if (name.startsWith('.') || !name.toLowerCase().endsWith(suffix)) continue;
      ctx.budget.allocate(name.length);
      names.push(name);
    }
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    // What was read before the damage still counts.
    warn(error.describe());
  }
  names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const files: Listed[] = [];
  for (const name of names) {
    ctx.budget.step();
    try {
      const file = tryWalk(place.fs, `${directory}/${name}`);
      if (file?.kind === 'file') files.push({ name, node: file });
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
      warn(error.describe());
    }
  }
  return files;
}
