/**
 * The dialects, in the contract's order of places. All but GRUB 2's are chunks of the built program, loaded when one of
 * their places exists; those of the second pass are not even named in the core.
 */
import { grub2 } from './grub2/dialect';
import type { BootDialect } from './model';

/** Pass 1: what pygrub knows, and where. */
export const dialects: readonly BootDialect[] = [
  {
    name: 'solaris',
    paths: ['/platform/i86xpv/kernel/amd64/unix', '/platform/i86xpv/kernel/unix'],
    evaluate: (config, ctx) =>
      (require('./solaris/dialect') as typeof import('./solaris/dialect')).evaluate(config, ctx),
  },
  {
    name: 'netware',
    paths: ['/nwserver/xnloader.sys'],
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
    evaluate: (config, ctx) =>
      (require('./syslinux/dialect') as typeof import('./syslinux/dialect')).evaluate(config, ctx),
  },
  {
    name: 'grublegacy',
    paths: ['/boot/grub/menu.lst', '/boot/grub/grub.conf', '/grub/menu.lst', '/grub/grub.conf'],
    evaluate: (config, ctx) =>
      (require('./grublegacy/dialect') as typeof import('./grublegacy/dialect')).evaluate(config, ctx),
  },
];

/** Pass 2, when nothing of pass 1 boots. */
export const furtherDialects = (): readonly BootDialect[] =>
  (require('./further') as typeof import('./further')).dialects;
