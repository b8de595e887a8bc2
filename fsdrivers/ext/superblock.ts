/** The superblock: raw → checked geometry. Source: fs/ext4/super.c, __ext4_fill_super() and what it calls. */
import type { Context } from '../../lib/bytes/budget';
import type { Checksums } from '../../lib/bytes/checksum';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  CHECKSUM_CRC32C,
  COMPAT,
  EXT_MAGIC,
  EXT3_INCOMPAT,
  EXT3_RO_COMPAT,
  INCOMPAT,
  INCOMPAT_KNOWN,
  RO_COMPAT,
  SIGNED_HASH,
  SUPERBLOCK_AT,
  SUPERBLOCK_SIZE,
  Superblock,
  UNSIGNED_HASH,
} from './layout';

/** What the filesystem looks like; every number has been range-checked. Sizes are bytes. */
export interface Geometry {
  readonly type: 'ext2' | 'ext3' | 'ext4';
  /** Lower case with dashes; undefined when all zero. */
  readonly uuid: string | undefined;
  readonly uuidBytes: Buffer;
  readonly label: string | undefined;
  readonly blockSize: number;
  readonly blockCount: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly inodeCount: number;
  readonly inodesPerGroup: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
  readonly compat: number;
  readonly incompat: number;
  readonly roCompat: number;
  /** Meta block groups begin with this descriptor block (feature meta_bg). */
  readonly firstMetaGroup: number;
  /** Groups that hold the backup superblocks (feature sparse_super2). */
  readonly backupGroups: readonly number[];
  /** Start value of the metadata checksums, or undefined where the filesystem has none. */
  readonly checksumSeed: number | undefined;
  /** CRC-16 of descriptors (feature gdt_csum, which metadata_csum supersedes). */
  readonly descriptorCrc16: boolean;
  readonly hashSeed: readonly number[];
  /** Whether bytes above 0x7f are negative to the directory hash; undefined when the superblock does not say. */
  readonly hashSigned: boolean | undefined;
  readonly largeDirectories: boolean;
  /** Directory entries tell the kind of what they name. */
  readonly entryKinds: boolean;
  /** Of names, where directories can ignore case (feature casefold); 0: none. */
  readonly encoding: number;
  readonly journalInode: number;
  readonly journalUuid: Buffer;
  /** The journal holds transactions that have not reached their places. */
  readonly needsRecovery: boolean;
}

/** The superblock's bytes, or undefined when `source` holds no ext filesystem (an external journal is none either). */
export function superblockBytes(source: BlockSource, ctx: Context): Buffer | undefined {
  if (source.size < SUPERBLOCK_AT + SUPERBLOCK_SIZE) return undefined;
  const bytes = readBytes(source, SUPERBLOCK_AT, SUPERBLOCK_SIZE, ctx);
  if (Superblock.fields.s_magic.read(bytes, 0) !== EXT_MAGIC) return undefined;
  if (Superblock.fields.s_feature_incompat.read(bytes, 0) & INCOMPAT.journal_dev) return undefined;
  return bytes;
}

export function uuidText(bytes: Buffer): string | undefined {
  if (bytes.every((b) => b === 0)) return undefined;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** blkid's rule (libblkid/src/superblocks/ext.c). */
export function typeOf(bytes: Buffer): 'ext2' | 'ext3' | 'ext4' {
  const f = Superblock.fields;
  if (f.s_feature_incompat.read(bytes, 0) & ~EXT3_INCOMPAT) return 'ext4';
  if (f.s_feature_ro_compat.read(bytes, 0) & ~EXT3_RO_COMPAT) return 'ext4';
  return f.s_feature_compat.read(bytes, 0) & COMPAT.has_journal ? 'ext3' : 'ext2';
}

function featureNames(bits: number): string {
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    const value = (1 << bit) >>> 0;
    if (!((bits & value) >>> 0)) continue;
    const known = Object.entries(INCOMPAT).find(([, v]) => v === value);
    names.push(known ? known[0] : `0x${value.toString(16)}`);
  }
  return names.join(', ');
}

const isPowerOfTwo = (n: number) => n > 0 && (n & (n - 1)) === 0;

/**
 * @param bytes from `superblockBytes`
 * @throws GuestError `corrupt` with the value that cannot be; `unsupported` with the names of unknown features
 */
