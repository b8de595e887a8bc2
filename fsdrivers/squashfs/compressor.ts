/** The compressors by their numbers, each loaded at its first use. */
import { unsupported } from '../../lib/bytes/errors';

/** @returns bytes written into `into`; @throws GuestError `corrupt` */
export type Decompress = (from: Uint8Array, into: Uint8Array) => number;

export const LZ4 = 5;

/** A dictionary never takes more than the output, which is a block: this only says that any is fine. */
const XZ_MEMORY = 64 * 1024 * 1024;

/** @throws GuestError `unsupported` */
export function decompressor(number: number): Decompress {
  switch (number) {
    case 1:
      return (
        require('../../lib/bytes/decompress/inflate') as typeof import('../../lib/bytes/decompress/inflate')
      ).inflateZlib;
    case 2: {
      const { lzma } =
        require('../../lib/bytes/decompress/lzma') as typeof import('../../lib/bytes/decompress/lzma');
      return (from, into) => lzma(from, into);
    }
    case 3:
      return (require('../../lib/bytes/decompress/lzo') as typeof import('../../lib/bytes/decompress/lzo'))
        .lzo1x;
    case 4: {
      const { xz } =
        require('../../lib/bytes/decompress/xz') as typeof import('../../lib/bytes/decompress/xz');
      return (from, into) => xz(from, into, XZ_MEMORY);
    }
    case LZ4: {
      const { lz4Block } =
        require('../../lib/bytes/decompress/lz4') as typeof import('../../lib/bytes/decompress/lz4');
      return (from, into) => lz4Block(from, into);
    }
    case 6: {
      const { zstd } =
        require('../../lib/bytes/decompress/zstd') as typeof import('../../lib/bytes/decompress/zstd');
      return (from, into) => zstd(from, into);
    }
    default:
      throw unsupported(`squashfs compressor ${number}`);
  }
}
