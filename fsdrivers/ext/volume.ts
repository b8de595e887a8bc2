/** The driver's one door to the disk: blocks, group descriptors and warnings of one open filesystem. */
import type { Context } from '../../lib/bytes/budget';
import { type Checksums, le32 } from '../../lib/bytes/checksum';
import { corrupt, type GuestError } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import type { FastCommits } from './journal/fastcommit';
import { COMPAT, GroupDescriptor, GroupDescriptorHigh, INCOMPAT, RO_COMPAT } from './layout';
import type { Geometry } from './superblock';

export class ExtVolume {
  /** Inode tables (block numbers) of the groups that were asked for. */
  readonly #tables = new Map<number, number>();
  readonly #warned = new Set<string>();

  constructor(
    /** The disk, or the disk as it looks with its journal replayed. */
    readonly source: BlockSource,
    readonly ctx: Context,
    readonly geometry: Geometry,
    readonly sums: Checksums,
    /** What the journal holds beyond blocks. */
    readonly fastCommits?: FastCommits,
  ) {}

  /** One warning for each kind of structure: a damaged disk has thousands of each. */
  warnOnce(kind: string, message: string): void {
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.ctx.warn(message);
  }

  /** Whether blocks [start, start+count) are all inside the filesystem. */
  holds(start: number, count: number): boolean {
    // Block 0 is the boot block or the superblock, never a file's.
    return start > 0 && start >= this.geometry.firstDataBlock && start + count <= this.geometry.blockCount;
  }

  /** The error for blocks that are not. `what` names them. */
  beyond(start: number, count: number, what: string): GuestError {
    const more = count > 1 ? ` and ${count - 1} more` : '';
    return corrupt(`${what}: block ${start}${more} of ${this.geometry.blockCount} blocks`);
  }

  /** @throws GuestError `corrupt` when blocks [start, start+count) are not all inside the filesystem */
  checkBlocks(start: number, count: number, what: string): void {
    if (!this.holds(start, count)) throw this.beyond(start, count, what);
  }

  /** Block `block`, in a buffer of its own. `what` names it in errors. */
  block(block: number, what: string): Buffer {
    this.checkBlocks(block, 1, what);
    return readBytes(this.source, block * this.geometry.blockSize, this.geometry.blockSize, this.ctx);
  }

  /** The byte where inode `number` lies. Only the one descriptor that is needed is read. */
  inodeAt(number: number): number {
    const g = this.geometry;
    if (number < 1 || number > g.inodeCount) throw corrupt(`inode ${number} of ${g.inodeCount}`);
    const group = Math.floor((number - 1) / g.inodesPerGroup);
    const index = (number - 1) % g.inodesPerGroup;
    let table = this.#tables.get(group);
    if (table === undefined) {
      table = this.#inodeTable(group);
      if (this.#tables.size >= 4096) this.#tables.clear();
      this.#tables.set(group, table);
    }
    return table * g.blockSize + index * g.inodeSize;
  }

  #inodeTable(group: number): number {
    const g = this.geometry;
    const perBlock = g.blockSize / g.descriptorSize;
    const block = this.#descriptorBlock(Math.floor(group / perBlock), perBlock);
    const at = block * g.blockSize + (group % perBlock) * g.descriptorSize;
    const raw = readBytes(this.source, at, g.descriptorSize, this.ctx);
    this.#verifyDescriptor(group, raw);
    const low = GroupDescriptor.fields.bg_inode_table_lo.read(raw, 0);
    const high = g.descriptorSize >= 64 ? GroupDescriptorHigh.fields.bg_inode_table_hi.read(raw, 0) : 0;
    const table = high * 0x1_0000_0000 + low;
    this.checkBlocks(
      table,
      Math.ceil((g.inodesPerGroup * g.inodeSize) / g.blockSize),
      `inode table of group ${group}`,
    );
    return table;
  }

  /** Where the `index`th block of group descriptors is (fs/ext4/super.c, descriptor_loc()). */
  #descriptorBlock(index: number, perBlock: number): number {
    const g = this.geometry;
    const superblock = g.blockSize === 1024 ? 1 : 0;
    if (!(g.incompat & INCOMPAT.meta_bg) || index < g.firstMetaGroup) return superblock + 1 + index;
    const group = index * perBlock;
    let behind = this.#hasSuperblock(group) ? 1 : 0;
    // bigalloc with 1-KiB blocks: groups start at block 0, the superblock stays in block 1.
    if (g.blockSize === 1024 && g.firstDataBlock === 0 && index === 0) behind++;
    const block = g.firstDataBlock + group * g.blocksPerGroup + behind;
    this.checkBlocks(block, 1, `descriptors of group ${group}`);
    return block;
  }

  #hasSuperblock(group: number): boolean {
    const g = this.geometry;
    if (group === 0) return true;
    if (g.compat & COMPAT.sparse_super2) return g.backupGroups.includes(group);
    if (group === 1 || !(g.roCompat & RO_COMPAT.sparse_super)) return true;
    for (const base of [3, 5, 7]) {
      let power = base;
      while (power < group) power *= base;
      if (power === group) return true;
    }
    return false;
  }

  #verifyDescriptor(group: number, raw: Buffer): void {
    const { checksumSeed, descriptorCrc16, uuidBytes, descriptorSize } = this.geometry;
    const { bg_checksum: field } = GroupDescriptor.fields;
    const stored = field.read(raw, 0);
    const rest = field.at + field.size;
    let computed: number;
    if (checksumSeed !== undefined) {
      let crc = this.sums.crc32c(checksumSeed, le32(group));
      crc = this.sums.crc32c(crc, raw, 0, field.at);
      crc = this.sums.crc32c(crc, new Uint8Array(field.size));
      computed = this.sums.crc32c(crc, raw, rest, descriptorSize) & 0xffff;
    } else if (descriptorCrc16) {
      let crc = this.sums.crc16(0xffff, uuidBytes);
      crc = this.sums.crc16(crc, le32(group));
      crc = this.sums.crc16(crc, raw, 0, field.at);
      computed = this.sums.crc16(crc, raw, rest, descriptorSize);
    } else return;
    if (computed !== stored)
      this.warnOnce('descriptor', `group descriptor ${group}: wrong checksum, used as it stands`);
  }
}
