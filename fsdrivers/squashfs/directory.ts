/** Directory listings, and the index by which a large one is entered near the name that is looked for. */
import { corrupt, type GuestError } from '../../lib/bytes/errors';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { MetadataReader, Place } from './disk';
import type { DirectoryNode } from './inode';
import { DIR_HEADER_MOST, DirEntryHead, DirHeader, DirIndex, LongDirInode, METADATA_SIZE } from './layout';
import type { Volume } from './superblock';

/** One entry of an index: names from `name` on begin `skip` bytes into the listing. */
interface IndexEntry {
  readonly name: ByteString;
  readonly skip: number;
  /** Place of the metadata block on the disk. */
  readonly block: number;
}

/** Linux: SQUASHFS_NAME_LEN. */
const LONGEST_NAME = 256;
const NOTHING = Buffer.alloc(0);

/** Goes over the entries in order, from the first or from one that the index names. */
export class Listing {
  /** Of the entry that `next` went to. */
  name: Buffer = NOTHING;
  /** Basic inode type. */
  type = 0;
  #offset = 0;
  #block = 0;
  #under = 0;
  #left: number;
  readonly #reader: MetadataReader;

  constructor(
    readonly volume: Volume,
    readonly dir: DirectoryNode,
    from?: IndexEntry,
  ) {
    const skip = from?.skip ?? 0;
    const { block, offset } = dir.listing;
    this.#left = dir.listed - skip;
    this.#reader = volume.disk.reader(
      from ? { block: from.block, offset: (offset + skip) % METADATA_SIZE } : { block, offset },
    );
  }

  /** Where the entry's inode stands. */
  get inode(): Place {
    return { block: this.#block, offset: this.#offset };
  }

  /** False at the end. The fields alone and no objects: a lookup goes over hundreds of entries. */
  next(): boolean {
    if (this.#under === 0) {
      if (this.#left <= 0) return false;
      const header = DirHeader.read(this.#take(DirHeader.size));
      if (header.count >= DIR_HEADER_MOST)
        throw this.#broken(`${header.count + 1} entries under one header, at most ${DIR_HEADER_MOST}`);
      this.#under = header.count + 1;
      this.#block = this.volume.inodeTable + header.start_block;
    }
    this.#under--;
    const head = this.#take(DirEntryHead.size);
    const { offset, type, size } = DirEntryHead.fields;
    const last = size.read(head, 0);
    if (last >= LONGEST_NAME) throw this.#broken(`a name of ${last + 1} bytes`);
    this.#offset = offset.read(head, 0);
    this.type = type.read(head, 0);
    this.name = this.#take(last + 1);
    return true;
  }

  #take(length: number): Buffer {
    this.#left -= length;
    if (this.#left < 0) throw this.#broken(`a listing of ${this.dir.listed} bytes that ends inside an entry`);
    return this.#reader.take(length);
  }

  #broken(detail: string): GuestError {
    return corrupt(detail, `inode ${this.dir.id}`);
  }
}

/** A directory's index, in its order, which is that of the names. */
export function readIndex(volume: Volume, dir: DirectoryNode): readonly IndexEntry[] {
  const reader = volume.disk.reader(dir.place);
  reader.take(LongDirInode.size);
  const index: IndexEntry[] = [];
  // gensquashfs has an entry for the first block, too.
  let before = -1;
  for (let i = 0; i < dir.indexes; i++) {
    const entry = DirIndex.read(reader.take(DirIndex.size));
    if (entry.size >= LONGEST_NAME) throw corrupt(`a name of ${entry.size + 1} bytes`, `inode ${dir.id}`);
    const name = fromBytes(reader.take(entry.size + 1));
    if (entry.index <= before || entry.index >= dir.listed)
      throw corrupt(`index of byte ${entry.index} of ${dir.listed}, after ${before}`, `inode ${dir.id}`);
    before = entry.index;
    volume.disk.ctx.budget.allocate(64 + name.length);
    index.push({ name, skip: entry.index, block: volume.directoryTable + entry.start_block });
  }
  return index;
}

/** The last entry of the index that is not behind `name`; undefined: it is in the first block, if anywhere. */
export function nearest(index: readonly IndexEntry[], name: ByteString): IndexEntry | undefined {
  let low = 0;
  let high = index.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (index[middle]!.name <= name) low = middle + 1;
    else high = middle;
  }
  return index[low - 1];
}

export type Index = readonly IndexEntry[];
