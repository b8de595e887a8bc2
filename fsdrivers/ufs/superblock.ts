/** Superblock → a geometry whose values have been checked. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  MAGIC_AT,
  MAGIC1,
  MAGIC2,
  MAGIC2EA,
  type Structures,
  SUPERBLOCK_PLACES,
  SUPERBLOCK_SIZE,
  structures,
} from './layout';

export interface Found {
  readonly bytes: Buffer;
  readonly big: boolean;
  readonly version: 1 | 2;
}

/** The superblock, by its magic number in either byte order; undefined: there is none. */
export function findSuperblock(source: BlockSource, ctx: Context): Found | undefined {
  for (const at of SUPERBLOCK_PLACES) {
    if (at + SUPERBLOCK_SIZE > source.size) continue;
    const bytes = readBytes(source, at, SUPERBLOCK_SIZE, ctx);
    for (const big of [false, true]) {
      const magic = big ? bytes.readUInt32BE(MAGIC_AT) : bytes.readUInt32LE(MAGIC_AT);
      if (magic === MAGIC1) {
        // With blocks of 64 KiB the first copy stands where a UFS2 has its superblock.
        if (at !== 65536) return { bytes, big, version: 1 };
      } else if (magic === MAGIC2 || magic === MAGIC2EA) {
        const place = big ? bytes.readBigUInt64BE(1000) : bytes.readBigUInt64LE(1000);
        // It says where it stands; another's copy does not begin a filesystem.
        if (place === BigInt(at)) return { bytes, big, version: 2 };
      }
    }
  }
  return undefined;
}

export interface Geometry {
  readonly version: 1 | 2;
  readonly big: boolean;
  readonly structures: Structures;
  readonly blockSize: number;
  readonly fragmentSize: number;
  /** Fragments of the filesystem, and of a cylinder group. */
  readonly fragments: number;
  readonly groupFragments: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  readonly inodesPerBlock: number;
  readonly inodeSize: number;
  /** Fragments from a group's start to its inodes. */
  readonly inodesAt: number;
  /** UFS1 for old disks: group n starts `n & ~mask` times `offset` fragments later. */
  readonly groupOffset: number;
  readonly groupMask: number;
  /** Pointers in an indirect block. */
  readonly pointers: number;
  readonly uuid?: string;
  readonly label?: ByteString;
}

const isPower = (n: number, least: number, most: number): boolean =>
  n >= least && n <= most && (n & (n - 1)) === 0;
const hex = (n: number): string => n.toString(16).padStart(8, '0');

/** As blkid prints them. */
export function identity(f: Found): { uuid?: string; label?: ByteString } {
  const s = structures(f.big).SuperBlock.read(f.bytes);
  const label = f.version === 2 ? s.fs_volname.replace(/[ \t\n\v\f\r]+$/, '') : '';
  return {
    ...(s.fs_id_0 === 0 && s.fs_id_1 === 0 ? {} : { uuid: hex(s.fs_id_0) + hex(s.fs_id_1) }),
    ...(label === '' ? {} : { label }),
  };
}

/** @throws GuestError `corrupt` */
export function readGeometry(f: Found): Geometry {
  const layout = structures(f.big);
  const s = layout.SuperBlock.read(f.bytes);
  const inodeSize = f.version === 1 ? 128 : 256;
  if (
    !isPower(s.fs_bsize, 2048, 65536) ||
    !isPower(s.fs_fsize, 512, s.fs_bsize) ||
    s.fs_frag !== s.fs_bsize / s.fs_fsize
  )
    throw corrupt(`blocks of ${s.fs_bsize} bytes in ${s.fs_frag} fragments of ${s.fs_fsize}`);
  if (s.fs_inopb !== s.fs_bsize / inodeSize)
    throw corrupt(`${s.fs_inopb} inodes in a block of ${s.fs_bsize}`);
  if (s.fs_nindir !== s.fs_bsize / (f.version === 1 ? 4 : 8))
    throw corrupt(`${s.fs_nindir} pointers in a block of ${s.fs_bsize}`);
  if (s.fs_ncg === 0 || s.fs_ipg === 0 || s.fs_fpg === 0 || s.fs_fpg > 0x7fffffff)
    throw corrupt(`${s.fs_ncg} groups of ${s.fs_ipg} inodes and ${s.fs_fpg} fragments`);
  const fragments = f.version === 1 ? s.fs_old_size : Number(s.fs_size);
  if (!Number.isSafeInteger(fragments * s.fs_fsize) || fragments > s.fs_ncg * s.fs_fpg)
    throw corrupt(`${fragments} fragments in ${s.fs_ncg} groups of ${s.fs_fpg}`);
  return {
    version: f.version,
    big: f.big,
    structures: layout,
    blockSize: s.fs_bsize,
    fragmentSize: s.fs_fsize,
    fragments,
    groupFragments: s.fs_fpg,
    groups: s.fs_ncg,
    inodesPerGroup: s.fs_ipg,
    inodesPerBlock: s.fs_inopb,
    inodeSize,
    inodesAt: s.fs_iblkno,
    groupOffset: f.version === 1 ? s.fs_old_cgoffset : 0,
    groupMask: s.fs_old_cgmask,
    pointers: s.fs_nindir,
    ...identity(f),
  };
}
