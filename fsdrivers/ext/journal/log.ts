/**
 * The log: which transactions are whole, and where each block's newest committed copy lies. Source: fs/jbd2/recovery.c,
 * whose three passes are kept (find the end, collect revocations, take the blocks), and journal.rst.
 */
import type { Context } from '../../../lib/bytes/budget';
import type { Checksums } from '../../../lib/bytes/checksum';
import { corrupt, GuestError, unsupported } from '../../../lib/bytes/errors';
import { readBytes } from '../../../lib/source/types';
import type { Geometry } from '../superblock';
import {
  BLOCK_TAIL,
  BLOCKTYPE,
  BlockTag,
  BlockTag3,
  COMMIT_CHECKSUM_AT,
  COMMIT_CRC32,
  CommitHeader,
  DEFAULT_FAST_COMMIT_BLOCKS,
  JOURNAL_COMPAT,
  JOURNAL_INCOMPAT,
  JOURNAL_INCOMPAT_KNOWN,
  JOURNAL_MAGIC,
  JOURNAL_SUPERBLOCK_SIZE,
  JournalHeader,
  JournalSuperblock,
  RevokeHeader,
  TAG_FLAG,
  TAG_UUID,
} from './layout';
import type { Replacement } from './overlay';
import type { JournalPlace } from './place';

interface Tag {
  /** Of the filesystem. */
  readonly block: number;
  readonly escaped: boolean;
  readonly checksum: number;
  /** Of the log. */
  readonly place: number;
}

/** A whole transaction: the log blocks that describe it. */
interface Transaction {
  readonly sequence: number;
  readonly descriptors: number[];
  readonly revocations: number[];
}

/** Transaction numbers wrap around (include/linux/jbd2.h, tid_geq()). */
const notBefore = (a: number, b: number) => ((a - b) | 0) >= 0;

export class Log {
  /** The transaction number that follows the last whole one; fast commits belong to it. */
  end = 0;
  readonly blockSize: number;
  readonly #start: number;
  readonly #sequence: number;
  readonly #first: number;
  /** Where the log wraps around to `#first`. */
  readonly #last: number;
  readonly #total: number;
  readonly #fastCommits: boolean;
  readonly #wide: boolean;
  readonly #sums: 'none' | 'v1' | 'v2' | 'v3';
  readonly #seed: number;

