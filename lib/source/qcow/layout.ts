/** qcow images (version 1): block/qcow.c of QEMU says the layout. Numbers are big-endian. */
import { struct, u8, u32be, u64be } from '../../bytes/struct';

/** `QFI\xfb`; qcow2 has it too, with version 2 or 3. */
export const MAGIC = 0x514649fb;

export const Header = struct('qcow header', 48, {
  magic: u32be(0),
  version: u32be(4),
  backing_file_offset: u64be(8),
  backing_file_size: u32be(16),
  size: u64be(24),
  cluster_bits: u8(32),
  l2_bits: u8(33),
  crypt_method: u32be(36),
  l1_table_offset: u64be(40),
});

export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 16;
/** L2 tables of 512 bytes to 64 KiB. */
export const MIN_L2_BITS = 6;
export const MAX_L2_BITS = 13;
export const MAX_NAME = 1023;
