/**
 * The dialects, in the contract's order of places. All but GRUB 2's are chunks of the built program, loaded when one of
 * their places exists; those of the second pass are not even named in the core.
 */
import { grub2 } from './grub2/dialect';
import type { BootDialect } from './model';

/** A dialect that is a chunk. In `load`, `require` is what marks it as one (scripts/build.mjs). */
export const later = (
  name: string,
  paths: readonly string[],
  load: () => Pick<BootDialect, 'evaluate'>,
): BootDialect => ({ name, paths, evaluate: (config, ctx) => load().evaluate(config, ctx) });

/** Pass 1: what pygrub knows, and where. */
export const dialects: readonly BootDialect[] = [
  later(
    'solaris',
    ['/platform/i86xpv/kernel/amd64/unix', '/platform/i86xpv/kernel/unix'],
    () => require('./solaris/dialect') as typeof import('./solaris/dialect'),
  ),
  later(
    'netware',
    ['/nwserver/xnloader.sys'],
    () => require('./netware/dialect') as typeof import('./netware/dialect'),
  ),
  grub2,
  later(
    'syslinux',
    [
      '/boot/isolinux/isolinux.cfg',
      '/boot/extlinux/extlinux.conf',
      '/boot/extlinux.conf',
      '/extlinux/extlinux.conf',
      '/extlinux.conf',
    ],
    () => require('./syslinux/dialect') as typeof import('./syslinux/dialect'),
  ),
  later(
    'grublegacy',
    ['/boot/grub/menu.lst', '/boot/grub/grub.conf', '/grub/menu.lst', '/grub/grub.conf'],
    () => require('./grublegacy/dialect') as typeof import('./grublegacy/dialect'),
  ),
];

/** Pass 2, when nothing of pass 1 boots. */
export const furtherDialects = (): readonly BootDialect[] =>
  (require('./further') as typeof import('./further')).dialects;
