/**
 * How large filesystems say they are: fields of their superblocks, read without their drivers, so that a filesystem which is cut off
 * and cannot be opened says it too. Sources: each driver's layout.ts, and for exFAT and NTFS their boot sectors.
 */
import { bytesAt } from '../../fsdrivers';
import type { BlockSource } from '../source/types';

const number = (value: bigint): number | undefined =>
  value > 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;

const READERS: readonly (readonly [RegExp, (source: BlockSource) => number | undefined])[] = [
  [
    /^ext[234]$/,
    (source) => {
      const sb = bytesAt(source, 1024, 1024);
      if (!sb) return undefined;
      // s_blocks_count_hi counts with INCOMPAT_64BIT.
      const high = sb.readUInt32LE(0x60) & 0x80 ? BigInt(sb.readUInt32LE(0x150)) : 0n;
      return number(((high << 32n) | BigInt(sb.readUInt32LE(4))) << BigInt(10 + (sb.readUInt32LE(24) & 31)));
    },
  ],
  [
    /^xfs$/,
    (source) => {
      const sb = bytesAt(source, 0, 16);
      return sb && number(sb.readBigUInt64BE(8) * BigInt(sb.readUInt32BE(4)));
    },
  ],
  [
    // The device's own share of it (dev_item.total_bytes).
    /^btrfs$/,
    (source) => {
      const sb = bytesAt(source, 0x10000 + 0xc9 + 8, 8);
      return sb && number(sb.readBigUInt64LE(0));
    },
  ],
  [
    /^(vfat|msdos|fat)/,
    (source) => {
      const b = bytesAt(source, 0, 36);
      return b && number(BigInt(b.readUInt16LE(19) || b.readUInt32LE(32)) * BigInt(b.readUInt16LE(11)));
    },
  ],
  [
    /^exfat$/,
    (source) => {
      const b = bytesAt(source, 0, 110);
      return b && number(b.readBigUInt64LE(72) << BigInt(b[108]! & 31));
    },
  ],
  [
    // The last sector of the volume, its second boot sector, is not counted.
    /^(ntfs|BitLocker)$/,
    (source) => {
      const b = bytesAt(source, 0, 48);
      if (!b || b.readBigUInt64LE(40) === 0n) return undefined;
      return number((b.readBigUInt64LE(40) + 1n) * BigInt(b.readUInt16LE(11)));
    },
  ],
  [
    /^iso9660$/,
    (source) => {
      const d = bytesAt(source, 32768, 132);
      return d && number(BigInt(d.readUInt32LE(80)) * BigInt(d.readUInt16LE(128)));
    },
  ],
  [
    /^f2fs$/,
    (source) => {
      const sb = bytesAt(source, 1024, 44);
      return sb && number(sb.readBigUInt64LE(36) << BigInt(sb.readUInt32LE(16) & 31));
    },
  ],
  [
    /^squashfs$/,
    (source) => {
      const sb = bytesAt(source, 0, 48);
      return sb && number(sb.readBigUInt64LE(40));
    },
  ],
  [
    /^reiserfs$/,
    (source) => {
      const sb = bytesAt(source, 65536, 46);
      return sb && number(BigInt(sb.readUInt32LE(0)) * BigInt(sb.readUInt16LE(44)));
    },
  ],
];

/** @param type as in Content @returns bytes; null where it is not read */
export function sizeOf(type: string, source: BlockSource): number | null {
  return READERS.find(([pattern]) => pattern.test(type))?.[1](source) ?? null;
}
