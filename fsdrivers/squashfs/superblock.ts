/** Superblock and compressor options → a geometry whose values have been checked. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { decompressor, LZ4 } from './compressor';
import { type Place, SquashDisk } from './disk';
import {
  AnyVersion,
  BLOCK_LOG,
  FLAG_COMPRESSOR_OPTIONS,
  FRAGMENT_TABLE_AT,
  LZ4_LEGACY,
  Lz4Options,
  MAGIC,
  MAGIC_SWAPPED,
  Pointer,
  SuperBlock,
} from './layout';

export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** The version of a squashfs of any kind; undefined where there is none. */
export function readVersion(source: BlockSource, ctx: Context): Version | undefined {
  if (source.size < AnyVersion.size) return undefined;
  const { s_magic, version } = AnyVersion.read(readBytes(source, 0, AnyVersion.size, ctx));
  if (s_magic === MAGIC) return { major: version.readUInt16LE(0), minor: version.readUInt16LE(2) };
  if (s_magic === MAGIC_SWAPPED) return { major: version.readUInt16BE(0), minor: version.readUInt16BE(2) };
  return undefined;
}

export interface Volume {
  readonly disk: SquashDisk;
  readonly root: Place;
  readonly inodeTable: number;
  readonly directoryTable: number;
  /** Where the places of the fragment table's blocks stand, and how many fragments there are. */
  readonly fragmentTable: number;
  readonly fragments: number;
}

/** @throws GuestError `unsupported`, `corrupt` */
export function readVolume(source: BlockSource, ctx: Context): Volume {
  const version = readVersion(source, ctx);
  if (!version) throw corrupt('no squashfs superblock');
  if (version.major !== 4 || version.minor !== 0)
    throw unsupported(`squashfs version ${version.major}.${version.minor}`);
  const bytes = readBytes(source, 0, SuperBlock.size, ctx);
  // Linux takes a big-endian magic for none of its own.
  const s = SuperBlock.read(bytes);
  if (s.s_magic !== MAGIC) throw unsupported('a big-endian squashfs 4.0');
  if (s.block_log < BLOCK_LOG.least || s.block_log > BLOCK_LOG.most || s.block_size !== 2 ** s.block_log)
    throw corrupt(`block size ${s.block_size}, logarithm ${s.block_log}`);
  const decompress = decompressor(s.compression);
  if (s.bytes_used < SuperBlock.size) throw corrupt(`a filesystem of ${s.bytes_used} bytes`);
  if (s.bytes_used > source.size)
    ctx.warn(`squashfs of ${s.bytes_used} bytes on ${source.size}: the end is missing`);
  const disk = new SquashDisk(source, ctx, s.block_size, decompress, Math.min(s.bytes_used, source.size));
  if (s.flags & FLAG_COMPRESSOR_OPTIONS && s.compression === LZ4) {
    const options = Lz4Options.read(disk.read({ block: SuperBlock.size, offset: 0 }, Lz4Options.size));
    if (options.version !== LZ4_LEGACY) throw unsupported(`LZ4 format ${options.version} in squashfs`);
  }
  const rootBlock = s.root_block + s.root_block_high * 2 ** 32;
  return {
    disk,
    root: { block: s.inode_table_start + rootBlock, offset: s.root_offset },
    inodeTable: s.inode_table_start,
    directoryTable: s.directory_table_start,
    // Not looked at where there are none: the field may then be all ones.
    fragmentTable: s.fragments > 0 ? Pointer.read(bytes, FRAGMENT_TABLE_AT).start : 0,
    fragments: s.fragments,
  };
}
