/** The one door to the disk: nodes by their numbers through the address table, a file's blocks in order. */
import type { Context } from '../../lib/bytes/budget';
import { type Checksums, le32 } from '../../lib/bytes/checksum';
import { corrupt } from '../../lib/bytes/errors';
import { words } from '../../lib/bytes/words';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  ADDRESS,
  ADDRESSES,
  ADDRESSES_AT,
  ADVISE,
  BELOW,
  BLOCK,
  CHECKSUM_AT,
  CLUSTER_LOG,
  COMPRESS_CHECKSUM,
  EXTRA,
  FEATURE,
  FLAG,
  FOOTER_AT,
  GENERATION_AT,
  INLINE,
  INLINE_XATTR,
  Inode,
  MARK,
  NAT_ENTRY,
  NAT_PER_BLOCK,
  NIDS_AT,
  NodeFooter,
  PER_NODE,
  SEGMENT,
  stride,
} from './layout';
import { directNode, type RecoveredFile, type Recovery, recover } from './recovery';
import { crcOf, type Geometry } from './superblock';

export interface F2fsInode extends FsNode {
  readonly id: number;
  readonly bytes: Buffer;
  /** Where the addresses begin, and how many there are; how many there are in a direct node. */
  readonly addressesAt: number;
  readonly addresses: number;
  readonly perNode: number;
  /** Numbers of the nodes below it. */
  readonly nodes: Buffer;
  /** What is newer than those. */
  readonly recovered?: RecoveredFile;
  /** Bytes of a short file, link or directory; undefined: it has blocks. */
  readonly inline?: Buffer;
  readonly depth: number;
  readonly dirLevel: number;
  readonly casefold: boolean;
  readonly encrypted: boolean;
  /** Blocks of a cluster, where the file is compressed. */
  readonly cluster?: { readonly blocks: number; readonly algorithm: number; readonly checksum: boolean };
}

/** Blocks of a file: `count` from `address` on that follow each other on the disk, or as many with the same mark. */
export interface Addressed {
  readonly block: number;
  readonly address: number;
  readonly count: number;
}

/** By the upper four bits of `i_mode`. */
const KINDS: Readonly<Record<number, NodeKind>> = { 4: 'directory', 8: 'file', 10: 'symlink' };
const KEPT_NODES = 64;
const KEPT_TABLES = 32;
/** Warnings of one volume. */
const WARNINGS = 30;

export class F2fsVolume {
  readonly recovery: Recovery | undefined;
  readonly #nodes = new Map<number, Buffer>();
  readonly #tables = new Map<number, Buffer>();
  readonly #warned = new Set<string>();
  /** In place of nodes that recovery makes new. */
  readonly #empty = Buffer.alloc(BLOCK);

  constructor(
    readonly source: BlockSource,
    readonly geometry: Geometry,
    readonly ctx: Context,
    readonly sums: Checksums,
  ) {
    this.recovery = recover(this);
  }

  /** Byte of the first of `count` blocks of the main area. @throws GuestError `corrupt` */
  byteOf(block: number, count = 1): number {
    const { mainAt, mainEnd } = this.geometry;
    if (block < mainAt || block + count > mainEnd)
      throw corrupt(
        `block ${block < mainAt ? block : Math.max(block, mainEnd)} outside of ${mainAt} to ${mainEnd}`,
      );
    return block * BLOCK;
  }

  block(block: number): Buffer {
    return readBytes(this.source, this.byteOf(block), BLOCK, this.ctx);
  }

  /** Whether the checkpoint has the node. @throws GuestError `corrupt` */
  exists(nid: number): boolean {
    return this.#address(nid) !== ADDRESS.hole;
  }

  /** A node's block, as the checkpoint has it. @throws GuestError `corrupt` */
  #node(nid: number): Buffer {
    const kept = this.#nodes.get(nid);
    if (kept) return kept;
    const address = this.#address(nid);
    if (address === ADDRESS.hole) throw corrupt(`node ${nid} has been freed`);
    const bytes = this.block(address);
    const footer = NodeFooter.read(bytes, FOOTER_AT);
    if (footer.nid !== nid) throw corrupt(`node ${nid} says it is ${footer.nid}`);
    if (this.#nodes.size >= KEPT_NODES) this.#nodes.clear();
    this.#nodes.set(nid, bytes);
    return bytes;
  }

  #address(nid: number): number {
    const { natAt, natBitmap, natJournal, nodes } = this.geometry;
    const newer = natJournal.get(nid);
    if (newer !== undefined) return newer;
    if (nid >= nodes) throw corrupt(`node ${nid} of ${nodes}`);
    const index = Math.floor(nid / NAT_PER_BLOCK);
    let table = this.#tables.get(index);
    if (!table) {
      // Each block has two places, a segment apart.
      const inSegment = index % SEGMENT;
      const second = (natBitmap[index >>> 3]! >>> (7 - (index & 7))) & 1;
      const block = natAt + (index - inSegment) * 2 + inSegment + second * SEGMENT;
      table = readBytes(this.source, block * BLOCK, BLOCK, this.ctx);
      if (this.#tables.size >= KEPT_TABLES) this.#tables.clear();
      this.#tables.set(index, table);
    }
    return table.readUInt32LE((nid % NAT_PER_BLOCK) * NAT_ENTRY + 5);
  }

