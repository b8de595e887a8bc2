/**
 * Debian's installer, and Ubuntu's up to 20.04, which is the same program. The folder `images` of a release's
 * `installer-ARCH/current` has `SHA256SUMS` and `MANIFEST`, which name what there is: `netboot/xen/{vmlinuz,initrd.gz}` (for Xen:
 * the initrd has its drivers), `netboot/debian-installer/ARCH/{linux,initrd.gz}`. Source: the trees of deb.debian.org.
 */
import { GuestError } from '../bytes/errors';
import { checksumOf, checksums, stronger } from './sums';
import { ARCHITECTURES, firstPair, type Installer, MEDIUM, type Tree, type TreeKind } from './tree';

/** Where the folder `images` may be, by what the tree's name ends with; the first condition that fits decides. */
function imageFolders(base: string): string[] {
  if (/\/(legacy-)?images\/$/.test(base)) return [''];
  if (/\/installer-[a-z0-9]+\/$/.test(base)) return ['current/images/', 'current/legacy-images/'];
  if (/\/daily-images\/[a-z0-9]+\/$/.test(base)) return ['daily/'];
  if (/\/(current|daily|[0-9]{8}[^/]*)\/$/.test(base)) return ['images/', 'legacy-images/', ''];
  return /\/dists\/[^/]+\/$/.test(base)
    ? ARCHITECTURES.flatMap(([arch]) =>
        ['images', 'legacy-images'].map((images) => `main/installer-${arch}/current/${images}/`),
      )
    : [];
}

const PLACES = /^netboot\/(?:xen\/vmlinuz|(debian|ubuntu)-installer\/[a-z0-9]+\/linux)$/;

/** What the index of a folder names, Xen's first. */
function kernelIn(names: readonly string[]): string | undefined {
  const kernels = names.filter((name) => PLACES.test(name));
  return kernels.find((name) => name.startsWith('netboot/xen/')) ?? kernels[0];
}

/** `netboot/xen/vmlinuz` → `netboot/xen/initrd.gz` */
const initrdOf = (kernel: string): string => kernel.replace(/[^/]*$/, 'initrd.gz');

async function fromImages(tree: Tree, folder: string): Promise<Installer | undefined> {
  const lists = ['SHA256SUMS', 'MD5SUMS'];
  const names: string[] = [];
  for (const list of lists) {
    const text = await tree.text(folder + list);
    for (const [name] of checksums(text ?? '', list, tree.ctx)) names.push(name);
    if (kernelIn(names)) break;
  }
  // MANIFEST's lines: `netboot/xen/vmlinuz -- kernel image …`.
  if (!kernelIn(names))
    for (const line of ((await tree.text(`${folder}MANIFEST`)) ?? '').split('\n'))
      names.push(/^(?:\.\/)?(\S+)/.exec(line)?.[1] ?? '');
  const kernel = kernelIn(names);
  if (!kernel) return undefined;
  return {
    what: names.some((name) => name.startsWith('netboot/ubuntu-installer/'))
      ? "Ubuntu's installer"
      : "Debian's installer",
    kernel: folder + kernel,
    ramdisk: folder + initrdOf(kernel),
    args: [],
    notes: [],
    async sum(path) {
      if (!path.startsWith(folder)) return undefined;
      const name = path.slice(folder.length);
      let best: Awaited<ReturnType<Installer['sum']>>;
      for (const list of lists) {
        best = stronger(best, checksumOf(await tree.text(folder + list), [name], folder + list, tree.ctx));
        if (best) break;
      }
      return best;
    },
  };
}

/** A folder `netboot` by itself (package debian-installer-12-netboot-amd64): no list of checksums comes with it. */
async function fromNetboot(tree: Tree): Promise<Installer | undefined> {
  const pair = await firstPair(tree, [
    ['xen/vmlinuz', 'xen/initrd.gz'],
    ...ARCHITECTURES.flatMap(([arch]) =>
      ['debian', 'ubuntu'].map((name): [string, string] => [
        `${name}-installer/${arch}/linux`,
        `${name}-installer/${arch}/initrd.gz`,
      ]),
    ),
  ]);
  return (
    pair && {
      what: "Debian's installer",
      kernel: pair[0],
      ramdisk: pair[1],
      args: [],
      notes: [],
      sum: async () => undefined,
    }
  );
}

/** The files of an installation image: `.disk/info` says whose, `install.amd` holds the kernel, md5sum.txt the checksums. */
async function fromMedium(tree: Tree): Promise<Installer | undefined> {
  if (!/^Debian/.test((await tree.text('.disk/info')) ?? '')) return undefined;
  const short = process.arch === 'arm64' ? 'a64' : 'amd';
  const pair = await firstPair(tree, [
    [`install.${short}/xen/vmlinuz`, `install.${short}/xen/initrd.gz`],
    [`install.${short}/vmlinuz`, `install.${short}/initrd.gz`],
    ['install/vmlinuz', 'install/initrd.gz'],
  ]);
  if (!pair)
    throw new GuestError('not-found', 'the tree has .disk/info of Debian, and no kernel of its installer');
  return {
    what: "Debian's installer, from its medium",
    kernel: pair[0],
    ramdisk: pair[1],
    args: [],
    notes: [MEDIUM],
    async sum(path) {
      for (const list of ['sha256sum.txt', 'md5sum.txt']) {
        const found = checksumOf(await tree.text(list, 'configBytes'), [path], list, tree.ctx);
        if (found) return found;
      }
      return undefined;
    },
  };
}

export const debian: TreeKind = {
  name: 'debian',
  async find(tree) {
    for (const folder of imageFolders(tree.base)) {
      const found = await fromImages(tree, folder);
      if (found) return found;
    }
    if (imageFolders(tree.base).length > 0) return undefined;
    return (await fromMedium(tree)) ?? (await fromNetboot(tree));
  },
};
