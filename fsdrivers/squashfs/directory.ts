/** Directory listings, and the index by which a large one is entered near the name that is looked for. */
import { corrupt } from '../../lib/bytes/errors';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { Place } from './disk';
import type { DirectoryNode } from './inode';
import { DIR_HEADER_MOST, DirEntryHead, DirHeader, DirIndex, LongDirInode, METADATA_SIZE } from './layout';
import type { Volume } from './superblock';

export interface Entry {
  readonly name: ByteString;
  /** Basic inode type. */
  readonly type: number;
  /** Where its inode stands. */
  readonly inode: Place;
}

/** One entry of an index: names from `name` on begin `skip` bytes into the listing. */
interface IndexEntry {
  readonly name: ByteString;
  readonly skip: number;
  /** Place of the metadata block on the disk. */
  readonly block: number;
}

/** Linux: SQUASHFS_NAME_LEN. */
const LONGEST_NAME = 256;

/** The entries in order, from `from` on. */
export function* entries(volume: Volume, dir: DirectoryNode, from?: IndexEntry): Generator<Entry> {
  const skip = from?.skip ?? 0;
  const place = from
    ? { block: from.block, offset: (dir.listing.offset + skip) % METADATA_SIZE }
    : dir.listing;
  const reader = volume.disk.reader(place);
  let left = dir.listed - skip;
  const take = (length: number): Buffer => {
    left -= length;
    if (left < 0)
      throw corrupt(`a listing of ${dir.listed} bytes that ends inside an entry`, `inode ${dir.id}`);
    return reader.take(length);
  };
  while (left > 0) {
    const header = DirHeader.read(take(DirHeader.size));
    if (header.count >= DIR_HEADER_MOST)
      throw corrupt(
        `${header.count + 1} entries under one header, at most ${DIR_HEADER_MOST}`,
        `inode ${dir.id}`,
      );
    for (let i = 0; i <= header.count; i++) {
      const head = DirEntryHead.read(take(DirEntryHead.size));
      if (head.size >= LONGEST_NAME) throw corrupt(`a name of ${head.size + 1} bytes`, `inode ${dir.id}`);
      const name = fromBytes(take(head.size + 1));
      yield {
        name,
        type: head.type,
        inode: { block: volume.inodeTable + header.start_block, offset: head.offset },
      };
    }
  }
}

/** A directory's index, in its order, which is that of the names. */
export function readIndex(volume: Volume, dir: DirectoryNode): readonly IndexEntry[] {
  const reader = volume.disk.reader(dir.place);
  reader.take(LongDirInode.size);
  const index: IndexEntry[] = [];
  let before = 0;
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