  /** @throws GuestError `corrupt` */
  inode(number: number): F2fsInode {
    const place = `inode ${number}`;
    const recovered = this.recovery?.files.get(number);
    const newest = recovered?.blocks.get(0);
    const bytes = newest === undefined ? this.#node(number) : this.block(newest);
    if (NodeFooter.read(bytes, FOOTER_AT).ino !== number) throw corrupt('no inode', place);
    const i = Inode.read(bytes);
    const { features } = this.geometry;
    const extra = i.i_inline & INLINE.extra ? i.i_extra_isize : 0;
    if (extra % 4 !== 0 || extra > 256) throw corrupt(`${extra} bytes of extra attributes`, place);
    if (features & FEATURE.inodeChecksum && extra >= EXTRA.checksum) this.#verify(bytes, number);
    const xattr =
      features & FEATURE.flexibleXattr
        ? extra >= 4
          ? i.i_inline_xattr_size
          : 0
        : i.i_inline & (INLINE.xattr | INLINE.dentry)
          ? INLINE_XATTR
          : 0;
    const room = ADDRESSES - extra / 4 - xattr;
    if (room < 1) throw corrupt(`${xattr} words of extended attributes`, place);
    const kind = KINDS[i.i_mode >> 12] ?? 'other';
    const addressesAt = ADDRESSES_AT + extra;
    const inlineRoom = (room - 1) * 4;
    const isInline =
      kind !== 'other' && (i.i_inline & (kind === 'directory' ? INLINE.dentry : INLINE.data)) !== 0;
    const inlineSize = kind === 'directory' ? inlineRoom : i.i_size;
    if (isInline && inlineSize > inlineRoom)
      throw corrupt(`${i.i_size} bytes in an inode with room for ${inlineRoom}`, place);
    const compressed =
      kind === 'file' &&
      (features & FEATURE.compression) !== 0 &&
      (i.i_flags & FLAG.compressed) !== 0 &&
      extra >= EXTRA.compression;
    const log = i.i_log_cluster_size;
    if (compressed && (log < CLUSTER_LOG.least || log > CLUSTER_LOG.most))
      throw corrupt(`clusters of 2^${log} blocks`, place);
    const blocks = compressed ? 2 ** log : 1;
    // Clusters do not cross nodes.
    const addresses = room - (room % blocks);
    const perNode = PER_NODE - (PER_NODE % blocks);
    // Recovery keeps the tree as it was: the numbers that the log's inode has were not written anywhere.
    const tree = !recovered ? bytes : this.exists(number) ? this.#node(number) : this.#empty;
    const inode = {
      id: number,
      kind,
      size: i.i_size,
      mtime: Number(BigInt.asIntN(64, i.i_mtime)),
      bytes,
      addressesAt,
      addresses,
      perNode,
      nodes: tree.subarray(NIDS_AT, NIDS_AT + 4 * BELOW.length),
      ...(recovered ? { recovered } : {}),
      ...(isInline ? { inline: bytes.subarray(addressesAt + 4, addressesAt + 4 + inlineSize) } : {}),
      depth: i.i_current_depth,
      dirLevel: i.i_dir_level,
      casefold:
        kind === 'directory' && (features & FEATURE.casefold) !== 0 && (i.i_flags & FLAG.casefold) !== 0,
      encrypted: (i.i_advise & ADVISE.encrypt) !== 0,
      ...(compressed
        ? {
            cluster: {
              blocks,
              algorithm: i.i_compress_algorithm,
              checksum: (i.i_compress_flag & COMPRESS_CHECKSUM) !== 0,
            },
          }
        : {}),
    };
    return recovered && !isInline && (i.i_advise & ADVISE.keepSize) === 0
      ? { ...inode, size: this.#recoveredSize(inode, recovered) }
      : inode;
  }

  /** A block that begins behind the end moves it, unless an inode that was written later says otherwise. */
  #recoveredSize(inode: F2fsInode, { log }: RecoveredFile): number {
    let { size } = inode;
    const newest = log.map((node) => node.place).lastIndexOf(0);
    for (const node of log.slice(Math.max(0, newest))) {
      this.ctx.budget.step();
      const direct = directNode(node.place);
      const first = direct ? inode.addresses + direct.index * inode.perNode : 0;
      const bytes = direct ? this.block(node.block) : inode.bytes;
      const at = direct ? 0 : inode.addressesAt;
      let count = direct ? inode.perNode : inode.addresses;
      while (count > 0 && bytes.readUInt32LE(at + 4 * (count - 1)) === ADDRESS.hole) count--;
      if (count > 0 && (first + count - 1) * BLOCK >= size) size = (first + count) * BLOCK;
    }
    return size;
  }

