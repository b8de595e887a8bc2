/** Solaris' volume tables. Names: illumos sys/dklabel.h, sys/vtoc.h; Linux block/partitions/{sun,msdos}.c. */
import { struct, u16be, u16le, u32be, u32le } from '../../bytes/struct';

export const LABEL_SIZE = 512;

/** The tag of the row that is the whole disk or slice. */
export const WHOLE = 5;

/** SPARC's label, the first sector of the disk; big-endian. Rows count in cylinders. The exclusive or of its words is 0. */
export const SparcLabel = struct('dk_label', LABEL_SIZE, {
  dkl_nhead: u16be(436),
  dkl_nsect: u16be(438),
});
export const SPARC_ROWS = 8;
export const SPARC_ROWS_AT = 444;
/** `v_part` of the table of contents in that label: what the rows are for. */
export const SPARC_TAGS_AT = 142;
export const SparcRow = struct('dk_map2', 8, { dkl_cylno: u32be(0), dkl_nblk: u32be(4) });

/** The label of x86, the second sector of a slice. Rows count in sectors of the slice. */
export const PcLabel = struct('dk_label', LABEL_SIZE, {
  v_version: u32le(16),
  v_sectorsz: u16le(28),
  v_nparts: u16le(30),
});
export const PC_ROWS_AT = 72;
export const PC_MOST_ROWS = 16;
export const PcRow = struct('partition', 12, { p_tag: u16le(0), p_start: u32le(4), p_size: u32le(8) });