export function readGeometry(bytes: Buffer, sums: Checksums, warn: (message: string) => void): Geometry {
  const s = Superblock.read(bytes);
  const dynamic = s.s_rev_level >= 1;
  // Revision 0 (Linux before 2.2) has no feature words; what stands there is undefined.
  const compat = dynamic ? s.s_feature_compat : 0;
  const incompat = dynamic ? s.s_feature_incompat : 0;
  const roCompat = dynamic ? s.s_feature_ro_compat : 0;
  const unknown = (incompat & ~INCOMPAT_KNOWN) >>> 0;
  if (unknown) throw unsupported(`ext4 feature ${featureNames(unknown)}`);

  let checksumSeed: number | undefined;
  if (roCompat & RO_COMPAT.metadata_csum) {
    if (s.s_checksum_type !== CHECKSUM_CRC32C)
      warn(`superblock: checksum type ${s.s_checksum_type} is unknown, nothing is verified`);
    else {
      if (sums.crc32c(0xffffffff, bytes, 0, 0x3fc) !== s.s_checksum) warn('superblock: wrong checksum');
      checksumSeed =
        incompat & INCOMPAT.metadata_csum_seed ? s.s_checksum_seed : sums.crc32c(0xffffffff, s.s_uuid);
    }
  }

  if (s.s_log_block_size > 6)
    throw corrupt(`superblock: block size 2^${s.s_log_block_size} KiB, maximum 64 KiB`);
  const blockSize = 1024 << s.s_log_block_size;
  const inodeSize = dynamic ? s.s_inode_size : 128;
  if (!isPowerOfTwo(inodeSize) || inodeSize < 128 || inodeSize > blockSize)
    throw corrupt(`superblock: inode size ${inodeSize}, block size ${blockSize}`);
  const wide = (incompat & INCOMPAT['64bit']) !== 0;
  const descriptorSize = wide ? s.s_desc_size : 32;
  if (!isPowerOfTwo(descriptorSize) || descriptorSize < (wide ? 64 : 32) || descriptorSize > 1024)
    throw corrupt(`superblock: group descriptor size ${descriptorSize}`);
  if (wide && s.s_blocks_count_hi > 0xffff)
    throw corrupt(`superblock: block count beyond 2^48 (high half ${s.s_blocks_count_hi})`);
  const blockCount = (wide ? s.s_blocks_count_hi : 0) * 0x1_0000_0000 + s.s_blocks_count_lo;
  if (s.s_first_data_block > 1 || s.s_first_data_block >= blockCount)
    throw corrupt(`superblock: first data block ${s.s_first_data_block} of ${blockCount}`);
  // A block of bitmap bounds blocks (clusters, with bigalloc: at most 2^29 blocks of 16 a bit) and inodes of a group.
  if (s.s_blocks_per_group === 0) throw corrupt('superblock: no blocks in a group');
  if (s.s_inodes_per_group === 0 || s.s_inodes_per_group > 8 * blockSize)
    throw corrupt(`superblock: ${s.s_inodes_per_group} inodes in a group`);
  const groupCount = Math.ceil((blockCount - s.s_first_data_block) / s.s_blocks_per_group);
  if (s.s_inodes_count === 0 || s.s_inodes_count > groupCount * s.s_inodes_per_group)
    throw corrupt(
      `superblock: ${s.s_inodes_count} inodes in ${groupCount} groups of ${s.s_inodes_per_group}`,
    );

  return {
    type: typeOf(bytes),
    uuid: uuidText(s.s_uuid),
    uuidBytes: s.s_uuid,
    label: s.s_volume_name || undefined,
    blockSize,
    blockCount,
    firstDataBlock: s.s_first_data_block,
    blocksPerGroup: s.s_blocks_per_group,
    groupCount,
    inodeCount: s.s_inodes_count,
    inodesPerGroup: s.s_inodes_per_group,
    inodeSize,
    descriptorSize,
    compat,
    incompat,
    roCompat,
    firstMetaGroup: s.s_first_meta_bg,
    backupGroups: s.s_backup_bgs,
    checksumSeed,
    descriptorCrc16: !(roCompat & RO_COMPAT.metadata_csum) && (roCompat & RO_COMPAT.gdt_csum) !== 0,
    hashSeed: s.s_hash_seed,
    hashSigned: s.s_flags & UNSIGNED_HASH ? false : s.s_flags & SIGNED_HASH ? true : undefined,
    largeDirectories: (incompat & INCOMPAT.large_dir) !== 0,
    entryKinds: (incompat & INCOMPAT.filetype) !== 0,
    encoding: incompat & INCOMPAT.casefold ? s.s_encoding : 0,
    journalInode: s.s_journal_inum,
    journalUuid: s.s_journal_uuid,
    needsRecovery: (compat & COMPAT.has_journal) !== 0 && (incompat & INCOMPAT.recover) !== 0,
  };
}
