/** The boot region, or its backup: raw → checked geometry. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, unsupported } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  ACTIVE_FAT,
  BootSector,
  EXTENDED_SIGNATURE,
  MOST_CLUSTERS,
  MOST_SHIFT,
  NAME,
  REGION_SECTORS,
  SECTOR_SHIFTS,
  SUMMED_SECTORS,
  UNSUMMED,
} from './layout';

export interface Boot {
  readonly bytes: Buffer;
  /** Why it is not simply the main boot sector. */
  readonly warning?: string;
}

/**
 * The boot sector to go by: the main one, or the backup's when the main region's checksum is wrong and the backup's right.
 * @returns undefined when this is no exFAT. Without a name in the main boot sector, the sector behind it must still be
 * exFAT's: the backup may outlive a filesystem that something else has replaced.
 */
export function findBoot(source: BlockSource, ctx: Context): Boot | undefined {
  if (source.size < BootSector.size) return undefined;
  const main = readBytes(source, 0, BootSector.size, ctx);
  const named = isNamed(main);
  if (named && regionIsSound(source, 0, main, ctx)) return { bytes: main };
  for (const shift of SECTOR_SHIFTS) {
    const sector = 2 ** shift;
    const at = REGION_SECTORS * sector;
    if (at + BootSector.size > source.size) break;
    if (!named && readBytes(source, 2 * sector - 4, 4, ctx).readUInt32LE(0) !== EXTENDED_SIGNATURE) continue;
    const backup = readBytes(source, at, BootSector.size, ctx);
    if (BootSector.fields.BytesPerSectorShift.read(backup, 0) !== shift) continue;
    if (isNamed(backup) && regionIsSound(source, at, backup, ctx))
      return { bytes: backup, warning: 'exFAT boot region: damaged, its backup is used' };
  }
  return named
    ? { bytes: main, warning: 'exFAT boot region: wrong checksum, and there is no sound backup' }
    : undefined;
}

const isNamed = (boot: Buffer): boolean => boot.toString('latin1', 3, 11) === NAME;

/** Section 3.4: the checksum of the region that begins at byte `at`. */
function regionIsSound(source: BlockSource, at: number, boot: Buffer, ctx: Context): boolean {
  const shift = BootSector.fields.BytesPerSectorShift.read(boot, 0);
  if (!(SECTOR_SHIFTS as readonly number[]).includes(shift)) return false;
  const sector = 2 ** shift;
  if (at + REGION_SECTORS * sector > source.size) return false;
  const region = readBytes(source, at, REGION_SECTORS * sector, ctx);
  let sum = 0;
  for (let i = 0; i < SUMMED_SECTORS * sector; i++)
    if (!UNSUMMED.includes(i)) sum = (((sum << 31) | (sum >>> 1)) + region[i]!) | 0;
  for (let i = SUMMED_SECTORS * sector; i < region.length; i += 4)
    if (region.readInt32LE(i) !== sum) return false;
  return true;
}

/** Everything in bytes from the filesystem's start. */
export interface Geometry {
  readonly size: number;
  readonly clusterBytes: number;
  /** The active FAT. */
  readonly fatStart: number;
  /** Where cluster 2 is. */
  readonly heapStart: number;
  /** Highest cluster number; the first is 2. */
  readonly lastCluster: number;
  readonly rootCluster: number;
}

/** As blkid and GRUB print it: `1A2B-3C4D`. */
export function serial(boot: Buffer): string {
  const hex = BootSector.fields.VolumeSerialNumber.read(boot, 0).toString(16).toUpperCase().padStart(8, '0');
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

/** @throws GuestError `corrupt`, `unsupported` */
export function readGeometry(boot: Buffer): Geometry {
  const b = BootSector.read(boot);
  const major = b.FileSystemRevision >>> 8;
  if (major !== 1)
    throw unsupported(`exFAT revision ${major}.${String(b.FileSystemRevision & 0xff).padStart(2, '0')}`);
  if (b.BootSignature !== 0xaa55 || b.MustBeZero.some((byte) => byte !== 0))
    throw corrupt('the boot sector is not that of an exFAT filesystem');
  const shift = b.BytesPerSectorShift;
  if (!(SECTOR_SHIFTS as readonly number[]).includes(shift) || shift + b.SectorsPerClusterShift > MOST_SHIFT)
    throw corrupt(`sectors of 2^${shift} bytes, clusters of 2^${b.SectorsPerClusterShift} sectors`);
  // TexFAT has two, and says which is in use.
  if (b.NumberOfFats !== 1 && b.NumberOfFats !== 2) throw corrupt(`${b.NumberOfFats} FATs, allowed 1 and 2`);
  const second = b.NumberOfFats === 2 && (b.VolumeFlags & ACTIVE_FAT) !== 0;
  const sector = 2 ** shift;
  const cluster = sector * 2 ** b.SectorsPerClusterShift;
  const size = b.VolumeLength * sector;
  const fatStart = (b.FatOffset + (second ? b.FatLength : 0)) * sector;
  const heapStart = b.ClusterHeapOffset * sector;
  const clusters = b.ClusterCount;
  if (clusters === 0 || clusters > MOST_CLUSTERS) throw corrupt(`${clusters} clusters`);
  if (b.FatLength * sector < (clusters + 2) * 4)
    throw corrupt(`a FAT of ${b.FatLength} sectors for ${clusters} clusters`);
  if (
    b.FatOffset < 2 * REGION_SECTORS ||
    b.FatOffset + b.NumberOfFats * b.FatLength > b.ClusterHeapOffset ||
    !Number.isSafeInteger(size) ||
    heapStart + clusters * cluster > size
  )
    throw corrupt(
      `FATs at sector ${b.FatOffset}, clusters at ${b.ClusterHeapOffset} to ${b.ClusterHeapOffset + clusters * (cluster / sector)} of ${b.VolumeLength}`,
    );
  return {
    size,
    clusterBytes: cluster,
    fatStart,
    heapStart,
    lastCluster: clusters + 1,
    rootCluster: b.FirstClusterOfRootDirectory,
  };
}
