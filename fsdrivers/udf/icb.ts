/** Information control blocks: file entries, and where their files' bytes are. */
import { corrupt, unsupported, within } from '../../lib/bytes/errors';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import {
  AD,
  AD_SIZE,
  AllocationExtentDescriptor,
  EXTENT,
  EXTENT_LENGTH,
  ExtendedFileEntry,
  FILE_TYPE,
  FileEntry,
  ICBTag,
  INDIRECT_MOST,
  IndirectEntry,
  LongAllocationDescriptor,
  TAG,
  Tag,
} from './layout';
import { time } from './names';
import type { UdfVolume } from './volume';

/** A file, directory or link. */
export interface Entry extends FsNode {
  readonly id: string;
  readonly fileType: number;
  /** Form of the allocation descriptors, and they; or the file itself. */
  readonly form: number;
  readonly descriptors: Buffer;
  /** Of the ICB: what short descriptors mean. */
  readonly partition: number;
}

/** Bytes of a file that lie together on the disk. */
export interface Run {
  readonly offset: number;
  readonly length: number;
  readonly at: number;
}

const KINDS: Readonly<Record<number, NodeKind>> = {
  [FILE_TYPE.directory]: 'directory',
  [FILE_TYPE.file]: 'file',
  [FILE_TYPE.realTime]: 'file',
  // As Linux has it.
  [FILE_TYPE.unspecified]: 'file',
  [FILE_TYPE.symlink]: 'symlink',
};

/** Bytes of a directory that are read at once. */
const PIECE = 65536;

export class EntryReader {
  constructor(readonly volume: UdfVolume) {}

  /** @param icb a long_ad */
  at(icb: Buffer): Entry {
    const { ExtentBlock, ExtentPartition, ExtentLength } = LongAllocationDescriptor.read(icb);
    if ((ExtentLength & EXTENT_LENGTH) === 0) throw corrupt('an ICB of 0 bytes');
    return this.read(ExtentPartition, ExtentBlock);
  }

  /** @throws GuestError `corrupt` `unsupported` */
  read(partition: number, block: number): Entry {
    return within(`ICB ${partition}:${block}`, () => {
      let at = [partition, block] as const;
      for (let updates = 0; ; updates++) {
        const entry = this.volume.block(...at);
        const next = this.#newer(entry, ...at);
        if (!next) return this.#entry(entry, ...at, `${partition}:${block}`);
        if (updates === INDIRECT_MOST) throw corrupt(`more than ${INDIRECT_MOST} indirect entries`);
        at = next;
      }
    });
  }