  #verify(bytes: Buffer, number: number): void {
    const { sums } = this;
    let crc = crcOf(sums, this.geometry.uuidBytes, 0xffffffff);
    for (const part of [
      le32(number),
      bytes.subarray(GENERATION_AT, GENERATION_AT + 4),
      bytes.subarray(0, CHECKSUM_AT),
      le32(0),
      bytes.subarray(CHECKSUM_AT + 4),
    ])
      crc = crcOf(sums, part, crc);
    if (crc !== bytes.readUInt32LE(CHECKSUM_AT))
      this.warnOnce(`the checksum of inode ${number} does not match`);
  }

  /**
   * Addresses of a file's blocks, in order, as runs; what whole missing nodes stand for is passed over.
   * @throws GuestError `corrupt`
   */
  *addresses(inode: F2fsInode, count: number): Generator<Addressed> {
    let block = Math.min(count, inode.addresses);
    yield* this.#runs(inode.bytes, inode.addressesAt, block, 0);
    for (const [i, { levels, place }] of BELOW.entries()) {
      if (block >= count) return;
      yield* this.#below(inode, inode.nodes.readUInt32LE(i * 4), levels, place, block, count);
      block += inode.perNode * PER_NODE ** levels;
    }
    if (block < count) throw corrupt(`${count} blocks are more than a file can have`, `inode ${inode.id}`);
  }

  /** `count` addresses that stand at `at`, the file's from block `from` on. */
  *#runs(bytes: Buffer, at: number, count: number, from: number): Generator<Addressed> {
    const list = words(bytes, at, count);
    for (let i = 0; i < count; ) {
      const address = list[i]!;
      let end = i + 1;
      if (isMark(address)) while (end < count && list[end] === address) end++;
      else {
        let next = address + 1;
        while (end < count && list[end] === next && !isMark(next)) {
          end++;
          next++;
        }
      }
      this.ctx.budget.step(end - i);
      yield { block: from + i, address, count: end - i };
      i = end;
    }
  }

  *#below(
    inode: F2fsInode,
    nid: number,
    levels: number,
    place: number,
    from: number,
    count: number,
  ): Generator<Addressed> {
    const bytes = this.#treeNode(inode, nid, place);
    if (!bytes) return;
    if (levels === 0) {
      yield* this.#runs(bytes, 0, Math.min(inode.perNode, count - from), from);
      return;
    }
    const each = inode.perNode * PER_NODE ** (levels - 1);
    for (let i = 0; i < PER_NODE && from + i * each < count; i++) {
      this.ctx.budget.step();
      const value = bytes.readUInt32LE(i * 4);
      yield* this.#below(inode, value, levels - 1, place + 1 + i * stride(levels), from + i * each, count);
    }
  }

  /** The node at a place of a file's tree; undefined: none is there. */
  #treeNode(inode: F2fsInode, nid: number, place: number): Buffer | undefined {
    const newer = inode.recovered?.blocks.get(place);
    if (newer !== undefined) return this.block(newer);
    if (nid === 0) return inode.recovered?.above.has(place) ? this.#empty : undefined;
    const bytes = this.#node(nid);
    const footer = NodeFooter.read(bytes, FOOTER_AT);
    // So that nodes cannot run in circles, too.
    if (footer.ino !== inode.id || footer.flag >>> MARK.bits !== place)
      throw corrupt(
        `node ${nid} at place ${place} says it is at ${footer.flag >>> MARK.bits} of ${footer.ino}`,
        `inode ${inode.id}`,
      );
    return bytes;
  }

  /** The address of one block. @throws GuestError `corrupt` */
  addressOf(inode: F2fsInode, block: number): number {
    if (block < inode.addresses) return inode.bytes.readUInt32LE(inode.addressesAt + block * 4);
    let rest = block - inode.addresses;
    for (const [i, below] of BELOW.entries()) {
      let each = inode.perNode * PER_NODE ** below.levels;
      if (rest >= each) {
        rest -= each;
        continue;
      }
      let { place } = below;
      let value = inode.nodes.readUInt32LE(i * 4);
      for (let levels: number = below.levels; levels >= 0; levels--) {
        const bytes = this.#treeNode(inode, value, place);
        if (!bytes) return ADDRESS.hole;
        each = levels === 0 ? 1 : inode.perNode * PER_NODE ** (levels - 1);
        const index = Math.floor(rest / each);
        value = bytes.readUInt32LE(index * 4);
        place += 1 + index * stride(levels);
        rest %= each;
      }
      return value;
    }
    throw corrupt(`block ${block} is more than a file can have`, `inode ${inode.id}`);
  }

  warnOnce(message: string): void {
    if (this.#warned.has(message) || this.#warned.size >= WARNINGS) return;
    this.#warned.add(message);
    this.ctx.warn(`f2fs: ${message}`);
  }
}

const isMark = (address: number): boolean => address === ADDRESS.hole || address >= ADDRESS.compressed;
