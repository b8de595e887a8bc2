/** Superblock → a geometry whose values have been checked; the secondary one where the primary is damaged. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError, unsupported } from '../../lib/bytes/errors';
import type { ByteString } from '../../lib/bytes/text';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { FLAG, MAGIC, type Pxd, SUPER1_OFF, SUPER2_OFF, SuperBlock, VERSION_MOST } from './layout';

export interface Geometry {
  readonly blockSize: number;
  /** Blocks of the aggregate that files and metadata live in; the log and fsck's space lie behind. */
  readonly blocks: number;
  readonly state: number;
  readonly inlineLog: boolean;
  readonly log: Pxd;
  readonly logUuid: Buffer;
  readonly uuidBytes: Buffer;
  /** Secondary aggregate inode table; undefined where the superblock says that it is bad. */
  readonly secondTable: Pxd | undefined;
  readonly dirIndex: boolean;
  readonly ignoresCase: boolean;
}

type Raw = ReturnType<typeof SuperBlock.read>;

/** What blkid and the kernel want to see before they take it for a JFS. */
const isJfs = (s: Raw): boolean =>
  s.s_magic === MAGIC &&
  s.s_l2bsize >= 9 &&
  s.s_l2bsize <= 12 &&
  s.s_bsize === 1 << s.s_l2bsize &&
  s.s_l2pbsize <= s.s_l2bsize &&
  s.s_pbsize === 1 << s.s_l2pbsize &&
  s.s_l2bfactor === s.s_l2bsize - s.s_l2pbsize;

/** @returns undefined where neither superblock is one */
export function findSuperblock(
  source: BlockSource,
  ctx: Context,
): { raw: Raw; secondary: boolean } | undefined {
  for (const at of [SUPER1_OFF, SUPER2_OFF]) {
    if (at + SuperBlock.size > source.size) continue;
    try {
      const raw = SuperBlock.read(readBytes(source, at, SuperBlock.size, ctx));
      if (isJfs(raw)) return { raw, secondary: at === SUPER2_OFF };
    } catch (error) {
      // A bad sector, or a size beyond 2^53.
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    }
  }
  return undefined;
}

const uuidText = (b: Buffer): string =>
  b.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** As blkid prints them. */
export function identity(raw: Raw): { uuid?: string; label?: ByteString } {
  const label = raw.s_label.replace(/[ \t\n\v\f\r]+$/, '');
  return {
    ...(raw.s_uuid.every((b) => b === 0) ? {} : { uuid: uuidText(raw.s_uuid) }),
    ...(label === '' ? {} : { label }),
  };
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readGeometry(raw: Raw): Geometry {
  if (raw.s_version === 0 || raw.s_version > VERSION_MOST)
    throw unsupported(`JFS of version ${raw.s_version}`);
  const blocks = Math.floor(raw.s_size / 2 ** raw.s_l2bfactor);
  // Addresses have 40 bits.
  if (blocks === 0 || blocks > 2 ** 40 || !Number.isSafeInteger(blocks * raw.s_bsize))
    throw corrupt(`${blocks} blocks of ${raw.s_bsize} bytes`);
  const has = (flag: number): boolean => (raw.s_flag & flag) !== 0;
  return {
    blockSize: raw.s_bsize,
    blocks,
    state: raw.s_state,
    inlineLog: has(FLAG.inlineLog),
    log: raw.s_logpxd,
    logUuid: raw.s_loguuid,
    uuidBytes: raw.s_uuid,
    secondTable: has(FLAG.badSait) || raw.s_ait2.length === 0 ? undefined : raw.s_ait2,
    dirIndex: has(FLAG.dirIndex),
    ignoresCase: has(FLAG.os2),
  };
}