  /** Strategy 4096 (UDF 6.6): behind the entry stands where the next version of it is, if there is one. */
  #newer(entry: Buffer, partition: number, block: number): readonly [number, number] | undefined {
    const { StrategyType } = ICBTag.read(entry, Tag.size);
    if (StrategyType === 4) return undefined;
    if (StrategyType !== 4096) throw unsupported(`ICB strategy ${StrategyType}`);
    const indirect = this.volume.block(partition, block + 1);
    if (Tag.read(indirect).TagIdentifier !== TAG.indirectEntry) return undefined;
    const next = LongAllocationDescriptor.read(IndirectEntry.read(indirect).IndirectICB);
    if ((next.ExtentLength & EXTENT_LENGTH) === 0) return undefined;
    const { TagIdentifier } = Tag.read(this.volume.block(next.ExtentPartition, next.ExtentBlock));
    // Reserved for it, and not written yet.
    if (TagIdentifier !== TAG.fileEntry && TagIdentifier !== TAG.extendedFileEntry) return undefined;
    return [next.ExtentPartition, next.ExtentBlock];
  }

  #entry(b: Buffer, partition: number, block: number, id: string): Entry {
    const { TagIdentifier } = Tag.read(b);
    if (TagIdentifier !== TAG.fileEntry && TagIdentifier !== TAG.extendedFileEntry)
      throw corrupt(`tag ${TagIdentifier} where a file entry is wanted`);
    this.volume.verify(b, 0, block, `ICB ${partition}:${block}`);
    const icb = ICBTag.read(b, Tag.size);
    const layout = TagIdentifier === TAG.fileEntry ? FileEntry : ExtendedFileEntry;
    const e = layout.read(b);
    const form = icb.Flags & 7;
    if (form > AD.embedded) throw corrupt(`allocation descriptors of form ${form}`);
    const from = layout.size + e.LengthOfExtendedAttributes;
    if (from + e.LengthOfAllocationDescriptors > b.length)
      throw corrupt(
        `${e.LengthOfExtendedAttributes} bytes of attributes and ${e.LengthOfAllocationDescriptors} of allocation descriptors in a block of ${b.length}`,
      );
    if (form === AD.embedded && e.InformationLength !== e.LengthOfAllocationDescriptors)
      throw corrupt(`${e.InformationLength} bytes, ${e.LengthOfAllocationDescriptors} of them in the entry`);
    const mtime = time(e.ModificationDateAndTime);
    return {
      id,
      kind: KINDS[icb.FileType] ?? 'other',
      size: e.InformationLength,
      ...(mtime === undefined ? {} : { mtime }),
      fileType: icb.FileType,
      form,
      descriptors: b.subarray(from, from + e.LengthOfAllocationDescriptors),
      partition,
    };
  }

  /**
   * Where the bytes are, in order and as long as they can be; what is between is zeros.
   * @throws GuestError `corrupt` `unsupported`
   */
  *runs(entry: Entry): Generator<Run> {
    if (entry.form === AD.embedded) return;
    const { blockSize, source } = this.volume;
    let run: { offset: number; at: number; length: number } | undefined;
    let offset = 0;
    for (const extent of this.#extents(entry)) {
      const length = Math.min(extent.length, entry.size - offset);
      if (extent.block !== undefined)
        for (let done = 0; done < length; ) {
          this.volume.ctx.budget.step();
          const blocks = Math.ceil((length - done) / blockSize);
          const place = this.volume.locate(extent.partition, extent.block + done / blockSize, blocks);
          const at = place.sector * blockSize;
          const bytes = Math.min(place.blocks * blockSize, length - done);
          if (at + bytes > source.size)
            throw corrupt(
              `${bytes} bytes at ${at} lie beyond the end (${source.size} bytes)`,
              `ICB ${entry.id}`,
            );
          if (run && run.offset + run.length === offset + done && run.at + run.length === at)
            run.length += bytes;
          else {
            if (run) yield run;
            run = { offset: offset + done, at, length: bytes };
          }
          done += bytes;
        }
      offset += length;
      if (offset === entry.size) break;
    }
    if (run) yield run;
    if (offset < entry.size)
      throw corrupt(`extents of ${offset} bytes, the file has ${entry.size}`, `ICB ${entry.id}`);
  }

  /** The allocation descriptors, through their continuations; without a block: zeros. */
  *#extents(entry: Entry): Generator<{ length: number; partition: number; block: number | undefined }> {
    const size = AD_SIZE[entry.form]!;
    const place = `ICB ${entry.id}`;
    const seen = new Set<string>();
    let bytes = entry.descriptors;
    let { partition } = entry;
    for (let at = 0; at + size <= bytes.length; at += size) {
      this.volume.ctx.budget.step();
      const word = bytes.readUInt32LE(at);
      const length = word & EXTENT_LENGTH;
      if (length === 0) return;
      const location = entry.form === AD.extended ? at + 12 : at + 4;
      const block = bytes.readUInt32LE(location);
      if (entry.form !== AD.short) partition = bytes.readUInt16LE(location + 4);
      if (word >>> 30 === EXTENT.continuation) {
        const next = `${partition}:${block}`;
        if (seen.has(next)) throw corrupt(`allocation descriptors at ${next} follow themselves`, place);
        seen.add(next);
        const b = this.volume.block(partition, block);
        if (Tag.read(b).TagIdentifier !== TAG.allocationExtent)
          throw corrupt(`no allocation extent descriptor at ${next}`, place);
        this.volume.verify(b, 0, block, `allocation extent descriptor ${next}`);
        const to =
          AllocationExtentDescriptor.size + AllocationExtentDescriptor.read(b).LengthOfAllocationDescriptors;
        if (to > b.length) throw corrupt(`allocation extent descriptor ${next} of ${to} bytes`, place);
        bytes = b.subarray(AllocationExtentDescriptor.size, to);
        at = -size;
        continue;
      }
      // Its recorded bytes may be fewer than they stand for: compressed.
      if (entry.form === AD.extended && bytes.readUInt32LE(at + 8) !== length)
        throw unsupported('an extended allocation descriptor of a transformed file', place);
      const recorded = word >>> 30 === EXTENT.recorded;
      yield { length, partition, block: recorded ? block : undefined };
    }
  }

  /** The bytes of a directory or link, piece by piece. */
  *pieces(entry: Entry): Generator<Buffer> {
    if (entry.form === AD.embedded) {
      yield entry.descriptors;
      return;
    }
    let offset = 0;
    for (const run of this.runs(entry)) {
      if (run.offset !== offset) throw corrupt(`a hole at byte ${offset}`, `ICB ${entry.id}`);
      for (let done = 0; done < run.length; done += PIECE)
        yield readBytes(
          this.volume.source,
          run.at + done,
          Math.min(PIECE, run.length - done),
          this.volume.ctx,
        );
      offset += run.length;
    }
    if (offset < entry.size) throw corrupt(`a hole at byte ${offset}`, `ICB ${entry.id}`);
  }

  /** All of it; the caller has bounded the size. */
  whole(entry: Entry): Buffer {
    return Buffer.concat([...this.pieces(entry)]);
  }
}
