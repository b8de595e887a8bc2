/** Superblocks of Linux' md. Names: include/uapi/linux/raid/md_p.h. */
import { bytes, i32le, struct, text, u8, u32le, u64le } from '../../bytes/struct';

export const MAGIC = 0xa92b4efc;
/** Bytes of the superblock of version 0.90, and the alignment of its place. */
export const SIZE_0 = 4096;
export const ALIGN_0 = 65536;
/** Descriptors in it. */
export const DISKS_0 = 27;
/** Bytes of one of version 1 before the roles, and with the most of them that there is room for. */
export const HEAD_1 = 256;
export const ROOM_1 = 4096;

/** Words in the byte order of the machine that made it. */
export const Word0 = {
  magic: 0,
  major: 1,
  minor: 2,
  uuid0: 5,
  level: 7,
  /** KiB of each member. */
  size: 8,
  raid_disks: 10,
  md_minor: 11,
  uuid1: 13,
  uuid2: 14,
  uuid3: 15,
  sb_csum: 38,
  /** The low half first, on a little-endian machine. */
  events: 39,
  layout: 64,
  /** Bytes. */
  chunk: 65,
  disks: 128,
  this_disk: 992,
} as const;
/** Words of a descriptor: number, major, minor, raid_disk, state. */
export const WORDS_OF_DISK = 32;
/** Bits of `state`. */
export const State0 = { faulty: 1, active: 2, sync: 4, removed: 8 } as const;

/** Version 1: always little-endian; sectors of 512 bytes. */
export const Superblock1 = struct('mdp_superblock_1', HEAD_1, {
  magic: u32le(0),
  major_version: u32le(4),
  feature_map: u32le(8),
  set_uuid: bytes(16, 16),
  set_name: text(32, 32),
  level: i32le(72),
  layout: u32le(76),
  size: u64le(80),
  /** Sectors. */
  chunksize: u32le(88),
  raid_disks: u32le(92),
  data_offset: u64le(128),
  data_size: u64le(136),
  super_offset: u64le(144),
  recovery_offset: bytes(152, 8),
  dev_number: u32le(160),
  devflags: u8(184),
  events: u64le(200),
  sb_csum: u32le(216),
  max_dev: u32le(220),
});

export const Feature1 = {
  recoveryOffset: 2,
  reshape: 4,
  replacement: 16,
  journal: 512,
  raid0Layout: 4096,
} as const;

export const LINEAR = -1;
/** Roles that are none. */
export const ROLE_FAULTY = 0xfffe;
export const ROLE_JOURNAL = 0xfffd;
