/** The second pass: further places of the first pass's dialects, then bootloaders that pygrub does not know. A chunk. */
import { dialects as first, later } from '.';
import type { BootDialect } from './model';

/** A dialect of the first pass in other places. */
const elsewhere = (name: string, paths: readonly string[]): BootDialect => ({
  ...first.find((dialect) => dialect.name === name)!,
  paths,
});

const VENDORS = [
  'debian',
  'ubuntu',
  'fedora',
  'centos',
  'redhat',
  'rocky',
  'almalinux',
  'ol',
  'opensuse',
  'sles',
  'sled',
  'arch',
  'manjaro',
  'gentoo',
  'kali',
  'mageia',
  'qubes',
  'xenserver',
  'BOOT',
];

/** Where the partitions of systemd-boot lie when they are part of a larger filesystem. */
const PREFIXES = ['', '/boot', '/efi', '/boot/efi'];

export const dialects: readonly BootDialect[] = [
  elsewhere('grub2', [
    '/grub.cfg',
    '/boot/grub.cfg',
    ...['/EFI', '/efi/EFI', '/boot/efi/EFI', '/boot/EFI'].flatMap((place) =>
      VENDORS.map((vendor) => `${place}/${vendor}/grub.cfg`),
    ),
  ]),
  elsewhere('syslinux', [
    ...['/boot/syslinux', '/syslinux', '', '/boot/isolinux', '/isolinux'].flatMap((place) =>
      ['extlinux.conf', 'syslinux.cfg', 'isolinux.cfg'].map((name) => `${place}/${name}`),
    ),
    '/EFI/BOOT/syslinux.cfg',
    '/EFI/syslinux/syslinux.cfg',
  ]),
  elsewhere('grublegacy', [
    ...['/boot/menu.lst', '/menu.lst', '/boot/grub.conf', '/grub.conf', '/etc/grub.conf'],
    ...['/rpool/boot/grub/menu.lst', '/EFI/redhat/grub.conf', '/boot/efi/EFI/redhat/grub.conf'],
  ]),
  later(
    'sdboot',
    PREFIXES.map((p) => `${p}/loader/loader.conf`),
    () => require('./sdboot/dialect') as typeof import('./sdboot/dialect'),
  ),
  later(
    'bls',
    PREFIXES.flatMap((p) => [`${p}/loader/entries/`, `${p}/EFI/Linux/`]),
    () => require('./sdboot/dialect') as typeof import('./sdboot/dialect'),
  ),
  later(
    'lilo',
    ['/etc/lilo.conf', '/boot/lilo.conf', '/lilo.conf'],
    () => require('./lilo/dialect') as typeof import('./lilo/dialect'),
  ),
  later(
    'elilo',
    [
      ...['/EFI', '/boot/efi/EFI'].flatMap((place) =>
        ['debian', 'redhat', 'SuSE', 'gentoo', 'Slackware', 'BOOT'].map(
          (name) => `${place}/${name}/elilo.conf`,
        ),
      ),
      ...['/elilo.conf', '/boot/efi/elilo.conf', '/etc/elilo.conf'],
    ],
    () => require('./elilo/dialect') as typeof import('./elilo/dialect'),
  ),
  later(
    'yaboot',
    ['/etc/yaboot.conf', '/yaboot.conf', '/boot/etc/yaboot.conf'],
    () => require('./yaboot/dialect') as typeof import('./yaboot/dialect'),
  ),
  later(
    'kboot',
    ['', '/etc', '/boot'].flatMap((p) => [`${p}/kboot.conf`, `${p}/kboot.cnf`]),
    () => require('./kboot/dialect') as typeof import('./kboot/dialect'),
  ),
  later(
    'bsd',
    ['/boot/kernel/kernel', '/netbsd', '/bsd'],
    () => require('./bsd/dialect') as typeof import('./bsd/dialect'),
  ),
  later(
    'foreign',
    [
      ...['', '/boot'].flatMap((p) => [`${p}/boot.scr`, `${p}/boot.scr.uimg`, `${p}/uEnv.txt`]),
      ...['/bootmgr', '/ntldr', '/EFI/Microsoft/Boot/bootmgfw.efi'],
    ],
    () => require('./foreign/dialect') as typeof import('./foreign/dialect'),
  ),
];
