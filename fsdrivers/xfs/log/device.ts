/** The log as a ring of basic blocks, and where it ends: `xlog_find_head`, `xlog_find_tail` of xfs_log_recover.c. */
import type { Context } from '../../../lib/bytes/budget';
import { corrupt } from '../../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../../lib/source/types';
import { BB, HEADER_SPAN, IN_FLIGHT, MAGIC, OP, OpHeader, RECORD_MOST, RecordHeader } from './layout';

export interface Record {
  /** Block of its header. */
  readonly at: number;
  readonly headerBlocks: number;
  readonly header: ReturnType<typeof RecordHeader.read>;
}

export class LogDevice {
  /** Basic blocks. */
  readonly size: number;

  constructor(
    readonly source: BlockSource,
    readonly start: number,
    bytes: number,
    readonly ctx: Context,
  ) {
    this.size = Math.floor(bytes / BB);
  }

  /** `count` blocks from `at` on, around the end. */
  read(at: number, count: number): Buffer {
    const from = at % this.size;
    const first = Math.min(count, this.size - from);
    const bytes = readBytes(this.source, this.start + from * BB, first * BB, this.ctx);
    if (first === count) return bytes;
    return Buffer.concat([bytes, readBytes(this.source, this.start, (count - first) * BB, this.ctx)]);
  }

  /** The cycle in which a block was written: 0 is never. */
  cycle(at: number): number {
    return cycleOf(this.read(at, 1));
  }

  /** @throws GuestError `corrupt` */
  record(at: number, sunit: number): Record {
    const header = RecordHeader.read(this.read(at, 1));
    if (header.h_magicno !== MAGIC) throw corrupt(`no record header in log block ${at}`);
    if ((header.h_version & ~3) !== 0 || header.h_version === 0)
      throw corrupt(`record of version ${header.h_version} in log block ${at}`);
    let { h_size: size } = header;
    // An old mkfs wrote a wrong size into its one record.
    if (header.h_len > size && header.h_len <= sunit && header.h_num_logops === 1) size = sunit;
    const headerBlocks = header.h_version & 2 && size > HEADER_SPAN ? Math.ceil(size / HEADER_SPAN) : 1;
    if (header.h_len === 0 || header.h_len > RECORD_MOST || headerBlocks > RECORD_MOST / HEADER_SPAN)
      throw corrupt(`record of ${header.h_len} bytes in log block ${at}`);
    return { at, headerBlocks, header };
  }
}

export const recordBlocks = (r: Record): number => r.headerBlocks + Math.ceil(r.header.h_len / BB);

/** Block and cycle of a log sequence number. */
export const lsnBlock = (lsn: bigint): number => Number(lsn & 0xffffffffn);
export const lsnCycle = (lsn: bigint): number => Number(lsn >> 32n);

function cycleOf(block: Buffer, at = 0): number {
  const word = block.readUInt32BE(at);
  return word === MAGIC ? block.readUInt32BE(at + 4) : word;
}

/** The first block of [from, to) whose cycle is `cycle`, where all before have another one. */
function boundary(log: LogDevice, from: number, to: number, cycle: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (log.cycle(middle) === cycle) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The first of `count` blocks from `at` on that has this cycle. */
function firstWith(log: LogDevice, at: number, count: number, cycle: number): number | undefined {
  const bytes = log.read(at, count);
  for (let i = 0; i < count; i++) if (cycleOf(bytes, i * BB) === cycle) return at + i;
  return undefined;
}

export interface Ends {
  /** Where the next record would be written. */
  readonly head: number;
  /** The last record that is whole. */
  readonly last: Record;
}

/**
 * Where writing stopped. undefined: nothing was ever written.
 * @throws GuestError `corrupt`
 */
export function findHead(log: LogDevice, sunit: number): Ends | undefined {
  const { size } = log;
  const first = log.cycle(0);
  if (first === 0) return undefined;
  const lastCycle = log.cycle(size - 1);
  let head: number;
  /** The cycle that a block before the head must not have: it was not written while those after it were. */
  let stale: number;
  if (lastCycle === 0) {
    head = boundary(log, 0, size - 1, 0);
    stale = 0;
  } else if (first === lastCycle) {
    head = size;
    stale = lastCycle - 1;
  } else {
    head = boundary(log, 0, size - 1, lastCycle);
    stale = lastCycle;
  }
  if (endsWithUnmount(log, head, sunit))
    return { head: head % size, last: log.record((head + size - 2) % size, sunit) };
  const scan = Math.min(size, IN_FLIGHT);
  // Writes may have reached the disk out of order: whatever follows the first gap is not there.
  let gap: number | undefined;
  if (head < scan && lastCycle !== 0) gap = firstWith(log, size - (scan - head), scan - head, stale - 1);
  if (gap === undefined) gap = firstWith(log, Math.max(0, head - scan), Math.min(head, scan), stale);
  if (gap !== undefined) head = gap;
  const last = lastRecord(log, head, scan, sunit);
  if ((last.at + recordBlocks(last)) % size === head % size) return { head: head % size, last };
  // It was not written to its end.
  head = last.at;
  return { head: head % size, last: lastRecord(log, head, scan, sunit) };
}

function endsWithUnmount(log: LogDevice, head: number, sunit: number): boolean {
  const at = (head + log.size - 2) % log.size;
  if (log.cycle(at) === 0 || log.read(at, 1).readUInt32BE(0) !== MAGIC) return false;
  const record = log.record(at, sunit);
  return record.headerBlocks === 1 && recordBlocks(record) === 2 && isUnmount(log, record);
}

/** The record header nearest before `head`. */
function lastRecord(log: LogDevice, head: number, scan: number, sunit: number): Record {
  const bytes = log.read(head + log.size - scan, scan);
  for (let i = scan - 1; i >= 0; i--)
    if (bytes.readUInt32BE(i * BB) === MAGIC)
      return log.record((head + log.size - scan + i) % log.size, sunit);
  throw corrupt(`no record before log block ${head}`);
}

/** Whether a record is the one that unmounting writes: nothing is left to do. */
export function isUnmount(log: LogDevice, record: Record): boolean {
  if (record.header.h_num_logops !== 1) return false;
  const op = OpHeader.read(log.read(record.at + record.headerBlocks, 1));
  return (op.oh_flags & OP.unmount) !== 0;
}
