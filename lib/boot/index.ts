/**
 * The dialects, in the contract's order of places. All but GRUB 2's are chunks of the built program, loaded when one of
 * their places exists.
 */
import { grub2 } from './grub2/dialect';
import type { BootDialect } from './model';

/** Where the partitions of systemd-boot lie when they are part of a larger filesystem. */
const PREFIXES = ['', '/boot', '/efi', '/boot/efi'];

export const dialects: readonly BootDialect[] = [
  {
    name: 'solaris',
    paths: ['/platform/i86xpv/kernel/amd64/unix', '/platform/i86xpv/kernel/unix'],
    furtherPaths: [],
    evaluate: (config, ctx) =>
      (require('./solaris/dialect') as typeof import('./solaris/dialect')).evaluate(config, ctx),
  },
  {
    name: 'netware',
    paths: ['/nwserver/xnloader.sys'],
    furtherPaths: [],
    evaluate: (config, ctx) =>
      (require('./netware/dialect') as typeof import('./netware/dialect')).evaluate(config, ctx),
  },
  grub2,
  {
    name: 'syslinux',
    paths: [
      '/boot/isolinux/isolinux.cfg',
      '/boot/extlinux/extlinux.conf',
      '/boot/extlinux.conf',
      '/extlinux/extlinux.conf',
      '/extlinux.conf',
    ],
    furtherPaths: [
      ...['/boot/syslinux', '/syslinux', '', '/boot/isolinux', '/isolinux'].flatMap((place) =>
        ['extlinux.conf', 'syslinux.cfg', 'isolinux.cfg'].map((name) => `${place}/${name}`),
      ),
      '/EFI/BOOT/syslinux.cfg',
      '/EFI/syslinux/syslinux.cfg',
    ],
    evaluate: (config, ctx) =>
      (require('./syslinux/dialect') as typeof import('./syslinux/dialect')).evaluate(config, ctx),
  },
  {
    name: 'grublegacy',
    paths: ['/boot/grub/menu.lst', '/boot/grub/grub.conf', '/grub/menu.lst', '/grub/grub.conf'],
    furtherPaths: [
      ...['/boot/menu.lst', '/menu.lst', '/boot/grub.conf', '/grub.conf', '/etc/grub.conf'],
      ...['/rpool/boot/grub/menu.lst', '/EFI/redhat/grub.conf', '/boot/efi/EFI/redhat/grub.conf'],
    ],
    evaluate: (config, ctx) =>
      (require('./grublegacy/dialect') as typeof import('./grublegacy/dialect')).evaluate(config, ctx),
  },
  {
    name: 'sdboot',
    paths: [],
    furtherPaths: PREFIXES.map((p) => `${p}/loader/loader.conf`),
    evaluate: (config, ctx) =>
      (require('./sdboot/dialect') as typeof import('./sdboot/dialect')).evaluate(config, ctx),
  },
  {
    name: 'bls',
    paths: [],
    furtherPaths: PREFIXES.flatMap((p) => [`${p}/loader/entries/`, `${p}/EFI/Linux/`]),
    evaluate: (config, ctx) =>
      (require('./bls/dialect') as typeof import('./bls/dialect')).evaluate(config, ctx),
  },
  {
    name: 'lilo',
    paths: [],
    furtherPaths: ['/etc/lilo.conf', '/boot/lilo.conf', '/lilo.conf'],
    evaluate: (config, ctx) =>
      (require('./lilo/dialect') as typeof import('./lilo/dialect')).evaluate(config, ctx),
  },
  {
    name: 'elilo',
    paths: [],
    furtherPaths: [
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
    paths: [],
    furtherPaths: ['/etc/yaboot.conf', '/yaboot.conf', '/boot/etc/yaboot.conf'],
    evaluate: (config, ctx) =>
      (require('./yaboot/dialect') as typeof import('./yaboot/dialect')).evaluate(config, ctx),
  },
  {
    name: 'kboot',
    paths: [],
    furtherPaths: ['', '/etc', '/boot'].flatMap((p) => [`${p}/kboot.conf`, `${p}/kboot.cnf`]),
    evaluate: (config, ctx) =>
      (require('./kboot/dialect') as typeof import('./kboot/dialect')).evaluate(config, ctx),
  },
  {
    name: 'bsd',
    paths: [],
    furtherPaths: ['/boot/kernel/kernel', '/netbsd', '/bsd'],
    evaluate: (config, ctx) =>
      (require('./bsd/dialect') as typeof import('./bsd/dialect')).evaluate(config, ctx),
  },
  {
    name: 'foreign',
    paths: [],
    furtherPaths: [
      ...['', '/boot'].flatMap((p) => [`${p}/boot.scr`, `${p}/boot.scr.uimg`, `${p}/uEnv.txt`]),
      ...['/bootmgr', '/ntldr', '/EFI/Microsoft/Boot/bootmgfw.efi'],
    ],
    evaluate: (config, ctx) =>
      (require('./foreign/dialect') as typeof import('./foreign/dialect')).evaluate(config, ctx),
  },
];
