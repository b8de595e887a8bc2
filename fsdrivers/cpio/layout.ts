/**
 * Headers of cpio archives. Names: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst (newc, crc), GNU
 * cpio's and FreeBSD's cpio(5) (odc, old binary).
 */
import { corrupt } from '../../lib/bytes/errors';
import { type Field, struct, u16be, u16le } from '../../lib/bytes/struct';

/** Digits of a number; blanks may stand before it, as some makers of odc have them. */
function digits(bytes: Buffer, at: number, size: number, base: 8 | 16): number {
  let value = 0;
  for (let i = at; i < at + size; i++) {
    const c = bytes[i]!;
    // 0-9, a-f, A-F
    let digit = c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 0x20) >= 0x61 ? (c | 0x20) - 0x57 : base;
    if (c === 0x20 && value === 0) digit = 0;
    if (digit >= base) throw corrupt(`byte 0x${c.toString(16)} in a number`);
    value = value * base + digit;
  }
  return value;
}

const hex = (at: number): Field<number> => ({
  at,
  size: 8,
  read: (bytes, base) => digits(bytes, base + at, 8, 16),
});
const octal = (at: number, size = 6): Field<number> => ({
  at,
  size,
  read: (bytes, base) => digits(bytes, base + at, size, 8),
});

export const MAGIC_SIZE = 6;
export const NEWC = '070701';
export const CRC = '070702';
export const ODC = '070707';
/** 070707 as a 16-bit number. */
export const BINARY = 0o070707;

/** `newc` and `crc`. */
export const NewcHeader = struct('cpio_header', 110, {
  c_ino: hex(6),
  c_mode: hex(14),
  c_nlink: hex(38),
  c_mtime: hex(46),
  c_filesize: hex(54),
  c_maj: hex(62),
  c_min: hex(70),
  c_namesize: hex(94),
  c_chksum: hex(102),
});
export const OdcHeader = struct('cpio_odc_header', 76, {
  c_dev: octal(6),
  c_ino: octal(12),
  c_mode: octal(18),
  c_nlink: octal(36),
  c_mtime: octal(48, 11),
  c_namesize: octal(59),
  c_filesize: octal(65, 11),
});

const binary = (u16: typeof u16le) =>
  struct('header_old_cpio', 26, {
    c_dev: u16(2),
    c_ino: u16(4),
    c_mode: u16(6),
    c_nlink: u16(12),
    /** 32-bit numbers: the upper half stands first, in either byte order. */
    c_mtime_high: u16(16),
    c_mtime_low: u16(18),
    c_namesize: u16(20),
    c_filesize_high: u16(22),
    c_filesize_low: u16(24),
  });
export const BinaryHeader = { little: binary(u16le), big: binary(u16be) } as const;

export const TRAILER = 'TRAILER!!!';
/** `c_mode`: the kind of a file. */
export const S_IFMT = 0o170000;
export const S_IF = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  network: 0o110000,
  link: 0o120000,
  socket: 0o140000,
} as const;
/** A name with its zero byte; the kernel's bound. Longer ones are passed over. */
export const NAME_MOST = 4096;
/** Zeros between all archives and behind the last one: makers pad to 512 bytes or to pages, some to megabytes. */
export const ZEROS_MOST = 16 * 1024 * 1024;
/** Members with more than one name whose numbers of inodes are kept. */
export const LINKED_MOST = 100_000;
