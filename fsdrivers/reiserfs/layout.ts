/**
 * On-disk structures of ReiserFS 3.5 and 3.6 (Reiser4 is another format). Names: Linux, fs/reiserfs/reiserfs.h. All
 * little-endian.
 */
import { bytes, struct, text, u16le, u32le, u64le } from '../../lib/bytes/struct';

/** Where a superblock may be: since 3.5.12, and before. */
export const SUPERBLOCK_PLACES = [65536, 8192] as const;
export const MAGIC_AT = 52;
export const MAGIC_3_5 = 'ReIsErFs';
export const MAGIC_3_6 = 'ReIsEr2Fs';
/** With a journal that is not where it usually is; `s_version` then tells the format. */
export const MAGIC_JR = 'ReIsEr3Fs';

export const SuperBlock = struct('reiserfs_super_block', 204, {
  s_block_count: u32le(0),
  s_root_block: u32le(8),
  jp_journal_1st_block: u32le(12),
  jp_journal_dev: u32le(16),
  /** Blocks of transactions; the header follows. */
  jp_journal_size: u32le(20),
  jp_journal_magic: u32le(28),
  s_blocksize: u16le(44),
  s_umount_state: u16le(50),
  s_magic: text(MAGIC_AT, 10),
  s_fs_state: u16le(62),
  s_hash_function_code: u32le(64),
  s_tree_height: u16le(68),
  s_uuid: bytes(84, 16),
  s_label: text(100, 16),
});
export const UNMOUNTED = 1;
/** `s_root_block` while `reiserfsck --rebuild-tree` is at work. */
export const NO_ROOT = 0xffffffff;
export const BLOCK_LEAST = 512;
export const BLOCK_MOST = 8192;
/** MAX_HEIGHT is 5, a tree of leaves alone has 2; reiserfsck knows 7. */
export const HEIGHT_MOST = 7;
export const HASH = { tea: 1, yura: 2, r5: 3 } as const;

export const BlockHead = struct('block_head', 24, { blk_level: u16le(0), blk_nr_item: u16le(2) });
export const LEAF_LEVEL = 1;
export const KEY_SIZE = 16;
export const DISK_CHILD_SIZE = 8;

export const ItemHead = struct('item_head', 24, {
  ih_entry_count: u16le(16),
  ih_item_len: u16le(18),
  ih_item_location: u16le(20),
  ih_version: u16le(22),
});
export const TYPE = { stat: 0, indirect: 1, direct: 2, entries: 3 } as const;
/** The types in keys of 3.5, where they take 32 bits. */
export const UNIQUENESS: Readonly<Record<number, number>> = {
  0: TYPE.stat,
  500: TYPE.entries,
  4294967295: TYPE.direct,
  4294967294: TYPE.indirect,
};

export const StatDataV1 = struct('stat_data_v1', 32, {
  sd_mode: u16le(0),
  sd_size: u32le(8),
  sd_mtime: u32le(16),
});
export const StatData = struct('stat_data', 44, {
  sd_mode: u16le(0),
  sd_size: u64le(8),
  sd_mtime: u32le(28),
});

/** Entries' heads stand at the start of the item, their names at its end, the first one last. */
export const EntryHead = struct('reiserfs_de_head', 16, {
  deh_offset: u32le(0),
  deh_dir_id: u32le(4),
  deh_objectid: u32le(8),
  deh_location: u16le(12),
  deh_state: u16le(14),
});
export const DEH_VISIBLE = 4;
/** Key of the root directory. */
export const ROOT = { dir: 1, object: 2 } as const;

export const DESC_MAGIC = 'ReIsErLB';
/** From the end of a description block. */
export const DESC_MAGIC_AT = 12;
export const JournalHeader = struct('reiserfs_journal_header', 44, {
  j_last_flush_trans_id: u32le(0),
  j_first_unflushed_offset: u32le(4),
  j_mount_id: u32le(8),
  jp_journal_magic: u32le(28),
});
/** The numbers of the blocks follow; what does not fit there, after the head of the commit block. */
export const Desc = struct('reiserfs_journal_desc', 12, {
  j_trans_id: u32le(0),
  j_len: u32le(4),
  j_mount_id: u32le(8),
});
export const Commit = struct('reiserfs_journal_commit', 8, { j_trans_id: u32le(0), j_len: u32le(4) });
/** mkreiserfs makes 8,193 blocks where not told otherwise. */
export const JOURNAL_MOST = 65536;