  /** @throws GuestError `corrupt`, `unsupported` when the journal cannot be replayed at all */
  constructor(
    readonly place: JournalPlace,
    readonly geometry: Geometry,
    readonly checksums: Checksums,
    readonly ctx: Context,
  ) {
    const raw = readBytes(place.source, place.at(place.superblock), JOURNAL_SUPERBLOCK_SIZE, ctx);
    const s = JournalSuperblock.read(raw);
    if (s.h_magic !== JOURNAL_MAGIC) throw corrupt(`magic 0x${s.h_magic.toString(16)}, must be 0xc03b3998`);
    if (s.h_blocktype !== BLOCKTYPE.superblock_v1 && s.h_blocktype !== BLOCKTYPE.superblock_v2)
      throw corrupt(`superblock of type ${s.h_blocktype}`);
    // Version 1 ends before the feature words.
    const dynamic = s.h_blocktype === BLOCKTYPE.superblock_v2;
    const incompat = dynamic ? s.s_feature_incompat : 0;
    const unknown = (incompat & ~JOURNAL_INCOMPAT_KNOWN) >>> 0;
    if (unknown) throw unsupported(`feature 0x${unknown.toString(16)}`);
    if (s.s_blocksize !== geometry.blockSize)
      throw corrupt(`block size ${s.s_blocksize}, the filesystem's is ${geometry.blockSize}`);
    this.blockSize = s.s_blocksize;
    this.#fastCommits = (incompat & JOURNAL_INCOMPAT.fast_commit) !== 0;
    this.#wide = (incompat & JOURNAL_INCOMPAT['64bit']) !== 0;
    this.#sums =
      incompat & JOURNAL_INCOMPAT.csum_v3
        ? 'v3'
        : incompat & JOURNAL_INCOMPAT.csum_v2
          ? 'v2'
          : dynamic && s.s_feature_compat & JOURNAL_COMPAT.checksum
            ? 'v1'
            : 'none';
    this.#seed = checksums.crc32c(0xffffffff, s.s_uuid);
    this.#total = s.s_maxlen;
    if (s.s_maxlen > place.blocks) throw corrupt(`${s.s_maxlen} blocks where there are ${place.blocks}`);
    const fast = this.#fastCommits ? s.s_num_fc_blks || DEFAULT_FAST_COMMIT_BLOCKS : 0;
    this.#first = s.s_first;
    this.#last = s.s_maxlen - fast;
    this.#start = s.s_start;
    this.#sequence = s.s_sequence;
    this.end = s.s_sequence;
    if (s.s_first <= place.superblock || s.s_first >= this.#last)
      throw corrupt(`log from block ${s.s_first} to ${this.#last}`);
    if (s.s_start !== 0 && (s.s_start < s.s_first || s.s_start >= this.#last))
      throw corrupt(`log of blocks ${s.s_first}–${this.#last - 1} begins at ${s.s_start}`);
    if (this.#sums === 'v2' || this.#sums === 'v3') {
      const { at } = JournalSuperblock.fields.s_checksum;
      let crc = checksums.crc32c(0xffffffff, raw, 0, at);
      crc = checksums.crc32c(crc, new Uint8Array(4));
      if (checksums.crc32c(crc, raw, at + 4) !== s.s_checksum)
        ctx.warn('journal: superblock with a wrong checksum, used as it stands');
    }
  }

  /** The blocks of the area for fast commits; none when the journal was closed properly. */
  *fastCommitBlocks(): Generator<Buffer> {
    if (!this.#fastCommits || this.#start === 0) return;
    // One block between the log and the area stays unused (fs/jbd2/journal.c, j_fc_first).
    for (let block = this.#last + 1; block < this.#total; block++) yield this.#read(block);
  }

  /** Where each replaced block's newest committed copy is. Stops at the first incomplete or wrong transaction. */
  replay(): Map<number, Replacement> {
    const found = new Map<number, Replacement>();
    if (this.#start === 0) return found;
    const transactions = this.#scan();
    const revoked = this.#revocations(transactions);
    const scratch = Buffer.allocUnsafeSlow(this.blockSize);
    // From the newest to the oldest, so that only copies that count are read for their checksums, and a damaged one
    // leaves the older copy in force, as when the kernel skips it.
    for (let t = transactions.length - 1; t >= 0; t--) {
      const { sequence, descriptors } = transactions[t]!;
      for (let d = descriptors.length - 1; d >= 0; d--) {
        const tags = this.#tags(this.#read(descriptors[d]!), descriptors[d]!);
        for (let i = tags.length - 1; i >= 0; i--) {
          const tag = tags[i]!;
          this.ctx.budget.step();
          if (found.has(tag.block)) continue;
          const until = revoked.get(tag.block);
          if (until !== undefined && notBefore(until, sequence)) continue;
          if (tag.block >= this.geometry.blockCount) {
            this.#warn(
              `transaction ${sequence} writes block ${tag.block} of ${this.geometry.blockCount}: left out`,
            );
            continue;
          }
          const at = this.place.at(tag.place);
          if (!this.#sound(tag, sequence, at, scratch)) {
            this.#warn(`transaction ${sequence}: copy of block ${tag.block} with a wrong checksum: left out`);
            continue;
          }
          found.set(tag.block, { at, escaped: tag.escaped });
        }
      }
    }
    return found;
  }

  readonly #warned = new Set<string>();
  /** One warning of each kind. */
  #warn(message: string): void {
    const kind = message.replace(/\d+/g, '');
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.ctx.warn(`journal: ${message}`);
  }

  /** Pass 1: the whole transactions, in order. Sets `end`. */
  #scan(): Transaction[] {
    const whole: Transaction[] = [];
    const area = this.#last - this.#first;
    let sequence = this.#sequence;
    let next = this.#start;
    let current: Transaction = { sequence, descriptors: [], revocations: [] };
    /** A log holds each block once: more turns than blocks are a loop. */
    let used = 0;
    let crc = 0xffffffff;
    let broken = false;
    let lastCommit = 0;
    while (used < area) {
      this.ctx.budget.step();
      let block: Buffer;
      try {
        block = this.#read(next);
      } catch (error) {
        if (!(error instanceof GuestError) || error.code === 'limit') throw error;
        this.#warn(`block ${next} cannot be read (${error.message}); the log ends there`);
        break;
      }
      const here = next;
      next = this.#wrap(next + 1);
      used++;
      const h = JournalHeader.read(block);
      if (h.h_magic !== JOURNAL_MAGIC || h.h_sequence !== sequence) break;
      if (h.h_blocktype === BLOCKTYPE.descriptor) {
        if (!this.#tailSound(block)) broken = true;
        const tags = this.#tags(block, here);
        if (this.#sums === 'v1' && !broken) {
          crc = this.checksums.crc32be(crc, block);
          for (const tag of tags.slice(0, area - used))
            crc = this.checksums.crc32be(crc, this.#read(tag.place));
        }
        current.descriptors.push(here);
        used += tags.length;
        next = this.#wrap(next + tags.length);
      } else if (h.h_blocktype === BLOCKTYPE.revoke) {
        if (!this.#tailSound(block)) broken = true;
        current.revocations.push(here);
      } else if (h.h_blocktype === BLOCKTYPE.commit) {
        const c = CommitHeader.read(block);
        const time = c.h_commit_sec_high * 0x1_0000_0000 + c.h_commit_sec_low;
        if (broken || !this.#commitSound(block, crc)) {
          // Older than the one before: left from an earlier use of this part of the log, which ends here.
          if (time >= lastCommit)
            this.#warn(`transaction ${sequence} has a wrong checksum; it and what follows are left out`);
          break;
        }
        whole.push(current);
        lastCommit = time;
        crc = 0xffffffff;
        sequence = (sequence + 1) >>> 0;
        current = { sequence, descriptors: [], revocations: [] };
      } else break;
    }
    this.end = sequence;
    return whole;
  }

  /** Pass 2: a block's copies of that transaction and earlier ones no longer count. */
  #revocations(transactions: readonly Transaction[]): Map<number, number> {
    const revoked = new Map<number, number>();
    const size = this.#wide ? 8 : 4;
    for (const { sequence, revocations } of transactions)
      for (const place of revocations) {
        const block = this.#read(place);
        const room = block.length - (this.#hasTails ? BLOCK_TAIL : 0);
        const used = RevokeHeader.read(block).r_count;
        if (used > room) this.#warn(`revoke block of ${used} bytes where ${room} fit`);
        for (let at = RevokeHeader.size; at + size <= Math.min(used, room); at += size) {
          this.ctx.budget.step();
          const number =
            size === 8
              ? block.readUInt32BE(at) * 0x1_0000_0000 + block.readUInt32BE(at + 4)
              : block.readUInt32BE(at);
          // Transactions come in order, so the newest stays.
          revoked.set(number, sequence);
        }
      }
    return revoked;
  }

  #tags(block: Buffer, place: number): Tag[] {
    const tags: Tag[] = [];
    const v3 = this.#sums === 'v3';
    // journal_tag_bytes() in fs/jbd2/journal.c.
    const size = v3 ? BlockTag3.size : (this.#wide ? 12 : 8) + (this.#sums === 'v2' ? 2 : 0);
    const end = block.length - (this.#hasTails ? BLOCK_TAIL : 0);
    const old = BlockTag.fields;
    const f = BlockTag3.fields;
    for (let at = JournalHeader.size; at + size <= end; ) {
      const flags = v3 ? f.t_flags.read(block, at) : old.t_flags.read(block, at);
      const low = old.t_blocknr.read(block, at);
      const high = this.#wide ? old.t_blocknr_high.read(block, at) : 0;
      place = this.#wrap(place + 1);
      tags.push({
        block: high * 0x1_0000_0000 + low,
        escaped: (flags & TAG_FLAG.escape) !== 0,
        checksum: v3 ? f.t_checksum.read(block, at) : old.t_checksum.read(block, at),
        place,
      });
      at += size + (flags & TAG_FLAG.same_uuid ? 0 : TAG_UUID);
      if (flags & TAG_FLAG.last_tag) break;
    }
    return tags;
  }

  get #hasTails(): boolean {
    return this.#sums === 'v2' || this.#sums === 'v3';
  }

  #tailSound(block: Buffer): boolean {
    if (!this.#hasTails) return true;
    const at = block.length - BLOCK_TAIL;
    const crc = this.checksums.crc32c(this.#seed, block, 0, at);
    return this.checksums.crc32c(crc, new Uint8Array(BLOCK_TAIL)) === block.readUInt32BE(at);
  }

  #commitSound(block: Buffer, crc: number): boolean {
    const c = CommitHeader.read(block);
    if (this.#sums === 'none') return true;
    if (this.#sums === 'v1') {
      if (c.h_chksum_type === 0 && c.h_chksum_size === 0 && c.h_chksum === 0) return true;
      return c.h_chksum_type === COMMIT_CRC32 && c.h_chksum_size === 4 && c.h_chksum === crc;
    }
    let computed = this.checksums.crc32c(this.#seed, block, 0, COMMIT_CHECKSUM_AT);
    computed = this.checksums.crc32c(computed, new Uint8Array(4));
    return this.checksums.crc32c(computed, block, COMMIT_CHECKSUM_AT + 4) === c.h_chksum;
  }

  #sound(tag: Tag, sequence: number, at: number, scratch: Buffer): boolean {
    if (!this.#hasTails) return true;
    this.ctx.budget.read(scratch.length);
    this.place.source.read(at, scratch);
    const number = Buffer.alloc(4);
    number.writeUInt32BE(sequence);
    const crc = this.checksums.crc32c(this.checksums.crc32c(this.#seed, number), scratch);
    return tag.checksum === (this.#sums === 'v3' ? crc : crc & 0xffff);
  }

  #wrap(block: number): number {
    // A descriptor can name more blocks than a small log has, hence the remainder.
    return this.#first + ((block - this.#first) % (this.#last - this.#first));
  }

  #read(block: number): Buffer {
    return readBytes(this.place.source, this.place.at(block), this.blockSize, this.ctx);
  }
}
