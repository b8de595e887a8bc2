/** The md superblock of a volume, of any version, as one shape. */
import type { Context } from '../../bytes/budget';
import { corrupt } from '../../bytes/errors';
import type { ByteString } from '../../bytes/text';
import { type BlockSource, readBytes } from '../../source/types';
import {
  ALIGN_0,
  DISKS_0,
  Feature1,
  HEAD_1,
  MAGIC,
  ROLE_JOURNAL,
  ROOM_1,
  SIZE_0,
  State0,
  Superblock1,
  WORDS_OF_DISK,
  Word0,
} from './layout';

export interface Superblock {
  /** `0.90`, `1.2` … */
  readonly version: string;
  /** 32 hexadecimal digits, as mdadm shows them without its colons. */
  readonly uuid: string;
  /** 1: the array's name (`host:name`, `0`); 0.90: `md` and its minor number. */
  readonly name: ByteString;
  readonly level: number;
  readonly layout: number;
  /** RAID 0: `layout` means something. */
  readonly zoneLayout: boolean;
  /** Bytes; 0: none. */
  readonly chunk: number;
  readonly members: number;
  /** Bytes that are used of each member; 0: each its own. */
  readonly used: number;
  /** Bytes. */
  readonly dataOffset: number;
  readonly dataSize: number;
  readonly events: number;
  /** This member's number among all that there were, of which `roles` speaks. */
  readonly number: number;
  /** Place in the array by number; undefined: a spare, faulty, a journal. */
  role(number: number): number | undefined;
  /** Its data are not complete: it is being rebuilt, or it replaces another. */
  readonly incomplete: boolean;
  readonly reshaped: boolean;
  readonly journal: boolean;
  /** Bytes of the superblock. */
  readonly at: number;
}

const sum = (b: Buffer, length: number, read: (at: number) => number): number => {
  let total = 0;
  for (let at = 0; at + 4 <= length; at += 4) total += read(at);
  if (length % 4 !== 0) total += b.readUInt16LE(length - 2);
  // The carries are added in, once.
  return ((total % 0x1_0000_0000) + Math.floor(total / 0x1_0000_0000)) % 0x1_0000_0000;
};

/** Where a superblock of each version is on a volume of this size; 1.1 and 1.2 first: they are at its beginning. */
function places(size: number): [string, number][] {
  const end = Math.floor(size / 512);
  const found: [string, number][] = [
    ['1.1', 0],
    ['1.2', 4096],
    ['1.0', (end - 16 - ((end - 16) % 8)) * 512],
    ['0.90', Math.floor(size / ALIGN_0) * ALIGN_0 - ALIGN_0],
  ];
  return found.filter(([version, at]) => at >= 0 && at + (version === '0.90' ? SIZE_0 : 512) <= size);
}

/**
 * The superblocks of a volume; there can be several, when an older one was not wiped. The newest version of the format first.
 * Damage is told through `warn`.
 */
export function superblocks(source: BlockSource, ctx: Context, warn: (text: string) => void): Superblock[] {
  const found: Superblock[] = [];
  for (const [version, at] of places(source.size)) {
    const magic = readBytes(source, at, 4, ctx);
    if (magic.readUInt32LE(0) !== MAGIC && (version !== '0.90' || magic.readUInt32BE(0) !== MAGIC)) continue;
    try {
      found.push(
        version === '0.90' ? readOld(source, at, ctx, warn) : readNew(source, version, at, ctx, warn),
      );
    } catch (error) {
      if ((error as { code?: string }).code !== 'corrupt') throw error;
      warn(`md superblock ${version}: ${(error as Error).message}`);
    }
  }
  return found;
}

const hex = (...words: number[]) => words.map((w) => w.toString(16).padStart(8, '0')).join('');

