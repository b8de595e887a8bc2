/**
 * The numbers of the NBD protocol, with the specification's names (doc/proto.md of github.com/NetworkBlockDevice/nbd); all fields
 * are big-endian. This and whatever else runs in the thread of the connection imports no module of the core.
 */

/** `NBDMAGIC`, `IHAVEOPT`, and what an oldstyle server sends in its place; NBD_REP_MAGIC. */
export const NBDMAGIC = 0x4e42444d41474943n;
export const IHAVEOPT = 0x49484156454f5054n;
export const CLISERV_MAGIC = 0x00420281861253n;
export const REP_MAGIC = 0x3e889045565a9n;

export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

/** Handshake flags of the server; the client's answers have the same bits. */
export const FLAG_FIXED_NEWSTYLE = 1;
export const FLAG_NO_ZEROES = 2;

export const OPT_EXPORT_NAME = 1;
export const OPT_ABORT = 2;
export const OPT_STARTTLS = 5;
export const OPT_GO = 7;
export const OPT_STRUCTURED_REPLY = 8;

export const REP_ACK = 1;
export const REP_INFO = 3;
/** Set in all that are errors. */
export const REP_FLAG_ERROR = 0x80000000;
export const REP_ERR_UNSUP = 0x80000001;
export const REP_ERR_TLS_REQD = 0x80000005;
export const REP_ERR_UNKNOWN = 0x80000006;

/** Option errors by their number without the flag. */
export const OPTION_ERRORS: readonly (string | undefined)[] = [
  undefined,
  'NBD_REP_ERR_UNSUP',
  'NBD_REP_ERR_POLICY',
  'NBD_REP_ERR_INVALID',
  'NBD_REP_ERR_PLATFORM',
  'NBD_REP_ERR_TLS_REQD',
  'NBD_REP_ERR_UNKNOWN',
  'NBD_REP_ERR_SHUTDOWN',
  'NBD_REP_ERR_BLOCK_SIZE_REQD',
  'NBD_REP_ERR_TOO_BIG',
  'NBD_REP_ERR_EXT_HEADER_REQD',
];

export const INFO_EXPORT = 0;
export const INFO_DESCRIPTION = 2;
export const INFO_BLOCK_SIZE = 3;

export const CMD_READ = 0;
export const CMD_DISC = 2;

export const REPLY_FLAG_DONE = 1;
export const REPLY_TYPE_NONE = 0;
export const REPLY_TYPE_OFFSET_DATA = 1;
export const REPLY_TYPE_OFFSET_HOLE = 2;
/** Set in all that are errors. */
export const REPLY_FLAG_ERROR = 0x8000;
export const REPLY_TYPE_ERROR_OFFSET = 0x8002;

export const ESHUTDOWN = 108;
const ERRORS: Readonly<Record<number, string>> = {
  1: 'NBD_EPERM',
  5: 'NBD_EIO',
  12: 'NBD_ENOMEM',
  22: 'NBD_EINVAL',
  28: 'NBD_ENOSPC',
  75: 'NBD_EOVERFLOW',
  95: 'NBD_ENOTSUP',
  108: 'NBD_ESHUTDOWN',
};

/** An unknown one is to be taken as NBD_EINVAL (section "Error values"). */
export const errorName = (error: number): string => ERRORS[error] ?? `error ${error}, taken as NBD_EINVAL`;

/** Bytes of a string: names of exports, descriptions, messages of errors. */
export const MAX_STRING = 4096;

/** Bytes of an option's reply: room for a string and what stands around it, in a reply that is not known here. */
export const MAX_OPTION_REPLY = 16384;

/** Replies to one option, of which there are six kinds. */
export const MAX_OPTION_REPLIES = 64;

/** Largest minimum block, and what stands for sizes that were not said (section "Size constraints"). */
export const MAX_MINIMUM_BLOCK = 65536;
export const DEFAULT_MINIMUM = 512;
export const DEFAULT_PREFERRED = 4096;
export const DEFAULT_MAXIMUM = 2 ** 25;
