/** A fork's map: which blocks of the file are where, from the inode's list or its tree (`xfs_bmbt`). */
import { corrupt } from '../../lib/bytes/errors';
import type { XfsInode } from './inode';
import { BMBT, BmbtBlock, BmdrBlock, FORMAT } from './layout';
import type { XfsVolume } from './volume';

export interface Mapped {
  /** First block of the file, and how many. */
  readonly offset: number;
  readonly count: number;
  /** Filesystem block. */
  readonly block: number;
  /** Allocated and never written: zeros. */
  readonly unwritten: boolean;
}

const RECORD = 16;

/** `xfs_bmbt_rec`: 1 bit unwritten, 54 bits offset, 52 bits block, 21 bits count. */
function record(bytes: Buffer, at: number): Mapped {
  const a = bytes.readUInt32BE(at);
  const b = bytes.readUInt32BE(at + 4);
  const c = bytes.readUInt32BE(at + 8);
  const d = bytes.readUInt32BE(at + 12);
  return {
    unwritten: a >>> 31 === 1,
    offset: (a & 0x7fffffff) * 2 ** 23 + (b >>> 9),
    block: (b & 0x1ff) * 2 ** 43 + c * 2 ** 11 + (d >>> 21),
    count: d & 0x1fffff,
  };
}

/**
 * What is mapped from block `from` of the file on, in order.
 * @throws GuestError `corrupt`
 */
export function* mappings(volume: XfsVolume, inode: XfsInode, from = 0): Generator<Mapped> {
  let least = 0;
  for (const mapped of raw(volume, inode, from)) {
    volume.ctx.budget.step();
    if (mapped.count === 0 || mapped.offset < least)
      throw corrupt(
        `extent of ${mapped.count} blocks at ${mapped.offset}, after ${least}`,
        `inode ${inode.id}`,
      );
    least = mapped.offset + mapped.count;
    if (least > from) yield mapped;
  }
}

function* raw(volume: XfsVolume, inode: XfsInode, from: number): Generator<Mapped> {
  const { fork } = inode;
  if (inode.format === FORMAT.extents) {
    for (let i = 0; i < inode.extentCount; i++) yield record(fork, i * RECORD);
    return;
  }
  if (inode.format !== FORMAT.btree)
    throw corrupt(`data fork of format ${inode.format}`, `inode ${inode.id}`);
  const root = BmdrBlock.read(fork);
  const most = Math.floor((fork.length - BmdrBlock.size) / 16);
  if (root.bb_level === 0 || root.bb_level > BMBT.maxLevel || root.bb_numrecs > most)
    throw corrupt(`extent tree of ${root.bb_level} levels, ${root.bb_numrecs} pointers`, `inode ${inode.id}`);
  yield* children(volume, inode, fork, BmdrBlock.size, most, root.bb_numrecs, root.bb_level - 1, from);
}

/** Keys, then pointers, with room for `most` of each. */
function* children(
  volume: XfsVolume,
  inode: XfsInode,
  bytes: Buffer,
  keysAt: number,
  most: number,
  count: number,
  level: number,
  from: number,
): Generator<Mapped> {
  const key = (i: number) =>
    bytes.readUInt32BE(keysAt + i * 8) * 2 ** 32 + bytes.readUInt32BE(keysAt + i * 8 + 4);
  for (let i = 0; i < count; i++) {
    volume.ctx.budget.step();
    if (i + 1 < count && key(i + 1) <= from) continue;
    const pointer = keysAt + most * 8 + i * 8;
    yield* block(
      volume,
      inode,
      bytes.readUInt32BE(pointer) * 2 ** 32 + bytes.readUInt32BE(pointer + 4),
      level,
      from,
    );
  }
}

function* block(
  volume: XfsVolume,
  inode: XfsInode,
  number: number,
  level: number,
  from: number,
): Generator<Mapped> {
  const { v5, blockSize } = volume.geometry;
  const place = `inode ${inode.id}`;
  const bytes = volume.block(number, 'extent tree', BMBT.crcAt);
  const head = BmbtBlock.read(bytes);
  if (head.bb_magic !== (v5 ? BMBT.magic5 : BMBT.magic))
    throw corrupt(`extent tree magic 0x${head.bb_magic.toString(16)} in block ${number}`, place);
  if (head.bb_level !== level)
    throw corrupt(`level ${head.bb_level} in block ${number}, ${level} expected`, place);
  const start = v5 ? BMBT.head5 : BMBT.head;
  const most = Math.floor((blockSize - start) / 16);
  if (head.bb_numrecs > most)
    throw corrupt(`${head.bb_numrecs} records in block ${number}, at most ${most}`, place);
  if (level > 0) {
    yield* children(volume, inode, bytes, start, most, head.bb_numrecs, level - 1, from);
    return;
  }
  for (let i = 0; i < head.bb_numrecs; i++) yield record(bytes, start + i * RECORD);
}
