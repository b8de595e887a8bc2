/** Superblock and checkpoint → a geometry whose values have been checked. */
import type { Context } from '../../lib/bytes/budget';
import type { Checksums } from '../../lib/bytes/checksum';
import { corrupt, GuestError, unsupported } from '../../lib/bytes/errors';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  BLOCK,
  Checkpoint,
  CP,
  FEATURE,
  FEATURE_NAMES,
  JOURNAL,
  JOURNAL_MOST,
  LOGS,
  MAGIC,
  NAT_PER_BLOCK,
  SB_CRC_AT,
  SEGMENT,
  SUPERBLOCKS,
  SuperBlock,
} from './layout';

export type Super = ReturnType<typeof SuperBlock.read>;

/** The kernel's CRC with the magic number as its start. */
export const crcOf = (sums: Checksums, data: Uint8Array, seed = MAGIC): number => sums.crc32(seed, data);

/** The first superblock that does not contradict itself and has, where it has one, the right checksum. */
export function findSuperblock(source: BlockSource, ctx: Context, sums: Checksums): Super | undefined {
  const found: Super[] = [];
  for (const at of SUPERBLOCKS) {
    if (at + SuperBlock.size > source.size) continue;
    const bytes = readBytes(source, at, SuperBlock.size, ctx);
    if (bytes.readUInt32LE(0) !== MAGIC) continue;
    const s = SuperBlock.read(bytes);
    const whole =
      !(s.feature & FEATURE.sbChecksum) ||
      crcOf(sums, bytes.subarray(0, SB_CRC_AT)) === bytes.readUInt32LE(SB_CRC_AT);
    if (whole && !contradiction(s)) {
      if (found.length > 0) ctx.warn('f2fs: the first superblock is damaged, the second is read');
      return s;
    }
    found.push(s);
  }
  const usable = found.find((s) => !contradiction(s));
  if (usable) ctx.warn('f2fs: the checksum of the superblock does not match');
  return usable ?? found[0];
}

/** Why it cannot be used. */
function contradiction(s: Super): GuestError | undefined {
  if (s.log_blocksize !== 12) return unsupported(`f2fs with blocks of 2^${s.log_blocksize} bytes`);
  if (2 ** s.log_blocks_per_seg !== SEGMENT)
    return corrupt(`2^${s.log_blocks_per_seg} blocks in a segment, ${SEGMENT} expected`);
  for (let bit = 0; bit < 32; bit++)
    if ((s.feature >>> bit) & 1 && FEATURE_NAMES[bit] === undefined)
      return unsupported(`f2fs feature bit ${bit}`);
  if (s.dev1_path !== 0) return unsupported('f2fs on several devices');
  if (s.segment_count_nat === 0 || s.segment_count_nat % 2 !== 0 || s.segment_count_nat > 0xffff)
    return corrupt(`${s.segment_count_nat} segments of node addresses`);
  if (s.cp_blkaddr >= s.nat_blkaddr || s.nat_blkaddr + s.segment_count_nat * SEGMENT > s.main_blkaddr)
    return corrupt(`checkpoint at ${s.cp_blkaddr}, nodes at ${s.nat_blkaddr}, data at ${s.main_blkaddr}`);
  return undefined;
}

/** As blkid prints them. */
export function identity(s: Super): { uuid: string; label?: ByteString } {
  let units = '';
  for (let i = 0; i < s.volume_name.length; i += 2) {
    const unit = s.volume_name.readUInt16LE(i);
    if (unit === 0) break;
    units += String.fromCharCode(unit);
  }
  const label = fromBytes(Buffer.from(units.replace(/[ \t-\r]+$/, ''), 'utf8'));
  return {
    uuid: s.uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    ...(label === '' ? {} : { label }),
  };
}

