/**
 * Unpacks what a kernel is packed with: piece by piece where the format's window is small (gzip, bzip2, lz4, lzo), as a whole where
 * all of the output may be the window (lzma, xz, zstd: Linux packs with dictionaries of up to 128 MiB).
 */
import type { Context } from '../bytes/budget';
import { bzip2 } from '../bytes/decompress/bzip2';
import { OutputFull } from '../bytes/decompress/full';
import { lz4Legacy } from '../bytes/decompress/lz4-legacy';
import { lzma } from '../bytes/decompress/lzma';
import { lzop } from '../bytes/decompress/lzop';
import { xz } from '../bytes/decompress/xz';
import { zstd } from '../bytes/decompress/zstd';
import { corrupt, unsupported, within } from '../bytes/errors';
import type { KernelFile } from './file';
import { gunzip } from './gunzip';

/** Linux' names, but `lz4frame`: its build never makes one, and nothing of it unpacks one. */
export type Compression = 'gzip' | 'bzip2' | 'lzma' | 'xz' | 'lzo' | 'lz4' | 'zstd' | 'lz4frame';

/** What a kernel may be packed with, by its first bytes. */
export const MAGICS: readonly (readonly [Compression, string])[] = [
  ['gzip', '\x1f\x8b'],
  ['bzip2', 'BZh'],
  ['lzma', '\x5d\0\0'],
  ['xz', '\xfd7zXZ\0'],
  ['lzo', '\x89LZO'],
  ['lz4', '\x02\x21\x4c\x18'],
  ['lz4frame', '\x04\x22\x4d\x18'],
  ['zstd', '\x28\xb5\x2f\xfd'],
];

export const compressionOf = (head: Buffer): Compression | undefined =>
  MAGICS.find(([, magic]) => head.toString('latin1', 0, magic.length) === magic)?.[0];

/** Bytes of output between two looks at the time (Budget.progress). */
const PROGRESS = 4 * 1024 * 1024;
/** Memory that a dictionary may take, if the output had not its own: more than Linux' largest. */
const DICTIONARY = 2 ** 32;
const FIRST_GUESS = 16 * 1024 * 1024;

/** What is packed, and what the image says of it. */
export interface Packed {
  readonly compression: Compression;
  readonly file: KernelFile;
  /** Bytes that are to come out, if the image says so: where Linux' build appends them, the last four of `file` are theirs. */
  readonly size: number | undefined;
  /** `size` was appended, and is no part of what is packed. */
  readonly appended: boolean;
}

/** All of what is packed, without the size that was appended. @throws GuestError */
export const packedBytes = ({ file, appended }: Packed, ctx: Context): Buffer =>
  file.read(0, file.size - (appended ? 4 : 0), ctx);

/** @param from `packedBytes`; @returns what comes out as pieces, each valid until the next one is asked for: of at most 8 MiB, or all of it. @throws GuestError */
export function* unpack({ compression, size }: Packed, from: Buffer, ctx: Context): Generator<Uint8Array> {
  const label = compression === 'lz4frame' ? 'lz4' : compression;
  const { budget } = ctx;
  if (size !== undefined) budget.most('payloadBytes', size, `bytes of a kernel unpacked by ${label}`);
  let total = 0;
  let told = 0;
  budget.progress(true);
  const pieces = piecesOf(compression, from, size, ctx);
  for (;;) {
    const next = within(`${label} payload`, () => pieces.next());
    if (next.done) break;
    total += next.value.length;
    budget.most('payloadBytes', total, `bytes of a kernel unpacked by ${label}`);
    if (total - told >= PROGRESS) {
      told = total;
      budget.progress(false);
    }
    yield next.value;
  }
  // Linux reserves `size` bytes and is content with fewer; more would have been an error here, too.
  if (size !== undefined && total > size)
    throw corrupt(`${total} bytes come out, ${size} are promised`, `${label} payload`);
  if (size !== undefined && total < size)
    ctx.warn(`the kernel unpacks to ${total} bytes, its image promises ${size}`);
}

function piecesOf(
  compression: Compression,
  from: Buffer,
  size: number | undefined,
  ctx: Context,
): Generator<Uint8Array> {
  const { budget } = ctx;
  const work = (bytes: number) => {
    budget.read(bytes);
  };
  switch (compression) {
    case 'gzip':
      return gunzip(from, budget);
    case 'bzip2':
      return bzip2(from, work);
    case 'lz4':
      return lz4Legacy(from, work);
    case 'lzo':
      return lzop(from, work);
    case 'lzma':
      return whole((into) => lzma(from, into), from.length, size, ctx);
    case 'xz':
      return whole(
        (into) => xz(from, into, DICTIONARY, () => budget.progress(false)),
        from.length,
        size,
        ctx,
      );
    case 'zstd':
      return whole((into) => zstd(from, into), from.length, size, ctx);
    case 'lz4frame':
      throw unsupported('an lz4 frame; Linux uses the legacy one (lz4 -l)');
  }
}

/** @param size of the output; undefined: nobody knows, and it is tried with more and more room */
function* whole(
  run: (into: Uint8Array) => number,
  packedSize: number,
  size: number | undefined,
  ctx: Context,
): Generator<Uint8Array> {
  let room = size ?? Math.max(FIRST_GUESS, packedSize * 4);
  for (;;) {
    ctx.budget.step();
    // Memory that is not touched takes none: what is asked for is looked at against the limit all the same.
    ctx.budget.allocate(room);
    const into = Buffer.allocUnsafeSlow(room);
    let length: number;
    try {
      length = run(into);
    } catch (error) {
      if (!(error instanceof OutputFull) || size !== undefined) throw error;
      ctx.budget.most('payloadBytes', room, 'bytes of an unpacked kernel');
      ctx.budget.progress(false);
      room *= 2;
      continue;
    }
    ctx.budget.progress(false);
    yield into.subarray(0, length);
    return;
  }
}
