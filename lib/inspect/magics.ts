/**
 * What is named and not read: by magic number, in the order in which it is asked. Each row's source stands beside it; magics
 * that would also be found inside others come after those.
 */
import { bytesAt } from '../../fsdrivers';
import type { BlockSource } from '../source/types';

export interface Named {
  readonly kind: 'swap' | 'encrypted' | 'other' | 'boot-code' | 'lvm' | 'raid' | 'filesystem';
  /** blkid's where it has one. */
  readonly type: string;
  readonly name: string;
  /** Looks like a filesystem that is read here, and is not: asked before those. */
  readonly disguised?: true;
  /** Where it stands, and what it is: bytes as latin1. From the end when negative. */
  readonly magics: readonly (readonly [number, string])[];
  /** Only the whole of a disk image. */
  readonly image?: true;
  sound?(source: BlockSource): boolean;
  uuid?(source: BlockSource): string | undefined;
  label?(source: BlockSource): string | undefined;
  size?(source: BlockSource): number | undefined;
}

/** Pages of the machines that made it: the mark is at the first page's end (linux/include/linux/swap.h, `union swap_header`). */
const SWAP_PAGES = [4096, 8192, 16384, 65536];
const swapPage = (source: BlockSource): number =>
  SWAP_PAGES.find((page) => bytesAt(source, page - 10, 10)?.toString('latin1') === 'SWAPSPACE2') ?? 4096;

const hexId = (bytes: Buffer | undefined): string | undefined => {
  if (!bytes || bytes.every((byte) => byte === 0)) return undefined;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
};
const textAt = (source: BlockSource, at: number, length: number): string | undefined =>
  bytesAt(source, at, length)
    ?.toString('latin1')
    .replace(/\0[\s\S]*$/, '') || undefined;

