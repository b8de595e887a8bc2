/** A file of the tree → an output file, and what it must be. */
import { createHash } from 'node:crypto';
import { GuestError } from '../bytes/errors';
import { HEAD_BYTES, kernelKind } from '../kernel/head';
import { writeAll } from '../output/write';
import type { OutputFile } from '../sandbox/outputs';
import { type Checksum, isWeak } from './sums';
import { shown, type Tree } from './tree';

export interface Fetched {
  readonly size: number;
  /** Its first 1,024 bytes. */
  readonly head: Buffer;
}

/**
 * @param tell hears how many bytes came
 * @throws GuestError `corrupt` where length or checksum are others, `io`, `limit`, `not-found`
 */
export async function fetchFile(
  tree: Tree,
  path: string,
  sum: Checksum | undefined,
  out: OutputFile,
  tell: (bytes: number) => void,
): Promise<Fetched> {
  const { budget } = tree.ctx;
  const body = await tree.files.open(path);
  const what = shown(path);
  if (!body) throw new GuestError('not-found', `${what} is not there`);
  if (body.length !== undefined) budget.most('payloadBytes', body.length, `${what}: bytes`);
  const hash = sum && createHash(sum.algorithm);
  let head = Buffer.alloc(0);
  let size = 0;
  for await (const piece of body.pieces) {
    budget.most('payloadBytes', size + piece.length, `${what}: bytes`);
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, piece.subarray(0, HEAD_BYTES - head.length)]);
    hash?.update(piece);
    writeAll(out.fd, piece, out.path, size);
    size += piece.length;
    tell(piece.length);
  }
  if (body.length !== undefined && size !== body.length)
    throw new GuestError('corrupt', `${what}: ${size} bytes came, ${body.length} were promised`);
  if (size === 0) throw new GuestError('corrupt', `${what} is empty`);
  const digest = hash?.digest('hex');
  if (sum && digest !== sum.hex)
    throw new GuestError(
      'corrupt',
      `${what} is not what ${shown(sum.from)} says: ${sum.algorithm} ${digest} in place of ${sum.hex}`,
    );
  return { size, head };
}

/** @throws GuestError `corrupt` where the file is none: an error page, say */
export function mustBeKernel(path: string, head: Buffer): void {
  if (!kernelKind(head)) throw new GuestError('corrupt', `${shown(path)} is no kernel`);
}

/** What is said of a file that nothing vouches for; undefined where something does. */
export function doubt(path: string, sum: Checksum | undefined): string | undefined {
  if (!sum) return `no index of the tree has a checksum of ${shown(path)}: it was taken as it came`;
  return isWeak(sum)
    ? `${shown(sum.from)} has only a weak checksum (${sum.algorithm}) of ${shown(path)}`
    : undefined;
}
