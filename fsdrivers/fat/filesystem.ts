/** A FAT filesystem as the shared walk and copy see it. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError } from '../../lib/bytes/errors';
import { type ByteString, fromHost } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode } from '../../lib/fs/types';
import type { BlockSource } from '../../lib/source/types';
import type { Geometry } from './boot';
import { type Entry, type Region, readEntries } from './directory';
import { MAX_DIRECTORY_BYTES } from './layout';
import { decodeDos, folded } from './names';
import { AllocationTable } from './table';

interface FatNode extends FsNode {
  /** 0: no cluster. */
  readonly firstCluster: number;
}

export class FatFileSystem implements FileSystem {
  readonly type = 'vfat';
  readonly grubName = 'fat';
  readonly ignoresCase = true;
  readonly uuid: string;
  readonly root: FatNode;
  readonly #source: BlockSource;
  readonly #geometry: Geometry;
  readonly #ctx: Context;
  readonly #table: AllocationTable;
  #label: { readonly text: ByteString | undefined } | undefined;

  constructor(source: BlockSource, geometry: Geometry, ctx: Context) {
    this.#source = source;
    this.#geometry = geometry;
    this.#ctx = ctx;
    this.#table = new AllocationTable(source, geometry, ctx);
    this.uuid = geometry.uuid;
    this.root = {
      kind: 'directory',
      size: 0,
      id: 'root',
      firstCluster: 'cluster' in geometry.root ? geometry.root.cluster : 0,
    };
  }

  /** The root directory's label entry, else the boot sector's; read when asked for. */
  get label(): ByteString | undefined {
    this.#label ??= { text: this.#readLabel() };
    return this.#label.text;
  }

  lookup(dir: FsNode, name: ByteString): FsNode | undefined {
    const wanted = folded(name);
    let same: Entry | undefined;
    for (const entry of this.#entries(dir)) {
      if (entry.name === name) return this.#node(entry);
      // Linux with utf8 can make names that differ in case alone beyond ASCII: the exact one goes first.
      if (!same && (folded(entry.name) === wanted || folded(entry.short) === wanted)) same = entry;
    }
    return same && this.#node(same);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    for (const entry of this.#entries(dir)) {
      yield {
        name: entry.name,
        kind: entry.isDirectory ? 'directory' : 'file',
        node: () => this.#node(entry),
      };
    }
  }

  readlink(link: FsNode): ByteString {
    throw corrupt(`${link.id} is no symbolic link; FAT has none`);
  }

  *extents(file: FsNode): Generator<Extent> {
    const { size, firstCluster } = file as FatNode;
    if (size === 0) return;
    const { clusterBytes } = this.#geometry;
    const needed = Math.ceil(size / clusterBytes);
    let offset = 0;
    for (const region of this.#regions(firstCluster, needed)) {
      const length = Math.min(region.length, size - offset);
      yield { kind: 'data', offset, length, source: this.#source, at: region.at };
      offset += length;
    }
    if (offset < size)
      throw corrupt(
        `the cluster chain ends after ${offset} bytes of a file of ${size}`,
        `cluster ${firstCluster}`,
      );
  }

  /** The bytes of at most `max` clusters of a chain. */
  *#regions(firstCluster: number, max: number): Generator<Region> {
    const { clusterBytes, dataStart } = this.#geometry;
    for (const run of this.#table.runs(firstCluster, max)) {
      const at = dataStart + (run.cluster - 2) * clusterBytes;
      const length = run.count * clusterBytes;
      if (at + length > this.#source.size)
        throw corrupt(
          `clusters ${run.cluster} to ${run.cluster + run.count - 1} end at byte ${at + length} of ${this.#source.size}`,
        );
      yield { at, length };
    }
  }

  *#rawEntries(dir: FsNode) {
    if (dir.kind !== 'directory') throw corrupt(`${dir.id} is not a directory`);
    const { root, bits } = this.#geometry;
    const regions =
      dir === this.root && 'start' in root
        ? [{ at: root.start, length: root.bytes }]
        : // One cluster more than allowed: readEntries then sees that it is too large.
          this.#regions(
            (dir as FatNode).firstCluster,
            Math.floor(MAX_DIRECTORY_BYTES / this.#geometry.clusterBytes) + 1,
          );
    yield* readEntries(this.#source, regions, bits === 32, this.#ctx);
  }

  *#entries(dir: FsNode): Generator<Entry> {
    for (const entry of this.#rawEntries(dir)) if ('name' in entry) yield entry;
  }

  #node(entry: Entry): FatNode {
    return {
      kind: entry.isDirectory ? 'directory' : 'file',
      // A directory's size field is 0 by the specification.
      size: entry.isDirectory ? 0 : entry.size,
      // An empty file has no cluster: its entry's place tells it from others.
      id: entry.firstCluster >= 2 ? entry.firstCluster : `entry at ${entry.position}`,
      ...(entry.mtime === undefined ? {} : { mtime: entry.mtime }),
      firstCluster: entry.firstCluster,
    };
  }

  #readLabel(): ByteString | undefined {
    try {
      for (const entry of this.#rawEntries(this.root))
        if ('volumeLabel' in entry) return clean(entry.volumeLabel);
    } catch (error) {
      // A damaged root directory is told when it is walked; a label is not worth an error.
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    }
    return this.#geometry.label && clean(this.#geometry.label);
  }
}

/** `NO NAME` is what DOS writes when there is none (libblkid reads it so too). */
function clean(label: Buffer): ByteString | undefined {
  const bytes = Buffer.from(label);
  if (bytes[0] === 0x05) bytes[0] = 0xe5;
  const text = decodeDos(bytes);
  return text === '' || text === 'NO NAME' ? undefined : fromHost(text);
}