export const MAGICS: readonly Named[] = [
  {
    // Microsoft's "BitLocker Drive Encryption"; libbde's format document: boot sectors of Windows Vista and of 7 to 11.
    kind: 'encrypted',
    type: 'BitLocker',
    name: "BitLocker, Windows' encryption",
    disguised: true,
    magics: [[3, '-FVE-FS-']],
  },
  {
    // The same document: BitLocker To Go, whose boot sector is FAT's; its identifier 4967d63b-2e29-4ad8-8399-f6a339e3d001.
    kind: 'encrypted',
    type: 'BitLocker',
    name: "BitLocker To Go, Windows' encryption",
    disguised: true,
    magics: [[424, '\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01']],
  },
  {
    kind: 'swap',
    type: 'swap',
    name: 'Linux swap',
    magics: SWAP_PAGES.map((page) => [page - 10, 'SWAPSPACE2'] as const),
    // version, last_page, nr_badpages, then sws_uuid and sws_volume: the same header.
    uuid: (source) => hexId(bytesAt(source, 1024 + 12, 16)),
    label: (source) => textAt(source, 1024 + 28, 16),
    size: (source) => {
      const b = bytesAt(source, 1028, 4);
      return b && (b.readUInt32LE(0) + 1) * swapPage(source);
    },
  },
  {
    kind: 'swap',
    type: 'swap',
    name: 'Linux swap, version 0',
    magics: SWAP_PAGES.map((page) => [page - 10, 'SWAP-SPACE'] as const),
  },
  {
    // What replaces the mark when a system sleeps there: kernel/power/swap.c (S1SUSPEND), uswsusp, TuxOnIce.
    kind: 'swap',
    type: 'swsuspend',
    name: 'Linux swap that holds a suspended system',
    magics: SWAP_PAGES.flatMap((page) =>
      ['S1SUSPEND', 'S2SUSPEND', 'ULSUSPEND', 'LINHIB0001', '\xed\xc3\x02\xe9\x98\x56\xe5\x0c'].map(
        (mark) => [page - 10, mark] as const,
      ),
    ),
  },
  {
    // "Resilient File System": boot sector of libfsrefs' format document.
    kind: 'filesystem',
    type: 'ReFS',
    name: "ReFS, Windows Server's filesystem",
    magics: [[3, 'ReFS\0\0\0\0']],
  },
  {
    // "Apple File System Reference": nx_superblock_t, nx_magic behind the 32 bytes of its header; nx_uuid at 72.
    kind: 'filesystem',
    type: 'apfs',
    name: 'Apple APFS',
    magics: [[32, 'NXSB']],
    uuid: (source) => hexId(bytesAt(source, 72, 16)),
  },
  {
    // bcachefs_format.h: BCHFS_MAGIC in the superblock at sector 8, behind checksum, version and padding; user_uuid and label.
    kind: 'filesystem',
    type: 'bcachefs',
    name: 'bcachefs',
    magics: [[4096 + 24, '\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef']],
    uuid: (source) => hexId(bytesAt(source, 4096 + 56, 16)),
    label: (source) => textAt(source, 4096 + 72, 32),
  },
  {
    // drivers/md/bcache/bcache_ondisk.h: bcache_magic in the superblock at sector 8.
    kind: 'other',
    type: 'bcache',
    name: 'bcache, a cache or what it stands before',
    magics: [[4096 + 24, '\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81']],
    uuid: (source) => hexId(bytesAt(source, 4096 + 40, 16)),
  },
  {
    // open-vmfs (vmfs-tools): vmfs_lvm.h, vmfs_fs.h.
    kind: 'other',
    type: 'VMFS_volume_member',
    name: 'VMware VMFS, a datastore',
    magics: [[1048576, '\x0d\xd0\x01\xc0']],
  },
  {
    kind: 'filesystem',
    type: 'VMFS',
    name: 'VMware VMFS',
    magics: [[2097152, '\x5e\xf1\xab\x2f']],
  },
  {
    // include/linux/lvm.h of Linux 2.4: pv_disk_v2_t, id and version at the very beginning.
    kind: 'lvm',
    type: 'LVM1_member',
    name: 'LVM1, volumes of Linux 2.4',
    magics: [
      [0, 'HM\x01\0'],
      [0, 'HM\x02\0'],
    ],
  },
  {
    // "LDM" as documented by the Linux-NTFS project: PRIVHEAD, in the seventh sector of an MBR disk.
    kind: 'other',
    type: 'LDM',
    name: 'Windows dynamic disk (LDM)',
    magics: [[6 * 512, 'PRIVHEAD']],
  },
  {
    // fs/ocfs2/ocfs2_fs.h: OCFS2_SUPER_BLOCK_SIGNATURE in block 2.
    kind: 'filesystem',
    type: 'ocfs2',
    name: 'OCFS2, a cluster filesystem',
    magics: [1024, 2048, 4096, 8192].map((at) => [at, 'OCFSV2'] as const),
  },
  {
    // include/uapi/linux/gfs2_ondisk.h: GFS2_MAGIC at GFS2_SB_ADDR (sector 128), type superblock.
    kind: 'filesystem',
    type: 'gfs2',
    name: 'GFS2, a cluster filesystem',
    magics: [[65536, '\x01\x16\x19\x70\0\0\0\x01']],
  },
  {
    // fs/reiser4 (out of the kernel): master superblock.
    kind: 'filesystem',
    type: 'reiser4',
    name: 'Reiser4',
    magics: [[65536, 'ReIsEr4']],
  },
  {
    // BlueStore.cc: bdev_label_t begins with this line.
    kind: 'other',
    type: 'ceph_bluestore',
    name: "Ceph's BlueStore",
    magics: [[0, 'bluestore block device']],
  },
  {
    // oracleasm's asmlib: disk label at 32.
    kind: 'other',
    type: 'oracleasm',
    name: 'Oracle ASM',
    magics: [[32, 'ORCLDISK']],
  },
  {
    // "Stratis Software Design": static header in the second sector.
    kind: 'lvm',
    type: 'stratis',
    name: 'Stratis pool',
    magics: [[512 + 4, '!Stra0tis\x86\xff\x02^\x41rh']],
  },
  {
    // dm-vdo: geometry block.
    kind: 'other',
    type: 'vdo',
    name: 'VDO',
    magics: [[0, 'dmvdo001']],
  },
  {
    // FreeBSD sys/geom/eli/g_eli.h: metadata in the last sector.
    kind: 'encrypted',
    type: 'GELI',
    name: "GELI, FreeBSD's encryption",
    magics: [
      [-512, 'GEOM::ELI'],
      [-4096, 'GEOM::ELI'],
    ],
  },
  {
    // libfvde: Core Storage volume header, `CS` at 88.
    kind: 'other',
    type: 'CoreStorage',
    name: 'Apple Core Storage (FileVault)',
    magics: [[88, 'CS\x01\0\0\0']],
  },
  {
    // "Inside Macintosh: Files": drSigWord of the master directory block.
    kind: 'filesystem',
    type: 'hfs',
    name: 'Apple HFS, the old one',
    magics: [[1024, 'BD']],
    // Two letters are little: drAlBlkSiz is a multiple of 512.
    sound: (source) => {
      const b = bytesAt(source, 1044, 4);
      return !!b && b.readUInt32BE(0) > 0 && b.readUInt32BE(0) % 512 === 0;
    },
  },
  {
    // fs/hpfs/hpfs.h: SB_MAGIC, SB_MAGIC1 in sector 16.
    kind: 'filesystem',
    type: 'hpfs',
    name: "HPFS, OS/2's filesystem",
    magics: [[8192, '\x49\xe8\x95\xf9\xc5\xe9\x53\xfa']],
  },
  {
    // fs/befs/super.h: SUPER_MAGIC1, in the second sector.
    kind: 'filesystem',
    type: 'befs',
    name: 'BFS of BeOS and Haiku',
    magics: [[512 + 32, '1SFB']],
  },
  {
    // fs/freevxfs/vxfs.h: VXFS_SUPER_MAGIC.
    kind: 'filesystem',
    type: 'vxfs',
    name: 'Veritas VxFS',
    magics: [[1024, '\xf5\xfc\x01\xa5']],
  },
  {
    // GRUB's diskboot.S, with which core.img begins, in its two forms; what it prints.
    kind: 'boot-code',
    type: 'grub-core',
    name: "GRUB's core image (BIOS)",
    magics: [
      [0, '\x52\xe8'],
      [0, '\x52\x56\xbe'],
    ],
    sound: (source) =>
      /loading\0[\s\S]*Geom\0Read\0 Error/.test(bytesAt(source, 0, 512)?.toString('latin1') ?? ''),
  },
  // Images that are packed: what to do is said with them (advice.ts). The .xz File Format; RFC 8878; bzip2's manual; APPNOTE; 7zFormat.
  { kind: 'other', type: 'xz', name: 'an image packed by xz', magics: [[0, '\xfd7zXZ\0']], image: true },
  {
    kind: 'other',
    type: 'zstd',
    name: 'an image packed by zstd',
    magics: [[0, '\x28\xb5\x2f\xfd']],
    image: true,
  },
  { kind: 'other', type: 'bzip2', name: 'an image packed by bzip2', magics: [[0, 'BZh']], image: true },
  { kind: 'other', type: 'zip', name: 'a ZIP archive', magics: [[0, 'PK\x03\x04']], image: true },
  { kind: 'other', type: '7z', name: 'a 7z archive', magics: [[0, '7z\xbc\xaf\x27\x1c']], image: true },
  // xen.git tools/libs/saverestore: "xenstore-image format", and xl's own header before it.
  {
    kind: 'other',
    type: 'xl-save',
    name: 'a saved domain (xl save)',
    magics: [[0, 'Xen saved domain, xl format']],
    image: true,
  },
];

