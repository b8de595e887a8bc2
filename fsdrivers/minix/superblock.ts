/** Superblock → a geometry whose values have been checked. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  BLOCK_UNIT,
  MAGIC_AT,
  MAGIC3,
  MAGIC3_AT,
  MAGICS,
  NAME_LENGTH3,
  START_BLOCK,
  type Structures,
  SUPERBLOCK_AT,
  SUPERBLOCK_SIZE,
  structures,
  ZONE_MOST,
} from './layout';

/** What the superblock says, the same for all versions. */
export interface Found {
  readonly version: 1 | 2 | 3;
  readonly big: boolean;
  readonly structures: Structures;
  readonly nameLength: number;
  readonly blockSize: number;
  readonly inodes: number;
  readonly inodeMapBlocks: number;
  readonly zoneMapBlocks: number;
  readonly zones: number;
  readonly firstDataZone: number;
  readonly logZoneSize: number;
}

function parse(bytes: Buffer, big: boolean): Found | undefined {
  const layout = structures(big);
  const old = MAGICS[layout.u16(bytes, MAGIC_AT)];
  if (old) {
    const s = layout.SuperBlock.read(bytes);
    const [version, nameLength] = old;
    return {
      version,
      big,
      structures: layout,
      nameLength,
      blockSize: 1024,
      inodes: s.s_ninodes,
      inodeMapBlocks: s.s_imap_blocks,
      zoneMapBlocks: s.s_zmap_blocks,
      zones: version === 1 ? s.s_nzones : s.s_zones,
      firstDataZone: s.s_firstdatazone,
      logZoneSize: s.s_log_zone_size,
    };
  }
  if (layout.u16(bytes, MAGIC3_AT) !== MAGIC3) return undefined;
  const s = layout.SuperBlock3.read(bytes);
  return {
    version: 3,
    big,
    structures: layout,
    nameLength: NAME_LENGTH3,
    blockSize: s.s_blocksize,
    inodes: s.s_ninodes,
    inodeMapBlocks: s.s_imap_blocks,
    zoneMapBlocks: s.s_zmap_blocks,
    zones: s.s_zones,
    firstDataZone: s.s_firstdatazone,
    logZoneSize: s.s_log_zone_size,
  };
}

/**
 * The superblock in either byte order; undefined: there is none. Sixteen bits of a magic number are met by chance, so that
 * the maps must be large enough for what they map, too, as blkid demands.
 */
export function findSuperblock(source: BlockSource, ctx: Context): Found | undefined {
  if (SUPERBLOCK_AT + SUPERBLOCK_SIZE > source.size) return undefined;
  const bytes = readBytes(source, SUPERBLOCK_AT, SUPERBLOCK_SIZE, ctx);
  for (const big of [false, true]) {
    const s = parse(bytes, big);
    if (!s || s.inodes === 0 || s.inodes === 0xffffffff || s.zones === 0 || s.firstDataZone > s.zones)
      continue;
    const bits = s.blockSize * 8;
    if (s.inodeMapBlocks * bits > s.inodes && s.zoneMapBlocks * bits > s.zones - s.firstDataZone) return s;
  }
  return undefined;
}

export interface Geometry {
  readonly version: 1 | 2 | 3;
  readonly big: boolean;
  readonly structures: Structures;
  readonly nameLength: number;
  readonly blockSize: number;
  readonly zoneSize: number;
  readonly zones: number;
  /** The first zone behind the inodes. */
  readonly firstZone: number;
  readonly inodes: number;
  readonly inodeSize: number;
  /** Byte of the first inode. */
  readonly inodesAt: number;
  /** Bytes of a zone number. */
  readonly width: 2 | 4;
  /** Levels of indirect blocks. */
  readonly levels: 2 | 3;
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readGeometry(s: Found): Geometry {
  if (s.blockSize < 1024 || s.blockSize % BLOCK_UNIT !== 0) throw corrupt(`blocks of ${s.blockSize} bytes`);
  const zoneSize = s.blockSize * 2 ** s.logZoneSize;
  if (zoneSize > ZONE_MOST) throw unsupported(`zones of 2^${s.logZoneSize} blocks of ${s.blockSize} bytes`);
  const inodeSize = s.version === 1 ? 32 : 64;
  const inodesAt = (START_BLOCK + s.inodeMapBlocks + s.zoneMapBlocks) * s.blockSize;
  const firstZone = Math.ceil(
    (inodesAt + Math.ceil(s.inodes / (s.blockSize / inodeSize)) * s.blockSize) / zoneSize,
  );
  if (firstZone >= s.zones) throw corrupt(`${s.inodes} inodes in ${s.zones} zones of ${zoneSize} bytes`);
  return {
    version: s.version,
    big: s.big,
    structures: s.structures,
    nameLength: s.nameLength,
    blockSize: s.blockSize,
    zoneSize,
    zones: s.zones,
    firstZone,
    inodes: s.inodes,
    inodeSize,
    inodesAt,
    width: s.version === 1 ? 2 : 4,
    levels: s.version === 1 ? 2 : 3,
  };
}
