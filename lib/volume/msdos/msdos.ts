/** MBR partition tables with extended chains, and the decision whether sector 0 holds a table at all. */
import type { Context } from '../../bytes/budget';
import { GuestError } from '../../bytes/errors';
import { variable } from '../../bytes/over';
import { type BlockSource, readBytes } from '../../source/types';
import type { Partition, PartitionScheme } from '../types';
import { bootRecord, PROTECTIVE_TYPE, type Record, type Row } from './record';

export const msdos: PartitionScheme = {
  scheme: 'msdos',

  read(disk, ctx) {
    const record = bootRecord(disk, ctx);
    if (!record?.plausible) return undefined;
    const rows = record.rows.filter((row) => row.type !== PROTECTIVE_TYPE);
    if (rows.length === 0) return undefined;

    // The boot sector of a filesystem that fills the disk: its code may look like rows, and mkfs.fat writes one row
    // from sector 0 on purpose. Rows beside a filesystem are believed when nothing is wrong with them.
    const unit = sectorUnit(disk, rows, ctx);
    if (bootsAFilesystem(disk, ctx) && !flawless(disk, rows, unit)) return undefined;

    const found = new Collector(disk, record, unit, ctx);
    for (const row of rows) if (!row.extended) found.add(row.slot + 1, row, row.start);
    // Linux numbers logical partitions from 5 whatever the slot of the extended one is.
    for (const row of rows) if (row.extended) readChain(disk, row, unit, found, ctx);
    found.partitions.sort((a, b) => a.number - b.number);
    if (found.partitions.length === 0) return undefined;
    return { scheme: 'msdos', id: record.id, partitions: found.partitions };
  },
};

class Collector {
  readonly partitions: Partition[] = [];
  #logical = 5;

  constructor(
    readonly disk: BlockSource,
    readonly record: Record,
    readonly unit: number,
    readonly ctx: Context,
  ) {}

  warn(text: string): void {
    this.ctx.warn(`${this.disk.label}: ${text}`);
  }

