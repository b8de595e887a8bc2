/**
 * The parser's side of the sandbox (confine.sh): the program as it always is, but with descriptors in place of paths. Nothing is
 * opened from here on but files of this program's own folder.
 *
 * The first argument says what the parent opened: `--inside=ITEM,ITEM…;WHAT IS IN FORCE`.
 *
 * `--inside=env` is the helper that writes an environment block (writeenv/helper.ts).
 * `--inside=jobs` is a batch of disks, which hears on stdin what it is to do (cli/jobs).
 *
 *     kN, rN       kernel and ramdisk, for writing
 *     dN[:S:L[:1]] a disk, in order; of a block device its bytes and its logical sector size; 1: a connection to an NBD server
 *     cN           the configuration of `--isconfig`
 *     xN           what the parent's caller left open: closed here
 *     uN           the user to become
 *     zWORD        by which the processes of one sandbox are found
 *     sN           where the rest comes from (Private): what was read of the policy and of key files
 *     hN[:S:L]     a detached LUKS header, as a disk
 *     gN           there a byte comes from the parent, if it lives still, before the first of the guest's is read
 *     mN:KIND:C:R  where the menu draws, a console of C columns and R rows; KIND: letters of `consoleKind`
 */
import { closeSync, fstat, readFileSync, readSync } from 'node:fs';
import type { Kind } from '../../menu/terminal';
import { GuestError } from '../bytes/errors';
import { fromBytes, printable } from '../bytes/text';
import { boot, type Given, join, limitsInForce, log, openDisks, reported } from '../cli/main';
import { type Options, parseOptions } from '../cli/options';
import { writeAll } from '../output/write';
import type { PolicyText } from '../policy/document';
import { FileSource, labelOf } from '../source/file';
import { dropPrivileges } from './drop';
import { answer, MESSAGE_BYTES, READY } from './message';

const configDisk = (path: string, fd: number) =>
  (require('../cli/reports') as typeof import('../cli/reports')).configDisk(path, limitsInForce(), fd);

/** A child's line for the log, however long it is. */
const SHOWN = 4096;

export const shownLine = (line: string): string => printable(line, SHOWN);

interface Handed {
  readonly kernel?: number;
  readonly ramdisk?: number;
  readonly config?: number;
  readonly disks: readonly (readonly number[])[];
  readonly foreign: readonly number[];
  readonly user?: number;
  readonly go?: number;
  readonly private?: number;
  readonly header?: readonly number[];
  readonly console?: Kind;
  readonly force: string;
}

function handed(word: string): Handed {
  const [, list, force] = /^--inside=([^;]*);(.*)$/s.exec(word) ?? [];
  if (list === undefined || force === undefined)
    throw new GuestError('io', 'what is handed over is not said');
  const all = list.split(',').map((item) => ({ letter: item[0], words: item.slice(1).split(':') }));
  const of = (letter: string) =>
    all.filter((item) => item.letter === letter).map((item) => item.words.map(Number));
  const one = (letter: string) => of(letter)[0]?.[0];
  const drawn = all.find((item) => item.letter === 'm')?.words;
  return {
    ...(one('k') !== undefined && { kernel: one('k')!, ramdisk: one('r')! }),
    ...(one('c') !== undefined && { config: one('c')! }),
    ...(one('u') !== undefined && { user: one('u')! }),
    ...(one('g') !== undefined && { go: one('g')! }),
    ...(one('s') !== undefined && { private: one('s')! }),
    ...(of('h')[0] && { header: of('h')[0]! }),
    ...(drawn && { console: consoleOf(drawn) }),
    disks: of('d'),
    foreign: of('x').flat(),
    force,
  };
}

const consoleOf = ([fd, kind = '', columns, rows]: readonly string[]): Kind => ({
  fd: Number(fd),
  tty: kind.includes('t'),
  full: kind.includes('f'),
  utf8: kind.includes('u'),
  remote: { drawn: kind.includes('d'), size: { columns: Number(columns), rows: Number(rows) } },
});

