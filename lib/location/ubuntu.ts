/**
 * Ubuntu's live server installer. Since 21.10 a release has `netboot/ARCH/{linux,initrd}`, with a pxelinux.cfg/default that names the
 * ISO image which the initrd then fetches (`iso-url=` or `url=`); an ISO image has `casper/{vmlinuz,initrd}`. Source: the
 * specification "Publishing netboot artifacts", casper's manual page.
 */
import { checksumOf } from './sums';
import { ARCHITECTURES, firstPair, type Installer, MEDIUM, type Tree, type TreeKind } from './tree';

async function fromNetboot(tree: Tree): Promise<Installer | undefined> {
  const folders = ARCHITECTURES.flatMap(([arch]) => {
    if (tree.base.endsWith(`/netboot/${arch}/`)) return [''];
    return tree.base.endsWith('/netboot/') ? [`${arch}/`] : [`netboot/${arch}/`];
  });
  const pair = await firstPair(
    tree,
    folders.map((folder) => [`${folder}linux`, `${folder}initrd`]),
  );
  if (!pair) return undefined;
  const folder = pair[0].slice(0, -'linux'.length);
  const iso = await isoOf(tree, folder);
  return {
    what: "Ubuntu's live server installer",
    kernel: pair[0],
    ramdisk: pair[1],
    args: iso ? ['ip=dhcp', `iso-url=${iso}`] : [],
    notes: iso
      ? []
      : ['no configuration of the tree names the ISO image: give iso-url=URL and ip=dhcp by --args'],
    async sum(path) {
      for (const list of new Set(['SHA256SUMS', `${folder}SHA256SUMS`])) {
        const names = [path, path.startsWith(folder) ? path.slice(folder.length) : path];
        const found = checksumOf(await tree.text(list), names, list, tree.ctx);
        if (found) return found;
      }
      return undefined;
    },
  };
}

/** The ISO image that the tree's own boot configuration names. */
async function isoOf(tree: Tree, folder: string): Promise<string | undefined> {
  for (const file of ['pxelinux.cfg/default', 'grub/grub.cfg']) {
    const text = await tree.text(folder + file);
    const url = /(?:^|\s)(?:iso-)?url=(https?:\/\/[\x21\x23-\x26\x28-\x5b\x5d-\x7e]{1,1000})(?=\s|$)/.exec(
      text ?? '',
    )?.[1];
    if (url) return url;
  }
  return undefined;
}

async function fromMedium(tree: Tree): Promise<Installer | undefined> {
  if (!/^Ubuntu/.test((await tree.text('.disk/info')) ?? '')) return undefined;
  const pair = await firstPair(tree, [
    ['casper/vmlinuz', 'casper/initrd'],
    ['casper/vmlinuz', 'casper/initrd.gz'],
    ['install/vmlinuz', 'install/initrd.gz'],
  ]);
  return (
    pair && {
      what: "Ubuntu's installer, from its medium",
      kernel: pair[0],
      ramdisk: pair[1],
      args: [],
      notes: [MEDIUM],
      sum: async (path) => checksumOf(await tree.text('md5sum.txt'), [path], 'md5sum.txt', tree.ctx),
    }
  );
}

export const ubuntu: TreeKind = {
  name: 'ubuntu',
  find: async (tree) => (await fromMedium(tree)) ?? (await fromNetboot(tree)),
};
