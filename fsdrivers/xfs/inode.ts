/** Inodes of versions 1 to 3. */
import { corrupt } from '../../lib/bytes/errors';
import type { FsNode, NodeKind } from '../../lib/fs/types';
import { readBytes } from '../../lib/source/types';
import { DI_FLAG_REALTIME, DI_FLAG2, DINODE_CRC_AT, DInode, DInode3, FORMAT, INODE_MAGIC } from './layout';
import type { XfsVolume } from './volume';

export class XfsInode implements FsNode {
  constructor(
    readonly id: number,
    readonly kind: NodeKind,
    readonly size: number,
    readonly mtime: number,
    /** `FORMAT` of the data fork. */
    readonly format: number,
    /** Extents of the data fork, where its format is `extents`. */
    readonly extentCount: number,
    readonly isRealtime: boolean,
    readonly fork: Buffer,
  ) {}
}

const KINDS: Readonly<Record<number, NodeKind>> = { 4: 'directory', 8: 'file', 10: 'symlink' };
/** 2^31 seconds: where big time stamps begin. */
const BIGTIME_EPOCH = 2 ** 31;

/** @throws GuestError `corrupt` */
export function readInode(volume: XfsVolume, number: number): XfsInode {
  const at = volume.inodeAt(number);
  if (at === undefined) throw corrupt(`inode ${number} lies beyond the filesystem`);
  const { inodeSize, v5 } = volume.geometry;
  const bytes = readBytes(volume.metadata, at, inodeSize, volume.ctx);
  const i = DInode.read(bytes);
  if (i.di_magic !== INODE_MAGIC)
    throw corrupt(`inode magic 0x${i.di_magic.toString(16)}`, `inode ${number}`);
  if (i.di_version < 1 || i.di_version > 3 || (i.di_version === 3) !== v5)
    throw corrupt(`inode version ${i.di_version}`, `inode ${number}`);
  // No links and no mode: what a freed inode looks like.
  if (i.di_mode === 0) throw corrupt('a freed inode', `inode ${number}`);
  const flags2 = v5 ? DInode3.read(bytes).di_flags2 : 0n;
  if (v5) {
    volume.check(bytes, DINODE_CRC_AT, `inode ${number}`, [[at, inodeSize]]);
    const own = DInode3.read(bytes).di_ino;
    if (own !== number) throw corrupt(`the inode says it is ${own}`, `inode ${number}`);
  }
  const head = v5 ? DInode3.size : DInode.size;
  const end = i.di_forkoff === 0 ? inodeSize : head + i.di_forkoff * 8;
  if (end > inodeSize) throw corrupt(`attribute fork at ${end} of ${inodeSize} bytes`, `inode ${number}`);
  if (i.di_size > Number.MAX_SAFE_INTEGER) throw corrupt(`size ${i.di_size}`, `inode ${number}`);
  const count = flags2 & DI_FLAG2.nrext64 ? Number(i.di_big_nextents & 0xffffffffffffn) : i.di_nextents;
  const kind = KINDS[i.di_mode >> 12] ?? 'other';
  const fork = bytes.subarray(head, end);
  if (i.di_format === FORMAT.local && kind !== 'other' && i.di_size > fork.length)
    throw corrupt(`${i.di_size} bytes in a fork of ${fork.length}`, `inode ${number}`);
  if (i.di_format === FORMAT.extents && count * 16 > fork.length)
    throw corrupt(`${count} extents in a fork of ${fork.length} bytes`, `inode ${number}`);
  return new XfsInode(
    number,
    kind,
    i.di_size,
    flags2 & DI_FLAG2.bigtime ? Number(i.di_mtime / 1_000_000_000n) - BIGTIME_EPOCH : i.di_mtime_sec,
    i.di_format,
    count,
    (i.di_flags & DI_FLAG_REALTIME) !== 0,
    fork,
  );
}
