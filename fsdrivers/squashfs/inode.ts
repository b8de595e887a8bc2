/** Inodes: basic and extended ones of all kinds → nodes. */
import { corrupt } from '../../lib/bytes/errors';
import type { FsNode } from '../../lib/fs/types';
import type { Place } from './disk';
import {
  BaseInode,
  DirInode,
  FileInode,
  LongDirInode,
  LongFileInode,
  NO_FRAGMENT,
  SymlinkInode,
  TYPE,
} from './layout';
import type { Volume } from './superblock';

interface Common extends FsNode {
  /** Where the inode stands. */
  readonly place: Place;
}

export interface DirectoryNode extends Common {
  readonly kind: 'directory';
  /** Where its listing begins, and how many bytes it has. */
  readonly listing: Place;
  readonly listed: number;
  /** Entries of its index, which follow the inode; 0 for most. */
  readonly indexes: number;
  /** The directory that it was found in. */
  readonly parent?: DirectoryNode;
}

export interface FileNode extends Common {
  readonly kind: 'file';
  /** Where the first data block stands. */
  readonly start: number;
  /** Its last bytes are in this fragment, at this offset; undefined: they have a block. */
  readonly fragment?: { readonly number: number; readonly offset: number };
  /** Bytes of the inode before its list of blocks. */
  readonly headSize: number;
}

export interface LinkNode extends Common {
  readonly kind: 'symlink';
}

export interface OtherNode extends Common {
  readonly kind: 'other';
}

export type SquashNode = DirectoryNode | FileNode | LinkNode | OtherNode;

/** Bytes of `.` and `..` in a directory's size. */
const DOTS = 3;

/**
 * @param parent the directory that names it
 * @throws GuestError `corrupt`
 */
export function readInode(volume: Volume, place: Place, parent?: DirectoryNode): SquashNode {
  const { disk } = volume;
  const base = BaseInode.read(disk.read(place, BaseInode.size));
  const common = { place, id: base.inode_number, mtime: base.mtime };
  switch (base.inode_type) {
    case TYPE.directory: {
      const i = DirInode.read(disk.read(place, DirInode.size));
      return directory(i.file_size, i.start_block, i.offset, 0);
    }
    case TYPE.directory + TYPE.extended: {
      const i = LongDirInode.read(disk.read(place, LongDirInode.size));
      return directory(i.file_size, i.start_block, i.offset, i.i_count);
    }
    case TYPE.file:
      return file(FileInode.read(disk.read(place, FileInode.size)), FileInode.size);
    case TYPE.file + TYPE.extended:
      return file(LongFileInode.read(disk.read(place, LongFileInode.size)), LongFileInode.size);
    case TYPE.symlink:
    case TYPE.symlink + TYPE.extended: {
      const { symlink_size } = SymlinkInode.read(disk.read(place, SymlinkInode.size));
      return { ...common, kind: 'symlink', size: symlink_size };
    }
    default: {
      const basic = base.inode_type > TYPE.extended ? base.inode_type - TYPE.extended : base.inode_type;
      if (basic < TYPE.otherFirst || basic > TYPE.otherLast)
        throw corrupt(`inode type ${base.inode_type}`, `inode ${base.inode_number}`);
      return { ...common, kind: 'other', size: 0 };
    }
  }

  function directory(size: number, block: number, offset: number, indexes: number): DirectoryNode {
    for (let above = parent; above; above = above.parent)
      if (above.place.block === place.block && above.place.offset === place.offset)
        throw corrupt('a directory that lies inside itself', `inode ${base.inode_number}`);
    return {
      ...common,
      kind: 'directory',
      size,
      listing: { block: volume.directoryTable + block, offset },
      listed: Math.max(0, size - DOTS),
      indexes,
      ...(parent ? { parent } : {}),
    };
  }

  function file(
    i: {
      readonly start_block: number;
      readonly file_size: number;
      readonly fragment: number;
      readonly offset: number;
    },
    headSize: number,
  ): FileNode {
    if (i.fragment !== NO_FRAGMENT) {
      if (i.fragment >= volume.fragments)
        throw corrupt(`fragment ${i.fragment} of ${volume.fragments}`, `inode ${base.inode_number}`);
      if (i.offset + (i.file_size % disk.blockSize) > disk.blockSize)
        throw corrupt(`offset ${i.offset} in a fragment`, `inode ${base.inode_number}`);
    }
    return {
      ...common,
      kind: 'file',
      size: i.file_size,
      start: i.start_block,
      headSize,
      ...(i.fragment === NO_FRAGMENT ? {} : { fragment: { number: i.fragment, offset: i.offset } }),
    };
  }
}
