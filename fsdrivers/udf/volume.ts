/** The one door to the disk: blocks of partitions by their numbers, through the maps, and descriptors in them. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, limit, within } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import type { LogicalVolume, Partition, PartitionMap } from './descriptors';
import { type Entry, EntryReader, type Run } from './icb';
import {
  FILE_TYPE,
  SPARING_ENTRY,
  SPARING_UNUSED,
  SparingTable,
  TAG,
  Tag,
  VAT_MOST,
  VAT_SEARCH,
  VAT15_TRAILER,
  VIRTUAL_UNUSED,
  VirtualAllocationTable,
} from './layout';
import { checksumFits, Tags } from './tag';

/** Blocks that lie one after the other on the disk. */
export interface Place {
  /** Sector of the first. */
  readonly sector: number;
  readonly blocks: number;
}

/** Of one partition map: where `block` is, and how many of the `most` blocks from it on lie together. */
type Locate = (block: number, most: number) => Place;

export class UdfVolume {
  readonly blockSize: number;
  readonly entries: EntryReader;
  readonly #tags = new Tags();
  readonly #warned = new Set<string>();
  /** Made when they are first used. */
  readonly #locate: (Locate | undefined)[] = [];

  constructor(
    readonly source: BlockSource,
    readonly logical: LogicalVolume,
    readonly ctx: Context,
  ) {
    this.blockSize = logical.blockSize;
    this.entries = new EntryReader(this);
  }

  /** @throws GuestError `corrupt` */
  locate(partition: number, block: number, most: number): Place {
    const map = this.logical.maps[partition];
    if (!map) throw corrupt(`partition ${partition} of ${this.logical.maps.length}`);
    const locate = this.#locate[partition] ?? this.#opened(map, partition);
    return locate(block, most);
  }

  /** One block. @throws GuestError `corrupt` */
  block(partition: number, block: number): Buffer {
    const { sector } = this.locate(partition, block, 1);
    return readBytes(this.source, sector * this.blockSize, this.blockSize, this.ctx);
  }

  /**
   * Warns when the tag at `at` of `b` is not what it should be.
   * @param place says where it was read
   */
  verify(b: Buffer, at: number, block: number, place: string): void {
    const wrong = this.#tags.wrong(b, at, block);
    if (wrong) this.warnOnce(`${place}${wrong}`.replace(/\d+/g, ''), `${place}: ${wrong}`);
  }

  warnOnce(kind: string, message: string): void {
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.ctx.warn(message);
  }

