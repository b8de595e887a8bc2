/** Superblock → a geometry whose values have been checked. */
import type { Checksums } from '../../lib/bytes/checksum';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { crcMatches } from './crc';
import { FEATURE2, INCOMPAT, INCOMPAT_NAMES, SB_CRC_AT, SB_MAGIC, SuperBlock, VERSION } from './layout';

export interface Geometry {
  readonly blockSize: number;
  readonly blocks: number;
  readonly groupBlocks: number;
  /** Values of a block's number inside its group: a power of two, at least `groupBlocks`. */
  readonly groupSpan: number;
  readonly inodeSize: number;
  readonly inodesPerBlock: number;
  readonly rootInode: number;
  /** Bytes of a directory block. */
  readonly directoryBlock: number;
  /** Version 5: checksums, owners and log sequence numbers everywhere. */
  readonly v5: boolean;
  readonly ftype: boolean;
  /** Names match without regard to ASCII case. */
  readonly asciiCi: boolean;
  readonly uuid: string;
  /** What metadata carries. */
  readonly metaUuid: Buffer;
  readonly label?: ByteString;
  /** In bytes from the start of the filesystem; undefined: on another device. */
  readonly logStart?: number;
  /** Bytes; 0: unknown. */
  readonly logSize: number;
}

export const uuidText = (b: Buffer): string =>
  b.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** As blkid shows it: without blanks at the end. */
export const labelOf = (text: ByteString): ByteString | undefined =>
  text.replace(/[ \t\n\v\f\r]+$/, '') || undefined;

export const isXfs = (bytes: Buffer): boolean => bytes.readUInt32BE(0) === SB_MAGIC;

const isPower = (n: number, log: number, least: number, most: number): boolean =>
  n === 2 ** log && n >= least && n <= most;

/**
 * @param sector the first sector, as long as the superblock says, or what there is of it
 * @throws GuestError `corrupt`, `unsupported`
 */
export function readGeometry(sector: Buffer, sums: Checksums, warn: (message: string) => void): Geometry {
  const s = SuperBlock.read(sector);
  if (s.sb_magicnum !== SB_MAGIC) throw corrupt('no XFS superblock');
  const version = s.sb_versionnum & VERSION.numberMask;
  if (version < 4 || !(s.sb_versionnum & VERSION.dirV2 || version === 5))
    throw unsupported(`XFS version ${version} with directories of version 1`);
  if (version > 5) throw unsupported(`XFS version ${version}`);
  const v5 = version === 5;
  if (!isPower(s.sb_blocksize, s.sb_blocklog, 512, 65536))
    throw corrupt(`block size ${s.sb_blocksize}, logarithm ${s.sb_blocklog}`);
  // XFS_MIN_SECTORSIZE and XFS_MAX_SECTORSIZE, fs/xfs/libxfs/xfs_types.h.
  if (s.sb_sectsize < 512 || s.sb_sectsize > 32768) throw corrupt(`sector size ${s.sb_sectsize}`);
  if (!isPower(s.sb_inodesize, s.sb_inodelog, 256, 2048) || s.sb_inodesize > s.sb_blocksize)
    throw corrupt(`inode size ${s.sb_inodesize}, logarithm ${s.sb_inodelog}`);
  if (s.sb_inopblog !== s.sb_blocklog - s.sb_inodelog)
    throw corrupt(`2^${s.sb_inopblog} inodes of ${s.sb_inodesize} bytes in a block of ${s.sb_blocksize}`);
  if (s.sb_agblocks === 0 || s.sb_agblklog > 32 || s.sb_agblocks > 2 ** s.sb_agblklog)
    throw corrupt(`${s.sb_agblocks} blocks in a group, logarithm ${s.sb_agblklog}`);
  if (s.sb_agcount === 0 || s.sb_dblocks > s.sb_agcount * s.sb_agblocks)
    throw corrupt(`${s.sb_dblocks} blocks in ${s.sb_agcount} groups of ${s.sb_agblocks}`);
  if (s.sb_dirblklog + s.sb_blocklog > 16) throw corrupt(`directory blocks of 2^${s.sb_dirblklog} blocks`);
  if (v5) {
    for (let bit = 0; bit < 32; bit++)
      if ((s.sb_features_incompat >>> bit) & 1 && INCOMPAT_NAMES[bit] === undefined)
        throw unsupported(`XFS incompatible feature bit ${bit}`);
    if (s.sb_features_incompat & INCOMPAT.needsRepair) warn('XFS says that it needs repair (needsrepair)');
    if (s.sb_sectsize <= sector.length && !crcMatches(sums, sector.subarray(0, s.sb_sectsize), SB_CRC_AT))
      warn('the checksum of the XFS superblock does not match');
  }
  if (s.sb_inprogress) warn('XFS whose mkfs or growfs did not end (inprogress)');
  const label = labelOf(s.sb_fname);
  return {
    blockSize: s.sb_blocksize,
    blocks: s.sb_dblocks,
    groupBlocks: s.sb_agblocks,
    groupSpan: 2 ** s.sb_agblklog,
    inodeSize: s.sb_inodesize,
    inodesPerBlock: 2 ** s.sb_inopblog,
    rootInode: s.sb_rootino,
    directoryBlock: s.sb_blocksize * 2 ** s.sb_dirblklog,
    v5,
    ftype: v5
      ? (s.sb_features_incompat & INCOMPAT.ftype) !== 0
      : (s.sb_versionnum & VERSION.moreBits) !== 0 && (s.sb_features2 & FEATURE2.ftype) !== 0,
    asciiCi: (s.sb_versionnum & VERSION.asciiCi) !== 0,
    uuid: uuidText(s.sb_uuid),
    metaUuid: v5 && s.sb_features_incompat & INCOMPAT.metaUuid ? s.sb_meta_uuid : s.sb_uuid,
    ...(label === undefined ? {} : { label }),
    ...(s.sb_logstart === 0
      ? {}
      : { logStart: placeOf(s.sb_logstart, s.sb_agblocks, 2 ** s.sb_agblklog) * s.sb_blocksize }),
    logSize: s.sb_logblocks * s.sb_blocksize,
  };
}

/** A filesystem block number, which has its group in the upper bits, as the number of a block of the volume. */
export function placeOf(block: number, groupBlocks: number, groupSpan: number): number {
  return Math.floor(block / groupSpan) * groupBlocks + (block % groupSpan);
}
