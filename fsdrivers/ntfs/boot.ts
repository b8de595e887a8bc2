/** The boot sector, or its copy behind the filesystem: raw → checked geometry. */
import type { Context } from '../../lib/bytes/budget';
import { corrupt, GuestError } from '../../lib/bytes/errors';
import { type BlockSource, readBytes } from '../../lib/source/types';
import { BootSector, OEM_ID, STRIDE } from './layout';

export interface Geometry {
  readonly clusterBytes: number;
  /** Clusters of the filesystem. */
  readonly clusters: number;
  readonly size: number;
  readonly recordBytes: number;
  /** Byte of $MFT's first record, and of its copy. */
  readonly mftAt: number;
  readonly mirrorAt: number;
  /** As blkid and GRUB print it: `1A2B3C4D5E6F7081`. */
  readonly uuid: string;
}

/** Undefined: this is no NTFS. */
export function readBoot(source: BlockSource, at: number, ctx: Context): Buffer | undefined {
  if (at < 0 || at + BootSector.size > source.size) return undefined;
  const boot = readBytes(source, at, BootSector.size, ctx);
  return boot.toString('latin1', 3, 11) === OEM_ID ? boot : undefined;
}

export const serial = (boot: Buffer): string =>
  BootSector.fields.volume_serial_number.read(boot, 0).toString(16).toUpperCase().padStart(16, '0');

/**
 * By the boot sector, or by the copy in the volume's last sector when that of the first cannot be.
 * @throws GuestError `corrupt`
 */
export function readGeometry(source: BlockSource, boot: Buffer, ctx: Context): Geometry {
  try {
    return check(boot);
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    const copy = readBoot(source, source.size - BootSector.size, ctx);
    if (!copy) throw error;
    const geometry = check(copy);
    ctx.warn(`NTFS boot sector: ${error.message}; the copy at the volume's end is used`);
    return geometry;
  }
}

const isPower = (n: number, least: number, most: number): boolean =>
  n >= least && n <= most && Number.isInteger(Math.log2(n));

function check(boot: Buffer): Geometry {
  const b = BootSector.read(boot);
  if (b.end_of_sector_marker !== 0xaa55) throw corrupt('the boot sector ends without 0xaa55');
  const sector = b.bytes_per_sector;
  const perCluster = b.sectors_per_cluster > 128 ? 2 ** (256 - b.sectors_per_cluster) : b.sectors_per_cluster;
  const clusterBytes = sector * perCluster;
  if (!isPower(sector, 256, 4096) || !isPower(clusterBytes, 512, 2 * 1024 * 1024))
    throw corrupt(`clusters of ${perCluster} sectors of ${sector} bytes`);
  const raw = b.clusters_per_mft_record;
  const recordBytes = raw > 127 ? 2 ** (256 - raw) : raw * clusterBytes;
  if (!isPower(recordBytes, STRIDE, 65536)) throw corrupt(`MFT records of ${recordBytes} bytes`);
  const size = b.number_of_sectors * sector;
  const clusters = Math.floor(size / clusterBytes);
  if (!Number.isSafeInteger(size) || b.mft_lcn === 0 || b.mft_lcn >= clusters || b.mftmirr_lcn >= clusters)
    throw corrupt(`$MFT at cluster ${b.mft_lcn}, $MFTMirr at ${b.mftmirr_lcn} of ${clusters}`);
  return {
    clusterBytes,
    clusters,
    size,
    recordBytes,
    mftAt: b.mft_lcn * clusterBytes,
    mirrorAt: b.mftmirr_lcn * clusterBytes,
    uuid: serial(boot),
  };
}
