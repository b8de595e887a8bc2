/** gzip: RFC 1952, whose names are used. Numbers are little-endian. */
import { struct, u8, u16le, u32le } from '../../bytes/struct';

export const Member = struct('gzip member', 10, { ID: u16le(0), CM: u8(2), FLG: u8(3) });
/** 0x1f 0x8b. */
export const MAGIC = 0x8b1f;
export const DEFLATE = 8;
export const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;
/** Behind a member's deflate stream: ISIZE is the length's lower 32 bits. */
export const Trailer = struct('gzip trailer', 8, { CRC32: u32le(0), ISIZE: u32le(4) });
export const TRAILER = 8;
/** Deflate makes at most 1,032 bytes of one (a match of 258 bytes in two bits). */
export const MOST_RATIO = 1032;
/** A name or comment of a header; nobody's is longer. */
export const MAX_NAME = 64 * 1024;
