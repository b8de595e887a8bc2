/**
 * The files that are made in dom0, and their removal whatever happens.
 *
 * The janitor (janitor.ts) removes what is not to be kept. So signals keep their default action, which ends an endless
 * loop or a long copy at once, and no privilege is needed to clean up: after a permanent drop nothing of ours may unlink
 * in libxl's 0600 root directory (DESIGN: "The privilege boundary", way (a)).
 */
import {
  constants,
  fstat,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { GuestError, hostError } from '../bytes/errors';
import { Janitor } from './janitor';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, O_WRONLY } = constants;

export interface OutputFile {
  readonly path: string;
  readonly fd: number;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789_';

/** `PREFIX.XXXXXXXX`, eight of [a-z0-9_]. Not a secret: O_EXCL refuses what somebody else has put there. */
function randomName(prefix: string): string {
  let name = `${prefix}.`;
  for (let i = 0; i < 8; i++) name += LETTERS[Math.floor(Math.random() * LETTERS.length)];
  return name;
}

/** The directory for kernel and ramdisk, absolute, links in it kept. Only the default one is made. */
export function outputDirectory(given: string, byUser: boolean): string {
  const directory = resolve(given);
  if (!byUser) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw hostError(`cannot make ${directory}`, error);
    }
    return directory;
  }
  let isDirectory = false;
  try {
    isDirectory = statSync(directory).isDirectory();
  } catch (error) {
    throw hostError(`--output-directory=${given}`, error);
  }
  if (!isDirectory) throw new GuestError('io', `--output-directory=${given}: not a directory`);
  return directory;
}

/** `--output` if `openResult` will create it: then it is ours to remove after a failure, and the janitor comes first. */
export function newResult(path: string): string[] {
  return path === '-' || lstatSync(path, { throwIfNoEntry: false }) ? [] : [resolve(path)];
}

/** Opens `--output`; a regular file is emptied. */
export function openResult(path: string): OutputFile {
  if (path === '-') return { path, fd: 1 };
  try {
    try {
      return { path, fd: openSync(path, O_WRONLY | O_CREAT | O_EXCL, 0o600) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const fd = openSync(path, O_WRONLY);
      if (fstatSync(fd).isFile()) ftruncateSync(fd);
      return { path, fd };
    }
  } catch (error) {
    throw hostError(`cannot write --output=${path}`, error);
  }
}

export class Outputs {
  readonly kernel: OutputFile;
  readonly ramdisk: OutputFile;
  readonly #janitor: Janitor;
  readonly #files: number;

  /**
   * Starts the helper, then makes both files: there is no moment in which a file exists and nobody would remove it.
   * @param created further files of ours that must not outlive a failure
   * @throws GuestError `io`
   */
  constructor(directory: string, created: readonly string[]) {
    const paths = [join(directory, randomName('boot_kernel')), join(directory, randomName('boot_ramdisk'))];
    this.#janitor = new Janitor([...paths, ...created]);
    this.#files = paths.length + created.length;
    // Never another's file: should one of that name exist, it is not ours to remove.
    this.kernel = this.#make(paths[0]!, [0, 1]);
    this.ramdisk = this.#make(paths[1]!, [1]);
    // The thread that copy.ts writes with is started here, while root's process limits hold: libuv aborts without it.
    process.env.UV_THREADPOOL_SIZE = '1';
    fstat(this.kernel.fd, () => {});
  }

  /** A new file, mode 0600, never through a link. Read again by a policy that judges what was copied. */
  #make(path: string, keepIfNotOurs: readonly number[]): OutputFile {
    try {
      return { path, fd: openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) };
    } catch (error) {
      this.#janitor.release(keepIfNotOurs);
      throw hostError(`cannot make ${path}`, error);
    }
  }

  /**
   * Ends the helper, and waits for it where it has something to remove. The descriptors are left to the process's end: a
   * write may still be under way after a failure.
   * @param keep what the toolstack was told of; everything else is removed
   */
  async end(keep: 'nothing' | 'kernel' | 'both'): Promise<void> {
    // From here on the files stay: whoever ends us now must not be told that we failed.
    if (keep !== 'nothing') for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.on(name, () => {});
    const all = Array.from({ length: this.#files }, (_, n) => n);
    this.#janitor.release(keep === 'nothing' ? [] : keep === 'kernel' ? all.filter((n) => n !== 1) : all);
    if (keep === 'both') this.#janitor.leave();
    else await this.#janitor.gone;
  }
}
