/** VMDK: one sparse extent with its descriptor inside, or a descriptor that names the files of its extents. */
import type { Context } from '../../bytes/budget';
import { corrupt, GuestError } from '../../bytes/errors';
import { fromBytes, printable } from '../../bytes/text';
import type { ImageReader, OpenOptions, Reference } from '../format';
import { fromParent, inFile, MappedSource, type Stretch, zeros } from '../mapped';
import { type BlockSource, readBytes } from '../types';
import { type Descriptor, parseDescriptor } from './descriptor';
import { DESCRIPTOR, MAX_DESCRIPTOR, SECTOR } from './layout';
import { readHead, SparseExtent } from './sparse';

function readDescriptor(file: BlockSource, ctx: Context): Descriptor {
  const text = fromBytes(readBytes(file, 0, Math.min(file.size, MAX_DESCRIPTOR), ctx));
  if (!text.startsWith(DESCRIPTOR)) throw corrupt('not a VMDK image', file.label);
  return parseDescriptor(text, file.label, ctx);
}

function parentOf(descriptor: Descriptor | undefined, label: string, options: OpenOptions) {
  if (!descriptor?.parent) return undefined;
  const parent = options.resolve(descriptor.parent);
  const { cid } = parent as { cid?: string };
  if (cid !== descriptor.parentCid)
    throw new GuestError(
      'corrupt',
      `${printable(descriptor.parent.name)} is not the parent that this image was made from, or has changed (CID ${printable(cid ?? 'none')}, wanted ${printable(descriptor.parentCid)})`,
      [label],
    );
  return parent;
}

export const reader: ImageReader = {
  references(file, ctx) {
    const sparse = readHead(file, ctx);
    const descriptor = sparse ? sparse.descriptor : readDescriptor(file, ctx);
    if (!descriptor) return [];
    // The line of an extent that has its own descriptor inside is itself.
    const extents = sparse ? [] : descriptor.extents.map((e) => e.reference);
    return [descriptor.parent, ...extents].filter((r): r is Reference => r !== undefined);
  },

  open(file, ctx, options) {
    const sparse = readHead(file, ctx);
    if (sparse) return new SparseExtent(file, sparse, parentOf(sparse.descriptor, file.label, options), ctx);
    const descriptor = readDescriptor(file, ctx);
    const extents: Part[] = [];
    let size = 0;
    for (const line of descriptor.extents) {
      const source = line.reference && options.resolve(line.reference);
      const length = line.size * SECTOR;
      const offset = line.offset * SECTOR;
      if (source && !(length + offset <= source.size))
        throw corrupt(
          `${printable(line.reference!.name)} has ${source.size} bytes, its extent ${length}`,
          file.label,
        );
      if (length > 0) extents.push({ start: size, end: size + length, source, offset });
      size += length;
    }
    if (!Number.isSafeInteger(size)) throw corrupt('more than 2^53 bytes', file.label);
    return new Extents(
      file.label,
      size,
      extents,
      parentOf(descriptor, file.label, options),
      descriptor.cid,
      ctx,
    );
  },
};

interface Part {
  /** Bytes of the disk. */
  readonly start: number;
  readonly end: number;
  /** Undefined: zeros. */
  readonly source: BlockSource | undefined;
  readonly offset: number;
}

class Extents extends MappedSource {
  constructor(
    label: string,
    size: number,
    readonly parts: readonly Part[],
    readonly parent: BlockSource | undefined,
    readonly cid: string,
    readonly ctx: Context,
  ) {
    super(label, size);
  }

  protected map(at: number): Stretch {
    this.ctx.budget.step();
    const { parts } = this;
    let low = 0;
    let high = parts.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (parts[middle]!.end > at) high = middle;
      else low = middle + 1;
    }
    const { source, start, end, offset } = parts[low]!;
    const length = end - at;
    if (!source) return zeros(length);
    if (!(source instanceof SparseExtent)) return inFile(source, offset, at - start, length);
    const found = source.find(at - start + offset);
    const stretch = typeof found === 'number' ? fromParent(this.parent, at, found) : found;
    return stretch.length > length ? { ...stretch, length } : stretch;
  }
}
