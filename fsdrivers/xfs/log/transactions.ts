/** Records → transactions: the operations of a record put together again (`xlog_recover_process_data`). */
import type { Context } from '../../../lib/bytes/budget';
import type { Checksums } from '../../../lib/bytes/checksum';
import { corrupt, limit } from '../../../lib/bytes/errors';
import { type LogDevice, type Record, recordBlocks } from './device';
import {
  BB,
  CRC_AT,
  CYCLE_DATA_AT,
  CYCLES,
  EXT_CYCLE_DATA_AT,
  EXT_HEADER_SIZE,
  OP,
  OpHeader,
  RecordHeader,
  TRANSACTION_HEADER,
  TRANSACTION_MAGIC,
} from './layout';

/** One change: the first region says what it is, and how many belong to it. */
export type Item = Buffer[];

export interface Transaction {
  /** Of the record in which it began. */
  readonly lsn: bigint;
  readonly items: readonly Item[];
}

interface Open {
  readonly lsn: bigint;
  head: Buffer;
  readonly items: Item[];
}

/** Bytes of unfinished transactions that are held. A log of the largest size has transactions of a few MiB. */
const HELD = 64 * 1024 * 1024;

const ZEROS = Buffer.alloc(4);

/** A record's operations with the words that the cycle numbers stand for; undefined: the checksum does not match. */
export function recordData(log: LogDevice, r: Record, sums: Checksums, v5: boolean): Buffer | undefined {
  const all = log.read(r.at, recordBlocks(r));
  const data = all.subarray(r.headerBlocks * BB);
  const { h_crc, h_len } = r.header;
  if (v5 || h_crc !== 0) {
    let matches = false;
    // Kernels for i386 leave out the padding at the header's end.
    for (const size of [RecordHeader.size, RecordHeader.size - 4]) {
      let crc = sums.crc32c(0xffffffff, all, 0, CRC_AT);
      crc = sums.crc32c(crc, ZEROS);
      crc = sums.crc32c(crc, all, CRC_AT + 4, size);
      for (let i = 1; i < Math.min(r.headerBlocks, Math.ceil(h_len / 32768)); i++)
        crc = sums.crc32c(crc, all, i * BB, i * BB + EXT_HEADER_SIZE);
      crc = sums.crc32c(crc, data, 0, h_len);
      matches ||= ~crc >>> 0 === h_crc;
    }
    if (!matches && v5) return undefined;
  }
  for (let i = 0; i * BB < data.length; i++) {
    const header = Math.floor(i / CYCLES);
    if (header >= r.headerBlocks) break;
    const from = header * BB + (header === 0 ? CYCLE_DATA_AT : EXT_CYCLE_DATA_AT) + (i % CYCLES) * 4;
    all.copy(data, i * BB, from, from + 4);
  }
  return data.subarray(0, h_len);
}

/** Feeds records, in order, and gets the transactions that end in them. */
export class Assembler {
  readonly #open = new Map<number, Open>();
  readonly #ctx: Context;
  #held = 0;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** @throws GuestError `corrupt`, `limit` */
  *take(record: Record, data: Buffer): Generator<Transaction> {
    const { h_num_logops, h_lsn } = record.header;
    let at = 0;
    for (let i = 0; i < h_num_logops; i++) {
      this.#ctx.budget.step();
      const op = OpHeader.read(data, at);
      at += OpHeader.size;
      if (at + op.oh_len > data.length)
        throw corrupt(
          `operation of ${op.oh_len} bytes at ${at} of a record of ${data.length}`,
          `log block ${record.at}`,
        );
      // A copy: the record's buffer is not kept alive for a few bytes of it.
      const region = data.subarray(at, at + op.oh_len);
      at += op.oh_len;
      const open = this.#open.get(op.oh_tid);
      if (!open) {
        // What began before the tail is on the disk.
        if (op.oh_flags & OP.start)
          this.#open.set(op.oh_tid, { lsn: h_lsn, head: Buffer.alloc(0), items: [] });
        continue;
      }
      let flags = op.oh_flags & ~OP.end;
      if (flags & OP.wasContinued) flags &= ~OP.continue;
      if (flags & OP.commit) {
        this.#open.delete(op.oh_tid);
        for (const item of open.items) for (const r of item) this.#held -= r.length;
        yield { lsn: open.lsn, items: open.items };
      } else if (flags & OP.unmount) this.#open.delete(op.oh_tid);
      else if (flags & OP.start)
        throw corrupt(`transaction ${op.oh_tid} begins twice`, `log block ${record.at}`);
      else if (flags & OP.wasContinued) this.#continue(open, region);
      else this.#add(open, region);
    }
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    if (this.#held > HELD) throw limit(`unfinished transactions of more than ${HELD} bytes`);
    this.#ctx.budget.allocate(bytes);
  }

  #continue(open: Open, region: Buffer): void {
    const item = open.items[open.items.length - 1];
    if (!item) {
      open.head = Buffer.concat([open.head, region]);
      if (open.head.length > TRANSACTION_HEADER)
        throw corrupt(`transaction header of ${open.head.length} bytes`);
      return;
    }
    const last = item.length - 1;
    this.#hold(region.length);
    item[last] = Buffer.concat([item[last]!, region]);
  }

  #add(open: Open, region: Buffer): void {
    if (region.length === 0) return;
    if (open.head.length < TRANSACTION_HEADER && open.items.length === 0) {
      if (open.head.length === 0 && region.length >= 4 && region.readUInt32LE(0) !== TRANSACTION_MAGIC)
        throw corrupt('a transaction without a header');
      open.head = Buffer.concat([open.head, region]);
      if (open.head.length > TRANSACTION_HEADER)
        throw corrupt(`transaction header of ${open.head.length} bytes`);
      return;
    }
    this.#hold(region.length);
    const copy = Buffer.from(region);
    const item = open.items[open.items.length - 1];
    if (!item || item.length >= item[0]!.readUInt16LE(2)) {
      if (copy.length < 4) throw corrupt(`an item of ${copy.length} bytes`);
      const count = copy.readUInt16LE(2);
      if (count === 0 || count > 1024) throw corrupt(`an item of ${count} regions`);
      open.items.push([copy]);
    } else item.push(copy);
  }
}
