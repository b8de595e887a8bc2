/** QED images: docs/interop/qed_spec.txt of QEMU, whose names are used. Numbers are little-endian. */
import { bits64le, struct, u32le, u64le } from '../../bytes/struct';

/** `QED\0`. */
export const MAGIC = 0x00444551;

export const Header = struct('QED header', 64, {
  magic: u32le(0),
  cluster_size: u32le(4),
  /** Clusters. */
  table_size: u32le(8),
  features: bits64le(16),
  l1_table_offset: u64le(40),
  image_size: u64le(48),
  backing_filename_offset: u32le(56),
  backing_filename_size: u32le(60),
});

export const FEATURE = {
  backingFile: 1n,
  /** Tables may be inconsistent; what is reachable is sound. */
  needCheck: 2n,
  backingIsRaw: 4n,
} as const;
export const KNOWN = 7n;

export const MIN_CLUSTER = 4096;
export const MAX_CLUSTER = 64 * 1024 * 1024;
export const MAX_TABLE_CLUSTERS = 16;
/** In an L2 table: unallocated, and zeros. */
export const UNALLOCATED = 0;
export const ZERO = 1;
export const MAX_NAME = 1023;
