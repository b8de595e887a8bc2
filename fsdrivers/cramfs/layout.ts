/** On-disk structures of cramfs, in either byte order. Names: Linux, include/uapi/linux/cramfs_fs.h, fs/cramfs/README. */
import { struct as declare, text, u16be, u16le, u32be, u32le } from '../../lib/bytes/struct';

export const MAGIC = 0x28cd3d45;
export const SIGNATURE = 'Compressed ROMFS';
/** At the start, or behind a boot sector. */
export const SUPERBLOCK_PLACES = [0, 512] as const;
export const SUPERBLOCK_SIZE = 76;
export const INODE_SIZE = 12;
/** Of the checksum in the superblock. */
export const CRC_AT = 32;
export const ROOT_AT = 64;

export function structures(big: boolean) {
  const u16 = big ? u16be : u16le;
  const u32 = big ? u32be : u32le;
  return {
    Super: declare('cramfs_super', SUPERBLOCK_SIZE, {
      magic: u32(0),
      size: u32(4),
      flags: u32(8),
      signature: text(16, 16),
      fsid_crc: u32(CRC_AT),
      fsid_edition: u32(36),
      fsid_blocks: u32(40),
      fsid_files: u32(44),
      name: text(48, 16),
    }),
    /** Fields of bits begin at the lowest bit in little-endian images, at the highest one in big-endian ones. */
    Inode: declare('cramfs_inode', INODE_SIZE, {
      mode: u16(0),
      /** `size` of 24 bits, `gid` of 8. */
      size_gid: u32(4),
      /** `namelen` of 6 bits, `offset` of 26; both count units of 4 bytes. */
      namelen_offset: u32(8),
    }),
  };
}
export type Structures = ReturnType<typeof structures>;

export const FLAG = {
  /** The superblock has a checksum and counts. */
  fsidVersion2: 0x1,
  sortedDirs: 0x2,
  holes: 0x100,
  wrongSignature: 0x200,
  shiftedRootOffset: 0x400,
  /** Block pointers have flags, and may point (Linux 4.15). */
  extBlockPointers: 0x800,
} as const;
/** What an older reader may pass over, and what is read here. */
export const KNOWN_FLAGS =
  0xff | FLAG.holes | FLAG.wrongSignature | FLAG.shiftedRootOffset | FLAG.extBlockPointers;

/** Of block pointers. */
export const BLOCK_STORED = 0x80000000;
export const BLOCK_DIRECT = 0x40000000;
export const POINTER_SHIFT = 2;

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;

/** Nothing says the size of blocks: it is that of the maker's pages. The usual one first. */
export const BLOCK_SIZES = [4096, 8192, 16384, 32768, 65536, 2048, 1024, 512] as const;
