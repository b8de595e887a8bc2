/** Volume header → a geometry whose values have been checked; what is wrapped in an HFS too. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, type GuestError, unsupported } from '../../lib/bytes/errors';
import { type BlockSource, readBytes, SliceSource } from '../../lib/source/types';
import { HEADER_AT, MasterDirectoryBlock, SIGNATURE, VolumeHeader } from './layout';

export interface Geometry {
  /** The volume without its wrapper. */
  readonly source: BlockSource;
  readonly extended: boolean;
  readonly attributes: number;
  readonly journalInfoBlock: number;
  readonly blockSize: number;
  readonly totalBlocks: number;
  readonly extentsFile: Buffer;
  readonly catalogFile: Buffer;
  readonly uuid?: string;
}

/** The source of the HFS Plus in `source`: itself, or the stretch that an HFS has put it into. Undefined: there is none. */
export function unwrapped(source: BlockSource, ctx: Context): BlockSource | undefined {
  if (source.size < HEADER_AT + VolumeHeader.size) return undefined;
  const b = readBytes(source, HEADER_AT, VolumeHeader.size, ctx);
  if (isPlus(b.readUInt16BE(0))) return source;
  const m = MasterDirectoryBlock.read(b);
  if (m.drSigWord !== SIGNATURE.hfs || !isPlus(m.drEmbedSigWord)) return undefined;
  const start = m.drAlBlSt * 512 + m.drEmbedStartBlock * m.drAlBlkSiz;
  if (m.drAlBlkSiz % 512 !== 0 || start + HEADER_AT + VolumeHeader.size > source.size)
    throw corrupt(`embedded at byte ${start}, beyond the end (${source.size} bytes)`, 'HFS wrapper');
  const size = Math.min(m.drEmbedBlockCount * m.drAlBlkSiz, source.size - start);
  return new SliceSource(source, start, size, `${source.label}+hfs`);
}

const isPlus = (signature: number): boolean => signature === SIGNATURE.plus || signature === SIGNATURE.x;

/** @throws GuestError `corrupt` `unsupported` */
export function readGeometry(source: BlockSource, ctx: Context): Geometry {
  const first = checked(source, HEADER_AT, ctx);
  if (!(first instanceof Error)) return first;
  const copy = checked(source, source.size - HEADER_AT, ctx);
  if (copy instanceof Error) throw first;
  ctx.warn(`volume header: ${first.message}; its copy at the end is used`);
  return copy;
}

function checked(source: BlockSource, at: number, ctx: Context): Geometry | GuestError {
  if (at < HEADER_AT || at + VolumeHeader.size > source.size) return corrupt('no volume header');
  const h = VolumeHeader.read(readBytes(source, at, VolumeHeader.size, ctx));
  if (!isPlus(h.signature)) return corrupt('no volume header');
  if (h.version !== 4 && h.version !== 5) return unsupported(`HFS+ version ${h.version}`);
  if (h.blockSize < 512 || h.blockSize > 2 ** 30 || (h.blockSize & (h.blockSize - 1)) !== 0)
    return corrupt(`blocks of ${h.blockSize} bytes`);
  if (h.totalBlocks === 0 || !Number.isSafeInteger(h.totalBlocks * h.blockSize))
    return corrupt(`${h.totalBlocks} blocks of ${h.blockSize} bytes`);
  return {
    source,
    extended: h.signature === SIGNATURE.x,
    attributes: h.attributes,
    journalInfoBlock: h.journalInfoBlock,
    blockSize: h.blockSize,
    totalBlocks: h.totalBlocks,
    extentsFile: h.extentsFile,
    catalogFile: h.catalogFile,
    // As GRUB compares it; blkid shows a digest of it.
    ...(h.volumeId.every((b) => b === 0) ? {} : { uuid: h.volumeId.toString('hex') }),
  };
}
