/** GUID partition tables: primary or backup header, whichever is sound, obeyed in what it says. */
import type { Context } from '../../bytes/budget';
import { crc32 } from '../../bytes/crc32';
import { corrupt, GuestError } from '../../bytes/errors';
import { fromHost } from '../../bytes/text';
import { type BlockSource, readBytes } from '../../source/types';
import { bootRecord, PROTECTIVE_TYPE } from '../msdos/record';
import type { Partition, PartitionScheme, PartitionTable } from '../types';
import {
  GptEntry,
  GptHeader,
  LEGACY_BIOS_BOOTABLE,
  MAX_ENTRY_ARRAY,
  SECTOR_SIZES,
  SIGNATURE,
} from './layout';

/** A header whose values are inside their bounds, with its entries. */
interface Copy {
  readonly place: 'primary' | 'backup';
  readonly sectorSize: number;
  readonly headerSumRight: boolean;
  readonly entriesSumRight: boolean;
  readonly diskGuid: string;
  readonly entries: Buffer;
  readonly entrySize: number;
}

export const gpt: PartitionScheme = {
  scheme: 'gpt',

  read(disk, ctx) {
    const record = bootRecord(disk, ctx);
    // As Linux and GRUB do: a table is a GPT when the boot record says so. Without a protective row, a header is a
    // leftover of an earlier life of the disk.
    const protective = record?.rows.filter((row) => row.type === PROTECTIVE_TYPE) ?? [];
    if (!record || protective.length === 0) return undefined;

    const problems: string[] = [];
    const copies: Copy[] = [];
    const backups = new Map<number, Set<number>>();
    const sizes = new Set([disk.sectorSize, ...SECTOR_SIZES]);
    for (const sectorSize of sizes) {
      const lastSector = Math.floor(disk.size / sectorSize) - 1;
      // Where a backup may be: the last sector, unless the disk has grown; then the protective row still knows.
      const places = new Set([lastSector]);
      for (const row of protective) places.add(row.start + row.size - 1);
      backups.set(sectorSize, places);
      const found = readCopy(disk, sectorSize, 1, 'primary', ctx, problems);
      if (!found) continue;
      if ('copy' in found) {
        if (sound(found.copy)) return table(disk, found.copy, ctx);
        copies.push(found.copy);
      }
      if (found.alternate !== undefined) places.add(found.alternate);
    }

    // A boot sector of a filesystem can hold 0xEE by chance; then a backup header is no proof.
    if (!record.plausible) return undefined;
    search: for (const [sectorSize, places] of backups) {
      for (const lba of places) {
        if (lba <= 1 || (lba + 1) * sectorSize > disk.size) continue;
        const found = readCopy(disk, sectorSize, lba, 'backup', ctx, problems);
        if (!found || !('copy' in found)) continue;
        copies.push(found.copy);
        if (sound(found.copy)) break search;
      }
    }

    // Best first: both sums right, then the header's, then the entries', then neither; primary before backup.
    const worth = (c: Copy) => (sound(c) ? 6 : c.headerSumRight ? 4 : c.entriesSumRight ? 2 : 0);
    copies.sort((a, b) => worth(b) - worth(a));
    for (const copy of copies) {
      if (!sound(copy) && !plausible(disk, copy, ctx)) {
        problems.push(`${copy.place}: wrong checksum and senseless entries`);
        continue;
      }
      const why = problems.length > 0 ? ` (${problems.join('; ')})` : '';
      if (sound(copy)) warn(ctx, disk, `the primary GPT is damaged, its backup is used${why}`);
      else
        warn(
          ctx,
          disk,
          `no GPT copy has right checksums, the ${copy.place} one is used (${copy.headerSumRight ? 'entries' : 'header'})`,
        );
      return table(disk, copy, ctx);
    }
    throw corrupt(
      `a GPT is announced and no usable copy is there${problems.length > 0 ? ` (${problems.join('; ')})` : ''}`,
      disk.label,
    );
  },
};

const sound = (copy: Copy) => copy.headerSumRight && copy.entriesSumRight;

const warn = (ctx: Context, disk: BlockSource, text: string) => ctx.warn(`${disk.label}: ${text}`);

/**
 * A header and its entries at one sector.
 * @returns undefined when there is no signature; only where the backup should be when the header makes no sense
 */
