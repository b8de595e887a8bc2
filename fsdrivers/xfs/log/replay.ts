/** A log that was not unmounted, as an overlay: the disk is not written. */
import { corrupt, GuestError } from '../../../lib/bytes/errors';
import type { BlockSource } from '../../../lib/source/types';
import type { XfsVolume } from '../volume';
import { findHead, isUnmount, LogDevice, lsnBlock, lsnCycle, type Record, recordBlocks } from './device';
import { Cancelled, Replay } from './items';
import { BB, FORMAT_LINUX_LE, MAGIC, RecordHeader } from './layout';
import { Overlay } from './overlay';
import { Assembler, recordData } from './transactions';

/** A log smaller than this cannot be one. */
const LEAST = 64;

/** The log: inside, or on a volume whose first record names the filesystem. */
function logDevice(volume: XfsVolume, others: () => Iterable<BlockSource>): LogDevice | undefined {
  const { geometry, source, ctx } = volume;
  if (geometry.logStart !== undefined) {
    if (geometry.logSize < LEAST * BB || geometry.logStart + geometry.logSize > source.size)
      throw corrupt(`a log of ${geometry.logSize} bytes at ${geometry.logStart}`);
    return new LogDevice(source, geometry.logStart, geometry.logSize, ctx);
  }
  for (const other of others()) {
    if (geometry.logSize < LEAST * BB || other.size < geometry.logSize) continue;
    const first = Buffer.alloc(BB);
    other.read(0, first);
    const { h_magicno, h_fs_uuid } = RecordHeader.read(first);
    if (h_magicno === MAGIC && h_fs_uuid.equals(geometry.metaUuid))
      return new LogDevice(other, 0, geometry.logSize, ctx);
  }
  ctx.warn(
    'xfs: the log is on another device, which was not found; changes that are only there are not seen',
  );
  return undefined;
}

/**
 * The metadata with the log's changes; undefined where the log is empty or cannot be used, which a warning says.
 * @throws GuestError `io`, and `limit` of the whole run's budget
 */
export function replayLog(volume: XfsVolume, others: () => Iterable<BlockSource>): Overlay | undefined {
  try {
    const log = logDevice(volume, others);
    return log && replay(volume, log);
  } catch (error) {
    if (!(error instanceof GuestError) || error.code === 'io' || /^too m(uch|any)/.test(error.message))
      throw error;
    volume.ctx.warn(`xfs: the log cannot be replayed (${error.describe()}); the disk is read as it stands`);
    return undefined;
  }
}

function replay(volume: XfsVolume, log: LogDevice): Overlay | undefined {
  const sunit = 256 * 1024;
  const ends = findHead(log, sunit);
  if (!ends || isUnmount(log, ends.last)) return undefined;
  if (ends.last.header.h_fmt !== FORMAT_LINUX_LE) throw corrupt(`a log of format ${ends.last.header.h_fmt}`);
  if (!ends.last.header.h_fs_uuid.equals(volume.geometry.metaUuid))
    throw corrupt('the log is of another filesystem');
  const records = sound(volume, log, ends.head, ends.last, sunit);
  if (records.length === 0) return undefined;

  const cancelled = new Cancelled();
  for (const t of transactions(volume, log, records)) cancelled.note(t);
  const overlay = new Overlay(volume.source);
  const run = new Replay(volume, overlay, cancelled);
  for (const t of transactions(volume, log, records)) run.apply(t);
  const open = run.intents.describe();
  if (open) volume.ctx.warn(`xfs: the log has work that was not finished and is not done here: ${open}`);
  return overlay.isEmpty ? undefined : overlay;
}

function* transactions(volume: XfsVolume, log: LogDevice, records: readonly Record[]) {
  const assembler = new Assembler(volume.ctx);
  for (const record of records) {
    const data = recordData(log, record, volume.sums, volume.geometry.v5);
    if (!data) throw corrupt(`the checksum of the record in log block ${record.at} does not match`);
    yield* assembler.take(record, data);
  }
}

/**
 * The records from the tail to the head. One that was torn ends them, and then the tail is the one before's.
 * @throws GuestError `corrupt`
 */
function sound(volume: XfsVolume, log: LogDevice, head: number, last: Record, sunit: number): Record[] {
  let end = head;
  let newest = last;
  for (let attempt = 0; attempt < 10; attempt++) {
    const tail = lsnBlock(newest.header.h_tail_lsn);
    if (tail >= log.size) throw corrupt(`log tail ${tail} of ${log.size} blocks`);
    const records: Record[] = [];
    let torn: number | undefined;
    let cycle = lsnCycle(newest.header.h_tail_lsn);
    for (let at = tail; at !== end; ) {
      volume.ctx.budget.step();
      const record = log.record(at, sunit);
      if (record.header.h_cycle !== cycle)
        throw corrupt(`cycle ${record.header.h_cycle} in log block ${at}, ${cycle} expected`);
      if (!recordData(log, record, volume.sums, volume.geometry.v5)) {
        torn = at;
        break;
      }
      records.push(record);
      const next = at + recordBlocks(record);
      const left = (end - at + log.size) % log.size;
      if (next - at > left && left !== 0)
        throw corrupt(`the record in log block ${at} reaches beyond the head`);
      if (next >= log.size) cycle++;
      at = next % log.size;
    }
    if (torn === undefined) return records;
    const before = records.at(-1);
    volume.ctx.warn(
      `xfs: the checksum of the record in log block ${torn} does not match; the log ends there`,
    );
    if (!before) return [];
    end = torn;
    newest = before;
  }
  throw corrupt('the log has too many torn records');
}
