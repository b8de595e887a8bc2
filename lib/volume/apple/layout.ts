/** Inside Macintosh: Devices, chapter 3, "SCSI Manager": whose names are used. Numbers are big-endian. */
import { bytes, struct, u16be, u32be } from '../../bytes/struct';

/** Block 0: the driver descriptor record. `ER`. */
export const SB_SIG = 0x4552;
export const Block0 = struct('Block0', 18, {
  sbSig: u16be(0),
  /** Bytes of a block: what the map counts in. */
  sbBlkSize: u16be(2),
});

/** A row of the map, one in each block from block 1 on. `PM`. */
export const PM_SIG = 0x504d;
export const PartitionEntry = struct('Partition', 136, {
  pmSig: u16be(0),
  /** Blocks of the map, the same in each row. */
  pmMapBlkCnt: u32be(4),
  pmPyPartStart: u32be(8),
  pmPartBlkCnt: u32be(12),
  pmPartName: bytes(16, 32),
  pmParType: bytes(48, 32),
});

/** The blocks that there are: of disks, of optical ones; parted knows these. */
export const BLOCK_SIZES: readonly number[] = [512, 1024, 2048, 4096];