function readCopy(
  disk: BlockSource,
  sectorSize: number,
  lba: number,
  place: Copy['place'],
  ctx: Context,
  problems: string[],
): { copy: Copy; alternate: number } | { alternate: number | undefined } | undefined {
  const at = lba * sectorSize;
  if (at + sectorSize > disk.size) return undefined;
  let alternate: number | undefined;
  try {
    const sector = readBytes(disk, at, sectorSize, ctx);
    if (sector.toString('latin1', 0, 8) !== SIGNATURE) return undefined;
    const h = GptHeader.read(sector);
    alternate = h.AlternateLBA;
    if (h.HeaderSize < GptHeader.size || h.HeaderSize > sectorSize)
      throw corrupt(`header of ${h.HeaderSize} bytes, allowed ${GptHeader.size} to ${sectorSize}`);
    if (h.MyLBA !== lba) throw corrupt(`header at sector ${lba} says it is at ${h.MyLBA}`);
    const entrySize = h.SizeOfPartitionEntry;
    if (entrySize < GptEntry.size || entrySize % 8 !== 0) throw corrupt(`entries of ${entrySize} bytes`);
    const bytes = h.NumberOfPartitionEntries * entrySize;
    if (bytes > MAX_ENTRY_ARRAY) throw corrupt(`${bytes} bytes of entries, maximum ${MAX_ENTRY_ARRAY}`);
    if (h.PartitionEntryLBA < 2 || h.PartitionEntryLBA * sectorSize + bytes > disk.size)
      throw corrupt(`entries at sector ${h.PartitionEntryLBA} lie outside the disk`);
    const entries = readBytes(disk, h.PartitionEntryLBA * sectorSize, bytes, ctx);
    const headerSum = crc32(
      sector.subarray(0, 16),
      new Uint8Array(4), // the sum is made with its own place as zeros
      sector.subarray(20, h.HeaderSize),
    );
    const headerSumRight = headerSum === h.HeaderCRC32;
    const entriesSumRight = crc32(entries) === h.PartitionEntryArrayCRC32;
    if (!headerSumRight) problems.push(`${place}: wrong header checksum`);
    if (!entriesSumRight) problems.push(`${place}: wrong checksum of the entries`);
    const diskGuid = guid(h.DiskGUID);
    return {
      copy: { place, sectorSize, headerSumRight, entriesSumRight, diskGuid, entries, entrySize },
      alternate,
    };
  } catch (error) {
    // 'io' is the host's: the other copy may be readable.
    if (!(error instanceof GuestError) || error.code === 'limit') throw error;
    problems.push(`${place}: ${error.message}`);
    return { alternate };
  }
}

/** The rows in use. `bad` counts those that lie beyond the disk or end before they begin. */
function rows(
  disk: BlockSource,
  copy: Copy,
  ctx: Context,
): { good: Partition[]; notes: string[]; bad: number } {
  const good: Partition[] = [];
  const notes: string[] = [];
  let bad = 0;
  const { entries, entrySize, sectorSize } = copy;
  ctx.budget.step(Math.ceil(entries.length / entrySize));
  const unused = Buffer.alloc(16);
  for (let at = 0, number = 1; at + entrySize <= entries.length; at += entrySize, number++) {
    if (entries.compare(unused, 0, 16, at, at + 16) === 0) continue;
    const e = GptEntry.read(entries, at);
    // Above 2^53 these lose their last bits; what is compared is far below.
    const start = Number(e.StartingLBA) * sectorSize;
    let end = (Number(e.EndingLBA) + 1) * sectorSize;
    if (start === 0 || end <= start || start >= disk.size) {
      bad++;
      notes.push(`GPT entry ${number} (sectors ${e.StartingLBA} to ${e.EndingLBA}) is left out`);
      continue;
    }
    if (end > disk.size) {
      notes.push(
        `GPT entry ${number} ends at byte ${end}, ${end - disk.size} beyond the disk; it is cut there`,
      );
      end = disk.size;
    }
    const { partitions } = ctx.budget.limits;
    if (good.length >= partitions) {
      notes.push(`more than ${partitions} partitions (NODEGRUB_MAX_PARTITIONS); the rest is left out`);
      break;
    }
    const name = utf16(e.PartitionName);
    good.push({
      number,
      start,
      size: end - start,
      active: (e.Attributes & LEGACY_BIOS_BOOTABLE) !== 0n,
      type: guid(e.PartitionTypeGUID),
      uuid: guid(e.UniquePartitionGUID),
      ...(name === '' ? {} : { label: name }),
    });
  }
  return { good, notes, bad };
}

/** Without a right sum: at least one row must make sense, and no more than as many may not. */
function plausible(disk: BlockSource, copy: Copy, ctx: Context): boolean {
  const { good, bad } = rows(disk, copy, ctx);
  return good.length > 0 && bad <= good.length;
}

function table(disk: BlockSource, copy: Copy, ctx: Context): PartitionTable {
  const { good, notes } = rows(disk, copy, ctx);
  for (const note of notes.slice(0, 10)) warn(ctx, disk, note);
  if (notes.length > 10) warn(ctx, disk, `${notes.length - 10} more GPT entries like these`);
  return { scheme: 'gpt', id: copy.diskGuid, partitions: good };
}

/** Lower case; the first three groups are little-endian (UEFI, appendix A). */
function guid(b: Buffer): string {
  const hex = (...places: number[]) => places.map((i) => b[i]!.toString(16).padStart(2, '0')).join('');
  return `${hex(3, 2, 1, 0)}-${hex(5, 4)}-${hex(7, 6)}-${hex(8, 9)}-${hex(10, 11, 12, 13, 14, 15)}`;
}

/** UTF-16LE up to the first NUL, as a byte string of UTF-8. */
function utf16(b: Buffer): string {
  let end = 0;
  while (end + 1 < b.length && (b[end] !== 0 || b[end + 1] !== 0)) end += 2;
  return fromHost(b.toString('utf16le', 0, end));
}
