/** zisofs: files compressed block by block, of both versions; a table of pointers says where each block is. */
import { corrupt, GuestError, unsupported } from '../../lib/bytes/errors';
import { printable } from '../../lib/bytes/text';
import type { Extent } from '../../lib/fs/types';
import type { IsoDisk, Section } from './disk';
import {
  ZISOFS_LOG2_SIZES,
  ZISOFS_MAGIC,
  ZISOFS2_MAGIC,
  ZISOFS2_ZLIB,
  Zisofs2Entry,
  Zisofs2Header,
  ZisofsEntry,
  ZisofsHeader,
} from './layout';

export interface Zisofs {
  readonly version: 1 | 2;
  /** Bytes of the file when unpacked. */
  readonly size: number;
  readonly headerSize: number;
  /** Bytes of a block when unpacked. */
  readonly blockSize: number;
}

/** Bytes of the pointer table that are read at once. */
const PIECE = 16 * 1024;

/** @throws GuestError `unsupported` for other compressors, `corrupt` */
export function readZisofsEntry(entry: Buffer): Zisofs {
  const e = ZisofsEntry.read(entry);
  const algorithm = e.Algorithm.toString('latin1');
  const version = algorithm === 'pz' && e.Version === 1 ? 1 : e.Version === 2 && algorithm === 'PZ' ? 2 : 0;
  if (version === 0)
    throw unsupported(`file compressed by '${printable(algorithm)}' (zisofs version ${e.Version})`);
  checkLog2(e.Log2BlockSize);
  return {
    version,
    size: version === 1 ? e.UncompressedSize : Zisofs2Entry.read(entry).UncompressedSize,
    headerSize: e.HeaderSizeDiv4 * 4,
    blockSize: 2 ** e.Log2BlockSize,
  };
}

function checkLog2(log2: number): void {
  const { least, most } = ZISOFS_LOG2_SIZES;
  if (log2 < least || log2 > most)
    throw corrupt(`zisofs blocks of 2^${log2} bytes, allowed 2^${least} to 2^${most}`);
}

/**
 * @param sections where the compressed file is
 * @param stored its bytes
 * @throws GuestError `corrupt`
 */
export function* zisofsExtents(
  disk: IsoDisk,
  zisofs: Zisofs,
  sections: readonly Section[],
  stored: number,
): Generator<Extent> {
  const { size, blockSize, headerSize } = zisofs;
  if (size === 0) return;
  checkHeader(disk, zisofs, sections, stored);
  const width = zisofs.version === 1 ? 4 : 8;
  const count = Math.ceil(size / blockSize);
  const table = (count + 1) * width;
  const dataStart = headerSize + table;
  if (dataStart > stored)
    throw corrupt(
      `${size} bytes in ${count} zisofs blocks, but the file has ${stored} bytes with their pointers`,
    );

  let piece: Buffer = Buffer.alloc(0);
  let pieceStart = 0;
  const pointer = (i: number): number => {
    const at = i * width;
    if (at < pieceStart || at + width > pieceStart + piece.length) {
      piece = disk.read(sections, headerSize + at, Math.min(PIECE, table - at));
      pieceStart = at;
    }
    const p = at - pieceStart;
    const low = piece.readUInt32LE(p);
    return width === 4 ? low : piece.readUInt32LE(p + 4) * 2 ** 32 + low;
  };

  let start = pointer(0);
  if (start < dataStart) throw corrupt(`zisofs block 0 begins at byte ${start}, inside the pointers`);
  for (let i = 0; i < count; i++) {
    disk.ctx.budget.step();
    const from = start;
    const end = pointer(i + 1);
    const offset = i * blockSize;
    const length = Math.min(blockSize, size - offset);
    // What zlib needs in the worst case is much less than this; Linux: deflateBound().
    if (end < from || end > stored || end - from > 2 * blockSize)
      throw corrupt(`zisofs block ${i} is at bytes ${from} to ${end} of ${stored}`);
    start = end;
    if (end === from) yield { kind: 'hole', offset, length };
    else
      yield {
        kind: 'packed',
        offset,
        length,
        unpack: () => inflate(disk, disk.read(sections, from, end - from), length, i),
      };
  }
}

/** The header repeats what the ZF entry says. Linux does not look at it: disagreement is told, the entry counts. */
function checkHeader(disk: IsoDisk, zisofs: Zisofs, sections: readonly Section[], stored: number): void {
  const layout = zisofs.version === 1 ? ZisofsHeader : Zisofs2Header;
  if (zisofs.headerSize < layout.size || zisofs.headerSize > stored)
    throw corrupt(`zisofs header of ${zisofs.headerSize} bytes in a file of ${stored}`);
  const bytes = disk.read(sections, 0, layout.size);
  if (zisofs.version === 2) {
    const { Algorithm } = Zisofs2Header.read(bytes);
    if (Algorithm !== ZISOFS2_ZLIB) throw unsupported(`file compressed by zisofs algorithm ${Algorithm}`);
  }
  const header = layout.read(bytes);
  if (
    header.Magic !== (zisofs.version === 1 ? ZISOFS_MAGIC : ZISOFS2_MAGIC) ||
    header.HeaderSizeDiv4 * 4 !== zisofs.headerSize ||
    2 ** header.Log2BlockSize !== zisofs.blockSize ||
    header.UncompressedSize !== zisofs.size
  )
    disk.warnOnce(
      'zisofs header',
      `the header of a zisofs file is not what its ZF entry says (${zisofs.size} bytes in blocks of ${zisofs.blockSize}), which counts`,
    );
}

/** @throws GuestError `corrupt` when it does not make exactly `length` bytes */
function inflate(disk: IsoDisk, packed: Buffer, length: number, block: number): Buffer {
  const { inflateSync } = require('node:zlib') as typeof import('node:zlib');
  // Unpacking is work, about as much for each KiB as a step elsewhere; the memory is gone when the block is written.
  disk.ctx.budget.step(Math.ceil(length / 1024));
  let bytes: Buffer;
  try {
    bytes = inflateSync(packed, { maxOutputLength: length });
  } catch (error) {
    if (error instanceof GuestError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw corrupt(
      code === 'ERR_BUFFER_TOO_LARGE'
        ? `zisofs block ${block} holds more than ${length} bytes`
        : `zisofs block ${block} cannot be unpacked (${code ?? 'zlib'})`,
    );
  }
  if (bytes.length !== length)
    throw corrupt(`zisofs block ${block} holds ${bytes.length} bytes instead of ${length}`);
  return bytes;
}
