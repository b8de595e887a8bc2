/**
 * The parser's side of the sandbox (confine.sh): the program as it always is, but with descriptors in place of paths. Nothing is
 * opened from here on but files of this program's own folder.
 *
 * The first argument says what the parent opened: `--inside=ITEM,ITEM…;WHAT IS IN FORCE`.
 *
 *     kN, rN       kernel and ramdisk, for writing
 *     dN[:S:L]     a disk, in order; of a block device its bytes and its logical sector size
 *     cN           the configuration of `--isconfig`
 *     pN           the policy and its certificates, as JSON (policy/document.ts: PolicyText), to the end
 *     xN           what the parent's caller left open: closed here
 *     uN           the user to become
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
  readonly policy?: number;
  readonly disks: readonly (readonly number[])[];
  readonly foreign: readonly number[];
  readonly user?: number;
  readonly go?: number;
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
    ...(one('p') !== undefined && { policy: one('p')! }),
    ...(one('u') !== undefined && { user: one('u')! }),
    ...(one('g') !== undefined && { go: one('g')! }),
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
    if (given.user !== undefined) dropPrivileges(given.user, __dirname);
    // The thread that copy.ts writes with: from here on there may be no new one (parent.ts).
    fstat(2, () => {});
    writeAll(2, Buffer.from(READY), 'to the parent');
    if (given.go !== undefined && readSync(given.go, Buffer.alloc(1)) !== 1) return 1;
    return boot(options, limitsInForce(), parsed(options, given));
  });
}

function parsed(options: Options, given: Handed): Given {
  const { kernel, ramdisk } = given;
  const file = (fd: number, path: string) => ({ fd, path });
  return {
    disks:
      given.config !== undefined
        ? [configDisk(options.operands[0]!, given.config)]
        : openDisks(options, undefined, (path, i) => {
            const [fd, size, sectorSize] = given.disks[i] ?? [];
            return new FileSource(
              fd ?? -1,
              labelOf(path),
              size ? { size, sectorSize: sectorSize! } : undefined,
            );
          }),
    outputs:
      kernel !== undefined && ramdisk !== undefined
        ? { kernel: file(kernel, 'the kernel'), ramdisk: file(ramdisk, 'the ramdisk') }
        : undefined,
    fd: 1,
    force: given.force,
    console: given.console,
    policy:
      given.policy === undefined
        ? undefined
        : (require('../policy') as typeof import('../policy')).policyFrom(
            JSON.parse(readFileSync(given.policy, 'utf8')),
            options,
            (target) => join(target, options),
          ),
    format: answer,
    keep: 'nothing',
  };
}
