/**
 * On-disk structures of ZFS, with the names of Sun's "ZFS On-Disk Specification" and of OpenZFS' headers (vdev_impl.h,
 * uberblock_impl.h, spa.h, dnode.h, dsl_dir.h, dsl_dataset.h, zap_impl.h, zap_leaf.h, sa_impl.h, zfs_znode.h). Everything is
 * in the byte order of the machine that wrote the block; the pointer to a block says which.
 */
import {
  type Field,
  safe,
  struct,
  u8,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u64le,
} from '../../lib/bytes/struct';

/** Bytes of a block, and the order in which its writer keeps numbers. */
export interface Block {
  readonly bytes: Buffer;
  readonly big: boolean;
}

export const SECTOR = 512;
/** SPA_MAXBLOCKSIZE. */
export const BLOCK_MOST = 16 * 1024 * 1024;

export const LABEL_SIZE = 256 * 1024;
/** What every member has before its data: two labels, and room for a boot program. */
export const DATA_START = 4 * 1024 * 1024;
/** In a label. */
export const NVLIST_AT = 16 * 1024;
export const NVLIST_SIZE = 112 * 1024;
export const UBERBLOCKS_AT = 128 * 1024;
export const UBERBLOCKS_SIZE = 128 * 1024;
/** Slots of the ring are as large as sectors, within these (log2). */
export const SLOT_SHIFT = { least: 10, most: 13 } as const;
export const UBERBLOCK_MAGIC = 0x00bab10c;
export const POOL_STATE = { destroyed: 2, spare: 3, l2cache: 4 } as const;

/** `zio_eck_t`: a checksum in the last 40 bytes of what it is of. */
export const ECK_SIZE = 40;
export const ECK_MAGIC = { high: 0x0210da7a, low: 0xb10c7a11 } as const;

/** Versions of pools: numbers to 28, then 5000 and features by name. */
export const VERSION_LAST = 28;
export const VERSION_FEATURES = 5000;
/** Features that change how a pool is read, and that are read here. */
export const FEATURES: ReadonlySet<string> = new Set([
  'org.illumos:lz4_compress',
  'org.freebsd:zstd_compress',
  'com.delphix:hole_birth',
  'com.delphix:extensible_dataset',
  'com.delphix:embedded_data',
  'com.delphix:device_removal',
  'com.delphix:head_errlog',
  'com.delphix:bookmark_v2',
  'com.delphix:redaction_bookmarks',
  'com.delphix:redacted_datasets',
  'com.delphix:redaction_list_spill',
  'com.klarasystems:vdev_zaps_v2',
  'com.klarasystems:large_microzap',
  'com.joyent:multi_vdev_crash_dump',
  'org.open-zfs:large_blocks',
  'org.zfsonlinux:large_dnode',
  'com.datto:bookmark_v2',
  'com.datto:encryption',
  'org.illumos:sha512',
  'org.illumos:skein',
  'org.illumos:edonr',
  'org.openzfs:blake3',
]);

/** Numbers of one byte order. */
const orders = (big: boolean) =>
  big ? { u16: u16be, u32: u32be, u64: u64be } : { u16: u16le, u32: u32le, u64: u64le };

