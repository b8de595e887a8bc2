/** Where on the host's disk a guest's environment block lies, if it may be written there at all. Untrusted side. */
import type { Saved } from '../boot/model';
import type { Context } from '../bytes/budget';
import { unsupported } from '../bytes/errors';
import { fileExtents } from '../fs/file';
import { CacheSource } from '../source/cache';
import { FileSource } from '../source/file';
import { type BlockSource, readBytes, SliceSource } from '../source/types';
import { BLOCK, SECTOR } from './plan';

/** `s_feature_incompat`, `s_feature_ro_compat`, `i_flags` of ext (Documentation/filesystems/ext4/super.rst, inodes.rst). */
const EXT = { recover: 0x4, journalDevice: 0x8, sharedBlocks: 0x4000, readOnly: 0x1000, verity: 0x10_0000 };
const EXT_MAGIC = 0xef53;
/** `sb_features_ro_compat` of XFS (fs/xfs/libxfs/xfs_format.h). */
const XFS_REFLINK = 0x4;

const md = () => require('../volume/md') as typeof import('../volume/md');

/** @throws GuestError why a filesystem's files are not written in place */
function mustBePlain({ file, fs, node }: Saved, volume: BlockSource, ctx: Context): void {
  switch (fs.grubName) {
    case 'ext2': {
      const b = readBytes(volume, 1024, 1024, ctx);
      if (b.readUInt16LE(0x38) !== EXT_MAGIC) throw unsupported('its superblock is not in its place');
      if (b.readUInt32LE(0x60) & (EXT.recover | EXT.journalDevice))
        throw unsupported(
          "the filesystem's journal has not been replayed: the guest was not shut down cleanly",
        );
      if (b.readUInt32LE(0x64) & (EXT.sharedBlocks | EXT.readOnly))
        throw unsupported('the filesystem is read-only, or its files share blocks');
      if (((node as { flags?: number }).flags ?? 0) & EXT.verity)
        throw unsupported('the file is sealed by fs-verity');
      return;
    }
    case 'fat':
      return;
    case 'xfs': {
      const b = readBytes(volume, 0, 512, ctx);
      // Blocks may belong to another file as well (cp --reflink): GRUB would change both.
      if ((b.readUInt16BE(100) & 0xf) === 5 && b.readUInt32BE(212) & XFS_REFLINK)
        throw unsupported('on an XFS with reflink, blocks may be shared with other files');
      return;
    }
    default:
      throw unsupported(`files of ${fs.type} are not written in place (${file.volume?.name ?? ''})`);
  }
}

/** A partition that mirrors another is written by whoever knows the array. */
function mustBeAlone(volume: BlockSource, disk: BlockSource, ctx: Context): void {
  for (const source of [volume, disk]) {
    const raid = md().superblocks(source, ctx, () => {})[0] ?? md().foreignRaid(source, ctx);
    if (raid !== undefined) throw unsupported('it lies on a member of a RAID array');
  }
}

/** The host's disk below a partition, and the byte of it. @throws GuestError where something lies between */
function onDisk(from: BlockSource, place: number): { disk: FileSource; volume: BlockSource; at: number } {
  let source = from;
  let at = place;
  while (source instanceof SliceSource) {
    at += source.start;
    source = source.parent;
  }
  const disk = source instanceof CacheSource ? source.parent : source;
  if (disk instanceof FileSource) return { disk, volume: from, at };
  throw unsupported(
    'it does not lie on the disk as it is: a journal, a volume manager, encryption, a disk image or a loopback file is between',
  );
}

/**
 * @returns the disk and the byte of the block on it, where it may be written in place
 * @throws GuestError why not
 */
export function placeOf(saved: Saved, ctx: Context): { disk: FileSource; at: number } {
  const { fs, node } = saved;
  if (node.size !== BLOCK) throw unsupported(`the file has ${node.size} bytes, not 1,024`);
  const [extent, ...more] = fileExtents(fs, node, ctx);
  if (more.length > 0 || extent?.kind !== 'data') throw unsupported('its bytes do not lie in one piece');
  const found = onDisk(extent.source, extent.at);
  mustBePlain(saved, found.volume, ctx);
  mustBeAlone(found.volume, found.disk, ctx);
  if (found.at % SECTOR !== 0) throw unsupported('it does not begin with a sector');
  return { disk: found.disk, at: found.at };
}
