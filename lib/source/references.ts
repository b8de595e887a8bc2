/**
 * Files that an image names (backing file, data file, extents, parent), opened where the caller named the image's format
 * and allowed it. This is done while the program may still be root, so it reads no more of an image than its head, and
 * what it finds there is taken for a file's name in the image's own directory or refused.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Budget, Context } from '../bytes/budget';
import { GuestError, hostError, unsupported, within } from '../bytes/errors';
import type { Limits } from '../bytes/limits';
import { over } from '../bytes/over';
import { type ByteString, fromHost, printable, toBytes } from '../bytes/text';
import type { FileSource } from './file';
import type { Reference } from './format';
import { formatOf, formats, type Member } from './index';
import type { BlockSource } from './types';

/** Nothing is counted: what is read of a head is bounded by its layout, and there are at most `imageFiles`. */
const uncounted: Context = {
  budget: { step() {}, read() {}, allocate() {} } as unknown as Budget,
  warn() {},
};

/** FileSource; the core's, which has no other use for handing it out. */
export type MakeFile = new (fd: number, label: string) => FileSource;

interface Run {
  /** As the image was named, and as the host knows it. */
  readonly directories: readonly ByteString[];
  /** Those on the way from the image: `device:inode`. */
  readonly seen: string[];
  files: number;
  readonly opened: FileSource[];
  readonly File: MakeFile;
  readonly limits: Limits;
}

/**
 * @param path the image's, on the host
 * @param format what the caller named
 * @throws GuestError `unsupported` for a name outside the directory and for what is no regular file, `corrupt` for a circle,
 *   `io`
 */
export function openReferences(
  path: string,
  image: FileSource,
  format: string,
  File: MakeFile,
  limits: Limits,
): ReadonlyMap<ByteString, Member> {
  const directory = dirname(path);
  let real: string;
  try {
    real = realpathSync(directory);
  } catch (error) {
    throw hostError(`cannot open ${printable(fromHost(directory))}`, error);
  }
  const run: Run = {
    directories: [fromHost(real), fromHost(directory)],
    seen: [identity(image)],
    files: 0,
    opened: [],
    File,
    limits,
  };
  try {
    return members(image, format, run);
  } catch (error) {
    for (const file of run.opened) file.close();
    throw error;
  }
}

function members(image: BlockSource, format: string, run: Run): Map<ByteString, Member> {
  const found = new Map<ByteString, Member>();
  const reader = formats.find((f) => f.name === format)?.load();
  if (!reader?.references) return found;
  for (const reference of reader.references(image, uncounted)) {
    if (found.has(reference.name)) continue;
    found.set(
      reference.name,
      within(`${image.label} › ${format}`, () => member(reference, run)),
    );
  }
  return found;
}

function member(reference: Reference, run: Run): Member {
  const { limits, seen } = run;
  if (++run.files > limits.imageFiles) throw over(limits, 'imageFiles', run.files, 'files of an image');
  if (seen.length > limits.imageDepth)
    throw over(limits, 'imageDepth', seen.length, 'images made from one another');
  const name = nameInside(reference, run.directories);
  const file = open(name, reference, run);
  const id = identity(file);
  if (seen.includes(id))
    throw new GuestError('corrupt', `its ${reference.what} '${printable(name)}' leads back to itself`);
  const format = formatOf(reference);
  if (format === undefined) return { file, members: new Map() };
  seen.push(id);
  const inner = members(file, format, run);
  seen.pop();
  return { file, members: inner };
}

/** @returns the name of a file in the directory, without any directory before it */
function nameInside({ what, name }: Reference, directories: readonly ByteString[]): ByteString {
  let rest = name.replace(/^file:(?:\/\/(?=\/))?/, '');
  // What QEMU would take for a protocol (path_has_protocol of block.c), and drives of Windows.
  if (/^[^/]*:/.test(rest))
    throw unsupported(`its ${what} '${printable(name, 200)}' is not a file's name, and is not read`);
  for (const directory of directories) {
    const before = directory.endsWith('/') ? directory : `${directory}/`;
    if (rest.startsWith(before)) {
      rest = rest.slice(before.length);
      break;
    }
  }
  rest = rest.replace(/^(?:\.\/+)+/, '');
  if (rest === '' || rest === '.' || rest === '..' || /[/\0]/.test(rest) || rest.length > 255)
    throw unsupported(
      `its ${what} '${printable(name, 200)}' is not a file in the image's own directory, and is not read`,
    );
  return rest;
}

function open(name: ByteString, { what }: Reference, run: Run): FileSource {
  const path = Buffer.concat([toBytes(run.directories[0]!), Buffer.from('/'), toBytes(name)]);
  const label = printable(name);
  let fd: number;
  try {
    // To open a device may already do something.
    const stat = lstatSync(path);
    if (!stat.isFile() && !stat.isSymbolicLink())
      throw unsupported(`its ${what} '${label}' is no regular file`);
    // Not through a link, and no waiting for the other end of a FIFO.
    fd = openSync(
      path,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch (error) {
    if (error instanceof GuestError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ELOOP')
      throw unsupported(`its ${what} '${label}' is a symbolic link, and is not followed`);
    throw hostError(`cannot open its ${what} '${label}'`, error);
  }
  try {
    if (!fstatSync(fd).isFile()) throw unsupported(`its ${what} '${label}' is no regular file`);
    const file = new run.File(fd, label);
    run.opened.push(file);
    return file;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function identity(file: FileSource): string {
  const { dev, ino } = fstatSync(file.fd, { bigint: true });
  return `${dev}:${ino}`;
}