/** Made when a pool is opened: most never meet one. */
export function structures(big: boolean) {
  const { u16, u32, u64 } = orders(big);
  return {
    Uberblock: struct('uberblock', 168, {
      ub_version: u64(8),
      ub_txg: u64(16),
      ub_timestamp: u64(32),
    }),
    Dnode: struct('dnode_phys', 512, {
      dn_type: u8(0),
      dn_indblkshift: u8(1),
      dn_nlevels: u8(2),
      dn_nblkptr: u8(3),
      dn_bonustype: u8(4),
      dn_flags: u8(7),
      dn_datablkszsec: u16(8),
      dn_bonuslen: u16(10),
      dn_extra_slots: u8(12),
      dn_maxblkid: u64(16),
    }),
    DslDir: struct('dsl_dir_phys', 256, {
      dd_head_dataset_obj: u64(8),
      dd_parent_obj: u64(16),
      dd_child_dir_zapobj: u64(32),
    }),
    DslDataset: struct('dsl_dataset_phys', 320, {
      ds_dir_obj: u64(0),
      ds_snapnames_zapobj: u64(32),
      /** ds_bp follows at 128. */
      ds_flags: u64(120),
    }),
    ZapHeader: struct('zap_phys', 104, {
      zap_ptrtbl_blk: u64(16),
      zap_ptrtbl_numblks: u64(24),
      zap_ptrtbl_shift: u64(32),
      zap_normflags: u64(88),
      zap_flags: u64(96),
    }),
    ZapLeaf: struct('zap_leaf_phys', 48, {
      lh_magic: u32(24),
      lh_prefix_len: u16(32),
    }),
    ZapEntry: struct('zap_leaf_entry', 24, {
      le_type: u8(0),
      le_value_intlen: u8(1),
      le_next: u16(2),
      le_name_chunk: u16(4),
      le_name_numints: u16(6),
      le_value_chunk: u16(8),
      le_value_numints: u16(10),
    }),
    Znode: struct('znode_phys', 264, {
      zp_mtime: u64(16),
      zp_mode: u64(72),
      zp_size: u64(80),
    }),
    SaHeader: struct('sa_hdr_phys', 8, {
      sa_magic: u32(0),
      sa_layout_info: u16(4),
    }),
    Mapping: struct('vdev_indirect_mapping_phys', 24, {
      vimp_num_entries: u64(16),
    }),
    u16: u16(0) as Field<number>,
    u32: u32(0) as Field<number>,
    u64: u64(0) as Field<number>,
  };
}
export type Structures = ReturnType<typeof structures>;

/** The upper and lower half of the 64-bit number at `at`. */
export const high = ({ bytes, big }: Block, at: number): number =>
  big ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at + 4);
export const low = ({ bytes, big }: Block, at: number): number =>
  big ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at);
/** @throws GuestError `corrupt` above 2^53-1 */
export const number = (block: Block, at: number): number => safe(high(block, at), low(block, at));

export const BLKPTR_SIZE = 128;
export const DNODE_SIZE = 512;
/** Where a dnode's block pointers begin. */
export const DNODE_CORE = 64;
export const DNODE_SPILL = 4;
/** `dn_indblkshift`. */
export const INDIRECT_SHIFT = { least: 10, most: 17 } as const;
export const LEVELS_MOST = 8;

/** `dmu_object_type`. */
export const OT = {
  packedNvlist: 3,
  dslDir: 12,
  dslDataset: 16,
  znode: 17,
  sa: 44,
  /** DMU_OT_NEWTYPE: what it is stands in the bits. */
  newType: 0x80,
} as const;
/** `dmu_objset_type`, and its place in `objset_phys`. */
export const OS_TYPE = { meta: 1, zfs: 2, zvol: 3 } as const;
export const OS_TYPE_AT = 704;
export const OBJSET_LEAST = 1024;

export const MOS_DIRECTORY = 1;
export const MASTER_NODE = 1;
export const DATASET_BP = 128;

export const CHECKSUM = {
  off: 2,
  label: 3,
  gangHeader: 4,
  fletcher2: 6,
  fletcher4: 7,
  sha256: 8,
  noParity: 10,
  sha512: 11,
  skein: 12,
  edonr: 13,
  blake3: 14,
} as const;
export const COMPRESS = {
  off: 2,
  lzjb: 3,
  empty: 4,
  gzip1: 5,
  gzip9: 13,
  zle: 14,
  lz4: 15,
  zstd: 16,
} as const;

/** The first word of a ZAP's blocks, but for its highest bit. */
export const ZBT = { leaf: 0, header: 1, micro: 3 } as const;
export const ZAP_MAGIC = { high: 0x2, low: 0xf52ab2ab } as const;
export const LEAF_MAGIC = 0x2ab1eaf;
export const MICRO_HEADER = 64;
export const MICRO_ENTRY = 64;
export const MICRO_NAME_AT = 14;
export const ZAP_CHUNK = 24;
export const CHUNK = { array: 251, entry: 252, end: 0xffff } as const;
export const CHUNK_BYTES = 21;
/** Names are compared by all of their 64-bit hash, not 28 bits of it; keys are numbers. */
export const ZAP_FLAG = { hash64: 1, uint64Key: 2 } as const;
/** `zap_normflags` (u8_textprep.h): names that differ in case are one, and those that differ in Unicode's forms. */
export const NORM = { upper: 2, any: 0x70, compatible: 0x20 } as const;
/** The largest ZAP value that is wanted here: SA's registry and layouts. */
export const VALUE_MOST = 4096;

export const SA_MAGIC = 0x2f505a;