/** @param whole the whole of a disk image @param disguised only those that look like others */
export function namedContent(source: BlockSource, whole: boolean, disguised = false): Named | undefined {
  return MAGICS.find(
    (row) =>
      (!disguised || row.disguised) &&
      (!row.image || whole) &&
      row.magics.some(([at, magic]) => {
        const place = at < 0 ? Math.floor(source.size / 512) * 512 + at : at;
        return place >= 0 && bytesAt(source, place, magic.length)?.toString('latin1') === magic;
      }) &&
      (row.sound?.(source) ?? true),
  );
}

/** Words in the first sector of a disk, of whose code it is. Order: those that others contain come last. */
const BOOT_CODE: readonly (readonly [RegExp, string])[] = [
  [/GRUB/, 'GRUB'],
  [/LILO/, 'LILO'],
  [/isolinux\.bin missing|ISOLINUX/i, 'isolinux'],
  [/SYSLINUX|Boot error|Missing operating system\.\r\n/, 'syslinux'],
  [/BOOTMGR|Error loading operating system|NTLDR/, 'Windows'],
  [/FreeBSD|Drive not ready|Boot: /, 'FreeBSD'],
];

/** Whose code the first 440 bytes of a disk hold; null: none that is known. */
export function bootCode(sector: Buffer): string | null {
  const text = sector.toString('latin1', 0, 440);
  if (/^\0*$/.test(text)) return null;
  return BOOT_CODE.find(([words]) => words.test(text))?.[1] ?? null;
}
