/** The one door to the disk: the bytes of forks, through the extents overflow file. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, within } from '../../lib/bytes/errors';
import { readBytes } from '../../lib/source/types';
import { BTree } from './btree';
import type { Geometry } from './header';
import {
  CNID,
  EXTENTS,
  ExtentKey,
  ForkData,
  JOURNAL_IN_FS,
  JOURNAL_MAGIC,
  JOURNALED,
  JournalInfoBlock,
} from './layout';

/** Bytes of a fork that lie together on the disk. */
export interface Run {
  readonly offset: number;
  readonly length: number;
  readonly at: number;
}

/** A data fork. */
export interface Fork {
  readonly file: number;
  readonly size: number;
  /** Its first eight extents, as they are on the disk. */
  readonly extents: Buffer;
}

export function readFork(file: number, b: Buffer): Fork {
  const { logicalSize, extents } = ForkData.read(b);
  return { file, size: logicalSize, extents };
}

export class HfsVolume {
  readonly catalog: BTree;
  readonly #overflow: BTree;

  constructor(
    readonly geometry: Geometry,
    readonly ctx: Context,
  ) {
    this.#overflow = this.#tree('extents overflow file', CNID.extents, geometry.extentsFile);
    this.catalog = this.#tree('catalog file', CNID.catalog, geometry.catalogFile);
    this.#warnOfJournal();
  }

  #tree(place: string, file: number, b: Buffer): BTree {
    return within(place, () => {
      const fork = readFork(file, b);
      const runs: Run[] = [];
      for (const run of this.runs(fork)) {
        this.ctx.budget.allocate(64);
        runs.push(run);
      }
      return new BTree(place, (at, length) => this.#read(runs, at, length), fork.size, this.ctx);
    });
  }

  /**
   * Where the bytes of a fork are, in order; there are no holes.
   * @throws GuestError `corrupt`
   */
  *runs(fork: Fork): Generator<Run> {
    const { source, blockSize, totalBlocks } = this.geometry;
    let run: { offset: number; at: number; length: number } | undefined;
    let { extents } = fork;
    let block = 0;
    while (block * blockSize < fork.size) {
      const before = block;
      for (let i = 0; i < EXTENTS && block * blockSize < fork.size; i++) {
        this.ctx.budget.step();
        const start = extents.readUInt32BE(8 * i);
        const count = extents.readUInt32BE(8 * i + 4);
        if (count === 0) break;
        if (start + count > totalBlocks)
          throw corrupt(`${count} blocks at ${start} of ${totalBlocks}`, `file ${fork.file}`);
        const offset = block * blockSize;
        const at = start * blockSize;
        const length = Math.min(count * blockSize, fork.size - offset);
        if (at + length > source.size)
          throw corrupt(
            `${length} bytes at ${at} lie beyond the end (${source.size} bytes)`,
            `file ${fork.file}`,
          );
        if (run && run.at + run.length === at) run.length += length;
        else {
          if (run) yield run;
          run = { offset, at, length };
        }
        block += count;
      }
      if (block * blockSize >= fork.size) break;
      const more = before === block || fork.file === CNID.extents ? undefined : this.#more(fork.file, block);
      if (!more)
        throw corrupt(
          `extents of ${block * blockSize} bytes, the file has ${fork.size}`,
          `file ${fork.file}`,
        );
      extents = more;
    }
    if (run) yield run;
  }

  /** The extents of the data fork from that block on. */
  #more(file: number, block: number): Buffer | undefined {
    const { fileID, forkType, startBlock } = ExtentKey.fields;
    const found = this.#overflow.find((b, at, length) => {
      if (length + 2 < ExtentKey.size) throw corrupt(`key of ${length} bytes`);
      return fileID.read(b, at) - file || forkType.read(b, at) || startBlock.read(b, at) - block;
    });
    if (!found?.exact) return undefined;
    const { bytes, dataAt, end } = this.#overflow.record(found.node, found.index);
    if (end - dataAt < 8 * EXTENTS) throw corrupt(`record of ${end - dataAt} bytes`, 'extents overflow file');
    return bytes.subarray(dataAt, dataAt + 8 * EXTENTS);
  }

  /** [at, at+length) of a fork. */
  #read(runs: readonly Run[], at: number, length: number): Buffer {
    let low = 0;
    let high = runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (runs[middle]!.offset <= at) low = middle + 1;
      else high = middle;
    }
    const parts: Buffer[] = [];
    for (let i = low - 1, done = 0; done < length; i++) {
      const run = runs[i];
      if (!run) throw corrupt(`${length} bytes at ${at} lie beyond its end`);
      const skip = at + done - run.offset;
      const part = Math.min(run.length - skip, length - done);
      if (part <= 0) throw corrupt(`${length} bytes at ${at} lie beyond its end`);
      parts.push(readBytes(this.geometry.source, run.at + skip, part, this.ctx));
      done += part;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Linux and GRUB do not replay it either. */
  #warnOfJournal(): void {
    const { attributes, journalInfoBlock, blockSize, source } = this.geometry;
    if ((attributes & JOURNALED) === 0 || (journalInfoBlock + 1) * blockSize > source.size) return;
    const info = JournalInfoBlock.read(
      readBytes(source, journalInfoBlock * blockSize, JournalInfoBlock.size, this.ctx),
    );
    if ((info.flags & JOURNAL_IN_FS) === 0 || info.offset + 24 > source.size) return;
    const b = readBytes(source, info.offset, 24, this.ctx);
    if (b.readUInt32LE(0) !== JOURNAL_MAGIC && b.readUInt32BE(0) !== JOURNAL_MAGIC) return;
    // Where the transactions that count begin and end.
    if (b.compare(b, 8, 16, 16, 24) !== 0)
      this.ctx.warn('the journal has changes that are not on their places yet, and are not seen');
  }
}
