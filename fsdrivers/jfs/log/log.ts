/** The log's records from the newest on: where it ends, and each one before it. */
import type { Context } from '../../../lib/bytes/budget';
import { corrupt } from '../../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../../lib/source/types';
import {
  DATA_MOST,
  LOG_DATA_END,
  LOGHDRSIZE,
  LOGPSIZE,
  LOGSTART_B,
  LogPage,
  Lrd,
  REPLAY_MOST,
} from './layout';

export interface LogRecord {
  /** Where it ends, as the log counts: what sync points name. */
  readonly address: number;
  readonly lrd: ReturnType<typeof Lrd.read>;
  readonly data: Buffer;
}

const KEPT = 4;

export class Log {
  readonly #pages = new Map<number, Buffer>();

  /** @param start byte of `source`; @param size pages, of which there are more than three */
  constructor(
    readonly source: BlockSource,
    readonly start: number,
    readonly size: number,
    readonly ctx: Context,
  ) {}

  /**
   * Records from the last one back, once round the log at most.
   * @throws GuestError `corrupt` for a place that cannot be
   */
  *records(): Generator<LogRecord> {
    let address = this.#end();
    let left = Math.min(REPLAY_MOST, (this.size - LOGSTART_B) * (LOG_DATA_END - LOGHDRSIZE));
    for (;;) {
      this.ctx.budget.step();
      const here = address;
      const [descriptor, before] = this.#take(here, Lrd.size);
      const lrd = Lrd.read(descriptor);
      if (lrd.length > DATA_MOST)
        throw corrupt(`a record with ${lrd.length} bytes of data`, `log address ${here}`);
      const words = (lrd.length + 3) & ~3;
      const [data, next] = this.#take(before, words);
      left -= Lrd.size + words;
      if (left < 0) throw corrupt(`no sync point within ${REPLAY_MOST} bytes of the log`);
      address = next;
      yield { address: here, lrd, data: data.subarray(0, lrd.length) };
    }
  }

  /** Page numbers grow up to the newest page, behind which older ones stand (`findEndOfLog` of jfsutils). */
  #end(): number {
    let left = LOGSTART_B;
    let right = this.size - 1;
    let newest = this.#head(left);
    const after = (page: number, than: number): boolean => ((page - than) | 0) > 0;
    while (right - left > 1) {
      const middle = (left + right) >>> 1;
      const head = this.#head(middle);
      if (after(head.page, newest.page)) {
        left = middle;
        newest = head;
      } else right = middle;
    }
    const last = this.#head(right);
    if (after(last.page, newest.page)) {
      left = right;
      newest = last;
    }
    // Nothing ends there: the first page of a record whose second one was never written.
    if (newest.eor === LOGHDRSIZE) {
      left = left === LOGSTART_B ? this.size - 1 : left - 1;
      newest = this.#head(left);
    }
    if (newest.eor < LOGHDRSIZE || newest.eor > LOG_DATA_END)
      throw corrupt(`page ${left} of the log ends at ${newest.eor}`);
    return left * LOGPSIZE + newest.eor;
  }

  /** Header and trailer differ where a page was written in part. */
  #head(number: number): { page: number; eor: number } {
    const p = LogPage.read(this.#page(number));
    if (p.h_page !== p.t_page)
      return { page: ((p.h_page - p.t_page) | 0) > 0 ? p.t_page : p.h_page, eor: LOGHDRSIZE };
    return { page: p.h_page, eor: Math.min(p.h_eor, p.t_eor) };
  }

  /** `count` bytes that end at `address`, and where they begin. */
  #take(address: number, count: number): [bytes: Buffer, before: number] {
    const into = Buffer.allocUnsafe(count);
    let page = Math.floor(address / LOGPSIZE);
    let at = address % LOGPSIZE;
    if (at % 4 !== 0 || at < LOGHDRSIZE || at > LOG_DATA_END)
      throw corrupt('not a place of a record', `log address ${address}`);
    for (let left = count; ; ) {
      const part = Math.min(left, at - LOGHDRSIZE);
      this.#page(page).copy(into, left - part, at - part, at);
      left -= part;
      at -= part;
      if (at === LOGHDRSIZE) {
        page = page === LOGSTART_B ? this.size - 1 : page - 1;
        at = LOG_DATA_END;
      }
      if (left === 0) return [into, page * LOGPSIZE + at];
    }
  }

  #page(number: number): Buffer {
    const kept = this.#pages.get(number);
    if (kept) return kept;
    const bytes = readBytes(this.source, this.start + number * LOGPSIZE, LOGPSIZE, this.ctx);
    if (this.#pages.size >= KEPT) this.#pages.clear();
    this.#pages.set(number, bytes);
    return bytes;
  }
}