  /** @returns false when there are enough */
  addLogical(row: Row, startSector: number): boolean {
    const { logicalPartitions } = this.ctx.budget.limits;
    if (this.#logical - 5 >= logicalPartitions) {
      this.warn(
        `more than ${logicalPartitions} logical partitions (${variable('logicalPartitions')}); the rest is left out`,
      );
      return false;
    }
    this.add(this.#logical++, row, startSector);
    return true;
  }

  add(number: number, row: Row, startSector: number): void {
    const start = startSector * this.unit;
    let size = row.size * this.unit;
    if (start >= this.disk.size) {
      this.warn(`partition ${number} starts at byte ${start}, beyond the disk; it is left out`);
      return;
    }
    const over = start + size - this.disk.size;
    if (over > 0) {
      this.warn(`partition ${number} ends ${over} bytes beyond the disk; it is cut there`);
      size -= over;
    }
    const hex = (n: number) => n.toString(16).padStart(2, '0');
    this.partitions.push({
      number,
      start,
      size,
      active: row.active,
      type: hex(row.type),
      uuid: `${this.record.id}-${hex(number)}`,
    });
  }
}

/**
 * The chain of extended boot records: the first row that is not extended is a partition, counted from its record;
 * the first that is extended leads to the next record, counted from the chain's beginning.
 * A chain that loops or leads outside ends there with a warning: what was found before, and the primaries, stay.
 */
function readChain(disk: BlockSource, outer: Row, unit: number, found: Collector, ctx: Context): void {
  const seen = new Set<number>();
  let at = outer.start;
  for (;;) {
    ctx.budget.step();
    if (seen.has(at)) {
      found.warn(`the chain of logical partitions loops (sector ${at} comes again); it ends there`);
      return;
    }
    seen.add(at);
    // Empty links are allowed; as many as partitions, and it is no table that a tool wrote.
    if (seen.size > 2 * ctx.budget.limits.logicalPartitions) {
      found.warn(`the chain of logical partitions has more than ${seen.size - 1} links; it ends there`);
      return;
    }
    if (at * unit >= disk.size) {
      found.warn(`the chain of logical partitions leads beyond the disk (sector ${at}); it ends there`);
      return;
    }
    let record: Record | undefined;
    try {
      record = bootRecord(disk, ctx, at * unit);
    } catch (error) {
      if (!(error instanceof GuestError) || error.code === 'limit') throw error;
      found.warn(`sector ${at} of the chain of logical partitions cannot be read: ${error.describe()}`);
      return;
    }
    if (!record) {
      found.warn(`sector ${at} of the chain of logical partitions has no signature; the chain ends there`);
      return;
    }
    for (const row of record.rows) {
      if (row.extended) continue;
      // Slots 3 and 4 may hold garbage: only what lies inside counts (Linux: parse_extended).
      const start = at + row.start;
      if (row.slot >= 2) {
        const inside =
          row.start + row.size <= outer.size &&
          start >= outer.start &&
          start + row.size <= outer.start + outer.size;
        if (!inside) continue;
      }
      if (!found.addLogical(row, start)) return;
    }
    const next = record.rows.find((row) => row.extended);
    if (!next) return;
    at = outer.start + next.start;
  }
}

/** Bytes of a sector in this table: the source's own, unless only the other makes sense of an image file. */
function sectorUnit(disk: BlockSource, rows: readonly Row[], ctx: Context): number {
  const own = disk.sectorSize;
  const reach = (unit: number) => Math.max(...rows.map((row) => (row.start + row.size) * unit));
  // A hybrid ISO image in an optical drive: its table was made for a stick.
  if (own === 2048 && reach(own) > disk.size && reach(512) <= disk.size) return 512;
  const other = own === 4096 ? 512 : 4096;
  // A table of 512-byte sectors nearly always reaches into the last seven eighths: decided without a read.
  if (reach(other) > disk.size) return own;
  if (rows.some((row) => somethingAt(disk, row, own, ctx))) return own;
  return rows.some((row) => somethingAt(disk, row, other, ctx)) ? other : own;
}

/** What a partition of a guest begins with: place, bytes. */
const MAGICS: readonly (readonly [number, string])[] = [
  [0x438, '\x53\xef'], // ext2/3/4
  [0, 'XFSB'],
  [0x10040, '_BHRfS_M'], // btrfs
  [0x200, 'LABELONE'], // LVM2
  [0, 'LUKS\xba\xbe'],
  [0x1000, '\xfc\x4e\x2b\xa9'], // Linux RAID 1.2
  [4086, 'SWAPSPACE2'],
  [510, '\x55\xaa'], // FAT, NTFS; an extended boot record
];

function somethingAt(disk: BlockSource, row: Row, unit: number, ctx: Context): boolean {
  const start = row.start * unit;
  return MAGICS.some(([at, magic]) => {
    if (row.extended && at !== 510) return false;
    if (start + at + magic.length > disk.size) return false;
    return readBytes(disk, start + at, magic.length, ctx).toString('latin1') === magic;
  });
}

/** Sector 0 is the boot sector of FAT, NTFS or exFAT, or belongs to an ext filesystem that fills the disk. */
function bootsAFilesystem(disk: BlockSource, ctx: Context): boolean {
  const sector = readBytes(disk, 0, 512, ctx);
  const oem = sector.toString('latin1', 3, 11);
  if (oem === 'NTFS    ' || oem === 'EXFAT   ') return true;
  const sectorSize = sector.readUInt16LE(11);
  const clusterSectors = sector[13]!;
  const media = sector[21]!;
  const powerOfTwo = (n: number) => n !== 0 && (n & (n - 1)) === 0;
  if (
    powerOfTwo(sectorSize) &&
    sectorSize >= 128 &&
    powerOfTwo(clusterSectors) &&
    sector.readUInt16LE(14) !== 0 && // reserved sectors
    sector[16] !== 0 && // number of FATs
    (media === 0xf0 || media >= 0xf8)
  )
    return true;
  return disk.size >= 2048 && readBytes(disk, 0x438, 2, ctx).readUInt16LE(0) === 0xef53;
}

/** Every row after the boot record, inside the disk, of a type, and none over another. */
function flawless(disk: BlockSource, rows: readonly Row[], unit: number): boolean {
  return rows.every(
    (row) =>
      row.start > 0 &&
      row.type !== 0 &&
      (row.start + row.size) * unit <= disk.size &&
      rows.every((o) => o === row || row.start + row.size <= o.start || o.start + o.size <= row.start),
  );
}
