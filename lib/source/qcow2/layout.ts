/** qcow2 images: docs/interop/qcow2.txt of QEMU, whose names are used. Numbers are big-endian. */
import { bits64be, struct, u8, u16be, u32be, u64be } from '../../bytes/struct';

/** `QFI\xfb`; qcow has it too, with version 1. */
export const MAGIC = 0x514649fb;

export const Header = struct('qcow2 header', 72, {
  magic: u32be(0),
  version: u32be(4),
  backing_file_offset: u64be(8),
  backing_file_size: u32be(16),
  cluster_bits: u32be(20),
  size: u64be(24),
  crypt_method: u32be(32),
  l1_size: u32be(36),
  l1_table_offset: u64be(40),
  nb_snapshots: u32be(60),
  snapshots_offset: u64be(64),
});

/** What version 3 adds. */
export const Header3 = struct('qcow2 header of version 3', 104, {
  incompatible_features: bits64be(72),
  header_length: u32be(100),
});
export const COMPRESSION_TYPE = u8(104);

export const INCOMPATIBLE = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  dataFile: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
} as const;
export const KNOWN = (1n << 5n) - 1n;

export const ExtensionHeader = struct('qcow2 header extension', 8, { type: u32be(0), length: u32be(4) });
export const EXTENSION = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  dataFile: 0x44415441,
} as const;
/** type, bit, then the name. */
export const FEATURE_NAME_BYTES = 48;

export const Snapshot = struct('qcow2 snapshot', 40, {
  l1_table_offset: u64be(0),
  l1_size: u32be(8),
  id_str_size: u16be(12),
  name_size: u16be(14),
  extra_data_size: u32be(36),
});
/** In the extra data, behind the size of the VM's state. */
export const SNAPSHOT_DISK_SIZE = u64be(8);

export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 21;
/** Subclusters need clusters of 16 KiB. */
export const MIN_EXTENDED_CLUSTER_BITS = 14;
export const SUBCLUSTERS = 32;
/** QEMU: QCOW_MAX_L1_SIZE, 32 MiB. */
export const MAX_L1_ENTRIES = 4 * 1024 * 1024;
/** QEMU: QCOW_MAX_SNAPSHOTS, and 1 KiB of extra data for each. */
export const MAX_SNAPSHOTS = 65536;
export const MAX_SNAPSHOT_EXTRA = 1024;
/** The specification: at most 1023 bytes. */
export const MAX_NAME = 1023;
/** A header with its extensions and names; it lies in the first cluster, which may be larger. */
export const MAX_HEAD = 64 * 1024;
