/**
 * Alpine: `vVERSION/releases/ARCH/netboot/{vmlinuz,initramfs,modloop}-FLAVOUR`; `virt` is the small kernel for virtual machines,
 * `lts` the large one. Its init fetches packages from `alpine_repo=` and its modules from `modloop=` over the network that `ip=` sets
 * up (mkinitfs' parameters). An ISO image has `boot/vmlinuz-FLAVOUR`.
 */
import { checksumOf } from './sums';
import { ARCHITECTURES, firstPair, MEDIUM, type Tree, type TreeKind } from './tree';

const FLAVOURS = ['virt', 'lts', 'vanilla'];

function folders(base: string): string[] {
  if (/\/netboot[^/]*\/$/.test(base)) return [''];
  if (/\/releases\/[^/]+\/$/.test(base)) return ['netboot/'];
  if (/\/(v[0-9]+\.[0-9]+|edge|latest-stable)\/$/.test(base))
    return ARCHITECTURES.map(([, arch]) => `releases/${arch}/netboot/`);
  return ['boot/'];
}

export const alpine: TreeKind = {
  name: 'alpine',
  async find(tree) {
    const pair = await firstPair(
      tree,
      folders(tree.base).flatMap((folder) =>
        FLAVOURS.map((name): [string, string] => [`${folder}vmlinuz-${name}`, `${folder}initramfs-${name}`]),
      ),
    );
    if (!pair) return undefined;
    return {
      what: `Alpine (${pair[0].replace(/.*-/, '')})`,
      kernel: pair[0],
      ramdisk: pair[1],
      ...argsOf(tree, pair[0]),
      async sum(path) {
        for (const ending of ['.sha512', '.sha256']) {
          const name = path.replace(/.*\//, '');
          const found = checksumOf(await tree.text(path + ending), [name, path], path + ending, tree.ctx);
          if (found) return found;
        }
        return undefined;
      },
    };
  },
};

function argsOf(tree: Tree, kernel: string): { args: string[]; notes: string[] } {
  if (tree.files.local || kernel.startsWith('boot/')) return { args: [], notes: [MEDIUM] };
  const whole = tree.base + kernel;
  // …/v3.20/releases/x86_64/netboot/vmlinuz-virt: the packages are in …/v3.20/main.
  const release = /^(.*\/)releases\/[^/]+\/netboot[^/]*\/vmlinuz-[a-z]+$/.exec(whole)?.[1];
  if (!release)
    return {
      args: [],
      notes: [
        'give alpine_repo=URL, modloop=URL and ip=dhcp by --args: the tree does not show where they are',
      ],
    };
  return {
    args: [
      'modules=loop,squashfs',
      'ip=dhcp',
      `alpine_repo=${release}main`,
      `modloop=${whole.replace(/vmlinuz(-[a-z]+)$/, 'modloop$1')}`,
    ],
    notes: [],
  };
}
