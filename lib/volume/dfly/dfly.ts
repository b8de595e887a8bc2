/** DragonFly's 64-bit labels, in a slice, in a GPT's row or alone on a disk. A chunk, loaded when the magic number is there. */
import type { Context } from '../../bytes/budget';
import { crc32 } from '../../bytes/crc32';
import { corrupt } from '../../bytes/errors';
import { type BlockSource, readBytes } from '../../source/types';
import { addRow, type Warn } from '../rows';
import type { Partition } from '../types';
import { CRC_AT, Disklabel64, MOST_ROWS, Partition64, RESERVED } from './layout';

/**
 * The rows of the label at `start`, without those of no size.
 * @throws GuestError `corrupt`
 */
export function readDisklabel64(disk: BlockSource, ctx: Context, start: number, warn: Warn): Partition[] {
  const head = Disklabel64.size;
  const { d_crc, d_npartitions: count } = Disklabel64.read(readBytes(disk, start, head, ctx));
  if (count > MOST_ROWS) throw corrupt(`disklabel64 of ${count} rows, maximum ${MOST_ROWS}`);
  const label = readBytes(disk, start, head + count * Partition64.size, ctx);
  label.writeUInt32LE(0, CRC_AT);
  if (crc32(label.subarray(RESERVED)) !== d_crc) warn('disklabel64 with a wrong checksum, used as it stands');
  const found: Partition[] = [];
  for (let index = 0; index < count; index++) {
    const row = Partition64.read(label, head + index * Partition64.size);
    if (row.p_bsize === 0) continue;
    addRow(found, disk, warn, 'the disklabel64', {
      number: index + 1,
      start: start + row.p_boffset,
      size: row.p_bsize,
      active: false,
      type: row.p_fstype.toString(16).padStart(2, '0'),
    });
  }
  return found;
}
