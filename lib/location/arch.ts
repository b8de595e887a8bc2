/**
 * Arch Linux: `iso/latest/arch/boot/x86_64/{vmlinuz-linux,initramfs-linux.img}`, the files of the ISO image. The initramfs fetches the
 * root filesystem from `archiso_http_srv=` (archiso's boot parameters). No list has these two files' checksums.
 */
import { checksumOf } from './sums';
import { firstPair, MEDIUM, type TreeKind } from './tree';

export const arch: TreeKind = {
  name: 'arch',
  async find(tree) {
    const pair = await firstPair(
      tree,
      ['', 'iso/latest/'].flatMap((top) =>
        ['initramfs-linux.img', 'archiso.img'].map((initrd): [string, string] => [
          `${top}arch/boot/x86_64/vmlinuz-linux`,
          `${top}arch/boot/x86_64/${initrd}`,
        ]),
      ),
    );
    if (!pair) return undefined;
    const top = pair[0].replace(/arch\/boot\/.*/, '');
    const { local } = tree.files;
    return {
      what: 'Arch Linux',
      kernel: pair[0],
      ramdisk: pair[1],
      args: local ? [] : ['archisobasedir=arch', `archiso_http_srv=${tree.base}${top}`, 'ip=dhcp'],
      notes: local ? [MEDIUM] : [],
      sum: async (path) =>
        checksumOf(
          await tree.text(`${top}sha256sums.txt`),
          [path, path.slice(top.length)],
          'sha256sums.txt',
          tree.ctx,
        ),
    };
  },
};
