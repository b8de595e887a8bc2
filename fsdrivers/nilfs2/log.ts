/**
 * The log: where its newest end is. A filesystem that was unmounted says so; of another the logs behind the one that the
 * superblock knows are followed as long as they are whole, as the kernel does (fs/nilfs2/recovery.c).
 */
import type { Context } from '../../lib/bytes/budget';
import type { Checksums } from '../../lib/bytes/checksum';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { BlockInfo, FileInfo, SEGMENT_MAGIC, SegmentSummary, SS, SuperRoot } from './layout';
import type { Geometry } from './superblock';

/** By file, by block of it: the block that has newer data. */
export type Salvaged = ReadonlyMap<number, ReadonlyMap<number, number>>;

export interface LogEnd {
  /** The checkpoint that the super root belongs to. */
  readonly checkpoint: number;
  readonly superRoot: Buffer;
  /** What fdatasync wrote since. */
  readonly salvaged: Salvaged;
}

interface Log {
  readonly start: number;
  readonly blocks: number;
  readonly flags: number;
  /** The segment that follows this one. */
  readonly next: number;
  readonly infoBytes: number;
  readonly headerBytes: number;
  readonly files: number;
}

/** Bytes of logs that are verified at most; the superblock is written every ten seconds. */
const SCAN_MOST = 1024 * 1024 * 1024;
const PIECE = 256 * 1024;
/** Blocks of data that are kept in mind at most. */
const SALVAGE_MOST = 200_000;

export class LogScanner {
  readonly #source: BlockSource;
  readonly #sums: Checksums;
  readonly #ctx: Context;
  #left = SCAN_MOST;

  constructor(source: BlockSource, sums: Checksums, ctx: Context) {
    this.#source = source;
    this.#sums = sums;
    this.#ctx = ctx;
  }

  /**
   * The newest super root, from the log on that the superblock names.
   * @param trust whether that log is the last one for sure
   * @returns why there is none, in words
   */
  find(g: Geometry, trust: boolean): LogEnd | string {
    const first = this.#log(g, g.lastLog, g.lastSequence, !trust);
    if (typeof first === 'string') return first;
    if (!(first.flags & SS.superRoot)) return `the log at block ${first.start} has no super root`;
    const root = this.#superRoot(g, first, true);
    if (typeof root === 'string') return root;
    const end: LogEnd = { checkpoint: g.lastCheckpoint, superRoot: root, salvaged: new Map() };
    return trust ? end : this.#rollForward(g, first, end);
  }

  /** The log that the superblock names, whatever its checksums say; @returns why not, in words */
  findAnyway(g: Geometry): LogEnd | string {
    const log = this.#header(g, g.lastLog);
    if (typeof log === 'string') return log;
    const superRoot = this.#superRoot(g, log, false);
    if (typeof superRoot === 'string') return superRoot;
    return { checkpoint: g.lastCheckpoint, superRoot, salvaged: new Map() };
  }