function readOld(source: BlockSource, at: number, ctx: Context, warn: (text: string) => void): Superblock {
  const b = readBytes(source, at, SIZE_0, ctx);
  const little = b.readUInt32LE(0) === MAGIC;
  const word = (i: number) => (little ? b.readUInt32LE(i * 4) : b.readUInt32BE(i * 4));
  if (word(Word0.major) !== 0 || word(Word0.minor) < 90 || word(Word0.minor) > 91)
    throw corrupt(`version ${word(Word0.major)}.${word(Word0.minor)}`);
  const stored = word(Word0.sb_csum);
  b.writeUInt32LE(0, Word0.sb_csum * 4);
  const own = sum(b, SIZE_0, (i) => word(i / 4));
  if (own !== stored) warn(`md superblock 0.90 with a wrong checksum, used as it stands`);
  const [low, high] = little ? [Word0.events, Word0.events + 1] : [Word0.events + 1, Word0.events];
  const members = word(Word0.raid_disks);
  if (members < 1 || members > DISKS_0) throw corrupt(`${members} members, maximum ${DISKS_0}`);
  const number = word(Word0.this_disk);
  const role = (n: number) => {
    if (n >= DISKS_0) return undefined;
    const base = Word0.disks + n * WORDS_OF_DISK;
    const raidDisk = word(base + 3);
    const state = word(base + 4);
    return (state & State0.faulty) === 0 && (state & State0.sync) !== 0 && raidDisk < members
      ? raidDisk
      : undefined;
  };
  const level = word(Word0.level) | 0;
  const used = word(Word0.size) * 1024;
  return {
    version: '0.90',
    uuid: hex(word(Word0.uuid0), word(Word0.uuid1), word(Word0.uuid2), word(Word0.uuid3)),
    name: `md${word(Word0.md_minor)}`,
    level,
    layout: word(Word0.layout),
    zoneLayout: false,
    chunk: level === 1 ? 0 : word(Word0.chunk),
    members,
    // Each member of these has its own length.
    used: level <= 0 ? 0 : used,
    dataOffset: 0,
    dataSize: at,
    events: word(low) + (word(high) & 0x1fffff) * 0x1_0000_0000,
    number,
    role,
    incomplete: false,
    reshaped: word(Word0.minor) === 91,
    journal: false,
    at,
  };
}

function readNew(
  source: BlockSource,
  version: string,
  at: number,
  ctx: Context,
  warn: (text: string) => void,
): Superblock {
  const b = readBytes(source, at, Math.min(ROOM_1, source.size - at), ctx);
  const s = Superblock1.read(b);
  if (s.major_version !== 1) throw corrupt(`version ${s.major_version}`);
  if (s.super_offset * 512 !== at) throw corrupt(`superblock at ${at} says it is at ${s.super_offset * 512}`);
  const length = HEAD_1 + 2 * s.max_dev;
  if (length > b.length) throw corrupt(`${s.max_dev} roles, maximum ${(b.length - HEAD_1) / 2}`);
  const plain = Buffer.from(b.subarray(0, length));
  plain.writeUInt32LE(0, 216);
  if (sum(plain, length, (i) => plain.readUInt32LE(i)) !== s.sb_csum)
    warn(`md superblock ${version} with a wrong checksum, used as it stands`);
  if (s.raid_disks < 1 || s.raid_disks > (ROOM_1 - HEAD_1) / 2) throw corrupt(`${s.raid_disks} members`);
  const dataOffset = s.data_offset * 512;
  if (dataOffset >= source.size) throw corrupt(`data at byte ${dataOffset} of ${source.size}`);
  const dataSize = Math.min(s.data_size * 512, source.size - dataOffset);
  if (s.data_size * 512 > dataSize)
    warn(`md: ${s.data_size * 512} bytes of data at ${dataOffset} end beyond the volume`);
  const used = s.level <= 0 ? 0 : s.size * 512;
  const rebuilt = (s.feature_map & Feature1.recoveryOffset) !== 0;
  const recovered = rebuilt
    ? s.recovery_offset.readUInt32LE(4) * 0x1_0000_0000 + s.recovery_offset.readUInt32LE(0)
    : 0;
  return {
    version,
    uuid: s.set_uuid.toString('hex'),
    name: s.set_name,
    level: s.level,
    layout: s.layout,
    zoneLayout: (s.feature_map & Feature1.raid0Layout) !== 0,
    chunk: s.chunksize * 512,
    members: s.raid_disks,
    used,
    dataOffset,
    dataSize,
    events: s.events,
    number: s.dev_number,
    role: (n) => {
      if (n >= s.max_dev) return undefined;
      const role = b.readUInt16LE(HEAD_1 + 2 * n);
      return role < s.raid_disks && role < ROLE_JOURNAL ? role : undefined;
    },
    incomplete:
      (rebuilt && recovered * 512 < (used || dataSize)) || (s.feature_map & Feature1.replacement) !== 0,
    reshaped: (s.feature_map & Feature1.reshape) !== 0,
    journal:
      (s.feature_map & Feature1.journal) !== 0 ||
      b.readUInt16LE(HEAD_1 + 2 * Math.min(s.dev_number, s.max_dev - 1)) === ROLE_JOURNAL,
    at,
  };
}
