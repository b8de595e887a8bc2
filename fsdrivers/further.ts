/**
 * The drivers that most guests never need, in the order in which they are asked: after ext and FAT, before ISO 9660.
 * Magic numbers that cannot be mistaken come first; archives, which are filesystems only by courtesy, last. The list is
 * a chunk of its own, loaded when neither of the first two knows a volume.
 */
import { bytesAt, type Registered } from './index';

export const further: readonly Registered[] = [
  {
    name: 'xfs',
    looksLike: (source) => bytesAt(source, 0, 4)?.toString('latin1') === 'XFSB',
    load: () => (require('./xfs/driver') as typeof import('./xfs/driver')).driver,
  },
  {
    name: 'btrfs',
    looksLike: (source) => bytesAt(source, 0x10040, 8)?.toString('latin1') === '_BHRfS_M',
    load: () => (require('./btrfs/driver') as typeof import('./btrfs/driver')).driver,
  },
  {
    // `hsqs`, and `sqsh` of the big-endian versions before 4.
    name: 'squashfs',
    looksLike: (source) => /^(hsqs|sqsh)$/.test(bytesAt(source, 0, 4)?.toString('latin1') ?? ''),
    load: () => (require('./squashfs/driver') as typeof import('./squashfs/driver')).driver,
  },
  {
    // The secondary superblock stands where nothing else puts these letters.
    name: 'jfs',
    looksLike: (source) =>
      [0x8000, 0xf000].some((at) => bytesAt(source, at, 4)?.toString('latin1') === 'JFS1'),
    load: () => (require('./jfs/driver') as typeof import('./jfs/driver')).driver,
  },
  {
    name: 'reiserfs',
    looksLike: (source) =>
      [65536, 8192].some((at) =>
        /^ReIsEr(Fs|2Fs|3Fs)/.test(bytesAt(source, at + 52, 10)?.toString('latin1') ?? ''),
      ),
    load: () => (require('./reiserfs/driver') as typeof import('./reiserfs/driver')).driver,
  },
  {
    // UFS2, UFS1, on a floppy disk, behind a large boot program; either byte order.
    name: 'ufs',
    looksLike: (source) =>
      [65536, 8192, 0, 262144].some((at) =>
        /^(\x54\x19\x01\0|\0\x01\x19\x54|\x19\x01\x54\x19|\x19\x54\x01\x19|\x38\x20\x01\x19|\x19\x01\x20\x38)$/.test(
          bytesAt(source, at + 1372, 4)?.toString('latin1') ?? '',
        ),
      ),
    load: () => (require('./ufs/driver') as typeof import('./ufs/driver')).driver,
  },
  {
    // In either of its superblocks; the driver verifies their checksums.
    name: 'nilfs2',
    looksLike: (source) =>
      [1024, (Math.floor(source.size / 4096) - 1) * 4096].some(
        (at) => at >= 1024 && bytesAt(source, at + 6, 2)?.toString('latin1') === '44',
      ),
    load: () => (require('./nilfs2/driver') as typeof import('./nilfs2/driver')).driver,
  },
  {
    // Two bytes, which other things may be: the driver looks closer.
    name: 'minix',
    looksLike: (source) => {
      const b = bytesAt(source, 1040, 10)?.toString('latin1') ?? '';
      return /^(\x7f\x13|\x8f\x13|\x68\x24|\x78\x24|\x13[\x7f\x8f]|\x24[\x68\x78])|^.{8}(ZM|MZ)/s.test(b);
    },
    load: () => (require('./minix/driver') as typeof import('./minix/driver')).driver,
  },
  {
    name: 'erofs',
    looksLike: (source) => bytesAt(source, 1024, 4)?.readUInt32LE(0) === 0xe0f5e1e2,
    load: () => (require('./erofs/driver') as typeof import('./erofs/driver')).driver,
  },
  {
    // HFS+ and HFSX, or an HFS that has one embedded. Where there is an ISO 9660 too, that is what GRUB takes.
    name: 'hfsplus',
    looksLike: (source) =>
      /^(H\+|HX|BD[\s\S]{122}H[+X])/.test(bytesAt(source, 1024, 126)?.toString('latin1') ?? '') &&
      bytesAt(source, 32769, 5)?.toString('latin1') !== 'CD001',
    load: () => (require('./hfsplus/driver') as typeof import('./hfsplus/driver')).driver,
  },
  {
    // Before ISO 9660, over which a bridge disc has it: as in blkid and in a GRUB with all drivers. Its descriptors are those of a disc.
    name: 'udf',
    looksLike: (source) =>
      [2048, 4096, 8192, 16384, 32768].some((step) => {
        for (let i = 0; i < 64; i++) {
          const id = bytesAt(source, 32768 + i * step + 1, 5)?.toString('latin1') ?? '';
          if (/^NSR0[23]$/.test(id)) return true;
          if (!/^(BEA01|BOOT2|CD001|CDW02|TEA01)$/.test(id)) return false;
        }
        return false;
      }),
    load: () => (require('./udf/driver') as typeof import('./udf/driver')).driver,
  },
  {
    name: 'exfat',
    // The boot sector; or only the one behind it, of 512 to 4,096 bytes, when the first is damaged.
    looksLike: (source) =>
      bytesAt(source, 3, 8)?.toString('latin1') === 'EXFAT   ' ||
      [1024, 2048, 4096, 8192].some((end) => bytesAt(source, end - 4, 4)?.readUInt32LE(0) === 0xaa550000),
    load: () => (require('./exfat/driver') as typeof import('./exfat/driver')).driver,
  },
  {
    name: 'ntfs',
    looksLike: (source) => bytesAt(source, 3, 8)?.toString('latin1') === 'NTFS    ',
    load: () => (require('./ntfs/driver') as typeof import('./ntfs/driver')).driver,
  },
  {
    name: 'romfs',
    looksLike: (source) => bytesAt(source, 0, 8)?.toString('latin1') === '-rom1fs-',
    load: () => (require('./romfs/driver') as typeof import('./romfs/driver')).driver,
  },
  {
    // At the start or behind a boot sector; either byte order.
    name: 'cramfs',
    looksLike: (source) =>
      [0, 512].some((at) =>
        /^(\x45\x3d\xcd\x28|\x28\xcd\x3d\x45)$/.test(bytesAt(source, at, 4)?.toString('latin1') ?? ''),
      ),
    load: () => (require('./cramfs/driver') as typeof import('./cramfs/driver')).driver,
  },
  {
    // newc, crc, odc, and 16 bits of the old binary ones: the driver asks for a whole header that makes sense.
    name: 'cpio',
    looksLike: (source) =>
      /^(07070[127]|\xc7\x71|\x71\xc7)/.test(bytesAt(source, 0, 6)?.toString('latin1') ?? ''),
    load: () => (require('./cpio/driver') as typeof import('./cpio/driver')).driver,
  },
  {
    // The oldest have no magic number: something where the checksum is. The driver wants it to be right.
    name: 'tar',
    looksLike: (source) => /^[ \0]*[0-7]+[ \0]?/.test(bytesAt(source, 148, 8)?.toString('latin1') ?? ''),
    load: () => (require('./tar/driver') as typeof import('./tar/driver')).driver,
  },
  {
    name: 'f2fs',
    looksLike: (source) => [1024, 5120].some((at) => bytesAt(source, at, 4)?.readUInt32LE(0) === 0xf2f52010),
    load: () => (require('./f2fs/driver') as typeof import('./f2fs/driver')).driver,
  },
  {
    // The magic number of the checksum at the end of one of the four labels, in either byte order.
    name: 'zfs',
    looksLike: (source) => {
      const end = Math.floor(source.size / 262144) * 262144;
      return [0, 262144, end - 524288, end - 262144].some(
        (at) =>
          at >= 0 &&
          /^(\x11\x7a\x0c\xb1\x7a\xda\x10\x02|\x02\x10\xda\x7a\xb1\x0c\x7a\x11)$/.test(
            bytesAt(source, at + 131032, 8)?.toString('latin1') ?? '',
          ),
      );
    },
    load: () => (require('./zfs/driver') as typeof import('./zfs/driver')).driver,
  },
];
