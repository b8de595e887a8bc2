/** Parallels' images (.hdd, .hds): docs/interop/parallels.txt of QEMU, whose names are used. Numbers are little-endian. */
import { struct, text, u32le, u64le } from '../../bytes/struct';

export const MAGIC = 'WithoutFreeSpace';
/** Entries of the map count clusters and not sectors. */
export const MAGIC_EXTENDED = 'WithouFreSpacExt';

export const Header = struct('Parallels header', 64, {
  magic: text(0, 16),
  version: u32le(16),
  /** Sectors of a cluster. */
  tracks: u32le(28),
  bat_entries: u32le(32),
  /** The old magic uses the lower half. */
  nb_sectors: u64le(36),
  nb_sectors_low: u32le(36),
  inuse: u32le(44),
  /** Sectors. */
  data_off: u32le(48),
});

export const VERSION = 2;
export const BAT_AT = 64;
/** The image is open, or was not closed. */
export const IN_USE = 0x746f6e59;
export const MAX_TRACKS = (2 ** 31 - 1) / 513;
