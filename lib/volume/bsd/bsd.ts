/** BSD disklabels: in an MBR's slice or alone on a disk. A chunk, loaded when the magic number is there. */
import type { Context } from '../../bytes/budget';
import { corrupt } from '../../bytes/errors';
import { type BlockSource, readBytes } from '../../source/types';
import type { Partition } from '../types';
import { Disklabel, HEADER, LABEL_AT, LabelRow, MOST_ROWS, RAW_ROW, ROW } from './layout';

const SECTOR_SIZES = [512, 1024, 2048, 4096];

/**
 * The rows of the label that lies a sector after `start`, those left out that are unused (mostly `c`, the whole) or do not lie on the disk.
 * @param relative FreeBSD counts from the start of its row `c`, which is the slice's; NetBSD and OpenBSD from the disk's
 * @throws GuestError `corrupt`
 */
export function readDisklabel(
  disk: BlockSource,
  ctx: Context,
  start: number,
  relative: boolean,
  warn: (text: string) => void,
): Partition[] {
  const header = readBytes(disk, start + LABEL_AT, HEADER, ctx);
  const label = Disklabel.read(header);
  if (label.d_magic !== label.d_magic2)
    throw corrupt(`disklabel with magic numbers ${label.d_magic} and ${label.d_magic2}`);
  if (label.d_npartitions > MOST_ROWS)
    throw corrupt(`disklabel of ${label.d_npartitions} rows, maximum ${MOST_ROWS}`);
  if (!SECTOR_SIZES.includes(label.d_secsize))
    throw corrupt(`disklabel with sectors of ${label.d_secsize} bytes`);
  const rows = readBytes(disk, start + LABEL_AT + HEADER, label.d_npartitions * ROW, ctx);
  let sum = 0;
  for (const bytes of [header, rows])
    for (let at = 0; at < bytes.length; at += 2) sum ^= bytes.readUInt16LE(at);
  if (sum !== 0) warn('disklabel with a wrong checksum, used as it stands');

  const wide = label.d_version === 1 ? 0x1_0000_0000 : 0;
  const row = (index: number) => {
    const r = LabelRow.read(rows, index * ROW);
    return {
      type: r.p_fstype,
      first: r.p_offseth * wide + r.p_offset,
      count: r.p_sizeh * wide + r.p_size,
    };
  };
  // Where `c` begins elsewhere than at 0, rows count from the disk's beginning (FreeBSD's GEOM, GRUB).
  const from = relative && label.d_npartitions > RAW_ROW ? row(RAW_ROW).first : 0;
  const found: Partition[] = [];
  for (let index = 0; index < label.d_npartitions; index++) {
    const { type, first, count } = row(index);
    if (count === 0 || type === 0) continue;
    const at = (first - from) * label.d_secsize + (relative ? start : 0);
    if (first < from || at >= disk.size) {
      warn(`row ${index + 1} of the disklabel begins outside the disk; it is left out`);
      continue;
    }
    found.push({
      number: index + 1,
      start: at,
      size: Math.min(count * label.d_secsize, disk.size - at),
      active: false,
      type: type.toString(16).padStart(2, '0'),
    });
  }
  return found;
}
