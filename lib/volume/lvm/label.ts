/** A physical volume: label, header, and the newest metadata that its areas hold. */
import type { Context } from '../../bytes/budget';
import { checksums } from '../../bytes/checksum';
import { corrupt, GuestError } from '../../bytes/errors';
import { type ByteString, fromBytes } from '../../bytes/text';
import { type BlockSource, readBytes } from '../../source/types';
import {
  DiskLocn,
  INITIAL_CRC,
  LABEL_ID,
  LABEL_SECTORS,
  LABEL_TYPE,
  LabelHeader,
  MDA_HEADER,
  MDA_MAGIC,
  MdaHeader,
  PvHeader,
  RAW_LOCN_IGNORED,
  RawLocn,
  SECTOR,
} from './layout';

export interface PhysicalVolume {
  /** 32 letters and digits, without hyphens. */
  readonly id: ByteString;
  readonly source: BlockSource;
  /** The texts that its areas hold; none on a PV that was told to keep none. */
  readonly texts: readonly ByteString[];
}

/** lvm2's checksum of all parts, one after the other. */
export function lvmCrc(...parts: readonly Uint8Array[]): number {
  const { crc32 } = checksums();
  let crc = INITIAL_CRC;
  for (const part of parts) crc = crc32(crc, part);
  return crc;
}

/** Areas that a header may list; lvm2 makes one or two. */
const MOST_AREAS = 16;

/** @returns undefined where there is no label */
export function readPhysicalVolume(
  source: BlockSource,
  ctx: Context,
  warn: (text: string) => void,
): PhysicalVolume | undefined {
  const length = Math.min(LABEL_SECTORS * SECTOR, Math.floor(source.size / SECTOR) * SECTOR);
  if (length < SECTOR) return undefined;
  const head = readBytes(source, 0, length, ctx);
  for (let at = 0; at < length; at += SECTOR) {
    if (head.toString('latin1', at, at + LABEL_ID.length) !== LABEL_ID) continue;
    const sector = head.subarray(at, at + SECTOR);
    const label = LabelHeader.read(sector);
    if (label.type !== LABEL_TYPE) continue;
    if (label.sector !== at / SECTOR)
      warn(`LVM label in sector ${at / SECTOR} says it is in ${label.sector}`);
    if (lvmCrc(sector.subarray(20)) !== label.crc) warn('LVM label with a wrong checksum, used as it stands');
    if (label.offset < LabelHeader.size || label.offset + PvHeader.size > SECTOR)
      throw corrupt(`LVM label with its header at byte ${label.offset}`);
    return readHeader(source, sector, label.offset, ctx, warn);
  }
  return undefined;
}

function readHeader(
  source: BlockSource,
  sector: Buffer,
  offset: number,
  ctx: Context,
  warn: (text: string) => void,
): PhysicalVolume {
  const pv = PvHeader.read(sector, offset);
  let at = offset + PvHeader.size;
  const list = (): { offset: number; size: number }[] => {
    const found: { offset: number; size: number }[] = [];
    for (;;) {
      if (at + DiskLocn.size > sector.length || found.length > MOST_AREAS)
        throw corrupt('PV header whose list of areas does not end');
      const row = DiskLocn.read(sector, at);
      at += DiskLocn.size;
      if (row.offset === 0) return found;
      found.push(row);
    }
  };
  list();
  const texts: ByteString[] = [];
  for (const area of list()) {
    try {
      texts.push(...readArea(source, area, ctx, warn));
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      warn(`LVM metadata area at byte ${area.offset}: ${error.message}`);
    }
  }
  return { id: pv.pv_uuid, source, texts };
}

function readArea(
  source: BlockSource,
  area: { offset: number; size: number },
  ctx: Context,
  warn: (text: string) => void,
): ByteString[] {
  const header = readBytes(source, area.offset, MDA_HEADER, ctx);
  const mda = MdaHeader.read(header);
  if (mda.magic !== MDA_MAGIC || mda.version !== 1) throw corrupt('no header there');
  if (lvmCrc(header.subarray(4)) !== mda.checksum)
    warn('LVM metadata header with a wrong checksum, used as it stands');
  if (mda.start !== area.offset || mda.size <= MDA_HEADER || mda.start + mda.size > source.size)
    throw corrupt(`it says it is ${mda.size} bytes at ${mda.start}`);
  const locn = RawLocn.read(header, MdaHeader.size);
  if (locn.offset === 0 || locn.size === 0 || (locn.flags & RAW_LOCN_IGNORED) !== 0) return [];
  const room = mda.size - MDA_HEADER;
  if (locn.offset < MDA_HEADER || locn.offset >= mda.size || locn.size > room)
    throw corrupt(`${locn.size} bytes of text at ${locn.offset} of ${mda.size}`);
  ctx.budget.most('configBytes', locn.size, 'bytes of LVM metadata');
  // A ring: what does not fit in before the end goes on behind the header.
  const first = Math.min(locn.size, mda.size - locn.offset);
  const parts = [readBytes(source, mda.start + locn.offset, first, ctx)];
  if (first < locn.size) parts.push(readBytes(source, mda.start + MDA_HEADER, locn.size - first, ctx));
  if (lvmCrc(...parts) !== locn.checksum) {
    warn('LVM metadata with a wrong checksum, left out');
    return [];
  }
  ctx.budget.allocate(locn.size);
  return [parts.map((part) => fromBytes(part)).join('')];
}
