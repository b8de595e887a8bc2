/**
 * What a table says of partitions that do not lie wholly on the disk. The readers of tables cut such rows, or leave them out; here they
 * read the same table on a disk that seems to have no end.
 */
import type { Guest } from '../boot/guest';
import type { Context } from '../bytes/budget';
import { GuestError } from '../bytes/errors';
import { type BlockSource, readBytes } from '../source/types';
import { bootRecord, PROTECTIVE_TYPE } from '../volume/msdos/record';
import type { Partition } from '../volume/types';

/** Bytes: beyond what any table can name in sectors of 512 bytes and 32 bits. */
const ENDLESS = 2 ** 50;

function endless(disk: BlockSource): BlockSource {
  return {
    label: disk.label,
    size: ENDLESS,
    sectorSize: disk.sectorSize,
    cached: true,
    read(at, into) {
      if (at + into.length > disk.size) throw new GuestError('io', 'beyond the end', [disk.label]);
      disk.read(at, into);
    },
  };
}

/**
 * The rows as they are written; none where there is no table. Read by a copy of the guest, which forgets the disk again. Its warnings
 * are the caller's to drop: those of the disk as it is were given before.
 */
export function declaredRows(guest: Guest, disk: BlockSource): readonly Partition[] {
  return guest
    .fork()
    .addDisk('endless', endless(disk))
    .partitions.flatMap((volume) => volume.partition ?? []);
}

/** Rows of the boot record that hold the logical partitions, and are none themselves. @param unit bytes of a sector */
export function extendedRows(disk: BlockSource, unit: number, ctx: Context) {
  const rows = bootRecord(disk, ctx)?.rows ?? [];
  return rows
    .filter((row) => row.extended && row.type !== PROTECTIVE_TYPE)
    .map((row) => ({
      number: row.slot + 1,
      active: row.active,
      type: row.type.toString(16).padStart(2, '0'),
      start: row.start * unit,
      size: row.size * unit,
    }));
}

/** LBA 1 for the sector sizes that a GPT may have (volume/gpt/layout.ts). */
const SECTOR_SIZES = [512, 4096, 2048, 1024];

/**
 * Bytes of the disk for which a GPT was made, by its first header: AlternateLBA (UEFI 2.10, table 5.5, byte 32) is the disk's last
 * sector.
 */
export function gptMadeFor(disk: BlockSource, ctx: Context): number | null {
  for (const size of new Set([disk.sectorSize, ...SECTOR_SIZES])) {
    if (disk.size < 2 * size) continue;
    const header = readBytes(disk, size, 40, ctx);
    if (header.toString('latin1', 0, 8) !== 'EFI PART') continue;
    const last = Number(header.readBigUInt64LE(32));
    return last < 2 ** 43 ? (last + 1) * size : null;
  }
  return null;
}