export interface Geometry {
  readonly natAt: number;
  /** Node numbers there can be. */
  readonly nodes: number;
  /** First block of the main area, and the one behind its last. */
  readonly mainAt: number;
  readonly mainEnd: number;
  readonly rootInode: number;
  readonly features: number;
  readonly natBitmap: Buffer;
  /** Newer than the table: node → block. */
  readonly natJournal: ReadonlyMap<number, number>;
  /** Where the nodes begin that were written since the checkpoint, and what their footers say. */
  readonly log?: { readonly at: number; readonly version: bigint; readonly mask: bigint };
  readonly uuidBytes: Buffer;
  readonly uuid: string;
  readonly label?: ByteString;
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readGeometry(source: BlockSource, s: Super, ctx: Context, sums: Checksums): Geometry {
  const wrong = contradiction(s);
  if (wrong) throw wrong;
  const natBlocks = (s.segment_count_nat / 2) * SEGMENT;
  const newest = newestCheckpoint(source, s, ctx, sums);
  const log = logAfter(newest, s.main_blkaddr);
  return {
    natAt: s.nat_blkaddr,
    nodes: natBlocks * NAT_PER_BLOCK,
    mainAt: s.main_blkaddr,
    mainEnd: s.main_blkaddr + s.segment_count_main * SEGMENT,
    rootInode: s.root_ino,
    features: s.feature,
    natBitmap: natBitmap(newest, s, natBlocks),
    natJournal: natJournal(source, newest, ctx),
    ...(log ? { log } : {}),
    uuidBytes: s.uuid,
    ...identity(s),
  };
}

interface Pack {
  /** First block. */
  readonly at: number;
  readonly checkpoint: ReturnType<typeof Checkpoint.read>;
  /** All of its first block, and of those that its bitmaps go on in. */
  readonly bytes: Buffer;
}

/** The newer of the two packs that are whole: the first and the last block say the same version. */
function newestCheckpoint(source: BlockSource, s: Super, ctx: Context, sums: Checksums): Pack {
  let newest: Pack | undefined;
  let reason = '';
  for (const at of [s.cp_blkaddr, s.cp_blkaddr + SEGMENT]) {
    try {
      const pack = readPack(source, at, s, ctx, sums);
      if (!newest || pack.checkpoint.checkpoint_ver > newest.checkpoint.checkpoint_ver) newest = pack;
    } catch (error) {
      if (!(error instanceof GuestError) || error.code !== 'corrupt') throw error;
      reason = error.message;
    }
  }
  if (!newest) throw corrupt(`no checkpoint that is whole: ${reason}`);
  return newest;
}

function readPack(source: BlockSource, at: number, s: Super, ctx: Context, sums: Checksums): Pack {
  const first = readBlock(source, at, ctx);
  const checkpoint = sealed(first, at, sums);
  const count = checkpoint.cp_pack_total_block_count;
  if (count < 3 || count > SEGMENT || checkpoint.cp_pack_start_sum >= count)
    throw corrupt(`a checkpoint of ${count} blocks at block ${at}`);
  const last = sealed(readBlock(source, at + count - 1, ctx), at + count - 1, sums);
  if (last.checkpoint_ver !== checkpoint.checkpoint_ver)
    throw corrupt(`checkpoint at block ${at} was not finished`);
  if (s.cp_payload > count) throw corrupt(`${s.cp_payload} further blocks of a checkpoint of ${count}`);
  const more =
    s.cp_payload > 0 ? readBytes(source, (at + 1) * BLOCK, s.cp_payload * BLOCK, ctx) : Buffer.alloc(0);
  return { at, checkpoint, bytes: Buffer.concat([first, more]) };
}

function sealed(bytes: Buffer, at: number, sums: Checksums): ReturnType<typeof Checkpoint.read> {
  const checkpoint = Checkpoint.read(bytes);
  const { checksum_offset: place } = checkpoint;
  if (place < Checkpoint.size || place > BLOCK - 4)
    throw corrupt(`checksum at byte ${place} of the checkpoint at ${at}`);
  let crc = crcOf(sums, bytes.subarray(0, place));
  // Where bitmaps stand behind the sum, it goes on over them.
  if (place < BLOCK - 4) crc = crcOf(sums, bytes.subarray(place + 4), crc);
  if (crc !== bytes.readUInt32LE(place))
    throw corrupt(`the checksum of the checkpoint at block ${at} does not match`);
  return checkpoint;
}

/** A bit for each block of node addresses: which of its two places is the newer. */
function natBitmap(pack: Pack, s: Super, natBlocks: number): Buffer {
  const { checkpoint } = pack;
  const base = Checkpoint.size;
  const at =
    checkpoint.ckpt_flags & CP.largeNatBitmap
      ? base + 4
      : s.cp_payload > 0
        ? base
        : base + checkpoint.sit_ver_bitmap_bytesize;
  const size = checkpoint.nat_ver_bitmap_bytesize;
  if (at + size > pack.bytes.length || size * 8 < natBlocks)
    throw corrupt(`bitmap of ${size} bytes at ${at} for ${natBlocks} blocks of node addresses`);
  return pack.bytes.subarray(at, at + size);
}

function natJournal(source: BlockSource, pack: Pack, ctx: Context): Map<number, number> {
  const { ckpt_flags: flags, cp_pack_total_block_count: count, cp_pack_start_sum: start } = pack.checkpoint;
  let bytes: Buffer;
  if (flags & CP.compactSum) bytes = readBlock(source, pack.at + start, ctx).subarray(0, JOURNAL.size);
  else {
    const logs = flags & (CP.umount | CP.fastboot) ? LOGS.all : LOGS.data;
    if (count < logs + 1) throw corrupt(`a checkpoint of ${count} blocks without summaries`);
    bytes = readBlock(source, pack.at + count - (logs + 1), ctx).subarray(
      JOURNAL.at,
      JOURNAL.at + JOURNAL.size,
    );
  }
  const entries = bytes.readUInt16LE(0);
  if (entries > JOURNAL_MOST) throw corrupt(`${entries} entries in the journal of node addresses`);
  const journal = new Map<number, number>();
  for (let i = 0; i < entries; i++) {
    const at = 2 + i * JOURNAL.entry;
    journal.set(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 9));
  }
  return journal;
}

function logAfter({ checkpoint, bytes }: Pack, mainAt: number): Geometry['log'] {
  const { ckpt_flags: flags, checkpoint_ver: version } = checkpoint;
  // Linux does not recover what was written while there were no checkpoints (`checkpoint=disable`).
  if (flags & CP.disabled) return undefined;
  const crc = flags & CP.crcRecovery ? BigInt(bytes.readUInt32LE(checkpoint.checksum_offset)) : 0n;
  const mask = flags & CP.nocrcRecovery ? 0xffff_ffffn : 0xffff_ffff_ffff_ffffn;
  return {
    at: mainAt + checkpoint.cur_node_segno_1 * SEGMENT + checkpoint.cur_node_blkoff_1,
    version: (version | (crc << 32n)) & mask,
    mask,
  };
}

const readBlock = (source: BlockSource, block: number, ctx: Context): Buffer =>
  readBytes(source, block * BLOCK, BLOCK, ctx);
