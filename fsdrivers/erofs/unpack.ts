/** The algorithms by their numbers, each loaded at its first use. */
import { corrupt, unsupported } from '../../lib/bytes/errors';

/**
 * Unpacks one physical cluster: exactly `length` bytes.
 * @param padded the stored bytes begin with zeros (of LZ4, where they do not: end with anything)
 * @param partial more than `length` would come out
 * @throws GuestError `corrupt`, `unsupported`
 */
export function unpack(
  algorithm: number,
  stored: Buffer,
  length: number,
  padded: boolean,
  partial: boolean,
): Buffer {
  const into = Buffer.allocUnsafeSlow(length);
  let from = stored;
  const unpadded = algorithm === 0 && !padded;
  if (!unpadded) {
    let margin = 0;
    while (margin < stored.length && stored[margin] === 0) margin++;
    if (margin === stored.length) throw corrupt('a compressed cluster of zeros');
    from = stored.subarray(margin);
  }
  const got = decompress(algorithm, from, into, partial || unpadded);
  if (got !== length) throw corrupt(`${got} bytes come out instead of ${length}`);
  return into;
}

function decompress(algorithm: number, from: Buffer, into: Buffer, partial: boolean): number {
  switch (algorithm) {
    case 0: {
      const { lz4Block } =
        require('../../lib/bytes/decompress/lz4') as typeof import('../../lib/bytes/decompress/lz4');
      return lz4Block(from, into, undefined, partial);
    }
    case 1: {
      const { microLzma } =
        require('../../lib/bytes/decompress/lzma') as typeof import('../../lib/bytes/decompress/lzma');
      return microLzma(from, into, partial);
    }
    case 2: {
      const { inflateRaw } =
        require('../../lib/bytes/decompress/inflate') as typeof import('../../lib/bytes/decompress/inflate');
      return inflateRaw(from, into, partial);
    }
    case 3: {
      const { zstd } =
        require('../../lib/bytes/decompress/zstd') as typeof import('../../lib/bytes/decompress/zstd');
      return zstd(from, into, { partial });
    }
    default:
      throw unsupported(`erofs compression algorithm ${algorithm}`);
  }
}