  #opened(map: PartitionMap, index: number): Locate {
    // What is needed for it may not lie in it.
    this.#locate[index] = () => {
      throw corrupt('it is needed to find itself');
    };
    try {
      const locate = within(`${map.kind} partition ${index}`, () => this.#open(map, index));
      this.#locate[index] = locate;
      return locate;
    } catch (error) {
      this.#locate[index] = undefined;
      throw error;
    }
  }

  #open(map: PartitionMap, index: number): Locate {
    switch (map.kind) {
      case 'physical':
        return (block, most) => physical(map.partition, block, most);
      case 'sparable':
        return this.#sparable(map);
      case 'virtual':
        return this.#virtual(map.partition, index);
      case 'metadata':
        return this.#metadata(map);
    }
  }

  #sparable(map: PartitionMap & { kind: 'sparable' }): Locate {
    const { partition, packet } = map;
    const spares = this.#spares(map.tables, map.tableSize);
    if (spares.size === 0) return (block, most) => physical(partition, block, most);
    return (block, most) => {
      const place = physical(partition, block, most);
      const inPacket = block % packet;
      const spare = spares.get(block - inPacket);
      if (spare !== undefined)
        return { sector: spare + inPacket, blocks: Math.min(place.blocks, packet - inPacket) };
      let end = block - inPacket + packet;
      while (end < block + place.blocks && !spares.has(end)) end += packet;
      return { sector: place.sector, blocks: Math.min(place.blocks, end - block) };
    };
  }

  /** Packets that were moved, from the newest of the tables. */
  #spares(tables: readonly number[], size: number): ReadonlyMap<number, number> {
    const spares = new Map<number, number>();
    let newest: { bytes: Buffer; sequence: number; entries: number } | undefined;
    for (const sector of tables) {
      const at = sector * this.blockSize;
      if (size < SparingTable.size || at + size > this.source.size) continue;
      const head = readBytes(this.source, at, Math.min(this.blockSize, size), this.ctx);
      const t = SparingTable.read(head);
      const length = SparingTable.size + t.ReallocationTableLength * SPARING_ENTRY;
      if (
        Tag.read(head).TagIdentifier !== 0 ||
        !t.SparingIdentifier.toString('latin1').startsWith('*UDF Sparing Table') ||
        !checksumFits(head) ||
        length > size
      ) {
        this.ctx.warn(`sparing table at sector ${sector}: it is none, and is left out`);
        continue;
      }
      if (newest && newest.sequence >= t.SequenceNumber) continue;
      const bytes = readBytes(this.source, at, length, this.ctx);
      this.verify(bytes, 0, sector, `sparing table at sector ${sector}`);
      newest = { bytes, sequence: t.SequenceNumber, entries: t.ReallocationTableLength };
    }
    if (!newest) throw corrupt('no sparing table');
    for (let i = 0; i < newest.entries; i++) {
      this.ctx.budget.step();
      const at = SparingTable.size + i * SPARING_ENTRY;
      const original = newest.bytes.readUInt32LE(at);
      if (original < SPARING_UNUSED) spares.set(original, newest.bytes.readUInt32LE(at + 4));
    }
    return spares;
  }

  #virtual(partition: Partition, index: number): Locate {
    const { bytes, from, entries } = this.#virtualAllocationTable(partition, index);
    return (block) => {
      const to = block < entries ? bytes.readUInt32LE(from + 4 * block) : VIRTUAL_UNUSED;
      if (to === VIRTUAL_UNUSED) throw corrupt(`virtual block ${block} of ${entries}: nothing is there`);
      return physical(partition, to, 1);
    };
  }

  /** Its ICB is what was written last: looked for from the end of the disc on. */
  #virtualAllocationTable(partition: Partition, index: number) {
    const on = this.logical.maps.findIndex(
      (m) => m.kind === 'physical' && m.partition.start === partition.start,
    );
    if (on < 0) throw corrupt('no map of the partition that it stands on');
    const last = Math.floor(this.source.size / this.blockSize) - 1;
    for (let sector = last; sector > last - VAT_SEARCH && sector >= partition.start; sector--) {
      const b = readBytes(this.source, sector * this.blockSize, this.blockSize, this.ctx);
      const tag = Tag.read(b);
      const block = sector - partition.start;
      if (
        (tag.TagIdentifier !== TAG.fileEntry && tag.TagIdentifier !== TAG.extendedFileEntry) ||
        tag.TagLocation !== block ||
        !checksumFits(b)
      )
        continue;
      const icb = this.entries.read(on, block);
      if (icb.fileType !== FILE_TYPE.vat && icb.fileType !== FILE_TYPE.unspecified) continue;
      return within(`virtual allocation table at sector ${sector}`, () => this.#readVat(icb));
    }
    throw corrupt(`no virtual allocation table in the last ${VAT_SEARCH} blocks (partition ${index})`);
  }

  #readVat(icb: Entry) {
    if (icb.size > VAT_MOST) throw limit(`${icb.size} bytes, maximum ${VAT_MOST}`);
    const bytes = this.entries.whole(icb);
    if (icb.fileType === FILE_TYPE.vat) {
      const from = VirtualAllocationTable.read(bytes).LengthOfHeader;
      if (from < VirtualAllocationTable.size || from > bytes.length)
        throw corrupt(`header of ${from} bytes in ${bytes.length}`);
      return { bytes, from, entries: Math.floor((bytes.length - from) / 4) };
    }
    const entries = Math.floor((bytes.length - VAT15_TRAILER) / 4);
    if (
      entries < 0 ||
      bytes.toString('latin1', 4 * entries + 1, 4 * entries + 23) !== '*UDF Virtual Alloc Tbl'
    )
      throw corrupt(`no identifier at the end of ${bytes.length} bytes`);
    return { bytes, from: 0, entries };
  }

  #metadata(map: PartitionMap & { kind: 'metadata' }): Locate {
    const [main, mirror] = map.files;
    let runs: Run[];
    try {
      runs = this.#metadataRuns(map.below, main, 'metadata file');
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      this.ctx.warn(`${error.describe()}; its mirror is used`);
      runs = this.#metadataRuns(map.below, mirror, 'metadata mirror file');
    }
    return (block, most) => {
      const at = block * this.blockSize;
      // The last run that begins at or before the block.
      let low = 0;
      let high = runs.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (runs[middle]!.offset <= at) low = middle + 1;
        else high = middle;
      }
      const run = runs[low - 1];
      if (!run || at + this.blockSize > run.offset + run.length)
        throw corrupt(`metadata block ${block}: nothing is there`);
      return {
        sector: run.at / this.blockSize + (at - run.offset) / this.blockSize,
        blocks: Math.min(most, Math.floor((run.offset + run.length - at) / this.blockSize)),
      };
    };
  }

  #metadataRuns(partition: number, block: number, place: string): Run[] {
    return within(place, () => {
      if (this.logical.maps[partition]?.kind === 'metadata') throw corrupt('it lies in itself');
      const runs: Run[] = [];
      for (const run of this.entries.runs(this.entries.read(partition, block))) {
        this.ctx.budget.allocate(64);
        runs.push(run);
      }
      return runs;
    });
  }
}

function physical({ start, blocks }: Partition, block: number, most: number): Place {
  if (block >= blocks) throw corrupt(`block ${block} of a partition of ${blocks}`);
  return { sector: start + block, blocks: Math.min(most, blocks - block) };
}
