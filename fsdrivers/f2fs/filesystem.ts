/** An f2fs as the shared walk and copy see it. */
import { corrupt, limit, unsupported, within } from '../../lib/bytes/errors';
import { LIMITS } from '../../lib/bytes/limits';
import { type ByteString, fromBytes } from '../../lib/bytes/text';
import type { DirEntry, Extent, FileSystem, FsNode, NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { findEntry, listEntries } from './directory';
import { ADDRESS, BLOCK, CompressData } from './layout';
import { crcOf } from './superblock';
import type { Addressed, F2fsInode, F2fsVolume } from './volume';

const KEPT_INODES = 256;

export class F2fsFileSystem implements FileSystem {
  readonly type = 'f2fs';
  readonly grubName = 'f2fs';
  readonly uuid: string;
  readonly label?: ByteString;
  readonly root: F2fsInode;
  readonly #volume: F2fsVolume;
  readonly #inodes = new Map<number, F2fsInode>();

  constructor(volume: F2fsVolume) {
    const { uuid, label, rootInode } = volume.geometry;
    this.#volume = volume;
    this.uuid = uuid;
    if (label !== undefined) this.label = label;
    this.root = this.#inode(rootInode);
    if (this.root.kind !== 'directory') throw corrupt('the root inode is not a directory');
  }

  lookup(dir: FsNode, name: ByteString): F2fsInode | undefined {
    if (name.length === 0 || name.length > LIMITS.nameBytes) return undefined;
    const found = findEntry(this.#volume, directory(dir), name);
    return found && this.#inode(found.inode);
  }

  *readdir(dir: FsNode): Generator<DirEntry> {
    let count = 0;
    for (const entry of listEntries(this.#volume, directory(dir))) {
      this.#volume.ctx.budget.most('directoryEntries', ++count, 'directory entries', `inode ${dir.id}`);
      yield {
        name: entry.name,
        ...(entry.kind ? { kind: entry.kind } : {}),
        node: () => this.#inode(entry.inode),
      };
    }
  }

  readlink(link: FsNode): ByteString {
    const inode = own(link, 'symlink', 'a symbolic link');
    const place = `inode ${inode.id}`;
    if (inode.size > LIMITS.pathBytes)
      throw limit(`link of ${inode.size} bytes, maximum ${LIMITS.pathBytes}`, place);
    let target = inode.inline;
    if (!target) {
      const address = this.#volume.addressOf(inode, 0);
      if (address === ADDRESS.hole || address === ADDRESS.reserved)
        throw corrupt('a link without a block', place);
      target = this.#volume.block(address).subarray(0, inode.size);
    }
    // With the NUL that older tools count.
    const end = target.indexOf(0);
    if (end === 0 || target.length === 0) throw corrupt('an empty link', place);
    return fromBytes(end < 0 ? target : target.subarray(0, end));
  }

  extents(file: FsNode): Iterable<Extent> {
    const inode = own(file, 'file', 'a regular file');
    if (inode.inline)
      return inode.size > 0 ? [{ kind: 'inline', offset: 0, length: inode.size, bytes: inode.inline }] : [];
    return inode.cluster ? this.#clusters(inode, inode.cluster) : this.#blocks(inode);
  }

  *#blocks(inode: F2fsInode): Generator<Extent> {
    const { source } = this.#volume;
    const join = new Joiner(source, inode.size);
    for (const { block, address, count } of this.#volume.addresses(inode, Math.ceil(inode.size / BLOCK))) {
      if (address === ADDRESS.hole || address === ADDRESS.reserved) continue;
      if (address === ADDRESS.compressed)
        throw corrupt(`block ${block} is compressed, the file is not`, `inode ${inode.id}`);
      const done = join.add(
        block * BLOCK,
        within(`inode ${inode.id}`, () => this.#volume.byteOf(address, count)),
        count,
      );
      if (done) yield done;
    }
    yield* join.rest();
  }

  /** A cluster begins with a mark and has its packed bytes in the blocks that follow, or is as it is. */
  *#clusters(inode: F2fsInode, cluster: NonNullable<F2fsInode['cluster']>): Generator<Extent> {
    const volume = this.#volume;
    const join = new Joiner(volume.source, inode.size);
    const bytes = cluster.blocks * BLOCK;
    let packed: { block: number; addresses: number[] } | undefined;
    const unpacked = ({ block, addresses }: { block: number; addresses: number[] }): Extent => {
      const offset = block * BLOCK;
      const length = Math.min(bytes, inode.size - offset);
      return {
        kind: 'packed',
        offset,
        length,
        unpack: () =>
          within(`inode ${inode.id} › cluster at ${offset}`, () =>
            this.#unpack(addresses, cluster, bytes).subarray(0, length),
          ),
      };
    };
    // To the end of the last cluster: its packed bytes may stand behind the file's end.
    const count = Math.ceil(inode.size / bytes) * cluster.blocks;
    for (const { block, address } of singly(volume.addresses(inode, count))) {
      if (packed && block >= packed.block + cluster.blocks) {
        yield unpacked(packed);
        packed = undefined;
      }
      if (packed) {
        if (address === ADDRESS.compressed)
          throw corrupt(`a mark inside a cluster, block ${block}`, `inode ${inode.id}`);
        if (address !== ADDRESS.hole && address !== ADDRESS.reserved) packed.addresses.push(address);
        continue;
      }
      if (address === ADDRESS.compressed) {
        if (block % cluster.blocks !== 0)
          throw corrupt(`a mark inside a cluster, block ${block}`, `inode ${inode.id}`);
        yield* join.rest();
        packed = { block, addresses: [] };
        continue;
      }
      if (address === ADDRESS.hole || address === ADDRESS.reserved || block * BLOCK >= inode.size) continue;
      const done = join.add(
        block * BLOCK,
        within(`inode ${inode.id}`, () => volume.byteOf(address)),
        1,
      );
      if (done) yield done;
    }
    if (packed) yield unpacked(packed);
    yield* join.rest();
  }

  #unpack(addresses: readonly number[], cluster: NonNullable<F2fsInode['cluster']>, size: number): Buffer {
    const volume = this.#volume;
    const { ctx } = volume;
    const parts: Buffer[] = [];
    for (let i = 0; i < addresses.length; ) {
      let count = 1;
      while (i + count < addresses.length && addresses[i + count] === addresses[i]! + count) count++;
      const at = volume.byteOf(addresses[i]!, count);
      parts.push(readBytes(volume.source, at, count * BLOCK, ctx));
      i += count;
    }
    const bytes = Buffer.concat(parts);
    const head = CompressData.read(bytes);
    if (head.clen > bytes.length - CompressData.size)
      throw corrupt(`${head.clen} packed bytes in ${addresses.length} blocks`);
    const data = bytes.subarray(CompressData.size, CompressData.size + head.clen);
    if (cluster.checksum && crcOf(volume.sums, data) !== head.chksum)
      volume.warnOnce('the checksum of a compressed cluster does not match');
    ctx.budget.allocate(size);
    const into = Buffer.alloc(size);
    const written = decompress(cluster.algorithm, data, into);
    if (written !== size) throw corrupt(`${written} bytes instead of ${size}`);
    return into;
  }

  #inode(number: number): F2fsInode {
    const kept = this.#inodes.get(number);
    if (kept) return kept;
    const inode = this.#volume.inode(number);
    if (this.#inodes.size >= KEPT_INODES) this.#inodes.clear();
    this.#inodes.set(number, inode);
    return inode;
  }
}

/** Block by block. */
function* singly(runs: Iterable<Addressed>): Generator<{ block: number; address: number }> {
  for (const { block, address, count } of runs) {
    const step = address === ADDRESS.hole || address >= ADDRESS.compressed ? 0 : 1;
    for (let i = 0; i < count; i++) yield { block: block + i, address: address + i * step };
  }
}

/** Blocks that touch become one extent. */
class Joiner {
  #run: { offset: number; at: number; length: number } | undefined;

  constructor(
    readonly source: F2fsVolume['source'],
    readonly size: number,
  ) {}

  /** @param count blocks */
  add(offset: number, at: number, count: number): Extent | undefined {
    const length = Math.min(count * BLOCK, this.size - offset);
    if (at + length > this.source.size)
      throw corrupt(
        `a block at ${Math.max(at, Math.floor(this.source.size / BLOCK) * BLOCK)}, beyond the end (${this.source.size} bytes)`,
      );
    const run = this.#run;
    if (run && run.offset + run.length === offset && run.at + run.length === at) {
      run.length += length;
      return undefined;
    }
    this.#run = { offset, at, length };
    return run && { kind: 'data', source: this.source, ...run };
  }

  *rest(): Generator<Extent> {
    if (this.#run) yield { kind: 'data', source: this.source, ...this.#run };
    this.#run = undefined;
  }
}

/** By `COMPRESS_…`; each is loaded at its first use. */
function decompress(algorithm: number, from: Buffer, into: Buffer): number {
  switch (algorithm) {
    case 0:
    case 3:
      return (
        require('../../lib/bytes/decompress/lzo') as typeof import('../../lib/bytes/decompress/lzo')
      ).lzo1x(from, into);
    case 1:
      return (
        require('../../lib/bytes/decompress/lz4') as typeof import('../../lib/bytes/decompress/lz4')
      ).lz4Block(from, into);
    case 2:
      return (
        require('../../lib/bytes/decompress/zstd') as typeof import('../../lib/bytes/decompress/zstd')
      ).zstd(from, into);
    default:
      throw unsupported(`f2fs compression ${algorithm}`);
  }
}

function directory(node: FsNode): F2fsInode {
  return own(node, 'directory', 'a directory');
}

function own(node: FsNode, kind: NodeKind, named: string): F2fsInode {
  const inode = node as F2fsInode;
  if (inode.kind !== kind) throw corrupt(`not ${named}`, `inode ${inode.id}`);
  if (inode.encrypted)
    throw unsupported(`encrypted ${kind} (f2fs feature encrypt): it needs a key`, `inode ${inode.id}`);
  return inode;
}
