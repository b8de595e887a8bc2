/** The log. Names: Linux, fs/jfs/jfs_logmgr.h. */
import { bytes, struct, u16le, u32le } from '../../../lib/bytes/struct';
import { InodeExtent, PAGE } from '../layout';

export const LOGPSIZE = PAGE;
/** Page 0 is not used, page 1 is the superblock, records are in the pages from here on. */
export const LOGSTART_B = 2;
export const LOGHDRSIZE = 8;
/** Where a page's records end: its trailer follows. */
export const LOG_DATA_END = LOGPSIZE - 8;

export const LOGMAGIC = 0x87654321;
export const LOGVERSION = 1;
export const LOGREDONE = 1;
export const MAX_ACTIVE = 128;
export const LogSuper = struct('logsuper', 68 + 16 * MAX_ACTIVE, {
  magic: u32le(0),
  version: u32le(4),
  /** In pages. */
  size: u32le(12),
  state: u32le(28),
  uuid: bytes(36, 16),
  /** UUIDs of the filesystems that share an external log. */
  active: bytes(68, 16 * MAX_ACTIVE),
});

export const LogPage = struct('logpage', LOGPSIZE, {
  h_page: u32le(0),
  h_eor: u16le(6),
  t_page: u32le(LOG_DATA_END),
  t_eor: u16le(LOG_DATA_END + 6),
});

/** A record's data comes before its descriptor: the log is read from its end. */
export const Lrd = struct('lrd', 36, {
  logtid: u32le(0),
  /** 0: the first record of its transaction. */
  backchain: u32le(4),
  type: u16le(8),
  length: u16le(10),
  aggregate: u32le(12),
  sync: u32le(16),
  /** Of an inode extent that was freed: its allocation group, and its place there. */
  inode: u32le(20),
  redotype: u16le(24),
  inoext_idx: u32le(24),
  l2linesize: u16le(26),
  pxd: {
    ...InodeExtent.fields.pxd,
    at: 28,
    read: (b: Buffer, base: number) => InodeExtent.fields.pxd.read(b, base + 28),
  },
});
export const RECORD = {
  commit: 0x8000,
  syncpt: 0x4000,
  mount: 0x2000,
  redopage: 0x0800,
  noredopage: 0x0080,
  noredoinoext: 0x0040,
  updatemap: 0x0008,
} as const;
export const REDO = {
  inode: 0x0001,
  xtree: 0x0002,
  dtree: 0x0004,
  btroot: 0x0010,
  data: 0x0080,
  dirXtree: 0x0800,
} as const;
/** Bytes of data that a record can have. */
export const DATA_MOST = 2 * LOGPSIZE;

/** The kernel keeps sync points within a quarter of the log, which mkfs makes of 32 MiB at most where not told otherwise. */
export const REPLAY_MOST = 32 * 1024 * 1024;

/** Slots by which inodes are logged, and where in an inode the roots of its trees are. */
export const INODE_SLOT = 128;
export const BTROOT_AT = 224;
