/**
 * The log. Record and operation headers are big-endian, what the operations carry is in the order of the machine that
 * wrote it. Names: Linux, fs/xfs/libxfs/xfs_log_format.h.
 */
import { bits64be, bytes, struct, u8, u16le, u32be, u32le } from '../../../lib/bytes/struct';

/** The unit that the log is counted in (a "basic block"). */
export const BB = 512;
export const MAGIC = 0xfeedbabe;

export const RecordHeader = struct('xlog_rec_header', 328, {
  h_magicno: u32be(0),
  h_cycle: u32be(4),
  h_version: u32be(8),
  /** Bytes of operations that follow the header's blocks. */
  h_len: u32be(12),
  h_lsn: bits64be(16),
  h_tail_lsn: bits64be(24),
  h_crc: u32le(32),
  h_num_logops: u32be(40),
  h_fmt: u32be(300),
  h_fs_uuid: bytes(304, 16),
  /** Size of the writer's buffer; 0 in version 1. */
  h_size: u32be(320),
});
export const CRC_AT = 32;
export const CYCLE_DATA_AT = 44;
/** Blocks whose first word one header block keeps. */
export const CYCLES = 64;
/** Bytes that one header block is for. */
export const HEADER_SPAN = 32 * 1024;
/** `xlog_rec_ext_header`: cycle, and the words of 64 more blocks. */
export const EXT_HEADER_SIZE = 4 + CYCLES * 4;
export const EXT_CYCLE_DATA_AT = 4;
export const FORMAT_LINUX_LE = 1;
/** XLOG_MAX_RECORD_BSIZE, XLOG_MAX_ICLOGS: what may have been under way when the machine stopped. */
export const RECORD_MOST = 256 * 1024;
export const IN_FLIGHT = (8 * RECORD_MOST) / BB;

export const OpHeader = struct('xlog_op_header', 12, { oh_tid: u32be(0), oh_len: u32be(4), oh_flags: u8(9) });
export const OP = { start: 0x1, commit: 0x2, continue: 0x4, wasContinued: 0x8, end: 0x10, unmount: 0x20 };

export const TRANSACTION_MAGIC = 0x5452414e;
export const TRANSACTION_HEADER = 16;

/** `XFS_LI_…` */
export const ITEM = { inode: 0x123b, buffer: 0x123c, icreate: 0x123f };
/** What is to be done later, and what says that it was; all name it by 64 bits at byte 8. */
export const INTENTS: Readonly<Record<number, { readonly name: string; readonly done: boolean }>> = {
  4662: { name: 'extent free', done: false },
  4663: { name: 'extent free', done: true },
  4672: { name: 'reverse map', done: false },
  4673: { name: 'reverse map', done: true },
  4674: { name: 'reference count', done: false },
  4675: { name: 'reference count', done: true },
  4676: { name: 'block map', done: false },
  4677: { name: 'block map', done: true },
  4678: { name: 'attribute', done: false },
  4679: { name: 'attribute', done: true },
  4680: { name: 'exchange', done: false },
  4681: { name: 'exchange', done: true },
  4682: { name: 'realtime extent free', done: false },
  4683: { name: 'realtime extent free', done: true },
  4684: { name: 'realtime reverse map', done: false },
  4685: { name: 'realtime reverse map', done: true },
  4686: { name: 'realtime reference count', done: false },
  4687: { name: 'realtime reference count', done: true },
};

export const BufferFormat = struct('xfs_buf_log_format', 20, {
  blf_flags: u16le(4),
  /** In basic blocks. */
  blf_len: u16le(6),
  blf_blkno_low: u32le(8),
  blf_blkno_high: u32le(12),
  /** 32-bit words of the bitmap that follows. */
  blf_map_size: u32le(16),
});
export const BUFFER = { inodes: 0x1, cancel: 0x2, chunk: 128, mapMost: 1024 };

/** 64-bit kernels; the numbers stand four bytes earlier in those of 52 bytes. */
export const InodeFormat = struct('xfs_inode_log_format', 52, {
  ilf_size: u16le(2),
  ilf_fields: u32le(4),
  ilf_ino32_low: u32le(12),
  ilf_ino32_high: u32le(16),
  ilf_ino_low: u32le(16),
  ilf_ino_high: u32le(20),
});
export const INODE_FORMAT_SIZE = { wide: 56, narrow: 52 };
export const INODE_FIELD = { core: 0x1, data: 0x2, extents: 0x4, root: 0x8 };

/** Big-endian, but for type and size. */
export const InodeCreate = struct('xfs_icreate_log', 28, {
  icl_ag: u32be(4),
  icl_agbno: u32be(8),
  icl_count: u32be(12),
  icl_isize: u32be(16),
  icl_length: u32be(20),
  icl_gen: u32be(24),
});

/**
 * The fields of an inode core with their sizes: in the log they are in the machine's order. Where two meanings share a
 * place (time stamps, counts) the larger unit is given and the caller knows which it is.
 */
export const CORE_FIELDS: readonly (readonly [at: number, size: number])[] = [
  [0, 2],
  [2, 2],
  [6, 2],
  [8, 4],
  [12, 4],
  [16, 4],
  [20, 2],
  [22, 2],
  [56, 8],
  [64, 8],
  [72, 4],
  [76, 4],
  [80, 2],
  [84, 4],
  [88, 2],
  [90, 2],
  [92, 4],
];
export const CORE3_FIELDS: readonly (readonly [at: number, size: number])[] = [
  [104, 8],
  [112, 8],
  [120, 8],
  [128, 4],
  [152, 8],
];
/** Bytes of a core before `di_next_unlinked`, which the log does not carry over. */
export const CORE_SIZE = 96;
