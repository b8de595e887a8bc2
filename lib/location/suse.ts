/**
 * openSUSE and SUSE Linux Enterprise: linuxrc and YaST. `.treeinfo` names kernel and ramdisk in newer trees; checksums of all files
 * are in `CHECKSUMS`, in older trees in `content`. The installer is told of its tree by `install=` (linuxrc's parameters).
 */
import { checksumOf, checksums, stronger } from './sums';
import { ARCHITECTURES, MEDIUM, type Tree, type TreeKind } from './tree';
import { treeInfo } from './treeinfo';

/** Xen's own kernel (until openSUSE 13 and SLES 12) first; today's boots as PV and PVH itself. */
const PAIRS = ARCHITECTURES.flatMap(([, arch]): (readonly [string, string])[] => [
  [`boot/${arch}/vmlinuz-xen`, `boot/${arch}/initrd-xen`],
  [`boot/${arch}/loader/linux`, `boot/${arch}/loader/initrd`],
  [`boot/${arch}/linux`, `boot/${arch}/initrd`],
]);

const LISTS = ['CHECKSUMS', 'content'] as const;

export const suse: TreeKind = {
  name: 'suse',
  async find(tree) {
    const info = await treeInfo(tree);
    if (info && !/suse|SLE/i.test(`${info.family} ${info.name}`)) return undefined;
    let pair: readonly [string, string | undefined] | undefined = info && [info.kernel, info.ramdisk];
    if (!pair) {
      const names = new Set<string>();
      for (const list of LISTS) {
        for (const [name] of checksums((await listOf(tree, list)) ?? '', list, tree.ctx)) names.add(name);
        pair = PAIRS.find((both) => both.every((name) => names.has(name)));
        if (pair) break;
      }
    }
    if (!pair) return undefined;
    return {
      what: `the installer of ${info?.name || info?.family || 'SUSE'}`,
      kernel: pair[0],
      ramdisk: pair[1],
      args: tree.files.local ? [] : [`install=${tree.base}`],
      notes: tree.files.local ? [MEDIUM] : [],
      async sum(path) {
        let best = info?.sum(path);
        for (const list of LISTS) {
          if (best) break;
          best = stronger(best, checksumOf(await listOf(tree, list), [path], list, tree.ctx));
        }
        return best;
      },
    };
  },
};

/** The list of a tree with all packages names tens of thousands. */
const listOf = (tree: Tree, list: string) => tree.text(list, 'configBytes');
