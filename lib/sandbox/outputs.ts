/**
 * The files that are made in dom0, and their removal whatever happens.
 *
 * A helper (`/bin/sh`, about 6 ms, in parallel) waits on a pipe from us. Files that we did not tell it to keep are
 * removed when the pipe closes: after an error, a signal, SIGKILL, a crash of Node. So signals keep their default
 * action, which ends an endless loop or a long copy at once, and no privilege is needed to clean up: after a permanent
 * drop nothing of ours may unlink in libxl's 0600 root directory (DESIGN: "The privilege boundary", way (a)).
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, constants, fstatSync, ftruncateSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { GuestError, hostError } from '../bytes/errors';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

export interface OutputFile {
  readonly path: string;
  readonly fd: number;
}

/** Reads keep-words `0`, `1` …; what is not kept when the pipe ends is removed. */
const JANITOR = `trap '' HUP INT TERM QUIT PIPE USR1 USR2
kept=' '
while read -r word; do kept="$kept$word "; done
n=0
for file do
  case $kept in *" $n "*) ;; *) /bin/rm -f -- "$file" ;; esac
  n=$((n + 1))
done`;

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

/** Opens `--output`; a regular file is emptied. The caller removes it after a failure if `created`. */
export function openResult(path: string): OutputFile & { created: boolean } {
  if (path === '-') return { path, fd: 1, created: false };
  try {
    try {
      return { path: resolve(path), fd: openSync(path, O_WRONLY | O_CREAT | O_EXCL, 0o600), created: true };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const fd = openSync(path, O_WRONLY);
      if (fstatSync(fd).isFile()) ftruncateSync(fd);
      return { path: resolve(path), fd, created: false };
    }
  } catch (error) {
    throw hostError(`cannot write --output=${path}`, error);
  }
}

export class Outputs {
  readonly kernel: OutputFile;
  readonly ramdisk: OutputFile;
  readonly #janitor: ChildProcess;
  readonly #gone: Promise<void>;

  /**
   * Starts the helper, then makes both files: there is no moment in which a file exists and nobody would remove it.
   * @param created further files of ours that must not outlive a failure
   * @throws GuestError `io`
   */
  constructor(directory: string, created: readonly string[]) {
    const paths = [join(directory, randomName('boot_kernel')), join(directory, randomName('boot_ramdisk'))];
    const { spawn } = require('node:child_process') as typeof import('node:child_process');
    this.#janitor = spawn('/bin/sh', ['-c', JANITOR, 'nodegrub-janitor', ...paths, ...created], {
      // A session of its own: a hang-up or Ctrl-C of the console must not reach it. Nothing of the toolstack's is
      // inherited: its pty would stay open.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: {},
    });
    this.#gone = new Promise((done) => {
      this.#janitor.once('exit', () => done());
      this.#janitor.once('error', () => done());
    });
    this.#janitor.stdin?.on('error', () => {});
    if (this.#janitor.pid === undefined)
      throw new GuestError('io', 'cannot start /bin/sh, which would remove the files after a failure');
    // Never another's file: should one of that name exist, it is not ours to remove.
    this.kernel = this.#make(paths[0]!, '0\n1\n');
    this.ramdisk = this.#make(paths[1]!, '1\n');
  }

  /** A new file, mode 0600, never through a link. */
  #make(path: string, keepIfNotOurs: string): OutputFile {
    try {
      return { path, fd: openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) };
    } catch (error) {
      this.#janitor.stdin?.end(keepIfNotOurs);
      throw hostError(`cannot make ${path}`, error);
    }
  }

  /**
   * Ends the helper, and waits for it.
   * @param keep what the toolstack was told of; everything else is removed
   */
  async end(keep: 'nothing' | 'kernel' | 'both'): Promise<void> {
    for (const file of [this.kernel, this.ramdisk]) {
      try {
        closeSync(file.fd);
      } catch {
        // Closed already: the copy is complete or has failed, and has said so.
      }
    }
    // A created result file (words from 2 on) is kept with the kernel.
    this.#janitor.stdin?.end(keep === 'nothing' ? '' : keep === 'kernel' ? '0\n2\n' : '0\n1\n2\n');
    await this.#gone;
  }
}
