/** Superblock and its mirrors → values that have been checked. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  CSUM_SIZE,
  INCOMPAT_METADATA_UUID,
  INCOMPAT_NAMES,
  INCOMPAT_RAID_STRIPE_TREE,
  INCOMPAT_READ,
  MAGIC,
  MAGIC_AT,
  MAX_LEVEL,
  NODE_SIZE,
  SECTOR_SIZE,
  SUPER_FLAG_CHANGING_FSID,
  SUPER_FLAG_METADUMP,
  SUPER_FLAG_SEEDING,
  SUPER_PLACES,
  SUPER_SIZE,
  Superblock,
} from './layout';
import { type Sums, sumsOf } from './sums';

/** Where a tree begins. */
export interface TreeRoot {
  readonly logical: number;
  readonly level: number;
  readonly generation: number;
}

export interface Super {
  /** As blkid prints it. */
  readonly uuid: string;
  readonly label: ByteString;
  readonly fsid: string;
  /** What tree blocks carry: another one after `btrfstune -m`. */
  readonly metadataUuid: string;
  readonly generation: number;
  readonly devices: number;
  readonly devid: number;
  readonly deviceUuid: string;
  readonly seeding: boolean;
  readonly nodeSize: number;
  readonly sectorSize: number;
  readonly totalBytes: number;
  readonly sums: Sums;
  readonly root: TreeRoot;
  readonly chunkRoot: TreeRoot;
  /** Undefined: no log. */
  readonly logRoot: TreeRoot | undefined;
  readonly systemChunks: Buffer;
  readonly stripeTree: boolean;
}

interface Found {
  readonly bytes: Buffer;
  readonly at: number;
  readonly sound: boolean;
}

function superAt(source: BlockSource, at: number, ctx: Context): Found | undefined {
  if (at + SUPER_SIZE > source.size) return undefined;
  const bytes = readBytes(source, at, SUPER_SIZE, ctx);
  if (bytes.toString('latin1', MAGIC_AT, MAGIC_AT + MAGIC.length) !== MAGIC) return undefined;
  const kind = Superblock.fields.csum_type.read(bytes, 0);
  // What has no checksum that we know cannot be called wrong.
  const sound =
    (kind > 3 || sumsOf(kind).match(bytes.subarray(CSUM_SIZE), bytes, 0)) &&
    Superblock.fields.bytenr.read(bytes, 0) === at;
  return { bytes, at, sound };
}

const fsidOf = (bytes: Buffer): string => Superblock.fields.fsid.read(bytes, 0).toString('hex');
const generationOf = (bytes: Buffer): number => Number(bytes.readBigUInt64LE(72));

/**
 * The bytes of the newest superblock that is sound; the first one, with a warning, when none is. Without a magic number
 * in the first place it is no btrfs: mirrors outlive a filesystem.
 */
export function superblockBytes(source: BlockSource, ctx: Context, quiet = false): Buffer | undefined {
  const first = superAt(source, SUPER_PLACES[0], ctx);
  if (!first) return undefined;
  let best = first;
  for (const at of SUPER_PLACES.slice(1)) {
    const mirror = superAt(source, at, ctx);
    if (!mirror?.sound) continue;
    if (
      best.sound
        ? fsidOf(mirror.bytes) === fsidOf(best.bytes) && generationOf(mirror.bytes) > generationOf(best.bytes)
        : true
    )
      best = mirror;
  }
  if (quiet) return best.bytes;
  if (!best.sound) ctx.warn(`btrfs superblock at ${best.at}: wrong checksum, and there is no sound mirror`);
  else if (best !== first)
    ctx.warn(
      first.sound
        ? `btrfs superblock at ${first.at} is older than its mirror at ${best.at}, which is used`
        : `btrfs superblock at ${first.at}: wrong checksum, its mirror at ${best.at} is used`,
    );
  return best.bytes;
}

export function uuidText(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readSuper(bytes: Buffer): Super {
  const s = Superblock.read(bytes);
  refuse(s.incompat_flags, s.flags);
  const sums = sumsOf(s.csum_type);
  size('node size', s.nodesize, NODE_SIZE);
  size('sector size', s.sectorsize, SECTOR_SIZE);
  if (s.nodesize < s.sectorsize)
    throw corrupt(`node size ${s.nodesize} is less than the sector size ${s.sectorsize}`);
  if (s.sys_chunk_array_size > 2048) throw corrupt(`system chunk array of ${s.sys_chunk_array_size} bytes`);
  const root = (what: string, logical: number, level: number, generation: number): TreeRoot => {
    if (level >= MAX_LEVEL) throw corrupt(`${what} of level ${level}`);
    if (logical % s.sectorsize !== 0)
      throw corrupt(`${what} at ${logical}, not a multiple of ${s.sectorsize}`);
    return { logical, level, generation };
  };
  const fsid = s.fsid.toString('hex');
  return {
    uuid: uuidText(fsid),
    label: s.label,
    fsid,
    metadataUuid: s.incompat_flags & INCOMPAT_METADATA_UUID ? s.metadata_uuid.toString('hex') : fsid,
    generation: s.generation,
    devices: s.num_devices,
    devid: s.dev_item_devid,
    deviceUuid: s.dev_item_uuid.toString('hex'),
    seeding: (s.flags & SUPER_FLAG_SEEDING) !== 0n,
    nodeSize: s.nodesize,
    sectorSize: s.sectorsize,
    totalBytes: s.total_bytes,
    sums,
    root: root('root tree', s.root, s.root_level, s.generation),
    chunkRoot: root('chunk tree', s.chunk_root, s.chunk_root_level, s.chunk_root_generation),
    logRoot: s.log_root === 0 ? undefined : root('log root', s.log_root, s.log_root_level, s.generation + 1),
    systemChunks: s.sys_chunk_array.subarray(0, s.sys_chunk_array_size),
    stripeTree: (s.incompat_flags & INCOMPAT_RAID_STRIPE_TREE) !== 0n,
  };
}

function refuse(incompat: bigint, flags: bigint): void {
  const unknown = incompat & ~INCOMPAT_READ;
  if (unknown) {
    const names: string[] = [];
    for (let bit = 0; bit < 64; bit++)
      if (unknown & (1n << BigInt(bit))) names.push(INCOMPAT_NAMES[bit] ?? `incompat bit ${bit}`);
    throw unsupported(`btrfs feature ${names.join(', ')}`);
  }
  if (flags & SUPER_FLAG_METADUMP)
    throw unsupported('a dump of metadata (btrfs-image), which holds no file data');
  if (flags & SUPER_FLAG_CHANGING_FSID)
    throw unsupported('a change of the UUID that was not finished (btrfstune)');
  const others = flags >> 37n;
  if (others) throw unsupported(`superblock flags 0x${(others << 37n).toString(16)}`);
}

function size(what: string, value: number, { least, most }: { least: number; most: number }): void {
  if (value < least || value > most || (value & (value - 1)) !== 0) throw corrupt(`${what} ${value}`);
}
