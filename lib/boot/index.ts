/**
 * The dialects, in the contract's order of places. All but GRUB 2's are chunks of the built program, loaded when one of
 * their places exists.
 */
import { grub2 } from './grub2/dialect';
import type { BootDialect } from './model';

/** Where the partitions of systemd-boot lie when they are part of a larger filesystem. */
const PREFIXES = ['', '/boot', '/efi', '/boot/efi'];

export const dialects: readonly BootDialect[] = [
  grub2,
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
];
