/** The boot sector: raw → checked geometry. */
import type { Context } from '../../lib/bytes/budget';
import { type BlockSource, readBytes } from '../../lib/source/types';
import {
  BootSector,
  ENTRY_SIZE,
  FAT16_CLUSTERS,
  FAT32_CLUSTERS,
  MAX_CLUSTERS,
  ONE_FAT_ACTIVE,
} from './layout';

/** Everything in bytes from the filesystem's start, and inside the source as far as metadata goes. */
export interface Geometry {
  readonly bits: 12 | 16 | 32;
  readonly clusterBytes: number;
  /** The active FAT. */
  readonly fatStart: number;
  readonly fatBytes: number;
  /** Highest cluster number; the first is 2. */
  readonly lastCluster: number;
  /** Where cluster 2 is. */
  readonly dataStart: number;
  /** FAT32: the root directory's first cluster; else its fixed place. */
  readonly root: { readonly cluster: number } | { readonly start: number; readonly bytes: number };
  /** As blkid and GRUB print it: `1A2B-3C4D`. */
  readonly uuid: string;
  /** 11 bytes as they are, when the boot sector has a label field. */
  readonly label: Buffer | undefined;
}

const powerOfTwo = (n: number) => n !== 0 && (n & (n - 1)) === 0;

/**
 * @returns undefined when this is not a FAT filesystem. There is no magic number: the checks are those of Linux
 * (fat_read_bpb, fs/fat/inode.c), and one sign more, so that other boot sectors are not taken for one.
 */
export function readGeometry(source: BlockSource, ctx: Context): Geometry | undefined {
  if (source.size < BootSector.size) return undefined;
  const b = BootSector.read(readBytes(source, 0, BootSector.size, ctx));
  const oem = b.BS_OEMName.toString('latin1');
  if (oem === 'NTFS    ' || oem === 'EXFAT   ' || oem === '-FVE-FS-') return undefined;
  const sector = b.BPB_BytsPerSec;
  if (!powerOfTwo(sector) || sector < 512) return undefined;
  if (!powerOfTwo(b.BPB_SecPerClus) || b.BPB_RsvdSecCnt === 0 || b.BPB_NumFATs === 0) return undefined;
  if (b.BPB_Media !== 0xf0 && b.BPB_Media < 0xf8) return undefined;

  const fat32 = b.BPB_FATSz16 === 0;
  const fatSectors = fat32 ? b.BPB_FATSz32 : b.BPB_FATSz16;
  const sectors = b.BPB_TotSec16 || b.BPB_TotSec32;
  const rootSectors = Math.ceil((b.BPB_RootEntCnt * ENTRY_SIZE) / sector);
  const rootStart = b.BPB_RsvdSecCnt + b.BPB_NumFATs * fatSectors;
  const dataSector = rootStart + rootSectors;
  if (fatSectors === 0 || (!fat32 && rootSectors === 0)) return undefined;
  if (sectors <= dataSector || dataSector * sector > source.size) return undefined;

  const clusters = Math.floor((sectors - dataSector) / b.BPB_SecPerClus);
  const bits = fat32 ? 32 : clusters < FAT16_CLUSTERS ? 12 : 16;
  if (clusters > (fat32 ? MAX_CLUSTERS : FAT32_CLUSTERS)) return undefined;
  const fatBytes = fatSectors * sector;
  // A FAT too short for its clusters: the rest cannot be used (Linux does the same).
  const fitting = Math.floor((fatBytes * 8) / bits) - 2;
  const usable = Math.min(clusters, fitting);
  if (usable < 1) return undefined;

  const mirrored = !fat32 || (b.BPB_ExtFlags & ONE_FAT_ACTIVE) === 0;
  const active = mirrored ? 0 : b.BPB_ExtFlags & 0xf;
  if (active >= b.BPB_NumFATs) return undefined;
  const fatStart = (b.BPB_RsvdSecCnt + active * fatSectors) * sector;

  // The one sign more: a jump and the signature, or the media byte again at the start of the FAT.
  const jump = (b.BS_jmpBoot[0] === 0xeb || b.BS_jmpBoot[0] === 0xe9) && b.Signature_word === 0xaa55;
  if (!jump) {
    const first = readBytes(source, fatStart, 2, ctx);
    if (first[0] !== b.BPB_Media || first[1] !== 0xff) return undefined;
  }

  const serial = fat32 ? b.BS_VolID_32 : b.BS_VolID;
  const hex = (n: number) => n.toString(16).toUpperCase().padStart(4, '0');
  const hasLabel = (fat32 ? b.BS_BootSig_32 : b.BS_BootSig) === 0x29;
  return {
    bits,
    clusterBytes: b.BPB_SecPerClus * sector,
    fatStart,
    fatBytes,
    lastCluster: usable + 1,
    dataStart: dataSector * sector,
    root: fat32
      ? { cluster: b.BPB_RootClus }
      : { start: rootStart * sector, bytes: b.BPB_RootEntCnt * ENTRY_SIZE },
    uuid: `${hex(serial >>> 16)}-${hex(serial & 0xffff)}`,
    label: hasLabel ? (fat32 ? b.BS_VolLab_32 : b.BS_VolLab) : undefined,
  };
}
