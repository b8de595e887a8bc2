/** Superblock → a geometry whose values have been checked. */
import type { Context } from '../../lib/bytes/budget';
import { checksums } from '../../lib/bytes/checksum';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { ErofsDisk, Recent } from './disk';
import { InodeBytes } from './extents';
import { type ErofsNode, readInode } from './inode';
import {
  BLOCK_BITS,
  COMPAT_CHECKSUM,
  EXTSLOT_SIZE,
  INCOMPAT,
  MAGIC,
  METABOX_NID_AT,
  NID_METABOX,
  ROOTNID_8B_AT,
  SUPER_AT,
  SuperBlock,
} from './layout';

export interface Identity {
  readonly uuid?: string;
  readonly label?: string;
}

export interface Volume {
  readonly disk: ErofsDisk;
  readonly identity: Identity;
  /** Byte of the disk that inode numbers count from. */
  readonly inodesAt: number;
  readonly epoch: number;
  /** Bytes of the filesystem's own device. */
  readonly size: number;
  readonly extraDevices: number;
  /** Where the descriptions of extra devices stand. */
  readonly devicesAt: number;
  /** Compressed clusters are padded with zeros before their first byte. */
  readonly padded: boolean;
  readonly rootNid: bigint;
  /** Clusters that several files share, unpacked. */
  readonly unpacked: Recent<string>;
  /** The file that ends of other files are kept in. */
  packed(): ErofsNode;
  /** The file that inodes are kept in. */
  metabox(): InodeBytes;
}

/** Unpacked clusters: at least the largest one Linux knows. */
const UNPACKED_BYTES = 12 * 1024 * 1024;

type Raw = ReturnType<typeof SuperBlock.read>;

/** The superblock, unchecked; undefined where there is none. */
export function readSuperblock(source: BlockSource, ctx: Context): Raw | undefined {
  if (source.size < SUPER_AT + SuperBlock.size) return undefined;
  const block = readBytes(source, SUPER_AT, SuperBlock.size, ctx);
  return block.readUInt32LE(0) === MAGIC ? SuperBlock.read(block) : undefined;
}

export function identity(s: Raw): Identity {
  const hex = s.uuid.toString('hex');
  return {
    // As blkid: one of zeros is none.
    ...(/^0+$/.test(hex) ? {} : { uuid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') }),
    ...(s.volume_name ? { label: s.volume_name } : {}),
  };
}

/** @throws GuestError `unsupported`, `corrupt` */
export function readVolume(source: BlockSource, ctx: Context): Volume {
  const s = readSuperblock(source, ctx);
  if (!s) throw corrupt('no erofs superblock');
  if (s.blkszbits < BLOCK_BITS.least || s.blkszbits > BLOCK_BITS.most)
    throw corrupt(
      `blocks of 2^${s.blkszbits} bytes, between 2^${BLOCK_BITS.least} and 2^${BLOCK_BITS.most} are allowed`,
    );
  const unknown = s.feature_incompat & ~INCOMPAT.all;
  if (unknown !== 0) throw unsupported(`erofs incompatible features 0x${(unknown >>> 0).toString(16)}`);
  if (s.dirblkbits !== 0) throw unsupported(`erofs directory blocks of 2^${s.dirblkbits} blocks`);
  const disk = new ErofsDisk(source, ctx, s.blkszbits);
  verify(disk, s);

  const bits48 = (s.feature_incompat & INCOMPAT.bits48) !== 0;
  const slots = readBytes(
    source,
    SUPER_AT,
    Math.min(SuperBlock.size + s.sb_extslots * EXTSLOT_SIZE, source.size - SUPER_AT),
    ctx,
  );
  const wideRoot = bits48 ? slots.readBigUInt64LE(ROOTNID_8B_AT) : 0n;
  const blocks = s.blocks_lo + (wideRoot === 0n ? 0 : s.rootnid_2b * 2 ** 32);
  const size = blocks * disk.blockSize;
  if (size > source.size) ctx.warn(`erofs of ${size} bytes on ${source.size}: the end is missing`);

  let packed: ErofsNode | undefined;
  let metabox: InodeBytes | undefined;
  const volume: Volume = {
    disk,
    identity: identity(s),
    inodesAt: s.meta_blkaddr * disk.blockSize,
    epoch: Number(s.epoch),
    size,
    // The feature bit has another meaning too; without devices there is no number of them.
    extraDevices: s.feature_incompat & INCOMPAT.deviceTable ? s.extra_devices : 0,
    devicesAt: s.devt_slotoff * 128,
    padded: (s.feature_incompat & INCOMPAT.zeroPadding) !== 0,
    rootNid: wideRoot === 0n ? BigInt(s.rootnid_2b) : wideRoot,
    unpacked: new Recent(UNPACKED_BYTES),
    packed() {
      if ((s.feature_incompat & INCOMPAT.fragments) === 0 || s.packed_nid === 0n)
        throw corrupt('a fragment, and no packed inode');
      packed ??= readInode(volume, s.packed_nid);
      return packed;
    },
    metabox() {
      if (metabox) return metabox;
      if ((s.feature_incompat & INCOMPAT.metabox) === 0)
        throw corrupt('an inode in a metabox, and no metabox');
      if (slots.length < METABOX_NID_AT + 8)
        throw corrupt('a metabox, and a superblock too small for its number');
      const nid = slots.readBigUInt64LE(METABOX_NID_AT);
      if (nid & NID_METABOX) throw corrupt('a metabox inside itself');
      metabox = new InodeBytes(volume, readInode(volume, nid));
      return metabox;
    },
  };
  return volume;
}

/** From the superblock to the end of its block; where blocks are smaller, one block's length of bytes. */
function verify(disk: ErofsDisk, s: Raw): void {
  if ((s.feature_compat & COMPAT_CHECKSUM) === 0) return;
  const { source, ctx, blockSize } = disk;
  const length = blockSize > SUPER_AT ? blockSize - SUPER_AT : blockSize;
  if (SUPER_AT + length > source.size) return;
  const covered = readBytes(source, SUPER_AT, length, ctx);
  covered.writeUInt32LE(0, 4);
  if (checksums().crc32c(0xffffffff, covered) !== s.checksum)
    ctx.warn(`erofs: checksum of the superblock at ${SUPER_AT} is wrong`);
}
