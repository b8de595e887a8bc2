/** Compressed extents: 1 zlib, 2 lzo, 3 zstd (fs/btrfs/{zlib,lzo,zstd}.c); each decompressor is loaded at its first use. */
import { corrupt, unsupported } from '../../lib/bytes/errors';

export const COMPRESSION = { none: 0, zlib: 1, lzo: 2, zstd: 3 } as const;

/**
 * All of `from` unpacked into `into`, which is as large as the extent in whole sectors. What is not filled are zeros: the
 * last sector of a file may be cut short, as the kernel reads it.
 * @throws GuestError `corrupt`, `unsupported`
 */
export function unpack(kind: number, from: Buffer, into: Buffer, sectorSize: number): void {
  const used = unpackInto(kind, from, into, sectorSize);
  into.fill(0, used);
}

function unpackInto(kind: number, from: Buffer, into: Buffer, sectorSize: number): number {
  switch (kind) {
    case COMPRESSION.zlib: {
      const { inflateZlib } =
        require('../../lib/bytes/decompress/inflate') as typeof import('../../lib/bytes/decompress/inflate');
      return inflateZlib(from, into);
    }
    case COMPRESSION.lzo:
      return unpackLzo(from, into, sectorSize);
    case COMPRESSION.zstd: {
      const { zstd } =
        require('../../lib/bytes/decompress/zstd') as typeof import('../../lib/bytes/decompress/zstd');
      return zstd(from, into);
    }
    default:
      throw unsupported(`compression ${kind}`);
  }
}

/**
 * Four bytes for the length of all, themselves included; then for each sector of the file the length of its LZO1X stream
 * and the stream. A length never reaches over the end of a sector: what is too short for one is skipped.
 */
function unpackLzo(from: Buffer, into: Buffer, sectorSize: number): number {
  const { lzo1x } =
    require('../../lib/bytes/decompress/lzo') as typeof import('../../lib/bytes/decompress/lzo');
  if (from.length < 4) throw corrupt(`lzo: extent of ${from.length} bytes`);
  const end = from.readUInt32LE(0);
  if (end > from.length || end < 4) throw corrupt(`lzo: ${end} bytes in an extent of ${from.length}`);
  let p = 4;
  let at = 0;
  while (p < end) {
    const left = sectorSize - (p % sectorSize);
    if (left < 4) {
      p += left;
      continue;
    }
    if (p + 4 > end) throw corrupt(`lzo: no length at byte ${p} of ${end}`);
    const length = from.readUInt32LE(p);
    p += 4;
    if (length === 0 || length > end - p) throw corrupt(`lzo: ${length} bytes at byte ${p} of ${end}`);
    if (at >= into.length) throw corrupt(`lzo: more than ${into.length} bytes come out`);
    const sector = into.subarray(at, Math.min(into.length, at + sectorSize));
    const used = lzo1x(from.subarray(p, p + length), sector);
    // Every stream is a sector; only the last one may be shorter.
    if (used < sector.length && p + length < end) throw corrupt(`lzo: ${used} bytes instead of a sector`);
    at += used;
    p += length;
  }
  return at;
}
