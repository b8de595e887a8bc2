/** Blocks of tar archives. Names: POSIX.1 (pax, "ustar Interchange Format"), GNU tar's manual ("Basic Tar Format"). */
import { bytes, struct, u8 } from '../../lib/bytes/struct';

export const BLOCK = 512;

export const PosixHeader = struct('posix_header', BLOCK, {
  name: bytes(0, 100),
  size: bytes(124, 12),
  mtime: bytes(136, 12),
  chksum: bytes(148, 8),
  typeflag: u8(156),
  linkname: bytes(157, 100),
  /** With the version behind it. */
  magic: bytes(257, 8),
  /** POSIX alone; star's ends 24 bytes earlier. */
  prefix: bytes(345, 155),
  /** `tar\0` of star. */
  star: bytes(508, 4),
});
/** What GNU's form of files with holes has in place of the prefix. */
export const OldGnuHeader = struct('oldgnu_header', BLOCK, {
  sp: bytes(386, 4 * 24),
  isextended: u8(482),
  realsize: bytes(483, 12),
});
/** A further block of the map. */
export const SparseHeader = struct('sparse_header', BLOCK, { sp: bytes(0, 21 * 24), isextended: u8(504) });
/** An entry of the map: offset, and bytes from there on. */
export const SPARSE_ENTRY = 24;
export const SPARSE_NUMBER = 12;

export const CHECKSUM = { at: 148, size: 8 } as const;
export const MAGIC_POSIX = 'ustar\0';
export const STAR_PREFIX = 131;

/** `typeflag` as a character. */
export const TYPE = {
  file: '0',
  oldFile: '\0',
  hardLink: '1',
  link: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  contiguous: '7',
  dumpDirectory: 'D',
  longLink: 'K',
  longName: 'L',
  continued: 'M',
  oldLongName: 'N',
  sparse: 'S',
  label: 'V',
  extended: 'x',
  solarisExtended: 'X',
  global: 'g',
  accessList: 'A',
  inode: 'I',
} as const;

/** Bytes of an extended header or long name; the map of a file with 100,000 pieces takes as much. */
export const EXTENSION_MOST = 2 * 1024 * 1024;
/** Headers that belong to one member; three are usual at most. */
export const HEADERS_MOST = 32;
/** Global headers that change anything. */
export const GLOBALS_MOST = 1000;
