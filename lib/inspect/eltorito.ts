/** The boot catalogue of a CD image. Source: "El Torito" Bootable CD-ROM Format Specification 1.0, chapters 2 and 3. */
import { bytesAt } from '../../fsdrivers';
import type { Context } from '../bytes/budget';
import type { BlockSource } from '../source/types';
import type { ElToritoEntry } from './document';

/** Bytes of a sector, whatever the disc's blocks are. */
const SECTOR = 2048;
/** The boot record volume descriptor. */
const RECORD_AT = 17 * SECTOR;
const ENTRY = 32;
/** Entries of a catalogue that are looked at: one sector of them. */
const MOST = SECTOR / ENTRY;

const PLATFORMS: Readonly<Record<number, string>> = { 0: 'BIOS', 1: 'PowerPC', 2: 'Mac', 239: 'EFI' };
const MEDIA: readonly string[] = [
  'no emulation',
  'floppy 1.2 MB',
  'floppy 1.44 MB',
  'floppy 2.88 MB',
  'hard disk',
];

/** In the catalogue's order; none where there is no catalogue, or what is there is damaged. */
export function elTorito(disk: BlockSource, ctx: Context): ElToritoEntry[] {
  const record = bytesAt(disk, RECORD_AT, 75);
  if (record?.toString('latin1', 0, 30) !== '\0CD001\x01EL TORITO SPECIFICATION') return [];
  const catalogue = bytesAt(disk, record.readUInt32LE(71) * SECTOR, SECTOR);
  // Validation entry: header ID 1, key bytes 0x55 0xAA.
  if (catalogue?.[0] !== 1 || catalogue.readUInt16LE(30) !== 0xaa55) return [];
  ctx.budget.read(SECTOR);
  const found: ElToritoEntry[] = [];
  let platform = catalogue[1]!;
  for (let i = 1; i < MOST; i++) {
    ctx.budget.step();
    const at = i * ENTRY;
    const kind = catalogue[at]!;
    // Section header, more to follow or the last one; 0x44 extends the entry before.
    if (kind === 0x90 || kind === 0x91) platform = catalogue[at + 1]!;
    else if (kind === 0x88 || (kind === 0 && i === 1))
      found.push({
        platform: PLATFORMS[platform] ?? `platform ${platform}`,
        bootable: kind === 0x88,
        media: MEDIA[catalogue[at + 1]! & 15] ?? `media ${catalogue[at + 1]! & 15}`,
        at: catalogue.readUInt32LE(at + 8) * SECTOR,
      });
    else if (kind !== 0x44) break;
  }
  return found;
}
