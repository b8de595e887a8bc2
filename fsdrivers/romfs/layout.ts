/** On-disk structures of romfs. Names: Linux, include/uapi/linux/romfs_fs.h, Documentation/filesystems/romfs.rst. */
import { struct, text, u32be } from '../../lib/bytes/struct';

export const MAGIC = '-rom1fs-';
/** The volume's name follows, up to a multiple of 16 bytes. */
export const SuperBlock = struct('romfs_super_block', 16, {
  magic: text(0, 8),
  size: u32be(8),
  checksum: u32be(12),
});
/** A file's name follows, up to a multiple of 16 bytes; then its data. */
export const Inode = struct('romfs_inode', 16, {
  /** Place of the next one, and `TYPE` in the lower bits. */
  next: u32be(0),
  spec: u32be(4),
  size: u32be(8),
  checksum: u32be(12),
});

export const ALIGN = 16;
/** The superblock's checksum goes over this much, or over all where there is less. */
export const SUMMED = 512;
export const TYPE_MASK = 7;
/** Above it stands whether a file can be executed. */
export const NEXT_MASK = 0xfffffff0;
export const TYPE = {
  hardLink: 0,
  directory: 1,
  file: 2,
  link: 3,
  block: 4,
  character: 5,
  socket: 6,
  fifo: 7,
} as const;
/** Hard links to hard links; genromfs makes none. */
export const HARD_LINKS_MOST = 8;