  #rollForward(g: Geometry, first: Log, known: LogEnd): LogEnd {
    let end = known;
    let salvaged = new Map<number, Map<number, number>>();
    /** Parts of a log of data that has not ended yet. */
    let parts: Log[] = [];
    let blocks = 0;
    let sequence = g.lastSequence;
    let { next } = first;
    let at = first.start + first.blocks;
    let segment = Math.floor(first.start / g.blocksPerSegment);
    for (let empty = false; ; ) {
      this.#ctx.budget.step();
      const log =
        at < (segment + 1) * g.blocksPerSegment - 1 ? this.#log(g, at, sequence, true) : 'behind the segment';
      if (typeof log === 'string') {
        // The next segment may go on; if it does not either, that was the end.
        if (empty || next >= g.segments) break;
        empty = true;
        sequence++;
        segment = next;
        at = Math.max(segment * g.blocksPerSegment, g.firstDataBlock);
        continue;
      }
      empty = false;
      next = log.next;
      at = log.start + log.blocks;
      if (log.flags & SS.superRoot) {
        const superRoot = this.#superRoot(g, log, true);
        if (typeof superRoot === 'string') break;
        salvaged = new Map();
        parts = [];
        blocks = 0;
        end = { checkpoint: end.checkpoint + 1, superRoot, salvaged };
        continue;
      }
      // Only logs of data are of use without a super root, and only those that are complete.
      if (log.flags & SS.begin) parts = [];
      else if (parts.length === 0) continue;
      if (!(log.flags & SS.dataOnly)) {
        parts = [];
        continue;
      }
      parts.push(log);
      if (!(log.flags & SS.end)) continue;
      for (const part of parts) {
        blocks += part.blocks;
        if (blocks > SALVAGE_MOST || !this.#salvage(g, part, salvaged)) {
          this.#ctx.warn(
            'nilfs2: data written after the last checkpoint cannot be followed: as of before them',
          );
          return { ...end, salvaged: new Map() };
        }
      }
      parts = [];
      end = { ...end, salvaged };
    }
    if (this.#left < 0)
      this.#ctx.warn(`nilfs2: more than ${SCAN_MOST} bytes of logs: what is newer than those is not seen`);
    return end;
  }

  /** A log's summary, when it could be one by its values. */
  #header(g: Geometry, start: number): Log | string {
    const segment = Math.floor(start / g.blocksPerSegment);
    if (start < g.firstDataBlock || segment >= g.segments)
      return `block ${start} is in none of ${g.segments} segments`;
    const at = start * g.blockSize;
    if (at + g.blockSize > this.#source.size) return `block ${start} lies beyond the end`;
    const s = SegmentSummary.read(readBytes(this.#source, at, SegmentSummary.size, this.#ctx));
    const place = `the log at block ${start}`;
    if (s.ss_magic !== SEGMENT_MAGIC) return `${place}: no magic number`;
    const end = start + s.ss_nblocks;
    if (
      s.ss_nblocks === 0 ||
      end > (segment + 1) * g.blocksPerSegment ||
      end * g.blockSize > this.#source.size ||
      s.ss_bytes < SegmentSummary.size ||
      s.ss_sumbytes < s.ss_bytes ||
      s.ss_sumbytes > s.ss_nblocks * g.blockSize
    )
      return `${place}: ${s.ss_nblocks} blocks, summary of ${s.ss_bytes} in ${s.ss_sumbytes} bytes`;
    return {
      start,
      blocks: s.ss_nblocks,
      flags: s.ss_flags,
      next: Math.floor(s.ss_next / g.blocksPerSegment),
      headerBytes: s.ss_bytes,
      infoBytes: s.ss_sumbytes,
      files: s.ss_nfinfo,
    };
  }

  /** A log that is what the trail leads to and whole: `whole` verifies all of it, otherwise its summary. */
  #log(g: Geometry, start: number, sequence: number, whole: boolean): Log | string {
    const log = this.#header(g, start);
    if (typeof log === 'string') return log;
    const at = start * g.blockSize;
    const { ss_seq, ss_datasum, ss_sumsum } = SegmentSummary.fields;
    const head = readBytes(this.#source, at, SegmentSummary.size, this.#ctx);
    const place = `the log at block ${start}`;
    if (ss_seq.read(head, 0) !== sequence)
      return `${place}: sequence number ${ss_seq.read(head, 0)}, ${sequence} expected`;
    const length = whole ? log.blocks * g.blockSize : log.infoBytes;
    this.#left -= length;
    if (this.#left < 0) return `${place}: beyond what is looked at`;
    let sum = g.seed;
    for (let done = whole ? 4 : 8; done < length; ) {
      const piece = readBytes(this.#source, at + done, Math.min(PIECE, length - done), this.#ctx);
      sum = this.#sums.crc32(sum, piece);
      done += piece.length;
    }
    return sum === (whole ? ss_datasum : ss_sumsum).read(head, 0) ? log : `${place}: wrong checksum`;
  }

  /** The last block of a log that has a super root. */
  #superRoot(g: Geometry, log: Log, verify: boolean): Buffer | string {
    const block = log.start + log.blocks - 1;
    const bytes = readBytes(this.#source, block * g.blockSize, g.blockSize, this.#ctx);
    const { sr_sum, sr_bytes } = SuperRoot.read(bytes);
    const place = `the super root at block ${block}`;
    if (!(log.flags & SS.superRoot)) return `the log at block ${log.start} has no super root`;
    if (sr_bytes < SuperRoot.size + 3 * g.inodeSize || sr_bytes > g.blockSize)
      return `${place}: ${sr_bytes} bytes`;
    if (verify && this.#sums.crc32(g.seed, bytes, 4, sr_bytes) !== sr_sum) return `${place}: wrong checksum`;
    return bytes;
  }

  /** Adds what a log of data holds; false: its summary contradicts itself. */
  #salvage(g: Geometry, log: Log, into: Map<number, Map<number, number>>): boolean {
    const bytes = readBytes(this.#source, log.start * g.blockSize, log.infoBytes, this.#ctx);
    let at = log.headerBytes;
    /** The place of `size` bytes; they never cross a block's end. */
    const take = (size: number): number => {
      if ((at % g.blockSize) + size > g.blockSize) at = Math.ceil(at / g.blockSize) * g.blockSize;
      const place = at;
      at += size;
      return place;
    };
    let block = log.start + Math.ceil(log.infoBytes / g.blockSize);
    const end = log.start + log.blocks;
    for (let file = 0; file < log.files; file++) {
      this.#ctx.budget.step();
      const place = take(FileInfo.size);
      if (place + FileInfo.size > bytes.length) return false;
      const info = FileInfo.read(bytes, place);
      // Logs of data have no blocks of trees.
      if (info.fi_nblocks !== info.fi_ndatablk || block + info.fi_ndatablk > end) return false;
      const blocks = into.get(info.fi_ino) ?? new Map<number, number>();
      into.set(info.fi_ino, blocks);
      for (let i = 0; i < info.fi_ndatablk; i++, block++) {
        this.#ctx.budget.step();
        const of = take(BlockInfo.size);
        if (of + BlockInfo.size > bytes.length) return false;
        blocks.set(BlockInfo.fields.bi_blkoff.read(bytes, of), block);
      }
    }
    return true;
  }
}
