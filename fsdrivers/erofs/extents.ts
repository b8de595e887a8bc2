/** Where a file's bytes are, for all data layouts; and metadata that is kept in a file (packed inode, metabox). */
import { corrupt, unsupported, within } from '../../lib/bytes/errors';
import { printable } from '../../lib/bytes/text';
import type { Extent } from '../../lib/fs/types';
import { type Run, runs } from './clusters';
import type { Metadata } from './disk';
import type { ErofsNode } from './inode';
import { CHUNK, ChunkIndex, DeviceSlot, LAYOUT } from './layout';
import type { Volume } from './superblock';
import { unpack } from './unpack';

/** Entries of a chunk list that are read at once. */
const LIST_PIECE = 512;

/**
 * The extents of bytes [from, to), in order; holes are left out.
 * @param shared others will want the same clusters: what is unpacked is kept
 */
export function* extentsOf(
  volume: Volume,
  node: ErofsNode,
  from: number,
  to: number,
  shared: boolean,
): Generator<Extent> {
  const end = Math.min(to, node.size);
  if (from >= end) return;
  switch (node.layout) {
    case LAYOUT.plain:
    case LAYOUT.inline:
      yield* flat(volume, node, from, end);
      return;
    case LAYOUT.chunks:
      yield* chunks(volume, node, from, end);
      return;
    default:
      yield* merged(compressed(volume, node, from, end, shared));
  }
}

/** Data at `at` of the disk, if it is there. */
function data(volume: Volume, offset: number, at: number, length: number): Extent {
  const { source } = volume.disk;
  if (volume.extraDevices > 0 && at >= volume.size) throw unsupported('erofs data on an extra device');
  if (at + length > source.size)
    throw corrupt(`${length} bytes at ${at}, beyond the end (${source.size} bytes)`);
  return { kind: 'data', offset, length, source, at };
}

/** Bytes that stand in the metadata. */
function inMetadata(volume: Volume, node: ErofsNode, offset: number, at: number, length: number): Extent {
  if (!node.inBox) return data(volume, offset, at, length);
  return { kind: 'inline', offset, length, bytes: node.metadata.read(at, length) };
}

function* flat(volume: Volume, node: ErofsNode, from: number, to: number): Generator<Extent> {
  const { blockSize } = volume.disk;
  const blocks = Math.ceil(node.size / blockSize);
  /** Where the tail begins that stands behind the inode. */
  const tail = node.layout === LAYOUT.inline ? (blocks - 1) * blockSize : node.size;
  if (from < tail && node.block !== undefined)
    yield data(volume, from, node.block * blockSize + from, Math.min(to, tail) - from);
  if (to > tail) {
    const start = Math.max(from, tail);
    if ((node.behind % blockSize) + node.size - tail > blockSize)
      throw corrupt('a tail that crosses a block');
    yield inMetadata(volume, node, start, node.behind + start - tail, to - start);
  }
}

function* chunks(volume: Volume, node: ErofsNode, from: number, to: number): Generator<Extent> {
  const { disk } = volume;
  const format = node.chunkFormat;
  const size = 2 ** (disk.blockBits + (format & CHUNK.bits));
  const indexes = (format & CHUNK.indexes) !== 0;
  const unit = indexes ? ChunkIndex.size : 4;
  const list = Math.ceil(node.behind / unit) * unit;
  const none = format & CHUNK.bits48 ? 2 ** 48 - 1 : 0xffffffff;
  const count = Math.ceil(to / size);
  let run: { offset: number; at: number; length: number } | undefined;
  for (let number = Math.floor(from / size); number < count; ) {
    const some = Math.min(LIST_PIECE, count - number);
    const bytes = node.metadata.read(list + number * unit, some * unit);
    disk.ctx.budget.step(some);
    for (let i = 0; i < some; i++, number++) {
      let block: number;
      if (indexes) {
        const index = ChunkIndex.read(bytes, i * unit);
        block = index.startblk_lo + (format & CHUNK.bits48 ? index.startblk_hi * 2 ** 32 : 0);
        if (block !== none) onDevice(volume, index.device_id);
      } else block = bytes.readUInt32LE(i * unit);
      if (block === none) continue;
      const offset = Math.max(from, number * size);
      const at = block * disk.blockSize + offset - number * size;
      const length = Math.min(to, (number + 1) * size) - offset;
      if (run && run.at + run.length === at && run.offset + run.length === offset) run.length += length;
      else {
        if (run) yield data(volume, run.offset, run.at, run.length);
        run = { offset, at, length };
      }
    }
  }
  if (run) yield data(volume, run.offset, run.at, run.length);
}

/** Extra devices have no superblock, so none can be recognised as the one that is meant. */
function onDevice(volume: Volume, field: number): void {
  // Bits above those that the number of devices needs belong to others.
  let mask = 1;
  while (mask <= volume.extraDevices) mask *= 2;
  const device = field & (mask - 1);
  if (device === 0) return;
  if (device > volume.extraDevices) throw corrupt(`device ${device} of ${volume.extraDevices}`);
  const slot = DeviceSlot.read(
    volume.disk.read(volume.devicesAt + (device - 1) * DeviceSlot.size, DeviceSlot.size),
  );
  throw unsupported(`erofs data on extra device ${device}${slot.tag ? ` (${printable(slot.tag)})` : ''}`);
}

