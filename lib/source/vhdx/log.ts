/** The log of a VHDX, replayed in memory: the file as it will look when its host has opened it again. */
import type { Context } from '../../bytes/budget';
import { type Checksums, checksums } from '../../bytes/checksum';
import { corrupt, limit } from '../../bytes/errors';
import { type BlockSource, checkRange, readBytes, readMany, readOnce, totalLength } from '../types';
import { CHECKSUM_AT, LOG_SECTOR, LogData, LogDescriptor, LogEntry, MAX_LOG } from './layout';

/** CRC-32C of a structure whose sum is made with its own place as zeros. */
export function sumRight(bytes: Buffer, crc32c: Checksums['crc32c']): boolean {
  const before = crc32c(crc32c(0xffff_ffff, bytes, 0, CHECKSUM_AT), new Uint8Array(4));
  const sum = ~crc32c(before, bytes, CHECKSUM_AT + 4) >>> 0;
  return sum === bytes.readUInt32LE(CHECKSUM_AT);
}

interface Entry {
  /** Byte of the log. */
  readonly at: number;
  readonly length: number;
  readonly tail: number;
  readonly sequence: bigint;
  readonly flushed: bigint;
  readonly bytes: Buffer;
}

/**
 * @returns the file itself when its log is empty
 * @throws GuestError `limit` for a log that is too long to be held
 */
export function replay(
  file: BlockSource,
  { LogGuid, LogOffset, LogLength }: { LogGuid: Buffer; LogOffset: number; LogLength: number },
  ctx: Context,
): BlockSource {
  if (LogGuid.every((b) => b === 0)) return file;
  if (LogLength > MAX_LOG) throw limit(`a log of ${LogLength} bytes, at most ${MAX_LOG}`, file.label);
  if (LogLength % LOG_SECTOR !== 0 || LogLength === 0)
    throw corrupt(`a log of ${LogLength} bytes`, file.label);
  const log = readBytes(file, LogOffset, LogLength, ctx);
  const entries = activeSequence(log, LogGuid, ctx);
  if (entries.length === 0) {
    ctx.warn(`${file.label}: its log holds no sound entries; the image is read as it stands`);
    return file;
  }
  const last = entries[entries.length - 1]!;
  if (last.flushed > BigInt(file.size))
    ctx.warn(`${file.label}: ${file.size} bytes, and its log says that there were ${last.flushed}`);
  return new Replayed(file, entries, ctx);
}

/** An entry that lies in the log from `at` on, round its end, or undefined. */
function entryAt(
  log: Buffer,
  at: number,
  guid: Buffer,
  crc32c: Checksums['crc32c'],
  ctx: Context,
): Entry | undefined {
  ctx.budget.step();
  const e = LogEntry.read(log, at);
  if (e.Signature !== 'loge' || !e.LogGuid.equals(guid) || e.SequenceNumber === 0n) return undefined;
  const length = e.EntryLength;
  if (length === 0 || length % LOG_SECTOR !== 0 || length > log.length) return undefined;
  if (e.Tail % LOG_SECTOR !== 0 || e.Tail >= log.length) return undefined;
  const head = Math.ceil((LogEntry.size + e.DescriptorCount * LogDescriptor.size) / LOG_SECTOR) * LOG_SECTOR;
  if (head > length) return undefined;
  ctx.budget.read(length);
  ctx.budget.allocate(at + length > log.length ? length : 0);
  const bytes =
    at + length <= log.length
      ? log.subarray(at, at + length)
      : Buffer.concat([log.subarray(at), log.subarray(0, at + length - log.length)]);
  if (!sumRight(bytes, crc32c)) return undefined;
  return {
    at,
    length,
    tail: e.Tail,
    sequence: e.SequenceNumber,
    flushed: e.FlushedFileOffset,
    bytes,
  };
}

/** [MS-VHDX] 2.3.3: the run of entries with consecutive numbers that is the newest one and holds its own tail. */
function activeSequence(log: Buffer, guid: Buffer, ctx: Context): Entry[] {
  const { crc32c } = checksums();
  let best: Entry[] = [];
  for (let start = 0; start < log.length; ) {
    const run: Entry[] = [];
    let at = start;
    let used = 0;
    for (;;) {
      const entry = entryAt(log, at, guid, crc32c, ctx);
      const before = run[run.length - 1];
      if (!entry || (before && entry.sequence !== before.sequence + 1n)) break;
      used += entry.length;
      if (used > log.length) break;
      run.push(entry);
      at = (at + entry.length) % log.length;
    }
    const newest = run[run.length - 1];
    if (newest) {
      const tail = run.findIndex((e) => e.at === newest.tail);
      const known = best[best.length - 1];
      if (tail >= 0 && (!known || newest.sequence > known.sequence)) best = run.slice(tail);
    }
    start = run.length === 0 ? start + LOG_SECTOR : at <= start ? log.length : at;
  }
  return best;
}

