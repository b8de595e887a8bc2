/** Solaris' tables: SPARC's on the whole disk, x86's inside an MBR's slice. A chunk, loaded when the magic is there. */
import type { Context } from '../../bytes/budget';
import { corrupt } from '../../bytes/errors';
import { type BlockSource, readBytes } from '../../source/types';
import type { Partition } from '../types';
import {
  LABEL_SIZE,
  PC_MOST_ROWS,
  PC_ROWS_AT,
  PcLabel,
  PcRow,
  SPARC_ROWS,
  SPARC_ROWS_AT,
  SPARC_TAGS_AT,
  SparcLabel,
  SparcRow,
  WHOLE,
} from './layout';

type Warn = (text: string) => void;

function verify(bytes: Buffer, warn: Warn): void {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum ^= bytes.readUInt16LE(at);
  if (sum !== 0) warn('Solaris label with a wrong checksum, used as it stands');
}

/** Adds a row that begins on the disk, cut at its end. */
function add(
  found: Partition[],
  disk: BlockSource,
  warn: Warn,
  row: { number: number; start: number; size: number; tag: number },
): void {
  const { number, start, size, tag } = row;
  if (size === 0 || tag === WHOLE) return;
  if (start >= disk.size) {
    warn(`row ${number} of the Solaris label begins outside the disk; it is left out`);
    return;
  }
  const type = tag.toString(16).padStart(2, '0');
  found.push({ number, start, size: Math.min(size, disk.size - start), active: false, type });
}

/** @throws GuestError `corrupt` */
export function readSparcLabel(disk: BlockSource, ctx: Context, warn: Warn): Partition[] {
  const bytes = readBytes(disk, 0, LABEL_SIZE, ctx);
  const { dkl_nhead, dkl_nsect } = SparcLabel.read(bytes);
  if (dkl_nhead * dkl_nsect === 0)
    throw corrupt(`Solaris label with ${dkl_nhead} heads and ${dkl_nsect} sectors`);
  verify(bytes, warn);
  const found: Partition[] = [];
  for (let index = 0; index < SPARC_ROWS; index++) {
    const { dkl_cylno, dkl_nblk } = SparcRow.read(bytes, SPARC_ROWS_AT + index * SparcRow.size);
    const start = dkl_cylno * dkl_nhead * dkl_nsect * 512;
    const tag = bytes.readUInt16BE(SPARC_TAGS_AT + index * 4);
    add(found, disk, warn, { number: index + 1, start, size: dkl_nblk * 512, tag });
  }
  return found;
}

/** @param start byte of the slice whose second sector is the label. @throws GuestError `corrupt` */
export function readPcLabel(disk: BlockSource, ctx: Context, start: number, warn: Warn): Partition[] {
  const bytes = readBytes(disk, start + 512, LABEL_SIZE, ctx);
  const { v_version, v_sectorsz, v_nparts } = PcLabel.read(bytes);
  if (v_version !== 1 || v_sectorsz !== 512)
    throw corrupt(`Solaris label of version ${v_version} with sectors of ${v_sectorsz} bytes`);
  verify(bytes, warn);
  const found: Partition[] = [];
  for (let index = 0; index < Math.min(v_nparts, PC_MOST_ROWS); index++) {
    const { p_tag, p_start, p_size } = PcRow.read(bytes, PC_ROWS_AT + index * PcRow.size);
    add(found, disk, warn, {
      number: index + 1,
      start: start + p_start * 512,
      size: p_size * 512,
      tag: p_tag,
    });
  }
  return found;
}
