/** Inodes → nodes. */
import { corrupt, unsupported, within } from '../../lib/bytes/errors';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import type { Metadata } from './disk';
import {
  CHUNK,
  CompactInode,
  ExtendedInode,
  FORMAT_ALL,
  FORMAT_EXTENDED,
  FORMAT_NLINK_1,
  INODE_SLOT_BITS,
  LAYOUT,
  MODE,
  NID_METABOX,
  xattrSize,
} from './layout';
import type { Volume } from './superblock';

export interface ErofsNode extends FsNode {
  readonly layout: number;
  /** Where its metadata stands, and the byte in there behind inode and attributes: tail, chunk list or indexes. */
  readonly metadata: Metadata;
  readonly inBox: boolean;
  readonly behind: number;
  /** First block of flat data; undefined: it has none. */
  readonly block?: number;
  /** Of chunk-based ones. */
  readonly chunkFormat: number;
  /** The directory that it was found in. */
  readonly parent?: ErofsNode;
}

/**
 * @param parent the directory that names it
 * @throws GuestError `corrupt`, `unsupported`
 */
export function readInode(volume: Volume, nid: bigint, parent?: ErofsNode): ErofsNode {
  const inBox = (nid & NID_METABOX) !== 0n;
  const number = Number(nid & (NID_METABOX - 1n));
  const id = inBox ? `metabox ${number}` : number;
  return within(`inode ${id}`, () => {
    if (number > 2 ** (52 - INODE_SLOT_BITS)) throw corrupt('its number lies beyond every disk');
    const metadata = inBox ? volume.metabox() : volume.disk;
    const at = (inBox ? 0 : volume.inodesAt) + number * 2 ** INODE_SLOT_BITS;
    const head = metadata.read(at, CompactInode.size);
    const format = head.readUInt16LE(0);
    const layout = (format >> 1) & 7;
    if (format & ~FORMAT_ALL) throw unsupported(`erofs inode format 0x${format.toString(16)}`);
    if (layout > LAYOUT.chunks) throw unsupported(`erofs data layout ${layout}`);
    const extended = (format & FORMAT_EXTENDED) !== 0;
    const i = extended ? ExtendedInode.read(metadata.read(at, ExtendedInode.size)) : CompactInode.read(head);
    const kind = kindOf(i.i_mode);
    if (kind === undefined) throw corrupt(`mode 0${i.i_mode.toString(8)}`);
    // High bits of an address where the field is not the number of links.
    const wide = extended || (kind !== 'directory' && (format & FORMAT_NLINK_1) !== 0);
    const high = wide ? i.i_nb : 0;
    const none = i.i_u === 0xffffffff && (high === 0xffff || !wide);
    const size = kind === 'other' ? 0 : i.i_size;
    const mtime =
      typeof i.i_mtime === 'number' ? volume.epoch + i.i_mtime : Number(i.i_mtime.readBigInt64LE(0));
    if (layout === LAYOUT.chunks && kind !== 'other' && (i.i_u & 0xffff & ~CHUNK.all) !== 0)
      throw unsupported(`erofs chunk format 0x${(i.i_u & 0xffff).toString(16)}`);
    for (let above = parent; above && kind === 'directory'; above = above.parent) {
      volume.disk.ctx.budget.step();
      if (above.id === id) throw corrupt('a directory that lies inside itself');
    }
    return {
      kind,
      size,
      id,
      mtime,
      layout,
      metadata,
      inBox,
      behind: at + (extended ? ExtendedInode.size : CompactInode.size) + xattrSize(i.i_xattr_icount),
      chunkFormat: i.i_u & 0xffff,
      ...(layout === LAYOUT.plain && none ? {} : { block: i.i_u + high * 2 ** 32 }),
      ...(parent ? { parent } : {}),
    };
  });
}

function kindOf(mode: number): NodeKind | undefined {
  switch (mode & MODE.mask) {
    case MODE.file:
      return 'file';
    case MODE.directory:
      return 'directory';
    case MODE.symlink:
      return 'symlink';
    // FIFO, character and block device, socket.
    case 0x1000:
    case 0x2000:
    case 0x6000:
    case 0xc000:
      return 'other';
    default:
      return undefined;
  }
}
