/** Superblock → what has been checked of it; the image's checksum. */
import type { Context } from '../../lib/bytes/budget';
import { checksums } from '../../lib/bytes/checksum';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { type BlockSource, readBytes, readOnce } from '../../lib/source/types';
import {
  CRC_AT,
  FLAG,
  KNOWN_FLAGS,
  MAGIC,
  ROOT_AT,
  SIGNATURE,
  type Structures,
  SUPERBLOCK_PLACES,
  SUPERBLOCK_SIZE,
  structures,
} from './layout';

/** Larger than what mkfs.cramfs makes: offsets of 26 bits, in units of 4 bytes, and a file of 16 MiB behind the last. */
const SUMMED_MOST = 272 * 1024 * 1024;
/** Bytes that are summed at once. */
const PIECE = 256 * 1024;

export interface Found {
  readonly bytes: Buffer;
  readonly at: number;
  readonly big: boolean;
}

/** The superblock, by its magic number in either byte order; undefined: there is none. */
export function findSuperblock(source: BlockSource, ctx: Context): Found | undefined {
  for (const at of SUPERBLOCK_PLACES) {
    if (at + SUPERBLOCK_SIZE > source.size) continue;
    const bytes = readBytes(source, at, SUPERBLOCK_SIZE, ctx);
    if (bytes.readUInt32LE(0) === MAGIC) return { bytes, at, big: false };
    if (bytes.readUInt32BE(0) === MAGIC) return { bytes, at, big: true };
  }
  return undefined;
}

export interface Geometry {
  readonly structures: Structures;
  readonly big: boolean;
  /** Bytes up to which anything may lie. */
  readonly size: number;
  readonly label: ByteString;
  readonly extBlockPointers: boolean;
  /** Place of the root's inode. */
  readonly rootAt: number;
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readGeometry({ bytes, at, big }: Found, source: BlockSource, ctx: Context): Geometry {
  const own = structures(big);
  const s = own.Super.read(bytes);
  const unknown = (s.flags & ~KNOWN_FLAGS) >>> 0;
  if (unknown !== 0) throw unsupported(`cramfs with features 0x${unknown.toString(16)}`);
  if (s.flags & FLAG.wrongSignature) ctx.warn('cramfs: its maker marked the signature as wrong');
  else if (s.signature !== SIGNATURE) throw corrupt('the signature is wrong');
  const version2 = (s.flags & FLAG.fsidVersion2) !== 0;
  // Version 1 states 256 MiB, whatever there is.
  if (version2) {
    if (s.size < at + SUPERBLOCK_SIZE) throw corrupt(`a filesystem of ${s.size} bytes`);
    if (s.size > source.size)
      ctx.warn(
        `filesystem of ${s.size} bytes on a volume of ${source.size}: what lies beyond cannot be read`,
      );
    else if (s.size > SUMMED_MOST)
      ctx.warn(`cramfs: an image of ${s.size} bytes: its checksum is not verified`);
    else if (crcOf(source, at, s.size, ctx) !== s.fsid_crc)
      ctx.warn('cramfs: the checksum of the image is wrong');
  }
  return {
    structures: own,
    big,
    size: version2 ? Math.min(s.size, source.size) : source.size,
    label: s.name,
    extBlockPointers: (s.flags & FLAG.extBlockPointers) !== 0,
    rootAt: at + ROOT_AT,
  };
}

/** CRC-32 of all from the superblock on, the checksum's own place as zeros. */
function crcOf(source: BlockSource, from: number, end: number, ctx: Context): number {
  const { crc32 } = checksums();
  ctx.budget.allocate(PIECE);
  const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, end - from));
  let crc = 0xffffffff;
  for (let at = from; at < end; at += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, end - at));
    ctx.budget.step();
    ctx.budget.read(part.length);
    readOnce(source, at, part);
    if (at === from) part.fill(0, CRC_AT, CRC_AT + 4);
    crc = crc32(crc, part);
  }
  return ~crc >>> 0;
}
