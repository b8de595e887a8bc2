/** What the command-line tools put around the streams that filesystems keep bare. Plain cutting, nothing is verified. */

/** One bare stream, and the bytes that it gives; `packed` equal to the plain bytes where the tool stored them. */
export interface Piece {
  readonly packed: Buffer;
  readonly stored: boolean;
  /** Of lzop, which says it. */
  readonly size?: number;
}

/** The blocks of one lz4 frame (lz4_Frame_format.md), as the command line tool makes it. */
export function lz4Pieces(file: Buffer): Piece[] {
  if (file.readUInt32LE(0) !== 0x184d2204) throw new Error('no lz4 frame');
  const flags = file[4]!;
  let p = 7 + (flags & 8 ? 8 : 0);
  const pieces: Piece[] = [];
  for (;;) {
    const size = file.readUInt32LE(p);
    p += 4;
    if (size === 0) return pieces;
    const length = size & 0x7fffffff;
    pieces.push({ packed: file.subarray(p, p + length), stored: size > 0x7fffffff });
    p += length + (flags & 16 ? 4 : 0);
  }
}

/** The blocks of an lzop file (lzop 1.04, src/lzop.c: header fields; blocks of at most 256 KiB). */
export function lzopPieces(file: Buffer): Piece[] {
  if (file.subarray(0, 9).toString('latin1') !== '\x89LZO\0\r\n\x1a\n') throw new Error('no lzop file');
  const flags = file.readUInt32BE(17);
  let p = 33;
  p += 1 + file[p]! + 4;
  const pieces: Piece[] = [];
  for (;;) {
    const size = file.readUInt32BE(p);
    if (size === 0) return pieces;
    const length = file.readUInt32BE(p + 4);
    const stored = length === size;
    // Checksums of the plain bytes: Adler-32 and CRC-32; of the packed ones where they differ.
    p += 8 + (flags & 1 ? 4 : 0) + (flags & 0x100 ? 4 : 0);
    if (!stored) p += (flags & 2 ? 4 : 0) + (flags & 0x200 ? 4 : 0);
    pieces.push({ packed: file.subarray(p, p + length), stored, size });
    p += length;
  }
}

/** `.lzma` → MicroLZMA: the header goes, its properties byte is inverted in place of the first byte. */
export function microFrom(lzma: Buffer): Buffer {
  const micro = Buffer.from(lzma.subarray(13));
  micro[0] = ~lzma[0]! & 0xff;
  return micro;
}