function* compressed(
  volume: Volume,
  node: ErofsNode,
  from: number,
  to: number,
  shared: boolean,
): Generator<Extent> {
  for (const run of runs(volume, node, from)) {
    if (run.offset >= to) return;
    const offset = Math.max(from, run.offset);
    const length = Math.min(to, run.offset + run.length) - offset;
    if (length <= 0) continue;
    const skip = offset - run.offset;
    switch (run.kind) {
      case 'fragment': {
        const packed = volume.packed();
        if (packed === node || packed.id === node.id) throw corrupt('the packed inode has a fragment');
        if (run.at + run.length > packed.size)
          throw corrupt(`a fragment of ${run.length} bytes at ${run.at} of ${packed.size}`);
        const shift = offset - (run.at + skip);
        for (const e of extentsOf(volume, packed, run.at + skip, run.at + skip + length, true))
          yield { ...e, offset: e.offset + shift };
        break;
      }
      case 'plain':
        yield* plain(volume, node, run, offset, length);
        break;
      case 'packed': {
        const { at, stored } = run;
        if (!run.inline) data(volume, offset, at, stored);
        const whole = (): Buffer =>
          within(`inode ${node.id} › cluster at ${at}`, () => {
            volume.disk.ctx.budget.allocate(run.length);
            const bytes = run.inline ? node.metadata.read(at, stored) : volume.disk.stored(at, stored);
            return unpack(run.algorithm, bytes, run.length, volume.padded, run.partial);
          });
        // Parts of a cluster are wanted by whoever has the other parts.
        const keep = shared || length < run.length;
        const key = `${run.inline ? node.id : ''} ${at} ${run.length} ${run.algorithm}`;
        yield {
          kind: 'packed',
          offset,
          length,
          unpack: () => (keep ? volume.unpacked.get(key, whole).subarray(skip, skip + length) : whole()),
        };
      }
    }
  }
}

/** A cluster that did not pack. */
function* plain(
  volume: Volume,
  node: ErofsNode,
  run: Extract<Run, { kind: 'plain' }>,
  offset: number,
  length: number,
): Generator<Extent> {
  const skip = offset - run.offset;
  const end = skip + length;
  if (run.inline) {
    // Makers do not, and Linux does not take such data from where it begins.
    if (run.interlaced) throw unsupported('erofs interlaced data behind the indexes');
    yield inMetadata(volume, node, offset, run.at + skip, length);
    return;
  }
  // Interlaced: up to a block's boundary of the file it stands at the end, what follows at the beginning.
  const { blockSize } = volume.disk;
  const first = run.interlaced ? blockSize - (run.offset % blockSize) : run.stored;
  const at = run.at + run.stored - first;
  if (skip < first) yield data(volume, offset, at + skip, Math.min(end, first) - skip);
  if (end > first) {
    const start = Math.max(skip, first);
    yield data(volume, run.offset + start, run.at + start - first, end - start);
  }
}

/** Data that touches becomes one extent. */
function* merged(extents: Iterable<Extent>): Generator<Extent> {
  let run: Extract<Extent, { kind: 'data' }> | undefined;
  for (const e of extents) {
    if (e.kind === 'data' && run && run.at + run.length === e.at && run.offset + run.length === e.offset) {
      run = { ...run, length: run.length + e.length };
      continue;
    }
    if (run) yield run;
    run = undefined;
    if (e.kind === 'data') run = e;
    else yield e;
  }
  if (run) yield run;
}

/** A file's bytes as metadata: directories, links, the metabox. */
export class InodeBytes implements Metadata {
  #reading = false;

  constructor(
    readonly volume: Volume,
    readonly node: ErofsNode,
  ) {}

  /** @throws GuestError `corrupt` beyond the file's end */
  read(at: number, length: number): Buffer {
    const { node } = this;
    if (at + length > node.size)
      throw corrupt(`${length} bytes at ${at} of inode ${node.id}, which has ${node.size}`);
    // The metabox may have an end in the packed inode, and that may stand in the metabox.
    if (this.#reading) throw corrupt(`inode ${node.id} is needed to read itself`);
    this.#reading = true;
    try {
      return this.#gather(at, length);
    } finally {
      this.#reading = false;
    }
  }

  #gather(at: number, length: number): Buffer {
    const { volume, node } = this;
    let into: Buffer | undefined;
    for (const e of extentsOf(volume, node, at, at + length, true)) {
      const part =
        e.kind === 'data'
          ? volume.disk.read(e.at, e.length)
          : e.kind === 'packed'
            ? e.unpack()
            : e.kind === 'inline'
              ? e.bytes
              : Buffer.alloc(e.length);
      if (e.length === length) return Buffer.from(part.buffer, part.byteOffset, part.length);
      if (!into) {
        volume.disk.ctx.budget.allocate(length);
        into = Buffer.alloc(length);
      }
      into.set(part, e.offset - at);
    }
    return into ?? Buffer.alloc(length);
  }
}
