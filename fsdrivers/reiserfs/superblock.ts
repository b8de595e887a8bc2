/** Superblock → a geometry whose values have been checked. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  BLOCK_LEAST,
  BLOCK_MOST,
  HEIGHT_MOST,
  MAGIC_3_5,
  MAGIC_3_6,
  MAGIC_JR,
  NO_ROOT,
  SUPERBLOCK_PLACES,
  SuperBlock,
  UNMOUNTED,
} from './layout';

export interface Geometry {
  readonly blockSize: number;
  readonly blocks: number;
  readonly root: number;
  /** Level of the root, 1 is a leaf. */
  readonly level: number;
  readonly hash: number;
  /** fsck is wanted. */
  readonly broken: boolean;
  readonly journal: {
    readonly first: number;
    readonly size: number;
    /** May be on another device. */
    readonly relocated: boolean;
    readonly magic: number;
    /** The filesystem was unmounted: nothing is left to replay. */
    readonly isDone: boolean;
  };
}

type Raw = ReturnType<typeof SuperBlock.read>;

/** Undefined: there is none. */
export function findSuperblock(source: BlockSource, ctx: Context): Raw | undefined {
  for (const at of SUPERBLOCK_PLACES) {
    if (at + SuperBlock.size > source.size) continue;
    const raw = SuperBlock.read(readBytes(source, at, SuperBlock.size, ctx));
    const { s_magic: magic } = raw;
    if (magic === MAGIC_3_6 || magic === MAGIC_JR) return raw;
    // A block of the journal of an older filesystem may hold a copy.
    if (magic === MAGIC_3_5 && at < raw.jp_journal_1st_block * raw.s_blocksize) return raw;
  }
  return undefined;
}

/** As blkid prints them: 3.5 has none. */
export function identity(raw: Raw): { uuid?: string; label?: ByteString } {
  if (raw.s_magic === MAGIC_3_5) return {};
  const uuid = raw.s_uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  const label = raw.s_label.replace(/[ \t\n\v\f\r]+$/, '');
  return {
    ...(raw.s_uuid.every((b) => b === 0) ? {} : { uuid }),
    ...(label === '' ? {} : { label }),
  };
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readGeometry(raw: Raw): Geometry {
  const { s_blocksize: blockSize, s_block_count: blocks, s_root_block: root, s_tree_height: height } = raw;
  if (blockSize < BLOCK_LEAST || blockSize > BLOCK_MOST || (blockSize & (blockSize - 1)) !== 0)
    throw corrupt(`blocks of ${blockSize} bytes`);
  if (root === NO_ROOT) throw unsupported('reiserfsck --rebuild-tree was not finished');
  if (root === 0 || root >= blocks) throw corrupt(`root at block ${root} of ${blocks}`);
  if (height < 2 || height > HEIGHT_MOST) throw corrupt(`a tree of height ${height}, maximum ${HEIGHT_MOST}`);
  return {
    blockSize,
    blocks,
    root,
    level: height - 1,
    hash: raw.s_hash_function_code,
    broken: raw.s_fs_state !== 0,
    journal: {
      first: raw.jp_journal_1st_block,
      size: raw.jp_journal_size,
      relocated: raw.s_magic === MAGIC_JR,
      magic: raw.jp_journal_magic,
      isDone: raw.s_umount_state === UNMOUNTED,
    },
  };
}