/** @returns the exit status */
export async function inside(argv: readonly string[]): Promise<number> {
  const [word, ...rest] = argv;
  if (word === '--show-lines') {
    const lines = fromBytes(readFileSync(0).subarray(0, MESSAGE_BYTES)).split('\n');
    for (const line of lines) if (line !== '') log(shownLine(line));
    return 0;
  }
  if (word === '--inside=env')
    return reported(() =>
      (require('../writeenv/helper') as typeof import('../writeenv/helper')).helper(rest),
    );
  if (word === '--inside=jobs')
    return reported(() => (require('../cli/jobs/batch') as typeof import('../cli/jobs/batch')).batch());
  return reported(async () => {
    const given = handed(word!);
    const options = parseOptions(rest);
    for (const fd of given.foreign) {
      try {
        closeSync(fd);
      } catch {
        // The sandbox's own programs may have closed it.
      }
    }
    // After the drop the thread's file may be out of reach, and its user be changed with ours.
    const remote = connections(options, given);
    if (given.user !== undefined) dropPrivileges(given.user, __dirname);
    // The thread that copy.ts writes with: from here on there may be no new one (parent.ts).
    fstat(2, () => {});
    writeAll(2, Buffer.from(READY), 'to the parent');
    if (given.go !== undefined && readSync(given.go, Buffer.alloc(1)) !== 1) return 1;
    return boot(options, limitsInForce(), parsed(options, given, remote));
  });
}

/** What is not for the command line, which every user of the host can read. */
export interface Private {
  readonly policy?: PolicyText | undefined;
  /** Key files, in base64. */
  readonly keys?: readonly string[] | undefined;
}

const source = (path: string, [fd, size, sectorSize]: readonly number[] = []): FileSource =>
  new FileSource(fd ?? -1, labelOf(path), size ? { size, sectorSize: sectorSize! } : undefined);

type Remote = import('../source/nbd').Prepared | undefined;

/** The threads of disks that are connections, none of which says anything yet. */
const connections = ({ operands }: Options, { disks }: Handed): Remote[] =>
  disks.map(([fd, , , remote], i) =>
    remote
      ? (require('../source/nbd') as typeof import('../source/nbd')).prepareNbd(
          operands[i]!,
          limitsInForce(),
          fd,
        )
      : undefined,
  );

function parsed(options: Options, given: Handed, remote: readonly Remote[]): Given {
  const { kernel, ramdisk } = given;
  const { policy, keys }: Private =
    given.private === undefined ? {} : JSON.parse(readFileSync(given.private, 'utf8'));
  const disks =
    options.action === 'isconfig'
      ? []
      : openDisks(options, undefined, (path, i) => {
          const connection = remote[i];
          return connection
            ? (require('../source/nbd') as typeof import('../source/nbd')).openPrepared(connection)
            : source(path, given.disks[i]);
        });
  const file = (fd: number, path: string) => ({ fd, path });
  return {
    disks: given.config !== undefined ? [configDisk(options.operands[0]!, given.config)] : disks,
    images:
      options.image &&
      (require('../cli/image') as typeof import('../cli/image')).prepareImages(
        options,
        disks,
        FileSource,
        limitsInForce(),
      ),
    secrets:
      keys || given.header
        ? {
            secrets: (keys ?? []).map((text) => Buffer.from(text, 'base64')),
            header: given.header && source('the LUKS header', given.header),
          }
        : undefined,
    policy:
      policy &&
      (require('../policy') as typeof import('../policy')).policyFrom(policy, options, (target) =>
        join(target, options),
      ),
    outputs:
      kernel !== undefined && ramdisk !== undefined
        ? { kernel: file(kernel, 'the kernel'), ramdisk: file(ramdisk, 'the ramdisk') }
        : undefined,
    fd: 1,
    force: given.force,
    console: given.console,
    format: answer,
    keep: 'nothing',
  };
}
