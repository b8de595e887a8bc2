/** The second pass: further places of the first pass's dialects, then bootloaders that pygrub does not know. A chunk. */
import { dialects as first } from '.';
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
  {
    name: 'sdboot',
    paths: PREFIXES.map((p) => `${p}/loader/loader.conf`),
    evaluate: (config, ctx) =>
      (require('./sdboot/dialect') as typeof import('./sdboot/dialect')).evaluate(config, ctx),
  },
  {
    name: 'bls',
    paths: PREFIXES.flatMap((p) => [`${p}/loader/entries/`, `${p}/EFI/Linux/`]),
    evaluate: (config, ctx) =>
      (require('./sdboot/dialect') as typeof import('./sdboot/dialect')).evaluate(config, ctx),
  },
  {
    name: 'lilo',
    paths: ['/etc/lilo.conf', '/boot/lilo.conf', '/lilo.conf'],
    evaluate: (config, ctx) =>
      (require('./lilo/dialect') as typeof import('./lilo/dialect')).evaluate(config, ctx),
  },
  {
    name: 'elilo',
    paths: [
      ...['/EFI', '/boot/efi/EFI'].flatMap((place) =>
        ['debian', 'redhat', 'SuSE', 'gentoo', 'Slackware', 'BOOT'].map(
          (name) => `${place}/${name}/elilo.conf`,
        ),
      ),
      ...['/elilo.conf', '/boot/efi/elilo.conf', '/etc/elilo.conf'],
    ],
    evaluate: (config, ctx) =>
      (require('./elilo/dialect') as typeof import('./elilo/dialect')).evaluate(config, ctx),
  },
  {
    name: 'yaboot',
    paths: ['/etc/yaboot.conf', '/yaboot.conf', '/boot/etc/yaboot.conf'],
    evaluate: (config, ctx) =>
      (require('./yaboot/dialect') as typeof import('./yaboot/dialect')).evaluate(config, ctx),
  },
  {
    name: 'kboot',
    paths: ['', '/etc', '/boot'].flatMap((p) => [`${p}/kboot.conf`, `${p}/kboot.cnf`]),
    evaluate: (config, ctx) =>
      (require('./kboot/dialect') as typeof import('./kboot/dialect')).evaluate(config, ctx),
  },
  {
    name: 'bsd',
    paths: ['/boot/kernel/kernel', '/netbsd', '/bsd'],
    evaluate: (config, ctx) =>
      (require('./bsd/dialect') as typeof import('./bsd/dialect')).evaluate(config, ctx),
  },
  {
    name: 'foreign',
    paths: [
      ...['', '/boot'].flatMap((p) => [`${p}/boot.scr`, `${p}/boot.scr.uimg`, `${p}/uEnv.txt`]),
      ...['/bootmgr', '/ntldr', '/EFI/Microsoft/Boot/bootmgfw.efi'],
    ],
    evaluate: (config, ctx) =>
      (require('./foreign/dialect') as typeof import('./foreign/dialect')).evaluate(config, ctx),
  },
];
