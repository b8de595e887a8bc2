/**
 * Deflate (RFC 1951) and zlib (RFC 1950) by node:zlib. What follows the end of the stream is not looked at: formats
 * pad to sectors.
 */
import { corrupt } from '../errors';

/** A stream of which only the beginning is wanted may give no more than this (erofs: clusters of up to 12 MiB). */
const PARTIAL_BYTES = 16 * 1024 * 1024;

type Inflate = typeof import('node:zlib').inflateSync;

function run(
  name: string,
  inflate: Inflate,
  from: Uint8Array,
  into: Uint8Array,
  finishFlush: number | undefined,
  partial: boolean,
): number {
  // Deflate makes at most 1,032 bytes of one.
  const most = partial ? Math.max(into.length, Math.min(PARTIAL_BYTES, from.length * 1032 + 1)) : into.length;
  let out: Buffer;
  try {
    out = inflate(from, {
      maxOutputLength: Math.max(1, most),
      // One chunk and a byte: a second one is never begun.
      chunkSize: Math.max(64, into.length + 1),
      ...(finishFlush === undefined ? {} : { finishFlush }),
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Node's own checks of arguments would be our mistake; all else is the data's.
    if (code === 'ERR_INVALID_ARG_TYPE' || code === 'ERR_INVALID_ARG_VALUE') throw error;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw corrupt(`${name}: more than ${most} bytes come out`);
    throw corrupt(`${name}: ${message}`);
  }
  if (out.length > most) throw corrupt(`${name}: more than ${most} bytes come out`);
  const length = Math.min(out.length, into.length);
  into.set(out.length > length ? out.subarray(0, length) : out);
  return length;
}

/**
 * @param partial the beginning is enough: output beyond `into` is dropped, and the input may end early
 * @returns bytes written into `into`
 * @throws GuestError `corrupt`: bad data, or (unless `partial`) an unfinished stream or more output than `into` holds
 */
export function inflateRaw(from: Uint8Array, into: Uint8Array, partial = false): number {
  const { inflateRawSync, constants } = require('node:zlib') as typeof import('node:zlib');
  return run('deflate', inflateRawSync, from, into, partial ? constants.Z_SYNC_FLUSH : undefined, partial);
}

/** As `inflateRaw`, for a stream with zlib's header and Adler-32. */
export function inflateZlib(from: Uint8Array, into: Uint8Array, partial = false): number {
  const { inflateSync, constants } = require('node:zlib') as typeof import('node:zlib');
  return run('zlib', inflateSync, from, into, partial ? constants.Z_SYNC_FLUSH : undefined, partial);
}
