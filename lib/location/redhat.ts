/**
 * Fedora, RHEL, CentOS, Rocky, Alma and their kin: Anaconda. `.treeinfo` names kernel, ramdisk and their checksums; trees without
 * one have `images/pxeboot`. The installer is told of its tree by `inst.repo=`, before Fedora 19 and RHEL 7 by `method=`
 * (Anaconda's boot options).
 */
import { firstPair, MEDIUM, type Tree, type TreeKind } from './tree';
import { treeInfo } from './treeinfo';

/** @param version empty: a new one */
function repoOption(family: string, version: string): string {
  const major = Number.parseInt(version, 10);
  const first = /fedora/i.test(family) ? 19 : 7;
  return major < first ? 'method' : 'inst.repo';
}

const argsOf = (tree: Tree, option: string) =>
  tree.files.local ? { args: [], notes: [MEDIUM] } : { args: [`${option}=${tree.base}`], notes: [] };

export const redhat: TreeKind = {
  name: 'redhat',
  async find(tree) {
    const info = await treeInfo(tree);
    if (info)
      return {
        what: `the installer of ${info.name || info.family || 'a tree with .treeinfo'}`,
        kernel: info.kernel,
        ramdisk: info.ramdisk,
        ...argsOf(tree, repoOption(info.family, info.version)),
        sum: async (path) => info.sum(path),
      };
    const pair = await firstPair(tree, [['images/pxeboot/vmlinuz', 'images/pxeboot/initrd.img']]);
    return (
      pair && {
        what: 'an installer in images/pxeboot',
        kernel: pair[0],
        ramdisk: pair[1],
        ...argsOf(tree, 'inst.repo'),
        sum: async () => undefined,
      }
    );
  },
};
