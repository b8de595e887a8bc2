/** The BSDs' disklabel. Names: FreeBSD sys/disklabel.h, OpenBSD sys/sys/disklabel.h (64-bit numbers of version 1). */
import { struct, u8, u16le, u32le } from '../../bytes/struct';

/** The label's sector, counted from where it describes a slice or the disk. */
export const LABEL_AT = 512;
/** Bytes before the rows. */
export const HEADER = 148;
export const ROW = 16;
/** NetBSD's and OpenBSD's 16; FreeBSD's GEOM reads 20, DragonFly's disklabel32 16. */
export const MOST_ROWS = 22;

export const Disklabel = struct('disklabel', HEADER, {
  d_magic: u32le(0),
  d_secsize: u32le(40),
  /** OpenBSD: 1 with numbers of 48 bits. Elsewhere the size of the superblock begins here: 0, or a multiple of 512. */
  d_version: u16le(112),
  d_magic2: u32le(132),
  /** So that the exclusive or of all 16-bit words of header and rows is 0. */
  d_checksum: u16le(136),
  d_npartitions: u16le(138),
});

export const LabelRow = struct('partition', ROW, {
  /** Sectors. */
  p_size: u32le(0),
  p_offset: u32le(4),
  /** OpenBSD, version 1: bits 32–47. */
  p_offseth: u16le(8),
  p_sizeh: u16le(10),
  /** 0: unused. */
  p_fstype: u8(12),
});

/** `c`: all of what the label describes. */
export const RAW_ROW = 2;
