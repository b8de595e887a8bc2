/**
 * The only part of the program that writes to a guest's disk: a process of its own, started before privileges are given up, that
 * holds no disk open. It believes nothing: what it hears is a place and two blocks; the place must hold the first of them, which
 * must be a whole environment block, and so must the second be. So whoever has taken the parser over can, through it, put one environment
 * block in the place of another, and nothing else. It ends when its stdin does, or after one block.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { GuestError, hostError, unsupported } from '../bytes/errors';
import { fromBytes, toBytes } from '../bytes/text';
import { writeAll } from '../output/write';
import { BLOCK, isSound, planned, SECTOR } from './plan';

/** Told on the command line, by the trusted side: which disk it is, whatever its path leads to by then. */
export interface Identity {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  readonly rdev: number;
}

/** What is wanted. */
export interface Wanted {
  /** Which disk of the run. */
  readonly disk: number;
  /** Byte of the block on it. */
  readonly at: number;
  /** In base64: what the parser saw there, and what is to be there. */
  readonly before: string;
  readonly after: string;
}

const LONGEST = 8192;

/** @throws GuestError for what is no message of ours */
export function understood(line: string, disks: number): Wanted {
  const wrong = () => new GuestError('corrupt', 'the message is not one of ours');
  let said: Wanted;
  try {
    said = JSON.parse(line);
  } catch {
    throw wrong();
  }
  const { disk, at, before, after } = said ?? {};
  const known = Number.isInteger(disk) && disk >= 0 && disk < disks;
  if (!known || !Number.isSafeInteger(at) || at < 0 || at % SECTOR !== 0) throw wrong();
  if (typeof before !== 'string' || typeof after !== 'string') throw wrong();
  return { disk, at, before, after };
}

/**
 * Opens the disk for writing, for this one block.
 * @param wrote called before each sector but the first, for tests
 * @throws GuestError; nothing was written then, or the message says what was
 */
export function replaceBlock(
  { path, dev, ino, rdev }: Identity,
  { at, before, after }: Wanted,
  wrote: () => void = () => {},
): void {
  const [old, next] = [before, after].map((text) => fromBytes(Buffer.from(text, 'base64'))) as [
    string,
    string,
  ];
  if (!isSound(old) || !isSound(next))
    throw unsupported('it is not a whole environment block of 1,024 bytes');
  const plan = planned(old, next);
  if (!plan)
    throw unsupported(
      'both its sectors would change, and a power cut between them could leave neither state',
    );
  const ask = <T>(call: () => T, what: string): T => {
    try {
      return call();
    } catch (error) {
      throw hostError(what, error);
    }
  };
  const { O_RDWR, O_NOCTTY, O_NONBLOCK, O_EXCL } = constants;
  // O_EXCL without O_CREAT: a device that is mounted, or that a volume lies on, is refused (open(2)).
  const flags = O_RDWR | O_NOCTTY | O_NONBLOCK;
  const fd = ask(
    () => openSync(path, rdev === 0 ? flags : flags | O_EXCL),
    'cannot open the disk for writing',
  );
  try {
    const stat: Stats = fstatSync(fd);
    if (stat.dev !== dev || stat.ino !== ino || stat.rdev !== rdev)
      throw unsupported('the path leads to another disk now');
    if (stat.isFile() && (stat.mode & 0o222) === 0) throw unsupported('the disk is read-only');
    const there = Buffer.alloc(BLOCK);
    if (
      ask(() => readSync(fd, there, 0, BLOCK, at), 'cannot read the block') !== BLOCK ||
      fromBytes(there) !== old
    )
      throw unsupported('the disk holds another block than was read');
    const bytes = toBytes(plan.block);
    for (const [i, sector] of plan.order.entries()) {
      if (i > 0) wrote();
      const from = sector * SECTOR;
      const count = ask(() => writeSync(fd, bytes, from, SECTOR, at + from), 'cannot write the block');
      if (count !== SECTOR) throw new GuestError('io', 'the block was not written whole');
      ask(() => fsyncSync(fd), 'cannot write the block');
    }
  } finally {
    closeSync(fd);
  }
}

/** `--inside=env` and the disks' identities, as JSON. @returns the exit status */
export async function helper(words: readonly string[]): Promise<number> {
  // The console's signals are for the program itself: a write is not broken off.
  for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT'] as const) process.on(name, () => {});
  const disks = words.map((word) => JSON.parse(word) as Identity);
  const buffer = Buffer.alloc(LONGEST);
  let length = 0;
  while (!buffer.subarray(0, length).includes(10)) {
    const got = length < LONGEST ? readSync(0, buffer, length, LONGEST - length, null) : 0;
    if (got === 0) return 1;
    length += got;
  }
  let answer = 'ok';
  try {
    const wanted = understood(buffer.toString('latin1', 0, length), disks.length);
    replaceBlock(disks[wanted.disk]!, wanted);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    answer = error.describe();
  }
  writeAll(1, Buffer.from(answer), 'the answer');
  return 0;
}