/** Where a sector of the file is: bytes of an entry, and the descriptor that has its first and last ones. */
interface Sector {
  readonly data: Buffer;
  readonly leading: Buffer;
  readonly trailing: Buffer;
}

class Replayed implements BlockSource {
  readonly label: string;
  readonly size: number;
  readonly sectorSize: number;
  /** By number of the 4-KiB sector. */
  readonly #sectors = new Map<number, Sector>();
  /** Bytes of the file that are zeros unless a sector says otherwise. */
  readonly #zeros: { readonly from: number; readonly to: number }[] = [];
  readonly #ctx: Context;

  constructor(
    readonly file: BlockSource,
    entries: readonly Entry[],
    ctx: Context,
  ) {
    this.#ctx = ctx;
    this.label = file.label;
    this.size = file.size;
    this.sectorSize = file.sectorSize;
    for (const entry of entries) this.#apply(entry, ctx);
  }

  #apply({ bytes, sequence }: Entry, ctx: Context): void {
    const { DescriptorCount } = LogEntry.read(bytes);
    let data = Math.ceil((LogEntry.size + DescriptorCount * LogDescriptor.size) / LOG_SECTOR) * LOG_SECTOR;
    for (let i = 0; i < DescriptorCount; i++) {
      ctx.budget.step();
      const d = LogDescriptor.read(bytes, LogEntry.size + i * LogDescriptor.size);
      if (d.SequenceNumber !== sequence || d.FileOffset % LOG_SECTOR !== 0)
        throw corrupt(`log entry ${sequence}: descriptor ${i} is not its own`, this.label);
      if (d.Signature === 'zero') {
        const to = d.FileOffset + Number(d.ZeroLength);
        if (!Number.isSafeInteger(to))
          throw corrupt(`log entry ${sequence}: zeros up to byte ${to}`, this.label);
        ctx.budget.step(this.#sectors.size);
        for (const sector of this.#sectors.keys())
          if (sector * LOG_SECTOR >= d.FileOffset && sector * LOG_SECTOR < to) this.#sectors.delete(sector);
        this.#zeros.push({ from: d.FileOffset, to });
        continue;
      }
      if (d.Signature !== 'desc') throw corrupt(`log entry ${sequence}: descriptor ${i}`, this.label);
      const sector = LogData.read(bytes, data);
      if (
        sector.Signature !== 'data' ||
        BigInt(sector.SequenceHigh) * 2n ** 32n + BigInt(sector.SequenceLow) !== sequence
      )
        throw corrupt(`log entry ${sequence}: data sector ${i} is not its own`, this.label);
      this.#sectors.set(d.FileOffset / LOG_SECTOR, {
        data: bytes.subarray(data, data + LOG_SECTOR),
        leading: d.LeadingBytes,
        trailing: d.TrailingBytes,
      });
      data += LOG_SECTOR;
    }
  }

  read(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    this.file.read(at, into);
    this.#amend(at, into);
  }

  readOnce(at: number, into: Uint8Array): void {
    checkRange(this, at, into.length);
    readOnce(this.file, at, into);
    this.#amend(at, into);
  }

  readMany(at: number, into: readonly Uint8Array[]): void {
    checkRange(this, at, totalLength(into));
    readMany(this.file, at, into);
    let place = at;
    for (const buffer of into) {
      this.#amend(place, buffer);
      place += buffer.length;
    }
  }

  #amend(at: number, into: Uint8Array): void {
    this.#ctx.budget.step(1 + this.#zeros.length);
    const end = at + into.length;
    for (const { from, to } of this.#zeros)
      if (from < end && to > at) into.fill(0, Math.max(from, at) - at, Math.min(to, end) - at);
    for (let n = Math.floor(at / LOG_SECTOR); n * LOG_SECTOR < end; n++) {
      const sector = this.#sectors.get(n);
      if (!sector) continue;
      const whole = Buffer.from(sector.data);
      whole.set(sector.leading);
      whole.set(sector.trailing, LOG_SECTOR - 4);
      const start = n * LOG_SECTOR;
      const from = Math.max(at, start);
      into.set(whole.subarray(from - start, Math.min(end, start + LOG_SECTOR) - start), from - at);
    }
  }
}
