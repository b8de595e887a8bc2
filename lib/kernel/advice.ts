/** What an admin should hear of a kernel before a hypervisor fails with less to say. */
import type { KernelAbilities, KernelFormat } from './abilities';

/** How a guest is to be started: `any` is what Xen can do without firmware. */
export type Start = 'pv' | 'pvh' | 'any';

/** Formats that a domain builder does not take, and what to do. */
const STRANGE: Partial<Record<KernelFormat, string>> = {
  zboot:
    "this is an EFI zboot image, which Xen's domain builder does not take: --decompress hands over the Image in it",
  PE: 'this is an EFI program and holds no kernel: firmware alone starts it (type="hvm", firmware="uefi")',
  uImage: "this is an image of U-Boot's (uImage), which no domain builder takes",
  FIT: "this is a device tree, or an image of U-Boot's (FIT), which no domain builder takes",
  unknown: 'this is no kernel that is known',
};

/**
 * What libxenguest does not always unpack (gzip, lzma, xz it does). bzip2 and lzo are left out where Xen is built without their
 * libraries, as Debian's 4.17 is (test/peers/kernels.test.ts).
 */
const NOT_EVERYWHERE: Readonly<Record<string, string>> = {
  lz4: 'Xen before 4.4 does not unpack',
  zstd: 'Xen before 4.15 does not unpack',
  bzip2: "not every build of Xen unpacks (Debian's 4.17 does not)",
  lzo: "not every build of Xen unpacks (Debian's 4.17 does not)",
};

const NO_PV = 'no PV entry point (Linux: CONFIG_XEN_PV is off)';
const NO_PVH = 'no PVH entry point (Linux: CONFIG_PVH is off)';

/** Why it cannot be a guest's kernel whatever the type, or undefined. */
function unfit(kernel: KernelAbilities): string | undefined {
  if (kernel.hypervisor) return 'this is the Xen hypervisor, not the kernel of a guest';
  return STRANGE[kernel.format];
}

/** @returns sentences in the order of their weight; printable */
export function advice(kernel: KernelAbilities): string[] {
  const { examined, pv, pvh, compression, problems } = kernel;
  const said: string[] = [];
  const strange = unfit(kernel);
  if (strange) said.push(strange);
  said.push(...problems);
  if (strange) return said;
  if (examined && !pv && !pvh)
    said.push(
      `this kernel has ${NO_PVH}: type="pvh" will not start it; it has ${NO_PV} either: it needs type="hvm"`,
    );
  else if (examined && !pvh) said.push(`this kernel has ${NO_PVH}: type="pvh" will not start it`);
  else if (examined && !pv) said.push(`this kernel has ${NO_PV}: type="pv" will not start it`);
  if (kernel.protocol !== undefined && Number(kernel.protocol.slice(2)) < 8)
    said.push(
      `this kernel has boot protocol ${kernel.protocol} (Linux before 2.6.26), and Xen wants 2.08: --decompress hands over the ELF file in it`,
    );
  const builders = NOT_EVERYWHERE[compression ?? ''];
  if (builders && (pv || pvh || !examined))
    said.push(`this kernel is packed by ${compression}, which ${builders}: for that there is --decompress`);
  return said;
}

/** The same from headers alone: what nobody asked for is said only where it is certain and matters. */
export const certain = (kernel: KernelAbilities): string[] =>
  kernel.format === 'unknown' ? [] : advice({ ...kernel, compression: undefined });

/** @returns why Xen cannot start it so, as far as one can tell; undefined: it can, or nobody knows */
export function refusal(kernel: KernelAbilities, start: Start): string | undefined {
  const { examined, pv, pvh, architecture } = kernel;
  const strange = unfit(kernel);
  if (strange) return strange;
  if (kernel.format === 'Image')
    return start === 'pv'
      ? `this is a kernel for ${architecture}, where Xen has no PV guests (type="pvh" is the one there)`
      : undefined;
  if (!examined) return undefined;
  const missing = { pv: !pv && NO_PV, pvh: !pvh && NO_PVH, any: !pv && !pvh && `${NO_PVH}, and ${NO_PV}` }[
    start
  ];
  return missing ? `this kernel has ${missing}` : undefined;
}
